//! Tests of the room as a whole: from text to verdict.

mod borrowing;
mod composition;
mod evaluation;
mod examples;
mod fuzz;
mod hashes;
mod languages;
mod loader;
mod support;

pub(super) use support::{booking, decide, facts, policies};
