//! One trace from the webhook to the call that answers it, handed over to a collector that is a real server.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use bookgate::standin::calcom::{Fault, Matcher, Operation, When};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span as Proto;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode as Outcome;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::harness::{Installation, Setup, run_test};

/// Takes traces, as OTLP over HTTP has them in protobuf.
#[derive(Clone)]
struct Collector {
    address: std::net::SocketAddr,
    came: Arc<watch::Sender<Vec<Span>>>,
}

#[derive(Debug, Clone)]
struct Span {
    trace: String,
    id: String,
    parent: Option<String>,
    name: String,
    kind: SpanKind,
    failed: bool,
    attributes: BTreeMap<String, String>,
    raw: String,
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |one: &KeyValue| match one.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some((one.key.clone(), text.clone())),
        _ => None,
    };
    attributes.iter().filter_map(text).collect()
}

impl Span {
    fn read(span: &Proto) -> Self {
        assert!(
            span.start_time_unix_nano <= span.end_time_unix_nano,
            "{span:?}"
        );
        let parent = hex::encode(&span.parent_span_id);
        let outcome = span.status.as_ref().map(|status| status.code());
        Self {
            trace: hex::encode(&span.trace_id),
            id: hex::encode(&span.span_id),
            parent: Some(parent).filter(|parent| !parent.is_empty()),
            name: span.name.clone(),
            kind: span.kind(),
            failed: outcome == Some(Outcome::Error),
            attributes: texts(&span.attributes),
            raw: format!("{span:?}"),
        }
    }
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let collector = Self {
            address: listener.local_addr().unwrap(),
            came: Arc::default(),
        };
        let app = Router::new().fallback(take).with_state(collector.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        collector
    }

    fn section(&self) -> String {
        let address = self.address;
        format!("[telemetry.otlp]\nendpoint = \"http://{address}\"\nauthorization = \"env:READ\"\n")
    }

    /// Waits until a trace has so many spans of this name, and gives the whole trace by name.
    async fn trace_with(&self, name: &str, count: usize) -> Vec<Span> {
        let mut came = self.came.subscribe();
        let spans = came.wait_for(|spans| {
            let named = spans.iter().filter(|span| span.name == name);
            named.clone().any(|one| {
                named
                    .clone()
                    .filter(|other| other.trace == one.trace)
                    .count()
                    >= count
            })
        });
        let spans = spans.await.unwrap().clone();
        let trace = spans
            .iter()
            .find(|span| span.name == name)
            .unwrap()
            .trace
            .clone();
        spans
            .into_iter()
            .filter(|span| span.trace == trace)
            .collect()
    }
}

async fn take(
    State(collector): State<Collector>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    assert_eq!(uri.path(), "/v1/traces");
    assert_eq!(headers["content-type"], "application/x-protobuf");
    assert_eq!(headers["authorization"], crate::harness::READ_TOKEN);
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let [ours] = &request.resource_spans[..] else {
        panic!("not one resource: {request:?}");
    };
    let about = texts(&ours.resource.as_ref().unwrap().attributes);
    assert_eq!(about["service.name"], "bookgate");
    assert_eq!(about["service.version"], env!("CARGO_PKG_VERSION"));
    assert!(about["service.instance.id"].starts_with("gate-"));
    let spans: Vec<_> = ours.scope_spans[0].spans.iter().map(Span::read).collect();
    collector.came.send_modify(|came| came.extend(spans));
    StatusCode::OK
}

#[track_caller]
fn only<'s>(trace: &'s [Span], name: &str) -> &'s Span {
    let mut named = trace.iter().filter(|span| span.name == name);
    let one = named
        .next()
        .unwrap_or_else(|| panic!("no `{name}` in {trace:#?}"));
    assert!(named.next().is_none(), "two of `{name}` in {trace:#?}");
    one
}

