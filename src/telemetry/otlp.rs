//! Hands spans over to an OpenTelemetry collector: OTLP over HTTP, as protobuf, by OpenTelemetry's own batching
//! and exporter, through the HTTP client that all calls go through. What cannot be handed over is dropped: a
//! trace is for looking, and nobody waits for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_http::{Bytes, HttpError, Request, Response};
use opentelemetry_otlp::{
    ExporterBuildError, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanProcessor as _,
};
use tokio::runtime::Handle;
use url::Url;

use crate::domain::secret::Secret;
use crate::domain::trace::{self, Span};
use crate::provider::CallError;
use crate::provider::client::{ClientError, HttpClient, Method, RawAnswer};
use crate::provider::traced::SpanSink;

/// Spans that wait to be handed over, at the most.
const WAITING_MAX: usize = 8_192;
/// Spans in one request.
const BATCH_MAX: usize = 512;
/// How long spans are gathered before they are sent.
const GATHER: Duration = Duration::from_secs(1);
/// How long a collector may take, with all tries.
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

/// Nothing can be handed over.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    /// The HTTP client cannot be made.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// OpenTelemetry's variables or the address say something that cannot be.
    #[error("traces cannot be handed over: {0}")]
    Exporter(#[from] ExporterBuildError),
}

/// Hands spans over, from a thread of its own.
#[derive(Debug)]
pub struct Exporter {
    processor: BatchSpanProcessor,
    scope: InstrumentationScope,
}

impl Exporter {
    /// An exporter that makes its calls on this runtime.
    ///
    /// # Errors
    /// As [`OtlpError`] has it.
    pub fn new(target: OtlpTarget, runtime: Handle) -> Result<Self, OtlpError> {
        let client = Client {
            http: HttpClient::new(&target.traces_url, CONNECT_TIMEOUT_MS)?,
            runtime,
            is_well: AtomicBool::new(true),
        };
        let headers = target.headers.iter();
        let headers = headers.map(|(name, value)| (name.clone(), value.expose().to_owned()));
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_endpoint(target.traces_url)
            .with_protocol(Protocol::HttpBinary)
            .with_headers(headers.collect::<HashMap<_, _>>())
            .with_timeout(TIMEOUT)
            .build()?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(WAITING_MAX)
            .with_max_export_batch_size(BATCH_MAX)
            .with_scheduled_delay(GATHER);
        let mut processor = BatchSpanProcessor::builder(exporter)
            .with_batch_config(batches.build())
            .build();
        let version = env!("CARGO_PKG_VERSION");
        let resource = Resource::builder_empty()
            .with_service_name(target.service_name)
            .with_attribute(KeyValue::new("service.version", version))
            .with_attribute(KeyValue::new("service.instance.id", target.instance));
        processor.set_resource(&resource.build());
        let scope = InstrumentationScope::builder("bookgate").with_version(version);
        Ok(Self {
            processor,
            scope: scope.build(),
        })
    }

    /// Hands over what is left, and then nothing more. What the collector does not take at once is dropped.
    pub async fn end(self: Arc<Self>) {
        let ending = move || self.processor.shutdown_with_timeout(LAST_TIMEOUT);
        // That it did not take everything has been told by then.
        let _ended = tokio::task::spawn_blocking(ending).await;
    }
}

impl SpanSink for Exporter {
    fn take(&self, span: Span) {
        let id = |id: trace::SpanId| SpanId::from_bytes(id.0);
        let attributes = span.attributes.into_iter();
        self.processor.on_end(SpanData {
            span_context: SpanContext::new(
                TraceId::from_bytes(span.context.trace.0),
                id(span.context.span),
                TraceFlags::SAMPLED,
                false,
                TraceState::NONE,
            ),
            parent_span_id: span.parent.map_or(SpanId::INVALID, id),
            parent_span_is_remote: false,
            span_kind: match span.kind {
                trace::SpanKind::Internal => SpanKind::Internal,
                trace::SpanKind::Server => SpanKind::Server,
                trace::SpanKind::Client => SpanKind::Client,
            },
            name: span.name.into(),
            start_time: SystemTime::from(span.began_at),
            end_time: SystemTime::from(span.ended_at),
            attributes: attributes
                .map(|(key, value)| KeyValue::new(key, value))
                .collect(),
            dropped_attributes_count: 0,
            events: Default::default(),
            links: Default::default(),
            status: match span.failed {
                true => Status::error(""),
                false => Status::Unset,
            },
            instrumentation_scope: self.scope.clone(),
        });
    }
}

/// The HTTP client, for a thread that has no runtime.
#[derive(Debug)]
struct Client {
    http: HttpClient,
    runtime: Handle,
    /// Whether the last batch was taken, so that a collector that is away is told of once.
    is_well: AtomicBool,
}

impl Client {
    fn tell(&self, answer: &Result<RawAnswer, CallError>) {
        let why = match answer {
            Ok(answer) if (200..300).contains(&answer.status) => None,
            Ok(answer) => Some(format!("HTTP {}", answer.status)),
            Err(error) => Some(error.to_string()),
        };
        match (&why, self.is_well.swap(why.is_none(), Ordering::Relaxed)) {
            (Some(why), true) => tracing::warn!(
                error = %why,
                "the collector does not take traces; they are dropped until it does"
            ),
            (None, false) => tracing::info!("the collector takes traces again"),
            _ => {}
        }
    }
}

#[async_trait]
impl opentelemetry_http::HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let url = head.uri.to_string().parse()?;
        let request = self.http.request(Method::POST, url).headers(head.headers);
        let (http, request) = (self.http.clone(), request.body(body));
        let calling = async move { http.exchange(request, TIMEOUT).await };
        let answer = self.runtime.spawn(calling).await?;
        self.tell(&answer);
        let answer = answer?;
        let mut response = Response::builder().status(answer.status);
        if let Some(wait_ms) = answer.wait_ms {
            response = response.header("retry-after", wait_ms / 1_000);
        }
        Ok(response.body(answer.body)?)
    }
}
