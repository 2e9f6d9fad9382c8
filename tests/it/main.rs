//! One integration binary: the real daemon on a real SQLite file, spoken to over real HTTP, with a
//! stateful stand-in for the provider. `harness` builds it; every other module tells stories.

mod admin;
mod crash;
mod faults;
mod cli;
mod harness;
mod stories;
