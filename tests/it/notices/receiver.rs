//! A receiver of notices: a real server that checks each signature by itself, and answers as the story
//! wants.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::harness::NOTICES_SECRET;

/// How a request is answered.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    Status(u16),
    /// With `Retry-After`, in seconds.
    Later(u16, u32),
    /// To be found elsewhere.
    Redirect(String),
    /// Not at all.
    Never,
}

/// What came in.
#[derive(Debug, Clone)]
pub(super) struct Notice {
    pub(super) id: String,
    /// `webhook-timestamp`, in seconds.
    pub(super) sent_at: i64,
    pub(super) body: Value,
}

impl Notice {
    pub(super) fn kind(&self) -> &str {
        self.body["type"].as_str().unwrap()
    }

    pub(super) fn data(&self) -> &Value {
        &self.body["data"]
    }
}

#[derive(Clone)]
pub(super) struct Receiver {
    address: std::net::SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    script: Mutex<VecDeque<Answer>>,
    came: watch::Sender<Vec<Notice>>,
}

impl Receiver {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self {
            address: listener.local_addr().unwrap(),
            inner: Arc::new(Inner {
                script: Mutex::default(),
                came: watch::Sender::default(),
            }),
        };
        let app = Router::new().fallback(take).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        receiver
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// The section of the settings that names it.
    pub(super) fn section(&self, name: &str, more: &str) -> String {
        let url = self.url();
        format!("[notices.{name}]\nurl = \"{url}\"\nsecrets = [\"env:NOTICES\"]\n{more}\n")
    }

    /// Answers the next requests so, and those after them with 200.
    pub(super) fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.inner.script.lock().unwrap().extend(answers);
    }

    /// Answers everything with 200 from now on.
    pub(super) fn answer_all_well(&self) {
        self.inner.script.lock().unwrap().clear();
    }

    /// All that came in, of all tries.
    pub(super) fn came(&self) -> Vec<Notice> {
        self.inner.came.borrow().clone()
    }

    /// Forgets what came in; returns it.
    pub(super) fn take(&self) -> Vec<Notice> {
        self.inner.came.send_replace(Vec::new())
    }

    /// Waits until so many have come in.
    pub(super) async fn wait_for(&self, count: usize) {
        let mut came = self.inner.came.subscribe();
        came.wait_for(|came| came.len() >= count).await.unwrap();
    }
}

async fn take(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let (id, time) = (header("webhook-id"), header("webhook-timestamp"));
    let key = STANDARD.decode(&NOTICES_SECRET["whsec_".len()..]).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{id}.{time}.").as_bytes());
    mac.update(&body);
    let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(header("webhook-signature"), expected);
    assert_eq!(header("content-type"), "application/json");
    let notice = Notice {
        id,
        sent_at: time.parse().unwrap(),
        body: serde_json::from_slice(&body).unwrap(),
    };
    receiver.inner.came.send_modify(|came| came.push(notice));
    let answer = receiver.inner.script.lock().unwrap().pop_front();
    let status = |code: u16| StatusCode::from_u16(code).unwrap();
    match answer.unwrap_or(Answer::Status(200)) {
        Answer::Status(code) => status(code).into_response(),
        Answer::Later(code, seconds) => {
            (status(code), [("retry-after", seconds.to_string())]).into_response()
        }
        Answer::Redirect(to) => (status(307), [("location", to)]).into_response(),
        Answer::Never => std::future::pending().await,
    }
}
