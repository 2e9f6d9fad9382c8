//! Somebody else's server on loopback, which says whatever the story wants.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// A server that policies ask. It ends with the test.
pub(super) struct Crm {
    pub(super) url: String,
    desk: Arc<Desk>,
}

struct Desk {
    seen: watch::Sender<Vec<Asked>>,
    /// `None` while nobody is answered.
    answer: watch::Sender<Option<(u16, Value)>>,
}

/// A question as it came in.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl Asked {
    pub(super) fn header(&self, name: &str) -> &str {
        let value = self
            .headers
            .get(name)
            .unwrap_or_else(|| panic!("no {name}"));
        value.to_str().unwrap()
    }
}

impl Crm {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/check", listener.local_addr().unwrap());
        let desk = Arc::new(Desk {
            seen: watch::Sender::default(),
            answer: watch::Sender::default(),
        });
        let app = axum::Router::new().fallback(asked);
        let app = app.with_state(Arc::clone(&desk));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, desk }
    }

    /// What is answered from now on, also to those who wait.
    pub(super) fn answers(&self, status: u16, body: Value) {
        self.desk.answer.send_replace(Some((status, body)));
    }

    /// From now on nobody is answered.
    pub(super) fn falls_silent(&self) {
        self.desk.answer.send_replace(None);
    }

    /// Begins anew, for the next store.
    pub(super) fn forget(&self) {
        self.falls_silent();
        self.desk.seen.send_replace(Vec::new());
    }

    /// Everything that was asked.
    pub(super) fn seen(&self) -> Vec<Asked> {
        self.desk.seen.borrow().clone()
    }

    /// Waits until so much was asked.
    pub(super) async fn was_asked(&self, times: usize) {
        let mut seen = self.desk.seen.subscribe();
        seen.wait_for(|seen| seen.len() >= times).await.unwrap();
    }
}

async fn asked(State(desk): State<Arc<Desk>>, headers: HeaderMap, body: String) -> Response {
    let body = serde_json::from_str(&body).unwrap_or_default();
    desk.seen
        .send_modify(|seen| seen.push(Asked { headers, body }));
    let mut answer = desk.answer.subscribe();
    let answer = answer.wait_for(Option::is_some).await.unwrap();
    let (status, body) = answer.clone().expect("waited for");
    let status = StatusCode::from_u16(status).unwrap();
    (status, axum::Json(body)).into_response()
}
