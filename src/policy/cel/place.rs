//! Where the parts of an expression stand in its text. The parser remembers one token for each node,
//! which for a name is its last dot and for a call its bracket; from there the rest is found.

use std::ops::Range;

use cel::common::ast::{Expr, IdedExpr, SourceInfo};
use cel::parser::ParseError;

/// The text of an expression, and what the parser remembers of it.
#[derive(Clone, Copy)]
pub(super) struct Places<'e> {
    pub(super) source: &'e str,
    pub(super) info: &'e SourceInfo,
}

impl Places<'_> {
    /// The token of a node.
    pub(super) fn of(&self, node: &IdedExpr) -> Option<Range<usize>> {
        let (start, last) = self.info.offset_for(node.id)?;
        let place = start as usize..last as usize + 1;
        self.source.get(place.clone()).map(|_| place)
    }

    /// A name with all its parts.
    pub(super) fn of_name(
        &self,
        node: &IdedExpr,
        written: &[&str],
        part: Option<&str>,
    ) -> Option<Range<usize>> {
        let start = self.of(root(node))?.start;
        let mut end = start;
        for part in written.iter().copied().chain(part) {
            let rest = self.source.get(end..)?;
            let trimmed =
                rest.trim_start_matches(|letter: char| letter == '.' || letter.is_whitespace());
            let at = end + rest.len() - trimmed.len();
            // A name that begins with a dot has it in front of its first part.
            let part = part.trim_start_matches('.');
            if !trimmed.starts_with(part) {
                break;
            }
            end = at + part.len();
        }
        Some(start..end)
    }

    /// The name of a function that is called.
    pub(super) fn of_function(&self, node: &IdedExpr, name: &str) -> Option<Range<usize>> {
        let bracket = self.of(node)?;
        let before = self.source.get(..bracket.start)?.trim_end();
        if before.ends_with(name) {
            return Some(before.len() - name.len()..before.len());
        }
        Some(bracket)
    }
}

/// What a chain of names begins with.
fn root(node: &IdedExpr) -> &IdedExpr {
    match &node.expr {
        Expr::Select(select) => root(&select.operand),
        _ => node,
    }
}

/// Where the parser stopped. It counts lines, and characters within them, from 1.
pub(super) fn of_error(source: &str, error: &ParseError) -> Option<Range<usize>> {
    let line = usize::try_from(error.pos.0).ok()?.checked_sub(1)?;
    let column = usize::try_from(error.pos.1).ok()?.checked_sub(1)?;
    let mut lines = source.split_inclusive('\n');
    let before: usize = lines.by_ref().take(line).map(str::len).sum();
    let line = lines.next().unwrap_or_default();
    let letter = line.char_indices().nth(column);
    let (at, letter) = letter.map_or((line.len(), None), |(at, letter)| (at, Some(letter)));
    let start = before + at;
    Some(start..start + letter.map_or(0, char::len_utf8))
}
