//! The policies: what an admin writes down, and what it says about a booking.
//!
//! [`load()`] turns the texts of all policy files into a [`PolicySet`], or into [`Diagnostics`] that
//! say file, line and what would be right. [`PolicySet::evaluate`] turns [`Facts`] into a
//! [`Verdict`], or says which facts are missing. Both are pure: no clock, no network, no disk but
//! the system's time zones (when a policy is loaded); list files are read by a function of the
//! caller's.
//!
//! From outside in: `load/` reads the sections of a file with [`reader::Table`] and gathers
//! [`diagnostic`]s; `kinds/` has one file per kind of criterion; [`require`] is the tree of
//! conditions over three-valued [`truth`]; `evaluate` walks it stage by stage; [`verdict`] is what
//! comes out. Expressions in CEL are read, bounded and evaluated in `cel/`.

mod address;
mod archive;
pub mod borrowed;
mod calendar;
mod canonical;
mod cel;
pub mod codes;
pub mod compiled;
pub mod criterion;
pub mod diagnostic;
pub mod duration;
mod evaluate;
mod event_types;
pub mod explain;
pub mod facts;
pub mod keys;
pub mod kinds;
pub mod lists;
pub mod load;
pub mod measured;
pub mod messages;
mod pattern;
pub mod reader;
pub mod require;
pub mod schema;
mod set;
pub mod template;
#[cfg(test)]
mod tests;
pub mod text;
pub mod truth;
pub mod vault;
pub mod verdict;
pub mod words;

pub use archive::{SetPart, restore};
pub use compiled::{Miss, Mode, Policy, PolicyHash, Role};
pub use criterion::{Cache, Call};
pub use diagnostic::{Diagnostic, Diagnostics, SourceFile};
pub use event_types::EventTypes;
pub use facts::{
    AccountFacts, AccountStatus, Answered, Asker, Balance, Facts, Loaded, Need, Stage,
};
pub use load::{LoadContext, load};
pub use set::{Asked, PolicySet};
pub use truth::Truth;
pub use verdict::{CriterionTrace, Evaluation, PolicyRef, Said, Trace, TraceResult, Verdict};
