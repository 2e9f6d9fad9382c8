//! What is known of Calendly, driven over real HTTP with a real receiver of webhooks.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State as Extracted;
use axum::http::{HeaderMap, StatusCode, Uri};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;

use super::*;
use crate::domain::clock::{ManualClock, Timestamp};

mod delivery;
mod faults;
mod groups;
mod moves;
mod pages;
mod retries;
mod shapes;
mod subscriptions;
mod tokens;

const KEY: &str = "a key that both know";
const HOUR_MS: i64 = 3_600_000;

/// A webhook as it came in.
struct Heard {
    path: String,
    headers: HeaderMap,
    body: Bytes,
    json: Value,
}

impl Heard {
    fn event(&self) -> &str {
        self.json["event"].as_str().unwrap()
    }

    fn payload(&self) -> &Value {
        &self.json["payload"]
    }

    /// The time in the signature, if the signature is right.
    fn signed_at(&self, key: &str) -> i64 {
        let header = self.headers[SIGNATURE_HEADER].to_str().unwrap();
        let (time, signature) = header.split_once(",v1=").unwrap();
        let time = time.strip_prefix("t=").unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(format!("{time}.").as_bytes());
        mac.update(&self.body);
        mac.verify_slice(&hex::decode(signature).unwrap()).unwrap();
        time.parse().unwrap()
    }
}

/// A stand-in, somebody who listens, and a caller of the API.
struct Room {
    it: StandIn,
    clock: Arc<ManualClock>,
    http: reqwest::Client,
    receiver: Receiver,
    hook: String,
}

#[derive(Clone)]
struct Receiver {
    heard: Arc<Mutex<Vec<Heard>>>,
    status: Arc<AtomicU16>,
}

/// What the API answered.
struct Answer {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    fn resource(&self) -> Value {
        self.json()["resource"].take()
    }

    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    /// Status, and the parameter that is complained about.
    fn complaint(&self) -> (u16, String) {
        let json = self.json();
        let parameter = json["details"][0]["parameter"].as_str();
        (self.status, parameter.unwrap_or_default().to_owned())
    }
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The slot that most tests book, and two to move to.
fn monday() -> Timestamp {
    time("2031-03-03T09:00:00Z")
}

fn tuesday() -> Timestamp {
    time("2031-03-04T14:30:00Z")
}

fn friday() -> Timestamp {
    time("2031-03-07T11:00:00Z")
}

fn rui() -> Person {
    Person {
        time_zone: "Europe/Lisbon".to_owned(),
        ..Person::new("Rui Booker", "rui@mail.example")
    }
}

fn request(event_type: &str) -> BookingRequest {
    BookingRequest::new(event_type, monday(), rui())
}

async fn receive(
    Extracted(receiver): Extracted<Receiver>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    receiver.heard.lock().unwrap().push(Heard {
        path: uri.path().to_owned(),
        json: serde_json::from_slice(&body).unwrap(),
        headers,
        body,
    });
    StatusCode::from_u16(receiver.status.load(Ordering::SeqCst)).unwrap()
}

async fn room() -> Room {
    room_with(Options::default()).await
}

/// One where everything about invitees is heard.
async fn room_with(options: Options) -> Room {
    let room = deaf_room(options).await;
    let hook = NewSubscription::to_invitees(&room.hook, KEY);
    room.it.subscribe(hook).unwrap();
    room
}

/// One where nothing is subscribed.
async fn deaf_room(options: Options) -> Room {
    let _already_chosen = rustls::crypto::ring::default_provider().install_default();
    let clock = Arc::new(ManualClock::new(time("2031-02-01T08:00:00.25Z")));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let it = StandIn::start(listener, clock.clone(), options).unwrap();
    let receiver = Receiver {
        heard: Arc::default(),
        status: Arc::new(AtomicU16::new(200)),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hook = format!("http://{}/hook", listener.local_addr().unwrap());
    let service = Router::new().fallback(receive).with_state(receiver.clone());
    tokio::spawn(async move { axum::serve(listener, service).await });
    let http = reqwest::Client::builder().user_agent("a test").build();
    Room {
        it,
        clock,
        http: http.unwrap(),
        receiver,
        hook,
    }
}

fn held() -> Options {
    Options {
        delivery: Delivery::Held,
        ..Options::default()
    }
}

impl Room {
    fn take_heard(&self) -> Vec<Heard> {
        std::mem::take(&mut self.receiver.heard.lock().unwrap())
    }

    /// The names of what was heard since the last time, sorted: the order is drawn by lot.
    fn heard(&self) -> Vec<String> {
        let heard = self.take_heard();
        let mut events: Vec<_> = heard.iter().map(|one| one.event().to_owned()).collect();
        events.sort();
        events
    }

    /// The only webhook since the last time.
    fn the_heard(&self) -> Heard {
        let mut heard = self.take_heard();
        assert_eq!(heard.len(), 1);
        heard.remove(0)
    }

    /// How webhooks are answered from now on.
    fn answer_with(&self, status: u16) {
        self.receiver.status.store(status, Ordering::SeqCst);
    }

    fn row(&self, invitee: &Invitee) -> Invitee {
        self.it.invitee(&invitee.uuid).unwrap()
    }

    /// Monday morning; the webhook is not kept.
    async fn booked(&self, event_type: &str) -> Invitee {
        let invitee = self.it.book(request(event_type)).await.unwrap();
        self.take_heard();
        invitee
    }

    async fn moved(&self, invitee: &Invitee, start: Timestamp, by: Actor) -> Invitee {
        self.it.reschedule(&invitee.uuid, start, by).await.unwrap()
    }

    async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.call_as(self.it.token(), method, path, body).await
    }

    async fn call_as(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let url = format!("{}{path}", self.it.base_url());
        let mut request = self.http.request(method, url).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.unwrap(),
        }
    }

    /// `POST /scheduled_events/{event}/cancellation`
    async fn cancel_event(&self, invitee: &Invitee, reason: &str) -> Answer {
        let path = format!("/scheduled_events/{}/cancellation", invitee.event);
        self.post(&path, json!({ "reason": reason })).await
    }

    /// `GET /scheduled_events/{event}/invitees/{invitee}`
    async fn read(&self, invitee: &Invitee) -> Value {
        let path = format!(
            "/scheduled_events/{}/invitees/{}",
            invitee.event, invitee.uuid
        );
        self.get(&path).await.resource()
    }
}
