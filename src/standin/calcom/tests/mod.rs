//! The flows that were observed of Cal.com, driven over real HTTP with a real receiver of webhooks.

use std::io;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::domain::clock::{ManualClock, Timestamp};

mod answers;
mod faults;
mod listing;
mod moves;
mod series_and_seats;
mod shapes;

const SECRET: &str = "between you and me";

/// What the receiver does with a webhook before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reaction {
    Nothing,
    /// Confirms what is requested, by the API, from inside the webhook.
    ConfirmRequests,
    /// Declines likewise.
    DeclineRequests,
    /// Answers 500.
    Fail,
}

/// A webhook as it came in, and what the row said at that moment.
struct Heard {
    body: Bytes,
    json: Value,
    row: Option<Booking>,
}

impl Heard {
    fn payload(&self) -> &Value {
        &self.json["payload"]
    }

    /// `REQUESTED 1000 PENDING, row PENDING`
    fn summary(&self) -> String {
        let trigger = self.json["triggerEvent"].as_str().unwrap();
        let trigger = trigger.strip_prefix("BOOKING_").unwrap();
        let row = self.row.as_ref().unwrap();
        let said = self.payload()["status"].as_str().unwrap_or("-");
        let kept = row.status.as_str().to_uppercase();
        format!("{trigger} {} {said}, row {kept}", row.number)
    }
}

/// A stand-in, somebody who listens, and a caller of the API.
struct Room {
    standin: StandIn,
    clock: Arc<ManualClock>,
    heard: Arc<Mutex<Vec<Heard>>>,
    reaction: Arc<Mutex<Reaction>>,
    webhook_url: String,
}

#[derive(Clone)]
struct Receiver {
    standin: StandIn,
    heard: Arc<Mutex<Vec<Heard>>>,
    reaction: Arc<Mutex<Reaction>>,
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The slot that most tests book, and one to move to.
fn monday() -> Timestamp {
    time("2031-03-03T09:00:00Z")
}

fn tuesday() -> Timestamp {
    time("2031-03-04T14:30:00Z")
}

fn booker() -> Person {
    Person {
        time_zone: "Europe/Lisbon".to_owned(),
        ..Person::new("Rui Booker", "rui@mail.example")
    }
}

fn request(event_type: &str) -> BookingRequest {
    BookingRequest::new(event_type, monday(), booker())
}

async fn room() -> Room {
    room_with(Options::default()).await
}

async fn room_with(options: Options) -> Room {
    let clock = Arc::new(ManualClock::new(time("2031-02-01T08:00:00Z")));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let standin = StandIn::start(listener, clock.clone(), options).unwrap();
    let heard = Arc::default();
    let reaction = Arc::new(Mutex::new(Reaction::Nothing));
    let receiver = Receiver {
        standin: standin.clone(),
        heard: Arc::clone(&heard),
        reaction: Arc::clone(&reaction),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let webhook_url = format!("http://{}/hook?of=cal", listener.local_addr().unwrap());
    let service = Router::new()
        .route("/hook", post(receive))
        .with_state(receiver);
    tokio::spawn(async move { axum::serve(listener, service).await });
    standin
        .subscribe(Subscription::to_everything(&webhook_url, SECRET))
        .unwrap();
    Room {
        standin,
        clock,
        heard,
        reaction,
        webhook_url,
    }
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(&body);
    let signature = headers[SIGNATURE_HEADER].to_str().unwrap();
    mac.verify_slice(&hex::decode(signature).unwrap()).unwrap();
    assert_eq!(headers["content-type"], "application/json");

    let json: Value = serde_json::from_slice(&body).unwrap();
    let payload = &json["payload"];
    let uid = payload["uid"].as_str().or(payload["bookingUid"].as_str());
    let uid = Uid::new(uid.unwrap());
    let row = receiver.standin.booking(&uid);
    let requested = json["triggerEvent"] == "BOOKING_REQUESTED";
    receiver
        .heard
        .lock()
        .unwrap()
        .push(Heard { body, json, row });
    let reaction = *receiver.reaction.lock().unwrap();
    let verb = match reaction {
        Reaction::ConfirmRequests if requested => "confirm",
        Reaction::DeclineRequests if requested => "decline",
        Reaction::Fail => return StatusCode::INTERNAL_SERVER_ERROR,
        _ => return StatusCode::OK,
    };
    let path = format!("/v2/bookings/{uid}/{verb}");
    let answer = call(&receiver.standin, "POST", &path, &as_host(), None).await;
    assert_eq!(answer.unwrap().status, 200);
    StatusCode::OK
}

impl Room {
    /// What was heard since the last time, in short.
    fn heard(&self) -> Vec<String> {
        self.take_heard().iter().map(Heard::summary).collect()
    }

    fn take_heard(&self) -> Vec<Heard> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }

    fn react(&self, reaction: Reaction) {
        *self.reaction.lock().unwrap() = reaction;
    }

    fn row(&self, uid: &Uid) -> Booking {
        self.standin.booking(uid).unwrap()
    }

    fn status(&self, uid: &Uid) -> Status {
        self.row(uid).status
    }

    /// A pending booking of Monday morning; its webhook is not kept.
    async fn pending(&self) -> Uid {
        self.booked("consultation").await
    }

    /// A booking of Monday morning; its webhook is not kept.
    async fn booked(&self, event_type: &str) -> Uid {
        let booking = self.standin.book(request(event_type)).await.unwrap();
        self.take_heard();
        booking.uid
    }

    /// `POST /v2/bookings/{uid}/{verb}` as the host.
    async fn post(&self, uid: &Uid, verb: &str, body: Value) -> Answer {
        let path = format!("/v2/bookings/{uid}/{verb}");
        self.call("POST", &path, &as_host(), Some(body)).await
    }

    async fn confirm(&self, uid: &Uid) -> Answer {
        self.post(uid, "confirm", json!({})).await
    }

    async fn decline(&self, uid: &Uid, reason: &str) -> Answer {
        self.post(uid, "decline", json!({ "reason": reason })).await
    }

    /// `GET` as the host.
    async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, &as_host(), None).await
    }

    async fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        let answer = call(&self.standin, method, path, headers, body).await;
        answer.unwrap()
    }
}

/// What the API answered.
struct Answer {
    status: u16,
    head: String,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// The text of the v2 error envelope.
    fn error(&self) -> (u16, String) {
        let message = &self.json()["error"]["message"];
        (self.status, message.as_str().unwrap().to_owned())
    }
}

const VERSION: (&str, &str) = ("cal-api-version", "2024-08-13");

fn as_host() -> [(&'static str, &'static str); 2] {
    [VERSION, ("authorization", "Bearer cal_standin")]
}

/// One HTTP call on a connection of its own.
async fn call(
    standin: &StandIn,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<Value>,
) -> io::Result<Answer> {
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let length = body.len();
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let address = standin.base_url().replace("http://", "");
    let mut stream = TcpStream::connect(address).await?;
    let message = format!("{head}Connection: close\r\n\r\n{body}");
    stream.write_all(message.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, text) = answer
        .split_once("\r\n\r\n")
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(Answer {
        status: head[9..12].parse().unwrap(),
        head: head.to_lowercase(),
        text: text.to_owned(),
    })
}
