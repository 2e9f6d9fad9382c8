//! Tests of the room as a whole: from text to verdict.

mod archive;
mod borrowing;
mod composition;
mod evaluation;
mod examples;
mod explanations;
mod expressions;
mod fuzz;
mod guide;
mod hashes;
mod languages;
mod loader;
mod remote_lists;
mod schema;
mod shadows;
mod support;

pub(super) use support::{approved, booking, decide, facts, load_texts, policies, units};
