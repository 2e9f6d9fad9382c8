//! One integration binary: the real daemon on a real SQLite file, spoken to over real HTTP, with a
//! stateful stand-in for the provider. `harness` builds it; every other module tells stories.

mod admin;
mod architecture;
mod calcom_reconciliation;
mod calendly;
mod callouts;
mod cli;
mod clock_steps;
mod demo;
mod disk_full;
mod down;
mod explaining;
mod faults;
mod fuzzing;
mod harness;
mod instances;
mod leases;
mod moving;
mod notices;
mod outages;
mod page;
mod postgres;
mod receiving;
mod reloading;
#[path = "../rig/mod.rs"]
mod rig;
mod secrecy;
mod shadows;
mod stories;
mod survival;
mod traces;
