//! The vocabulary: plain values that every other room speaks. Nothing here does I/O, is async, or
//! asks the machine for the time, so it can only fail by its input.

pub mod account;
pub mod amount;
pub mod booking;
pub mod callout;
pub mod chain;
pub mod clock;
pub mod decision;
pub mod event;
pub mod ids;
pub mod notice;
pub mod others;
pub mod owner;
pub mod phone;
pub mod plan;
pub mod secret;
#[cfg(test)]
mod testing;
pub mod timeline;
pub mod trace;
