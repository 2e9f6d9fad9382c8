//! Cal.com's API as seen by a booking that is pending until it is confirmed, declined or cancelled: it
//! answers at once, at a cost that does not grow with the number of bookings, and notes when each was
//! answered. It sends no webhooks. (`bookgate::standin` behaves much more like the real one, and looks
//! through all its bookings for every call.)

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use bookgate::domain::clock::{Clock, SystemClock};
use serde_json::json;

use crate::client::{Load, drive};
use crate::webhooks;

const PENDING: u8 = 0;
const ACCEPTED: u8 = 1;
const REJECTED: u8 = 2;
const CANCELLED: u8 = 3;
const STATUS: [&str; 4] = ["pending", "accepted", "rejected", "cancelled"];

/// A running stand-in. It ends with the program.
pub(crate) struct Calcom {
    /// Where its API is.
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    begun: Instant,
    bookings: Vec<Booking>,
    settled: AtomicU64,
    accepted: AtomicU64,
    template: String,
}

#[derive(Default)]
struct Booking {
    status: AtomicU8,
    /// Microseconds after `begun`; 0 while it is pending.
    settled_at: AtomicU64,
}

impl Calcom {
    /// Starts one that knows so many bookings, in a thread of its own.
    pub(crate) fn start(bookings: u64) -> Result<Self> {
        let shared = Arc::new(Shared {
            begun: Instant::now(),
            bookings: (0..bookings).map(|_| Booking::default()).collect(),
            settled: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            template: template(),
        });
        let (tell, told) = mpsc::channel();
        let state = Arc::clone(&shared);
        std::thread::spawn(move || serve(state, &tell));
        let address = told.recv().context("the stand-in did not start")??;
        Ok(Self { address, shared })
    }

    /// Every booking is pending again.
    pub(crate) fn reset(&self) {
        for booking in &self.shared.bookings {
            booking.status.store(PENDING, Ordering::Relaxed);
            booking.settled_at.store(0, Ordering::Relaxed);
        }
        self.shared.settled.store(0, Ordering::SeqCst);
        self.shared.accepted.store(0, Ordering::SeqCst);
    }

    /// Bookings that are no longer pending.
    pub(crate) fn settled(&self) -> u64 {
        self.shared.settled.load(Ordering::SeqCst)
    }

    /// Of those, how many were confirmed.
    pub(crate) fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// When the booking of this webhook was answered.
    pub(crate) fn settled_at(&self, index: u64) -> Option<Instant> {
        let booking = self.shared.bookings.get(usize::try_from(index).ok()?)?;
        let us = booking.settled_at.load(Ordering::SeqCst);
        (us > 0).then(|| self.shared.begun + Duration::from_micros(us))
    }

    /// Calls a second it can answer: what bookgate is measured against must not be measured by it.
    pub(crate) fn ceiling(&self) -> Result<f64> {
        let load = Load {
            per_second: None,
            count_max: 20_000,
            time_max: Duration::from_secs(2),
        };
        let known = self.shared.bookings.len() as u64;
        let outcome = drive(self.address, load, 0, &mut |index, out| {
            let uid = webhooks::uid_of(index % known);
            let request = format!("GET /v2/bookings/{uid} HTTP/1.1\r\nhost: bench\r\n\r\n");
            out.extend_from_slice(request.as_bytes());
        })?;
        anyhow::ensure!(outcome.refused.is_empty(), "the stand-in refuses");
        Ok(outcome.rate())
    }
}

fn serve(shared: Arc<Shared>, tell: &mpsc::Sender<Result<SocketAddr>>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let served = runtime.context("no runtime").and_then(|runtime| {
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
            // Whoever started it waits for this.
            let _ = tell.send(Ok(listener.local_addr()?));
            let listener = listener.tap_io(|stream| {
                // Without it the figures are worse, no more.
                let _ = stream.set_nodelay(true);
            });
            let router = Router::new()
                .route("/v2/bookings/{uid}", get(read))
                .route("/v2/bookings/{uid}/{verb}", post(act))
                .with_state(shared);
            Ok(axum::serve(listener, router).await?)
        })
    });
    if let Err(error) = served {
        // It may have been told an address before.
        let _ = tell.send(Err(error));
    }
}

async fn read(State(shared): State<Arc<Shared>>, Path(uid): Path<String>) -> Response {
    shared.answer(&uid)
}

async fn act(
    State(shared): State<Arc<Shared>>,
    Path((uid, verb)): Path<(String, String)>,
    _body: Bytes,
) -> Response {
    let status = match verb.as_str() {
        "confirm" => ACCEPTED,
        "decline" => REJECTED,
        "cancel" => CANCELLED,
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    if let Some(booking) = shared.booking(&uid)
        && booking.status.swap(status, Ordering::SeqCst) == PENDING
    {
        let us = shared.begun.elapsed().as_micros().max(1);
        let us = u64::try_from(us).unwrap_or(u64::MAX);
        booking.settled_at.store(us, Ordering::SeqCst);
        if status == ACCEPTED {
            shared.accepted.fetch_add(1, Ordering::SeqCst);
        }
        shared.settled.fetch_add(1, Ordering::SeqCst);
    }
    shared.answer(&uid)
}

impl Shared {
    fn booking(&self, uid: &str) -> Option<&Booking> {
        let index = webhooks::index_of(uid)?;
        self.bookings.get(usize::try_from(index).ok()?)
    }

    fn answer(&self, uid: &str) -> Response {
        let (Some(booking), Some(index)) = (self.booking(uid), webhooks::index_of(uid)) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let status = STATUS[usize::from(booking.status.load(Ordering::SeqCst))];
        let text = self
            .template
            .replace("NUMBER", &webhooks::number_of(index).to_string())
            .replace("STATUS", status)
            .replace("BOOKER", &webhooks::booker(index));
        ([(header::CONTENT_TYPE, "application/json")], text).into_response()
    }
}

/// A booking in API v2's shape.
fn template() -> String {
    let now = SystemClock.now();
    let (start, end) = webhooks::times(now);
    let text = json!({
        "status": "success",
        "data": {
            "id": 0,
            "uid": "bkngNUMBER",
            "title": "Reading circle between Odile Keeper and a member",
            "description": "I have read the first two parts.",
            "hosts": [{"id": 31, "name": "Odile Keeper", "email": "odile@readers.example", "username": "odile",
                "timeZone": "Europe/Lisbon"}],
            "status": "STATUS",
            "start": start.to_string(),
            "end": end.to_string(),
            "duration": 60,
            "eventTypeId": 7,
            "eventType": {"id": 7, "slug": "exec-book-club"},
            "meetingUrl": "https://meet.example.org/room",
            "location": "integrations:daily",
            "absentHost": false,
            "createdAt": now.to_string(),
            "updatedAt": now.to_string(),
            "metadata": {},
            "rating": null,
            "icsUid": "bkngNUMBER@booking.example.org",
            "attendees": [{"name": "A member", "email": "BOOKER", "timeZone": "Europe/Lisbon", "language": "en",
                "absent": false}],
            "guests": [],
            "bookingFieldsResponses": {"name": "A member", "email": "BOOKER",
                "notes": "I have read the first two parts.", "guests": []}
        }
    });
    text.to_string().replace("\"id\":0,", "\"id\":NUMBER,")
}
