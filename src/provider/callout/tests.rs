//! Questions to a real server on loopback, found by names that the test makes up.

mod hosts;

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Mutex;

use expect_test::{Expect, expect};
use reqwest::dns::{Addrs, Name, Resolving};
use serde_json::json;

use super::*;
use crate::domain::callout::{Auth, Limits, Method};
use crate::domain::clock::SystemClock;
use crate::domain::secret::Secret;
use crate::domain::trace::{Context, Span};
use crate::provider::scripted_server::{ScriptedServer, Step};
use crate::provider::signature::{Scheme, Verifier};
use crate::provider::traced::{SpanSink, Tracer};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(super) const SECRET: &str = "hunter2-very-secret";
pub(super) const HOST: &str = "crm.example.org";

/// Answers each look-up with the next list, the last one for ever.
struct MadeUp {
    answers: Mutex<VecDeque<Vec<IpAddr>>>,
    asked: Mutex<Vec<String>>,
}

impl MadeUp {
    fn new(answers: &[&[IpAddr]]) -> Arc<Self> {
        Arc::new(Self {
            answers: Mutex::new(answers.iter().map(|answer| answer.to_vec()).collect()),
            asked: Mutex::default(),
        })
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Resolve for MadeUp {
    fn resolve(&self, name: Name) -> Resolving {
        self.asked.lock().unwrap().push(name.as_str().to_owned());
        let mut answers = self.answers.lock().unwrap();
        let answer = match answers.len() {
            1 => answers[0].clone(),
            _ => answers.pop_front().unwrap(),
        };
        let found = answer.into_iter().map(|ip| SocketAddr::new(ip, 0));
        Box::pin(async move { Ok(Box::new(found) as Addrs) })
    }
}

fn settings() -> CalloutSettings {
    CalloutSettings {
        hosts: vec![HOST.to_owned(), "*.corp.example".to_owned()],
        allow_private: vec![Network::new(HERE, 32)],
        concurrency: 8,
        concurrency_per_host: 8,
        circuit: CircuitSettings::NEVER,
    }
}

fn caller_with(settings: CalloutSettings, names: Arc<MadeUp>) -> Caller {
    Caller::with_names(settings, Arc::new(SystemClock), names).unwrap()
}

pub(super) fn caller() -> Caller {
    caller_with(settings(), MadeUp::new(&[&[HERE]]))
}

fn question(server: &ScriptedServer) -> Question {
    let port = server.url.port().unwrap();
    Question {
        key: "booking-1".to_owned(),
        method: Method::Post,
        url: format!("http://{HOST}:{port}/check?name=zoe"),
        body: Some(r#"{"email":"zoe@example.org"}"#.to_owned()),
        headers: vec![("X-Tenant".to_owned(), "desk".to_owned())],
        auth: None,
        sign: None,
        limits: Limits {
            timeout_ms: 5_000,
            attempts: 1,
            deadline_ms: 20_000,
            body_bytes_max: 1_000,
            allow_http: true,
        },
    }
}

async fn server(steps: impl IntoIterator<Item = Step>) -> (ScriptedServer, Question) {
    let server = ScriptedServer::start(steps).await;
    let question = question(&server);
    (server, question)
}

/// Why there is no answer; with nothing in it that admins must not read.
async fn refusal(caller: &Caller, question: &Question) -> String {
    let why = caller.ask(question).await.unwrap_err();
    for private in [SECRET, "zoe", "?"] {
        assert!(!why.contains(private), "{why}");
    }
    why
}

async fn check(change: impl FnOnce(&mut Question), expected: Expect) {
    let (server, mut question) = server([Step::json(200, &json!({}))]).await;
    change(&mut question);
    expected.assert_eq(&refusal(&caller(), &question).await);
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn every_status_but_a_gateway_s_is_an_answer() {
    let answers = [
        (
            Step::json(200, &json!({"ok": true})),
            Some(json!({"ok": true})),
        ),
        (Step::json(404, &json!([])), Some(json!([]))),
        (Step::with(403, &[], "<html>"), None),
        (Step::with(500, &[], ""), None),
        (Step::with(429, &["retry-after: 9"], "7"), Some(json!(7))),
    ];
    let expected = answers.each_ref().map(|(_, json)| json.clone());
    let (server, question) = server(answers.map(|(step, _)| step)).await;
    for (status, json) in [200, 404, 403, 500, 429].into_iter().zip(expected) {
        let reply = caller().ask(&question).await;
        assert_eq!(reply, Ok(Reply { status, json }));
    }
    assert_eq!(server.seen().len(), 5);
}

#[tokio::test]
async fn says_what_is_asked_and_who_asks() {
    let (server, mut question) = server([Step::json(200, &json!({}))]).await;
    question.auth = Some(Auth::Bearer(Secret::new(SECRET)));
    caller().ask(&question).await.unwrap();
    let seen = &server.seen()[0];
    let of = |name: &str| seen.headers[name].as_str();
    assert_eq!(seen.line, "POST /check?name=zoe");
    assert_eq!(seen.body, json!({"email": "zoe@example.org"}));
    assert_eq!(of("content-type"), "application/json");
    assert_eq!(of("idempotency-key"), "booking-1");
    assert_eq!(of("x-tenant"), "desk");
    assert_eq!(of("authorization"), format!("Bearer {SECRET}"));
    assert!(of("host").starts_with(HOST));
    assert!(!seen.headers.contains_key("signature"));
}

#[tokio::test]
async fn secrets_are_sent_where_they_are_asked_for() {
    let steps = [(); 2].map(|()| Step::json(200, &json!({})));
    let (server, mut question) = server(steps).await;
    question.auth = Some(Auth::Basic {
        user: "gate".to_owned(),
        password: Secret::new("pass"),
    });
    caller().ask(&question).await.unwrap();
    question.auth = Some(Auth::Header {
        name: "X-Api-Key".to_owned(),
        value: Secret::new(SECRET),
    });
    caller().ask(&question).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].headers["authorization"], "Basic Z2F0ZTpwYXNz");
    assert_eq!(seen[1].headers["x-api-key"], SECRET);
}

#[tokio::test]
async fn a_secret_is_not_shown_with_its_request() {
    let (_server, mut question) = server([]).await;
    question.sign = Some(Secret::new(SECRET));
    for auth in [
        Auth::Bearer(Secret::new(SECRET)),
        Auth::Basic {
            user: "gate".to_owned(),
            password: Secret::new(SECRET),
        },
        Auth::Header {
            name: "X-Api-Key".to_owned(),
            value: Secret::new(SECRET),
        },
    ] {
        question.auth = Some(auth);
        let caller = caller();
        let asked = Asked::new(&question, &caller.settings).unwrap();
        let request = asked.request(&caller.client, SystemClock.now());
        let request = request.build().unwrap();
        let sensitive = request.headers().values().filter(|it| it.is_sensitive());
        assert_eq!(sensitive.count(), 1);
        let shown = format!("{question:?} {request:?}");
        assert!(!shown.contains(SECRET), "{shown}");
    }
}

#[tokio::test]
async fn what_is_sent_is_signed() {
    let steps = [(); 2].map(|()| Step::json(200, &json!({})));
    let (server, mut question) = server(steps).await;
    let secret = Secret::new(SECRET);
    question.sign = Some(secret.clone());
    caller().ask(&question).await.unwrap();
    question.method = Method::Get;
    let body = question.body.take().unwrap();
    caller().ask(&question).await.unwrap();
    let scheme = Scheme::TimestampedHmac {
        header: "signature",
        mark: "v1=",
        tolerance_ms: 60_000,
    };
    let verifier = Verifier::new(vec![scheme], &[secret]).unwrap();
    for (seen, signed) in server.seen().iter().zip([body.as_str(), "/check?name=zoe"]) {
        let header = |name: &str| seen.headers.get(name).map(|value| value.as_bytes());
        let (now, signed) = (SystemClock.now(), signed.as_bytes());
        assert_eq!(verifier.verify(&header, signed, now), Ok(()));
    }
    assert_eq!(server.seen()[1].line, "GET /check?name=zoe");
}

#[tokio::test]
async fn what_met_no_answer_is_asked_again_under_the_same_key() {
    let steps = [
        Step::with(502, &[], ""),
        Step::with(503, &["retry-after: 1"], ""),
        Step::with(504, &[], ""),
        Step::Bytes(Vec::new()),
        Step::Stall,
        Step::broken(200),
        Step::json(200, &json!({"ok": true})),
    ];
    let (server, mut question) = server(steps).await;
    question.limits.attempts = 7;
    question.limits.timeout_ms = 200;
    let reply = caller().ask(&question).await.unwrap();
    assert_eq!(reply.json, Some(json!({"ok": true})));
    let seen = server.seen();
    assert_eq!(seen.len(), 7);
    assert!(
        seen.iter()
            .all(|it| it.headers["idempotency-key"] == "booking-1")
    );
}

#[tokio::test]
async fn attempts_come_to_an_end() {
    let (server, mut question) = server([(); 3].map(|()| Step::with(503, &[], ""))).await;
    question.limits.attempts = 2;
    expect!["HTTP 503 (after 2 attempts)"].assert_eq(&refusal(&caller(), &question).await);
    assert_eq!(server.seen().len(), 2);
    question.limits.attempts = 1;
    expect!["HTTP 503"].assert_eq(&refusal(&caller(), &question).await);
}

#[tokio::test]
async fn the_deadline_ends_attempts_and_waits() {
    let (server, mut question) = server([(); 9].map(|()| Step::Stall)).await;
    question.limits.attempts = 9;
    question.limits.timeout_ms = 100;
    question.limits.deadline_ms = 300;
    let began = Instant::now();
    let why = refusal(&caller(), &question).await;
    assert!(began.elapsed() < Duration::from_secs(3));
    assert!(why.starts_with("no answer: timed out"), "{why}");
    let attempts = server.seen().len();
    assert!((1..=3).contains(&attempts), "{attempts}");
    // Nor is one attempt longer than all of them may be.
    question.limits.timeout_ms = 60_000;
    let began = Instant::now();
    expect!["no answer: timed out"].assert_eq(&refusal(&caller(), &question).await);
    assert!(began.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn who_is_not_there_is_told_so() {
    // A port that was free a moment ago: nothing listens there.
    let (server, question) = server([]).await;
    drop(server);
    let why = refusal(&caller(), &question).await;
    assert!(why.starts_with("no "), "{why}");
}

#[tokio::test]
async fn a_body_is_read_up_to_its_limit() {
    let text = |bytes: usize| Step::with(200, &[], &format!("\"{}\"", "x".repeat(bytes - 2)));
    // Without a length, only reading can tell.
    let endless = format!("HTTP/1.1 200 Test\r\n\r\n\"{}\"", "x".repeat(1_000_000));
    let steps = [text(1_000), text(1_001), Step::Bytes(endless.into_bytes())];
    let (server, mut question) = server(steps).await;
    question.limits.attempts = 3;
    assert!(caller().ask(&question).await.unwrap().json.is_some());
    for _ in 0..2 {
        expect!["HTTP 200 with a body of more than 1000 bytes"]
            .assert_eq(&refusal(&caller(), &question).await);
    }
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn a_body_is_nested_up_to_its_limit() {
    let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let steps = [16, 17, 400].map(|depth| Step::with(200, &[], &nested(depth)));
    let (_server, question) = server(steps).await;
    assert!(caller().ask(&question).await.unwrap().json.is_some());
    for _ in 0..2 {
        expect!["HTTP 200 with a body that is nested more than 16 deep"]
            .assert_eq(&refusal(&caller(), &question).await);
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_like_any_other() {
    let step = Step::with(302, &["location: http://crm.example.org:1/elsewhere"], "");
    let (server, question) = server([step]).await;
    assert_eq!(caller().ask(&question).await.unwrap().status, 302);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn headers_are_ones_that_a_question_may_set() {
    let header = |name: &'static str, value: &'static str| {
        move |it: &mut Question| it.headers = vec![(name.to_owned(), value.to_owned())]
    };
    let host = expect!["header `Host` is not for a question to set"];
    check(header("Host", "evil.example"), host).await;
    let broken = expect!["what stands in header `X-A` cannot be sent"];
    check(header("X-A", "a\r\nX-B: zoe"), broken).await;
    check(header("X A", "a"), expect!["`X A` is no name of a header"]).await;
    check(
        |it| it.auth = Some(Auth::Bearer(Secret::new("hunter2-very-secret\n"))),
        expect!["the secret has characters that cannot be sent, maybe a line break"],
    )
    .await;
}

#[tokio::test]
async fn a_failing_host_is_left_alone_and_others_are_not() {
    let (server, mut question) = server([(); 2].map(|()| Step::with(503, &[], ""))).await;
    let mut settings = settings();
    settings.circuit = CircuitSettings {
        failures_max: 2,
        wait_ms: 60_000,
        wait_ms_max: 60_000,
    };
    let caller = caller_with(settings, MadeUp::new(&[&[HERE]]));
    question.limits.attempts = 9;
    let why = refusal(&caller, &question).await;
    let began = "not asked: `crm.example.org` has been failing; the next look is in ";
    assert!(why.starts_with(began), "{why}");
    assert!(refusal(&caller, &question).await.starts_with(began));
    assert_eq!(server.seen().len(), 2);
    let (_well, mut other) = self::server([Step::json(200, &json!({}))]).await;
    other.url = other.url.replace(HOST, "a.corp.example");
    assert!(caller.ask(&other).await.is_ok());
}

#[tokio::test]
async fn only_so_many_are_asked_at_the_same_time() {
    for (concurrency, concurrency_per_host) in [(1, 8), (8, 1)] {
        let (server, mut question) = server([Step::Stall]).await;
        let settings = CalloutSettings {
            concurrency,
            concurrency_per_host,
            ..settings()
        };
        let caller = caller_with(settings, MadeUp::new(&[&[HERE]]));
        question.limits.timeout_ms = 400;
        let hurried = Question {
            limits: Limits {
                deadline_ms: 50,
                ..question.limits
            },
            ..question.clone()
        };
        let (slow, kept_back) = tokio::join!(caller.ask(&question), refusal(&caller, &hurried));
        expect![
            "not asked: too many questions are being asked; `callouts.concurrency` limits them"
        ]
        .assert_eq(&kept_back);
        expect!["no answer: timed out"].assert_eq(&slow.unwrap_err());
        assert_eq!(server.seen().len(), 1);
    }
}

/// The spans it was told of.
#[derive(Debug, Default)]
struct Told(Mutex<Vec<Span>>);

impl SpanSink for Told {
    fn take(&self, span: Span) {
        self.0.lock().unwrap().push(span);
    }
}

#[tokio::test]
async fn an_attempt_is_a_span_below_its_booking_s() {
    let steps = [Step::with(503, &[], ""), Step::json(200, &json!({}))];
    let (server, mut question) = server(steps).await;
    question.limits.attempts = 2;
    let told = Arc::<Told>::default();
    let context = Context::of_webhook([7; 16]);
    let caller = caller();
    let asking = caller.ask(&question);
    let reply = Tracer::to(told.clone()).under(Some(context), asking).await;
    assert_eq!(reply.unwrap().status, 200);
    let statuses = ["503", "200"].map(String::from);
    let spans = told.0.lock().unwrap();
    assert_eq!(spans.len(), 2, "{spans:?}");
    for ((seen, span), status) in server.seen().iter().zip(&*spans).zip(statuses) {
        assert_eq!(seen.headers["traceparent"], span.context.traceparent());
        assert_eq!(span.parent, Some(context.span));
        let told = ("http.response.status_code", status);
        assert!(span.attributes.contains(&told), "{span:?}");
    }
}
