//! What is wrong with a policy file, where, and what would be right. Rendered for people
//! ([`Diagnostics::render`]) or serialised for tools.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Patch, Renderer, Snippet};
use serde::Serialize;

use super::codes::{Code, Severity};

/// Where something stands in a file, in bytes.
pub type Span = Range<usize>;

/// The most diagnostics that one file is given; what goes beyond helps nobody.
pub const DIAGNOSTICS_PER_FILE_MAX: usize = 100;
/// The longest excerpt that a rendered diagnostic shows, in bytes.
const EXCERPT_BYTES_MAX: usize = 4_096;

/// A policy file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path, as diagnostics show it.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// A replacement that would probably be right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suggestion {
    /// What it does, such as "did you mean `message`?".
    pub text: String,
    /// Which bytes of the file to replace.
    pub span: Span,
    /// By what.
    pub replacement: String,
}

/// A second place that a diagnostic is about.
#[derive(Debug, Clone, Serialize)]
pub struct Related {
    /// Why it is shown.
    pub message: String,
    /// Its file.
    pub file: String,
    /// Its line, from 1.
    pub line: usize,
    /// Its column in characters, from 1.
    pub column: usize,
    #[serde(skip)]
    source: Arc<SourceFile>,
    #[serde(skip)]
    span: Span,
}

/// One thing that is wrong, or worth knowing.
#[derive(Debug, Clone, Serialize)]
pub struct Diagnostic {
    /// Which rule was broken.
    pub code: Code,
    /// How bad that is.
    pub severity: Severity,
    /// The file, as it was named by the caller.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The line that it ends in.
    pub end_line: usize,
    /// The column behind its last character.
    pub end_column: usize,
    /// What is wrong: lower case, no final dot.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
    /// A replacement that would probably be right.
    pub suggestion: Option<Suggestion>,
    /// Other places that it is about.
    pub related: Vec<Related>,
    /// Whether the line itself may be shown: not where it carries a secret.
    #[serde(skip)]
    shows_source: bool,
    #[serde(skip)]
    source: Arc<SourceFile>,
    #[serde(skip)]
    span: Span,
}

impl Diagnostic {
    /// A diagnostic at `span` of `source`.
    pub fn new(
        source: &Arc<SourceFile>,
        code: Code,
        span: Span,
        message: impl Into<String>,
    ) -> Self {
        let span = clamp(&source.text, span);
        let (line, column) = position(&source.text, span.start);
        let (end_line, end_column) = position(&source.text, span.end);
        Self {
            code,
            severity: code.severity(),
            file: source.name.clone(),
            line,
            column,
            end_line,
            end_column,
            message: message.into(),
            help: None,
            suggestion: None,
            related: Vec::new(),
            shows_source: true,
            source: Arc::clone(source),
            span,
        }
    }

    /// Whether it keeps the set from being activated.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Says what would be right.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Offers a replacement.
    #[must_use]
    pub fn suggest(
        mut self,
        span: Span,
        text: impl Into<String>,
        replacement: impl Into<String>,
    ) -> Self {
        self.suggestion = Some(Suggestion {
            text: text.into(),
            span: clamp(&self.source.text, span),
            replacement: replacement.into(),
        });
        self
    }

    /// Shows a second place.
    #[must_use]
    pub fn relate(
        mut self,
        source: &Arc<SourceFile>,
        span: Span,
        message: impl Into<String>,
    ) -> Self {
        let span = clamp(&source.text, span);
        let (line, column) = position(&source.text, span.start);
        self.related.push(Related {
            message: message.into(),
            file: source.name.clone(),
            line,
            column,
            source: Arc::clone(source),
            span,
        });
        self
    }

    /// Keeps the line itself out of sight, because it carries a secret.
    #[must_use]
    pub fn without_source(mut self) -> Self {
        self.shows_source = false;
        self
    }

    fn groups(&self) -> Vec<Group<'_>> {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let title = level.primary_title(&self.message).id(self.code.as_str());
        let mut main = if self.shows_source {
            title.element(excerpt(&self.source, &self.span))
        } else {
            let origin = annotate_snippets::Origin::path(&self.file).line(self.line);
            title.element(origin)
        };
        for related in &self.related {
            main = main.element(Level::NOTE.message(&related.message));
            main = main.element(excerpt(&related.source, &related.span));
        }
        if let Some(help) = &self.help {
            main = main.element(Level::HELP.message(help));
        }
        let mut groups = vec![main];
        if let Some(suggestion) = &self.suggestion {
            let (start, end) = window(&self.source.text, &suggestion.span);
            let local = suggestion.span.start - start..suggestion.span.end.min(end) - start;
            let text = annotate_snippets::normalize_untrusted_str(&suggestion.text);
            let snippet = patched(&self.source, &suggestion.span)
                .patch(Patch::new(local, suggestion.replacement.as_str()));
            groups.push(Level::HELP.secondary_title(text).element(snippet));
        }
        groups
    }
}

