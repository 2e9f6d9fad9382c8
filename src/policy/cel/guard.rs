//! What an expression may be: small, of known names and functions, and of bounded work. The work is
//! estimated from the tree before anything is evaluated, by the most that names can hold.

use std::collections::BTreeMap;

use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SelectExpr,
};
use regex::Regex;

use super::names::{Name, Shape};
use super::place::Places;
use super::work::{FUNCTIONS, LOOPS, OPERATORS, Size, Weight, work};
use super::{Fault, Setting};
use crate::policy::codes::Code;
use crate::policy::pattern;
use crate::policy::text::{nearest, quote, quote_all};

/// The longest expression, in bytes. Looked at before it is parsed: the parser calls itself for each
/// operator of a chain, and 24 KiB of them overflow a stack of 2 MiB.
pub(super) const SOURCE_BYTES_MAX: usize = 1_024;
/// The most operators, dots and opening brackets, wherever they stand; for the same reason.
pub(super) const MARKS_MAX: usize = 256;
/// The most nodes of the tree; a loop such as `all` takes about ten.
const NODES_MAX: usize = 256;
/// How deep the tree may go.
pub(super) const DEPTH_MAX: u16 = 32;
/// How deep loops may nest.
const LOOPS_MAX: usize = 2;
/// The longest list or map that is written out.
const LITERAL_ITEMS_MAX: usize = 32;
/// The most steps that evaluating may take. One is about a tenth of a microsecond.
const STEPS_MAX: u64 = 100_000;
/// What loops keep their result in.
const RESULT: &str = "@result";

/// The walk over an expression.
pub(super) struct Guard<'e> {
    places: Places<'e>,
    setting: &'e Setting<'e>,
    nodes: usize,
    /// The names that loops give to their items, outermost first.
    items: Vec<(&'e str, Size)>,
    faults: Vec<Fault>,
    found: Found,
}

/// What an expression uses.
#[derive(Default)]
pub(super) struct Found {
    /// Each once.
    pub(super) names: Vec<&'static Name>,
    pub(super) patterns: BTreeMap<String, Regex>,
    /// What may be meant as the key of an answer.
    pub(super) keys: Vec<String>,
}

/// Refuses a text that is not even to be parsed.
pub(super) fn text(source: &str) -> Result<(), Fault> {
    let help = "take it apart: several criteria, put together in `[require]`".to_owned();
    if source.len() > SOURCE_BYTES_MAX {
        let message = format!(
            "the expression is {} bytes long, at most {SOURCE_BYTES_MAX}",
            source.len()
        );
        return Err(Fault::new(Code::ExpressionTooLarge, None, message, help));
    }
    let marks = source
        .matches(|letter| "+-*/%.<>=!&|?([{".contains(letter))
        .count();
    if marks > MARKS_MAX {
        let message =
            format!("the expression has {marks} operators, dots and brackets, at most {MARKS_MAX}");
        return Err(Fault::new(Code::ExpressionTooLarge, None, message, help));
    }
    Ok(())
}

/// Refuses an expression that is not to be evaluated, and says what the others use.
pub(super) fn tree<'e>(
    expression: &'e IdedExpr,
    places: Places<'e>,
    setting: &'e Setting<'e>,
) -> Result<Found, Vec<Fault>> {
    let mut guard = Guard {
        places,
        setting,
        nodes: 0,
        items: Vec::new(),
        faults: Vec::new(),
        found: Found::default(),
    };
    let weight = guard.weigh(expression, 1);
    if guard.nodes > NODES_MAX {
        let message = format!(
            "the expression has {} parts, at most {NODES_MAX}",
            guard.nodes
        );
        guard.too_large(None, message);
    } else if guard.faults.is_empty() && weight.steps > STEPS_MAX {
        let message = format!(
            "the expression may take {} steps, at most {STEPS_MAX}",
            weight.steps
        );
        guard.too_large(None, message);
    }
    if guard.faults.is_empty() {
        Ok(guard.found)
    } else {
        Err(guard.faults)
    }
}

