//! What may be called in an expression, and what it costs.

use cel::common::ast::operators;

use super::names::Shape;
use super::values::{ITEMS_MAX, JSON_VALUES_MAX};

/// What it costs to look for a text in a text.
const CONTAINS_STEPS: u64 = 16;
/// What it costs to try a pattern on a text.
const MATCHES_STEPS: u64 = 250;

/// The functions there are, beside `all`, `exists`, `exists_one`, `filter`, `has` and `map`, which the
/// parser turns into loops and tests.
pub(super) const FUNCTIONS: &[&str] = &[
    "bool",
    "contains",
    "double",
    "duration",
    "endsWith",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getFullYear",
    "getHours",
    "getMilliseconds",
    "getMinutes",
    "getMonth",
    "getSeconds",
    "int",
    "lowerAscii",
    "matches",
    "size",
    "startsWith",
    "string",
    "timestamp",
    "trim",
    "upperAscii",
];
pub(super) const LOOPS: &[&str] = &["all", "exists", "exists_one", "filter", "has", "map"];
pub(super) const OPERATORS: &[&str] = &[
    operators::ADD,
    operators::CONDITIONAL,
    operators::DIVIDE,
    operators::EQUALS,
    operators::GREATER,
    operators::GREATER_EQUALS,
    operators::IN,
    operators::INDEX,
    operators::LESS,
    operators::LESS_EQUALS,
    operators::LOGICAL_AND,
    operators::LOGICAL_NOT,
    operators::LOGICAL_OR,
    operators::MODULO,
    operators::MULTIPLY,
    operators::NEGATE,
    operators::NOT_EQUALS,
    operators::NOT_STRICTLY_FALSE,
    operators::SUBSTRACT,
];
/// How large a value can be: how long it is, and how large each of its items. A text is as long as
/// the number of texts it was put together from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) length: u64,
    /// `None` if there is nothing in it.
    pub(super) item: Option<Box<Size>>,
    /// Whether each part may be as large as the whole, as `length` counts the values at all depths. A loop
    /// over parts of it goes over each value once at the most, so they count as one each.
    pub(super) is_tree: bool,
}

impl Size {
    /// Of a text, a number, a moment, true or false.
    pub(super) const ONE: Self = Self {
        length: 1,
        item: None,
        is_tree: false,
    };

    pub(super) fn of(shape: Shape) -> Self {
        let many = |item| Self::many(ITEMS_MAX as u64, item);
        match shape {
            Shape::Single => Self::ONE,
            Shape::Texts | Shape::Map | Shape::Amounts => many(Self::ONE),
            Shape::MapOfTexts => many(many(Self::ONE)),
            Shape::Json => Self {
                is_tree: true,
                ..Self::many(JSON_VALUES_MAX as u64, Self::ONE)
            },
        }
    }

    pub(super) fn many(length: u64, item: Self) -> Self {
        Self {
            length,
            item: Some(Box::new(item)),
            is_tree: false,
        }
    }

    /// How much there is to look at, at all depths.
    pub(super) fn total(&self) -> u64 {
        let item = self.item.as_ref().map_or(1, |item| item.total());
        self.length.saturating_mul(item)
    }

    pub(super) fn inside(&self) -> Self {
        match self.is_tree {
            true => self.clone(),
            false => self.each(),
        }
    }

    /// Of each part, where one after the other is looked at.
    pub(super) fn each(&self) -> Self {
        self.item.as_deref().cloned().unwrap_or(Self::ONE)
    }

    /// Of whichever of the two it is.
    pub(super) fn largest(self, other: Self) -> Self {
        Self {
            length: self.length.max(other.length),
            item: Self::larger_item(self.item, other.item),
            is_tree: self.is_tree || other.is_tree,
        }
    }

    /// Of the two joined.
    fn together(self, other: Self) -> Self {
        Self {
            length: self.length.saturating_add(other.length),
            item: Self::larger_item(self.item, other.item),
            is_tree: self.is_tree || other.is_tree,
        }
    }

    fn larger_item(one: Option<Box<Self>>, other: Option<Box<Self>>) -> Option<Box<Self>> {
        match (one, other) {
            (Some(one), Some(other)) => Some(Box::new(one.largest(*other))),
            (one, other) => one.or(other),
        }
    }
}

/// What a part of an expression costs, and what it gives.
#[derive(Debug, Clone)]
pub(super) struct Weight {
    pub(super) steps: u64,
    pub(super) size: Size,
}

/// What a function does itself with values of such sizes, and what it gives.
pub(super) fn work(name: &str, sizes: &[Size]) -> (u64, Size) {
    let total = sizes
        .iter()
        .fold(0, |sum: u64, size| sum.saturating_add(size.total()));
    let at = |place: usize| sizes.get(place).cloned().unwrap_or(Size::ONE);
    match name {
        operators::ADD => (total, at(0).together(at(1))),
        operators::CONDITIONAL => (1, at(1).largest(at(2))),
        operators::INDEX => (1, at(0).inside()),
        "contains" => (total.saturating_mul(CONTAINS_STEPS), Size::ONE),
        "matches" => (total.saturating_mul(MATCHES_STEPS), Size::ONE),
        "lowerAscii" | "string" | "trim" | "upperAscii" => (total, at(0)),
        _ => (total, Size::ONE),
    }
}
