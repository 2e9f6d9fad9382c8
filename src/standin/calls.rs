//! The log of API calls: what came in, what was answered, and whether it changed anything, so that
//! tests can count effects.

use std::collections::VecDeque;

use axum::http::Method;

use super::world::{Shared, World, keep};
use crate::domain::ids::Uid;

/// One call to the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiCall<Operation> {
    /// Place in the order in which calls came in, from 1.
    pub order: u64,
    /// HTTP method.
    pub method: Method,
    /// Path without the query, which may carry a key.
    pub path: String,
    /// What it asked for.
    pub operation: Operation,
    /// Of which booking (or other thing), as far as the path tells.
    pub uid: Option<Uid>,
    /// The trace that the caller said it belongs to (`traceparent`).
    pub traceparent: Option<String>,
    /// HTTP status answered. `None` while the call runs, and if its connection was reset.
    pub answered: Option<u16>,
    /// Whether it changed something, also if the answer said otherwise or never arrived.
    pub effective: bool,
}

/// The calls that are kept, oldest first.
pub(super) struct CallLog<Operation> {
    pub(super) kept: VecDeque<ApiCall<Operation>>,
    seen: u64,
}

impl<Operation> Default for CallLog<Operation> {
    fn default() -> Self {
        Self {
            kept: VecDeque::new(),
            seen: 0,
        }
    }
}

impl<W: World> Shared<W> {
    /// Enters a call into the log.
    pub(super) fn log_call(
        &self,
        method: &Method,
        path: &str,
        traceparent: Option<String>,
    ) -> ApiCall<W::Operation> {
        let (operation, uid) = self.state().classify(method, path);
        let log = &mut self.desk().calls;
        log.seen += 1;
        let call = ApiCall {
            order: log.seen,
            method: method.clone(),
            path: path.to_owned(),
            operation,
            uid,
            traceparent,
            answered: None,
            effective: false,
        };
        keep(&mut log.kept, call.clone());
        call
    }

    /// Notes what became of a call. One that was dropped from the log meanwhile is left dropped.
    pub(super) fn update_call(&self, order: u64, change: impl FnOnce(&mut ApiCall<W::Operation>)) {
        let calls = &mut self.desk().calls.kept;
        if let Some(call) = calls.iter_mut().find(|call| call.order == order) {
            change(call);
        }
    }
}
