//! The way of one webhook through the house, in the words of OpenTelemetry. A trace crosses the store, and
//! maybe daemons, without anything being stored for it: a webhook's digest, by which it is known in any
//! case, is its trace's id, and what follows from the webhook finds it again.

use std::fmt;

use super::clock::Timestamp;

/// Names a trace.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TraceId(pub [u8; 16]);

/// Names a span within its trace.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SpanId(pub [u8; 8]);

/// A place in a trace: what a span is below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// The trace.
    pub trace: TraceId,
    /// The span.
    pub span: SpanId,
}

/// What a span is to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// It happens inside.
    Internal,
    /// Somebody asked for it.
    Server,
    /// It asks somebody.
    Client,
}

/// Something that was done in a trace. It names no person, and carries no text of a stranger.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Its place.
    pub context: Context,
    /// What it is below; `None` for the first.
    pub parent: Option<SpanId>,
    /// What was done.
    pub name: &'static str,
    /// What it is to others.
    pub kind: SpanKind,
    /// When it began.
    pub began_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// More about it.
    pub attributes: Vec<(&'static str, String)>,
    /// Whether it failed.
    pub failed: bool,
}

impl Context {
    /// Where the webhook with this digest came in: the first span of its trace. A repeated webhook is the
    /// same trace.
    pub fn of_webhook(digest: [u8; 16]) -> Self {
        let [.., a, b, c, d, e, f, g, h] = digest;
        Self {
            trace: TraceId(digest),
            span: SpanId([a, b, c, d, e, f, g, h]),
        }
    }

    /// A place below this one.
    pub fn below(self, span: SpanId) -> Self {
        Self { span, ..self }
    }

    /// As the header `traceparent` says it (W3C Trace Context, version 00, sampled).
    pub fn traceparent(self) -> String {
        format!("00-{}-{}-01", self.trace, self.span)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_s_digest_names_its_trace_and_first_span() {
        let digest = std::array::from_fn(|place| u8::try_from(place).unwrap());
        let root = Context::of_webhook(digest);
        let expected = "00-000102030405060708090a0b0c0d0e0f-08090a0b0c0d0e0f-01";
        assert_eq!(root.traceparent(), expected);
        let below = root.below(SpanId([0xff; 8])).traceparent();
        assert_eq!(
            below,
            "00-000102030405060708090a0b0c0d0e0f-ffffffffffffffff-01"
        );
    }
}
