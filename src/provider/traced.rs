//! Traces, where somebody wants them: who tells of spans, and under which of them a call is made. Without a
//! listener nothing is made up and nothing is asked for.

use std::fmt::Debug;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use super::CallError;
use super::client::{Method, RequestBuilder};
use crate::domain::clock::Timestamp;
use crate::domain::trace::{Context, Span, SpanId, SpanKind};

/// Takes spans that are over. It must not block: nothing waits for being watched.
pub trait SpanSink: Debug + Send + Sync {
    /// Takes one; drops it if there is no room.
    fn take(&self, span: Span);
}

/// Where spans are told. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Tracer(Option<Arc<dyn SpanSink>>);

tokio::task_local! {
    static CURRENT: (Tracer, Context);
}

impl Tracer {
    /// Tells this one.
    pub fn to(sink: Arc<dyn SpanSink>) -> Self {
        Self(Some(sink))
    }

    /// Whether anybody listens.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Tells of a span that is over.
    pub fn tell(&self, span: Span) {
        if let Some(sink) = &self.0 {
            sink.take(span);
        }
    }

    /// Does something under a span: calls to a provider that it makes are below it.
    pub async fn under<T>(&self, context: Option<Context>, work: impl Future<Output = T>) -> T {
        match context {
            Some(context) if self.is_on() => CURRENT.scope((self.clone(), context), work).await,
            _ => work.await,
        }
    }
}

/// An id that no other span has: the count, stirred with what this process has drawn at its start.
pub fn new_span_id() -> SpanId {
    static DRAWN: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    // All zeros would be no id.
    SpanId(DRAWN.hash_one(count).max(1).to_be_bytes())
}

/// A call under way, to be told of when it is over.
pub(super) struct CallSpan {
    tracer: Tracer,
    parent: Context,
    method: &'static str,
    host: String,
    began_at: Timestamp,
    context: Context,
}

impl CallSpan {
    /// Begins a span for a request, if it is made under one, and has the request say so (`traceparent`).
    pub(super) fn begin(request: RequestBuilder, now: Timestamp) -> (RequestBuilder, Option<Self>) {
        let Ok((tracer, parent)) = CURRENT.try_with(Clone::clone) else {
            return (request, None);
        };
        let Some(shown) = request.try_clone().and_then(|copy| copy.build().ok()) else {
            return (request, None);
        };
        let context = parent.below(new_span_id());
        let span = Self {
            tracer,
            parent,
            method: word(shown.method()),
            host: shown.url().host_str().unwrap_or_default().to_owned(),
            began_at: now,
            context,
        };
        (
            request.header("traceparent", context.traceparent()),
            Some(span),
        )
    }

    /// The call came to its end: with this status, or without an answer to use.
    pub(super) fn end(self, outcome: Result<u16, &CallError>, now: Timestamp) {
        let status = outcome.map_or_else(CallError::http_status, Some);
        let result = outcome.map_or_else(CallError::word, |_| "ok");
        let mut attributes = vec![
            ("http.request.method", self.method.to_owned()),
            ("server.address", self.host),
            ("bookgate.result", result.to_owned()),
        ];
        attributes.extend(status.map(|status| ("http.response.status_code", status.to_string())));
        self.tracer.tell(Span {
            context: self.context,
            parent: Some(self.parent.span),
            name: self.method,
            kind: SpanKind::Client,
            began_at: self.began_at,
            ended_at: now,
            attributes,
            failed: outcome.is_err(),
        });
    }
}

fn word(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PATCH" => "PATCH",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        _ => "HTTP",
    }
}
