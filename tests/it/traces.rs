//! One trace from the webhook to the call that answers it, handed over to a collector that is a real server.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use bookgate::standin::calcom::{Fault, Matcher, Operation, When};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::harness::{Installation, Setup, run_test};

/// Takes traces, as OTLP over HTTP has them in JSON.
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
    failed: bool,
    attributes: BTreeMap<String, String>,
    raw: String,
}

impl Span {
    fn read(json: &Value) -> Self {
        let text = |key: &str| json[key].as_str().map(str::to_owned);
        let time = |key: &str| text(key).unwrap().parse::<i128>().unwrap();
        assert!(
            time("startTimeUnixNano") <= time("endTimeUnixNano"),
            "{json}"
        );
        let attributes = json["attributes"].as_array().unwrap().iter().map(|one| {
            let value = one["value"]["stringValue"].as_str().unwrap().to_owned();
            (one["key"].as_str().unwrap().to_owned(), value)
        });
        Self {
            trace: text("traceId").unwrap(),
            id: text("spanId").unwrap(),
            parent: text("parentSpanId"),
            name: text("name").unwrap(),
            failed: json["status"]["code"] == 2,
            attributes: attributes.collect(),
            raw: json.to_string(),
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
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(headers["authorization"], crate::harness::READ_TOKEN);
    let body: Value = serde_json::from_slice(&body).unwrap();
    let spans = body["resourceSpans"][0]["scopeSpans"][0]["spans"]
        .as_array()
        .unwrap()
        .clone();
    let spans: Vec<_> = spans.iter().map(Span::read).collect();
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
            assert_eq!(webhook.parent, None);
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