#[tokio::test]
async fn one_trace_from_the_webhook_to_the_confirm() {
    for dialect in ["v2", "v1"] {
        let collector = Collector::start().await;
        let setup = Setup {
            dialect,
            more: collector.section(),
            ..Setup::default()
        };
        run_test(setup, async |it: &mut Installation| {
            collector.came.send_replace(Vec::new());
            it.hold_webhooks();
            it.top_up("2").await;
            it.book(72).await;
            let requested = it.cal.take_outbox().remove(0);
            it.deliver(&requested).await;
            it.settle().await;
            let change = if dialect == "v1" { "PATCH" } else { "POST" };
            let trace = collector.trace_with(change, 1).await;
            let webhook = only(&trace, "webhook");
            assert_eq!((&webhook.parent, webhook.kind), (&None, SpanKind::Server));
            assert_eq!(webhook.attributes["bookgate.result"], "stored");
            for name in ["filing", "decision", "attempt"] {
                assert_eq!(
                    only(&trace, name).parent.as_ref(),
                    Some(&webhook.id),
                    "{name}"
                );
            }
            assert_eq!(
                only(&trace, "decision").attributes["bookgate.outcome"],
                "accept"
            );
            let attempt = only(&trace, "attempt");
            assert_eq!(attempt.attributes["bookgate.result"], "ok");
            for name in ["GET", change] {
                let call = only(&trace, name);
                assert_eq!(call.parent.as_ref(), Some(&attempt.id), "{name}");
                assert_eq!(call.kind, SpanKind::Client, "{name}");
                assert_eq!(call.attributes["http.response.status_code"], "200");
            }
            // The provider is told, so that its traces join ours.
            let calls = it.cal.calls();
            let told: Vec<_> = calls
                .iter()
                .filter_map(|call| call.traceparent.as_deref())
                .collect();
            let expected = ["GET", change]
                .map(|name| format!("00-{}-{}-01", webhook.trace, only(&trace, name).id));
            assert_eq!(told, expected);
            for span in &trace {
                let raw = span.raw.to_lowercase();
                assert!(
                    !raw.contains("reader.example") && !raw.contains("ada "),
                    "{raw}"
                );
            }
        })
        .await;
    }
}

/// The daemon that goes on is another one than the daemon that took the webhook.
#[tokio::test]
async fn a_trace_goes_on_after_a_restart() {
    let collector = Collector::start().await;
    let setup = Setup {
        more: collector.section(),
        ..Setup::default()
    };
    run_test(setup, async |it: &mut Installation| {
        collector.came.send_replace(Vec::new());
        it.hold_webhooks();
        it.top_up("2").await;
        it.book(72).await;
        let confirm = Matcher::operation(Operation::Confirm);
        it.cal
            .fail_next(confirm, When::BeforeWork, Fault::Status(401));
        let requested = it.cal.take_outbox().remove(0);
        it.deliver(&requested).await;
        it.settle().await;
        it.stop().await;
        it.begin().await;
        it.pass_ms(60_000).await;
        let trace = collector.trace_with("attempt", 2).await;
        let webhook = only(&trace, "webhook");
        let attempts: Vec<_> = trace.iter().filter(|span| span.name == "attempt").collect();
        let told: Vec<_> = attempts
            .iter()
            .map(|span| (span.failed, span.parent.as_ref()))
            .collect();
        assert_eq!(
            told,
            [(true, Some(&webhook.id)), (false, Some(&webhook.id))]
        );
    })
    .await;
}

#[tokio::test]
async fn a_collector_that_is_away_holds_up_nobody() {
    let setup = Setup {
        more: "[telemetry.otlp]\nendpoint = \"http://127.0.0.1:1\"\n".to_owned(),
        ..Setup::default()
    };
    run_test(setup, async |it: &mut Installation| {
        it.top_up("20").await;
        for hour in 72..82 {
            it.book(hour).await;
        }
        it.settle().await;
        assert_eq!(it.cal.live().len(), 10);
    })
    .await;
}
