//! Hands spans over to an OpenTelemetry collector: OTLP over HTTP, as JSON, in batches. What cannot be handed
//! over is dropped: a trace is for looking, and nobody waits for it.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::domain::secret::Secret;
use crate::domain::trace::{Span, SpanKind};
use crate::provider::client::{ClientError, HttpClient, Method};
use crate::provider::traced::Tracer;

/// Spans that wait to be handed over, at the most.
const WAITING_MAX: usize = 8_192;
/// Spans in one request.
const BATCH_MAX: usize = 512;
/// How long spans are gathered before they are sent.
const GATHER: Duration = Duration::from_millis(1_000);
/// How long a collector may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long it may take once the daemon stops.
const LAST_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a connection may take, in ms.
const CONNECT_TIMEOUT_MS: u32 = 5_000;

/// Where spans go.
#[derive(Debug, Clone)]
pub struct OtlpTarget {
    /// The collector's address for traces.
    pub traces_url: Url,
    /// Headers that it asks for.
    pub headers: Vec<(String, Secret)>,
    /// What this daemon is called there.
    pub service_name: String,
    /// Which instance of it this is.
    pub instance: String,
}

/// Hands spans over.
pub struct Exporter {
    target: OtlpTarget,
    client: HttpClient,
    spans: mpsc::Receiver<Span>,
    tracer: Tracer,
    /// Whether the last batch was taken, so that a collector that is away is told of once.
    well: bool,
}

impl Exporter {
    /// An exporter, and whom to tell of spans.
    ///
    /// # Errors
    /// The HTTP client cannot be made.
    pub fn new(target: OtlpTarget) -> Result<(Self, Tracer), ClientError> {
        let client = HttpClient::new(&target.traces_url, CONNECT_TIMEOUT_MS)?;
        let (sender, spans) = mpsc::channel(WAITING_MAX);
        let tracer = Tracer::to(sender);
        let exporter = Self {
            target,
            client,
            spans,
            tracer: tracer.clone(),
            well: true,
        };
        Ok((exporter, tracer))
    }

    /// Hands over until `end`, and then what is left.
    pub async fn run(mut self, end: CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        while end
            .run_until_cancelled(self.gather(&mut batch))
            .await
            .is_some()
        {
            self.send(&mut batch, TIMEOUT).await;
        }
        loop {
            while batch.len() < BATCH_MAX
                && let Ok(span) = self.spans.try_recv()
            {
                batch.push(span);
            }
            if batch.is_empty() || !self.send(&mut batch, LAST_TIMEOUT).await {
                return;
            }
        }
    }

    /// Waits for a span and gathers what comes soon after. Keeps what it has if it is cancelled.
    async fn gather(&mut self, batch: &mut Vec<Span>) {
        if batch.is_empty() {
            let first = self.spans.recv().await;
            batch.extend(first);
        }
        let gathering = async {
            while batch.len() < BATCH_MAX {
                let Some(span) = self.spans.recv().await else {
                    return std::future::pending().await;
                };
                batch.push(span);
            }
        };
        let _enough_or_late = tokio::time::timeout(GATHER, gathering).await;
    }

    async fn send(&mut self, batch: &mut Vec<Span>, timeout: Duration) -> bool {
        let body = body(&self.target, batch);
        let count = batch.len();
        batch.clear();
        let url = self.target.traces_url.clone();
        let mut request = self.client.request(Method::POST, url).json(&body);
        for (name, value) in &self.target.headers {
            request = request.header(name, value.expose());
        }
        let why = match self.client.exchange(request, timeout).await {
            Ok(answer) if (200..300).contains(&answer.status) => None,
            Ok(answer) => Some(format!("HTTP {}", answer.status)),
            Err(error) => Some(error.to_string()),
        };
        match (&why, self.well) {
            (Some(why), true) => tracing::warn!(
                error = %why,
                otlp.spans = count,
                otlp.dropped = self.tracer.dropped(),
                "the collector does not take traces; they are dropped until it does"
            ),
            (None, false) => tracing::info!("the collector takes traces again"),
            _ => {}
        }
        self.well = why.is_none();
        self.well
    }
}

/// A request, as the OTLP specification has it in JSON.
fn body(target: &OtlpTarget, spans: &[Span]) -> Value {
    let version = env!("CARGO_PKG_VERSION");
    json!({ "resourceSpans": [{
        "resource": { "attributes": [
            attribute("service.name", &target.service_name),
            attribute("service.version", version),
            attribute("service.instance.id", &target.instance),
        ]},
        "scopeSpans": [{
            "scope": { "name": "bookgate", "version": version },
            "spans": spans.iter().map(span).collect::<Vec<_>>(),
        }],
    }]})
}

fn span(span: &Span) -> Value {
    let attributes = span.attributes.iter();
    let nanoseconds = |at: crate::domain::clock::Timestamp| at.as_nanosecond().to_string();
    let mut told = json!({
        "traceId": span.context.trace.to_string(),
        "spanId": span.context.span.to_string(),
        "name": span.name,
        "kind": match span.kind {
            SpanKind::Internal => 1,
            SpanKind::Server => 2,
            SpanKind::Client => 3,
        },
        "startTimeUnixNano": nanoseconds(span.began_at),
        "endTimeUnixNano": nanoseconds(span.ended_at),
        "attributes": attributes.map(|(key, value)| attribute(key, value)).collect::<Vec<_>>(),
        "status": { "code": if span.failed { 2 } else { 0 } },
    });
    if let Some(parent) = span.parent {
        told["parentSpanId"] = parent.to_string().into();
    }
    told
}

fn attribute(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}
