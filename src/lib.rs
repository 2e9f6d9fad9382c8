//! bookgate (tour to come)
#![allow(missing_docs, reason = "being built")]

pub mod app;
pub mod cli;
pub mod domain;
pub mod gate;
pub mod http;
pub mod journal;
pub mod ledger;
pub mod policy;
pub mod provider;
pub mod settings;
pub mod standin;
pub mod storage;
pub mod telemetry;