impl<'e> Guard<'e> {
    fn weigh(&mut self, node: &'e IdedExpr, depth: u16) -> Weight {
        self.nodes += 1;
        if depth > DEPTH_MAX || self.nodes > NODES_MAX {
            if depth > DEPTH_MAX && self.nodes <= NODES_MAX {
                // Said once: nothing below is looked at.
                self.nodes = NODES_MAX;
                let message = format!("the expression nests deeper than {DEPTH_MAX}");
                self.too_large(self.places.of(node), message);
            }
            return Weight {
                steps: 0,
                size: Size::ONE,
            };
        }
        match &node.expr {
            Expr::Literal(LiteralValue::Bytes(_)) => self.refuse(node, "bytes are"),
            Expr::Literal(LiteralValue::String(text)) => {
                self.found.keys.push(text.inner().to_owned());
                Weight {
                    steps: 1,
                    size: Size::ONE,
                }
            }
            Expr::Literal(_) => Weight {
                steps: 1,
                size: Size::ONE,
            },
            Expr::Ident(name) => self.named(node, &[name], None),
            Expr::Select(select) => self.select(node, select, depth),
            Expr::Call(call) => self.call(node, call, depth),
            Expr::List(list) => {
                if !list.optional_indices.is_empty() {
                    return self.refuse(node, "optional items are");
                }
                let items: Vec<&IdedExpr> = list.elements.iter().collect();
                self.literal(node, &items, list.elements.len(), depth)
            }
            Expr::Map(map) => {
                let entries = map.entries.iter().filter_map(|entry| match &entry.expr {
                    EntryExpr::MapEntry(entry) => Some([&entry.key, &entry.value]),
                    EntryExpr::StructField(_) => None,
                });
                let items: Vec<&IdedExpr> = entries.flatten().collect();
                self.literal(node, &items, map.entries.len(), depth)
            }
            Expr::Comprehension(comprehension) => self.repeat(node, comprehension, depth),
            Expr::Struct(_) => self.refuse(node, "messages are"),
            Expr::Unspecified => self.refuse(node, "this is"),
        }
    }

