//! Expressions in CEL (the Common Expression Language), behind one door: nothing outside this folder
//! knows the crate that reads and evaluates them.
//!
//! That crate ends, but nothing in it bounds what an expression costs: long chains of operators
//! overflow the stack, and loops within loops take minutes. So an expression is guarded before it is
//! ever evaluated: `guard` bounds its text before it is parsed, then its tree, its names, its functions
//! and its `work`; `program` tries it on imagined bookings (`samples`), because what it gives is only
//! known when it is evaluated; `names` says what it may look at, and `values` bounds how much of that.

mod field;
mod guard;
mod names;
mod place;
mod program;
mod samples;
#[cfg(test)]
mod tests;
mod values;
mod work;

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::tz::TimeZone;

use super::codes::Code;
use crate::domain::amount::{Unit, UnitCode};

pub(super) use field::Field;
pub(super) use program::Program;

/// What an expression may look up while it is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting<'a> {
    pub(super) units: &'a BTreeMap<UnitCode, Unit>,
    /// Whether the policy has a price.
    pub(super) priced: bool,
    /// Whether it is about what another server answered.
    pub(super) of_reply: bool,
    /// The policy's time zone.
    pub(super) zone: &'a TimeZone,
}

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: Code,
    /// Which bytes of the expression; `None` if it is all of it.
    pub(super) place: Option<Range<usize>>,
    pub(super) message: String,
    pub(super) help: String,
    /// What would probably be right there.
    pub(super) meant: Option<&'static str>,
}

impl Fault {
    fn new(code: Code, place: Option<Range<usize>>, message: String, help: String) -> Self {
        Self {
            code,
            place,
            message,
            help,
            meant: None,
        }
    }
}