/// All diagnostics of one load, in the order of files and lines.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(transparent)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// Sorts them by file, line and column.
    pub fn new(mut items: Vec<Diagnostic>) -> Self {
        items.sort_by(|a, b| {
            let place = |d: &Diagnostic| (d.file.clone(), d.span.start, d.code);
            place(a).cmp(&place(b))
        });
        Self(items)
    }

    /// The diagnostics.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// These and more.
    #[must_use]
    pub fn and(mut self, more: Vec<Diagnostic>) -> Self {
        self.0.extend(more);
        Self::new(self.0)
    }

    /// How many are so bad.
    pub fn count(&self, severity: Severity) -> usize {
        let found = self.0.iter().filter(|one| one.severity == severity);
        found.count()
    }

    /// Only some of them.
    #[must_use]
    pub fn only(mut self, keep: impl Fn(&Diagnostic) -> bool) -> Self {
        self.0.retain(keep);
        self
    }

    /// Some of them taken for errors.
    #[must_use]
    pub fn raised(mut self, raise: impl Fn(&Diagnostic) -> bool) -> Self {
        for one in self.0.iter_mut().filter(|one| raise(one)) {
            one.severity = Severity::Error;
        }
        self
    }

    /// Whether there are none at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether any is an error, so that the set is not activated.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|d| d.severity == Severity::Error)
    }

    /// The codes and places of the first errors, and how many more there are: what may be logged, where
    /// the lines themselves may not.
    pub fn places(&self, errors_max: usize) -> String {
        let errors = || self.0.iter().filter(|d| d.severity == Severity::Error);
        let place = |d: &Diagnostic| format!("{} at {}:{}:{}", d.code, d.file, d.line, d.column);
        let mut places: Vec<String> = errors().take(errors_max).map(place).collect();
        let more = errors().count().saturating_sub(errors_max);
        if more > 0 {
            places.push(format!("{more} more"));
        }
        places.join(", ")
    }

    /// The diagnostics as a compiler would print them, with terminal colours if asked.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour {
            Renderer::styled().decor_style(DecorStyle::Unicode)
        } else {
            Renderer::plain()
        };
        let rendered: Vec<String> = self
            .0
            .iter()
            .map(|diagnostic| renderer.render(&diagnostic.groups()))
            .collect();
        rendered.join("\n\n")
    }
}

/// Collects the diagnostics of one file.
#[derive(Debug)]
pub struct Sink {
    source: Arc<SourceFile>,
    items: RefCell<Vec<Diagnostic>>,
}

impl Sink {
    /// An empty sink for a file.
    pub fn new(source: Arc<SourceFile>) -> Self {
        Self {
            source,
            items: RefCell::default(),
        }
    }

    /// The file.
    pub fn source(&self) -> &Arc<SourceFile> {
        &self.source
    }

    /// A diagnostic about this file; hand it to [`Sink::add`] when it is complete.
    pub fn at(&self, code: Code, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(&self.source, code, span, message)
    }

    /// Takes a diagnostic; those past [`DIAGNOSTICS_PER_FILE_MAX`] are dropped.
    pub fn add(&self, diagnostic: Diagnostic) {
        let mut items = self.items.borrow_mut();
        if items.len() < DIAGNOSTICS_PER_FILE_MAX {
            items.push(diagnostic);
        }
    }

    /// How many errors were reported.
    pub fn errors(&self) -> usize {
        let items = self.items.borrow();
        let errors = items.iter().filter(|d| d.severity == Severity::Error);
        errors.count()
    }

    /// Whether an error was reported.
    pub fn has_errors(&self) -> bool {
        self.errors() > 0
    }

    /// All that was reported.
    pub fn into_items(self) -> Vec<Diagnostic> {
        self.items.into_inner()
    }
}

/// A span that lies inside the text, on whole characters.
fn clamp(text: &str, span: Span) -> Span {
    let floor = |at: usize| {
        (0..=at.min(text.len()))
            .rev()
            .find(|i| text.is_char_boundary(*i))
    };
    let start = floor(span.start).unwrap_or(0);
    let end = floor(span.end).unwrap_or(0).max(start);
    start..end
}

/// Line and column, both from 1, the column in characters.
fn position(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (line, before[start..].chars().count() + 1)
}

/// The whole lines around a span, cut to a readable length.
fn window(text: &str, span: &Span) -> (usize, usize) {
    let start = text[..span.start]
        .rfind('\n')
        .map_or(0, |newline| newline + 1);
    let end = text[span.end..]
        .find('\n')
        .map_or(text.len(), |newline| span.end + newline);
    let start = start.max(span.start.saturating_sub(EXCERPT_BYTES_MAX));
    let end = end
        .min(span.start.saturating_add(EXCERPT_BYTES_MAX))
        .max(span.start);
    let cut = clamp(text, start..end);
    (cut.start.min(span.start), cut.end)
}

fn excerpt<'s>(
    source: &'s SourceFile,
    span: &Span,
) -> Snippet<'s, annotate_snippets::Annotation<'s>> {
    let (start, end) = window(&source.text, span);
    let local = span.start - start..span.end.min(end) - start;
    Snippet::source(&source.text[start..end])
        .line_start(position(&source.text, start).0)
        .path(source.name.as_str())
        .annotation(AnnotationKind::Primary.span(local))
}

fn patched<'s>(source: &'s SourceFile, span: &Span) -> Snippet<'s, Patch<'s>> {
    let (start, end) = window(&source.text, span);
    Snippet::source(&source.text[start..end])
        .line_start(position(&source.text, start).0)
        .path(source.name.as_str())
}