    /// A list or a map that is written out.
    fn literal(
        &mut self,
        node: &IdedExpr,
        parts: &[&'e IdedExpr],
        length: usize,
        depth: u16,
    ) -> Weight {
        if length > LITERAL_ITEMS_MAX {
            let message = format!("{length} items are written out, at most {LITERAL_ITEMS_MAX}");
            self.too_large(self.places.of(node), message);
        }
        let (mut steps, mut item) = (1_u64, Size::ONE);
        for part in parts {
            let weight = self.weigh(part, depth + 1);
            steps = steps
                .saturating_add(weight.steps)
                .saturating_add(weight.size.total());
            item = item.largest(weight.size);
        }
        Weight {
            steps,
            size: Size::many(length as u64, item),
        }
    }

    fn select(&mut self, node: &'e IdedExpr, select: &'e SelectExpr, depth: u16) -> Weight {
        self.found.keys.push(select.field.clone());
        let mut parts = Vec::new();
        let is_path = path(&select.operand.expr, &mut parts);
        let of_item = parts.first().is_some_and(|root| self.item(root).is_some());
        if !is_path || of_item {
            let operand = self.weigh(&select.operand, depth + 1);
            return Weight {
                steps: operand.steps.saturating_add(1),
                size: operand.size.inside(),
            };
        }
        self.nodes += parts.len();
        if select.test {
            return self.named(node, &parts, Some(&select.field));
        }
        parts.push(&select.field);
        self.named(node, &parts, None)
    }

    /// A name with what may stand behind it, or the test whether it has such a `part`.
    fn named(&mut self, node: &IdedExpr, written: &[&'e str], part: Option<&'e str>) -> Weight {
        let one = Weight {
            steps: 1,
            size: Size::ONE,
        };
        if written == [RESULT] {
            return one;
        }
        if let (Some(size), None, [_]) = (self.item(written[0]), part, written) {
            return Weight { steps: 1, size };
        }
        let place = self.places.of_name(node, written, part);
        let Some((name, inner)) = Name::find(written, self.setting.of_reply) else {
            self.unknown(place, written, part);
            return one;
        };
        if !self.found.names.iter().any(|known| known.name == name.name) {
            self.found.names.push(name);
        }
        let inner = inner.first().copied().or(part);
        let size = Size::of(name.shape);
        match (inner, name.shape) {
            (None, _) => return Weight { steps: 1, size },
            (Some(_), Shape::Map | Shape::MapOfTexts | Shape::Json) => {}
            (Some(unit), Shape::Amounts)
                if self.setting.units.keys().any(|code| code.as_str() == unit) => {}
            (Some(unit), Shape::Amounts) => {
                let units = self.setting.units.keys().map(|code| code.as_str());
                let message = format!("there is no unit {}", quote(unit));
                let help = format!("one of {}", quote_all(units));
                self.faults
                    .push(Fault::new(Code::UnknownUnit, place, message, help));
            }
            (Some(inner), Shape::Single | Shape::Texts) => {
                let message = format!("`{}` has no {}", name.name, quote(inner));
                let help = format!("leave `.{inner}` out");
                self.faults
                    .push(Fault::new(Code::UnknownName, place, message, help));
            }
        }
        Weight {
            steps: 1,
            size: size.inside(),
        }
    }

    fn unknown(
        &mut self,
        place: Option<std::ops::Range<usize>>,
        written: &[&str],
        part: Option<&str>,
    ) {
        let whole: Vec<&str> = written.iter().copied().chain(part).take(2).collect();
        let name = whole.join(".");
        if part.is_some() && Name::find(&whole, self.setting.of_reply).is_some() {
            let message = format!("`{name}` is always there");
            let help = "what the provider does not tell is an empty text, an empty list or 0: compare it with that".to_owned();
            self.faults
                .push(Fault::new(Code::UnknownName, place, message, help));
            return;
        }
        let of_reply = self.setting.of_reply;
        let group = Name::is_group(whole[0], of_reply).then_some(whole[0]);
        let message = match whole[..] {
            [group_alone] if group.is_some() => format!("`{group_alone}` by itself is nothing"),
            _ => format!("expressions know no {}", quote(&name)),
        };
        let help = format!("known: {}", quote_all(Name::all(group, of_reply)));
        let mut fault = Fault::new(Code::UnknownName, place, message, help);
        // Only where the name is all that would be replaced.
        if written.len() + usize::from(part.is_some()) <= 2 && (group.is_none() || whole.len() > 1)
        {
            fault.meant = meant(&name, of_reply);
        }
        self.faults.push(fault);
    }

    fn call(&mut self, node: &'e IdedExpr, call: &'e CallExpr, depth: u16) -> Weight {
        let name = call.func_name.as_str();
        let is_operator = OPERATORS.contains(&name) && call.target.is_none();
        if !is_operator && !FUNCTIONS.contains(&name) {
            return self.unknown_function(node, name);
        }
        let mut steps: u64 = 1;
        let mut sizes = Vec::new();
        for part in call.target.as_deref().into_iter().chain(&call.args) {
            let weight = self.weigh(part, depth + 1);
            steps = steps.saturating_add(weight.steps);
            sizes.push(weight.size);
        }
        if name == "matches" {
            self.pattern(node, call);
        }
        let (own, size) = work(name, &sizes);
        Weight {
            steps: steps.saturating_add(own),
            size,
        }
    }

    fn unknown_function(&mut self, node: &IdedExpr, name: &str) -> Weight {
        let known = || FUNCTIONS.iter().chain(LOOPS).copied();
        let place = self.places.of_function(node, name);
        let (message, help) = match LOOPS.contains(&name) {
            true => (
                format!("`{name}` is not used like this"),
                "such as `booking.guests.all(guest, guest.endsWith(\"@example.org\"))` or `has(booking.answers.topic)`".to_owned(),
            ),
            false => (
                format!("there is no function {}", quote(name)),
                format!("one of {}", quote_all(known())),
            ),
        };
        let mut fault = Fault::new(Code::BadExpression, place, message, help);
        fault.meant = nearest(name, known()).filter(|meant| *meant != name);
        self.faults.push(fault);
        Weight {
            steps: 1,
            size: Size::ONE,
        }
    }

    /// Patterns are compiled when the policy is loaded, so they have to be written out.
    fn pattern(&mut self, node: &IdedExpr, call: &CallExpr) {
        let written = match (&call.target, &call.args[..]) {
            (
                Some(_),
                [
                    IdedExpr {
                        expr: Expr::Literal(LiteralValue::String(text)),
                        ..
                    },
                ],
            ) => text.inner(),
            _ => {
                let place = self.places.of_function(node, "matches");
                let message = "`matches` takes one pattern that is written out".to_owned();
                let help = "such as `booking.notes.matches(\"^[A-Z]\")`; to look for a text, use `contains`".to_owned();
                self.faults
                    .push(Fault::new(Code::BadPattern, place, message, help));
                return;
            }
        };
        match pattern::compile(written) {
            Ok(regex) => {
                self.found.patterns.insert(written.to_owned(), regex);
            }
            Err(why) => {
                let place = call
                    .args
                    .first()
                    .and_then(|pattern| self.places.of(pattern));
                let message = format!("this pattern cannot be used: {why}");
                let help = "in an expression, a backslash is written twice, or the text begins with r: r'^[0-9]{4}$'".to_owned();
                self.faults
                    .push(Fault::new(Code::BadPattern, place, message, help));
            }
        }
    }

    fn repeat(
        &mut self,
        node: &'e IdedExpr,
        comprehension: &'e ComprehensionExpr,
        depth: u16,
    ) -> Weight {
        let range = self.weigh(&comprehension.iter_range, depth + 1);
        let name = comprehension.iter_var.as_str();
        if self.items.len() >= LOOPS_MAX {
            let message = format!("loops nest deeper than {LOOPS_MAX}");
            self.too_large(self.places.of(node), message);
            return range;
        }
        let of_reply = self.setting.of_reply;
        if Name::is_group(name, of_reply) || Name::all(None, of_reply).any(|known| known == name) {
            let message = format!("{} already means something else", quote(name));
            let help = "give the items of the list another name".to_owned();
            let fault = Fault::new(Code::BadExpression, self.places.of(node), message, help);
            self.faults.push(fault);
        }
        let start = self.weigh(&comprehension.accu_init, depth + 1);
        self.items.push((name, range.size.each()));
        let goes_on = self.weigh(&comprehension.loop_cond, depth + 1);
        let step = self.weigh(&comprehension.loop_step, depth + 1);
        self.items.pop();
        let result = self.weigh(&comprehension.result, depth + 1);
        // Each item is copied for its turn.
        let each = goes_on
            .steps
            .saturating_add(step.steps)
            .saturating_add(range.size.each().total());
        let turns = range.size.length.saturating_mul(each);
        let once = range
            .steps
            .saturating_add(start.steps)
            .saturating_add(result.steps);
        // Only `filter` and `map` put something into a list at each step.
        let size = match step.size.item {
            Some(_) if range.size.is_tree => range.size,
            Some(item) => Size::many(range.size.length, *item),
            None => Size::ONE,
        };
        Weight {
            steps: once.saturating_add(turns),
            size,
        }
    }

    fn item(&self, name: &str) -> Option<Size> {
        let mut items = self.items.iter().rev();
        items
            .find(|(item, _)| *item == name)
            .map(|(_, size)| size.clone())
    }

    fn refuse(&mut self, node: &IdedExpr, what: &str) -> Weight {
        let message = format!("{what} not used in policies");
        let help = "texts, numbers, lists, maps and moments are".to_owned();
        self.faults.push(Fault::new(
            Code::BadExpression,
            self.places.of(node),
            message,
            help,
        ));
        Weight {
            steps: 1,
            size: Size::ONE,
        }
    }

    fn too_large(&mut self, place: Option<std::ops::Range<usize>>, message: String) {
        let help = "take it apart: several criteria, put together in `[require]`".to_owned();
        self.faults
            .push(Fault::new(Code::ExpressionTooLarge, place, message, help));
    }
}

/// The name that was probably meant; perhaps only what it belongs to was left out.
fn meant(written: &str, of_reply: bool) -> Option<&'static str> {
    let all = || Name::all(None, of_reply);
    let last = |name: &'static str| name.rsplit('.').next().unwrap_or(name);
    nearest(written, all()).or_else(|| {
        let part = nearest(written, all().map(last))?;
        all().find(|name| last(name) == part)
    })
}

/// The parts of `a.b.c`; false if it is anything but names.
fn path<'e>(expression: &'e Expr, parts: &mut Vec<&'e str>) -> bool {
    match expression {
        Expr::Ident(name) => parts.push(name),
        Expr::Select(select) if !select.test => {
            if !path(&select.operand.expr, parts) {
                return false;
            }
            parts.push(&select.field);
        }
        _ => return false,
    }
    true
}
