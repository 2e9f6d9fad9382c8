//! The v2 dialect: a bearer key, a version header, lower-case states. Reading and cancelling need no
//! key: whoever knows the uid may.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::{header, request::Parts};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::actions::Cancel;
use super::api::{error_envelope, object};
use super::bodies::Cancellation;
use super::fields::username;
use super::listing::{Listing, page};
use super::refusal::Refusal;
use super::rows::{Booking, HOST_ID};
use super::state::Shared;
use super::view_v2::view;
use crate::domain::booking::Status;
use crate::domain::ids::{SeatId, Uid};

/// The header that names the version; without it an older one answers, which has none of these routes.
const VERSION_HEADER: &str = "cal-api-version";
const VERSIONS: [&str; 3] = ["2024-08-13", "2026-02-25", CURSOR_VERSION];
const CURSOR_VERSION: &str = "2026-05-01";

/// What every v2 handler needs of its request.
pub(super) struct Call {
    pub(super) shared: Arc<Shared>,
    method: String,
    path: String,
    version: Option<String>,
    bearer: Option<String>,
}

impl FromRequestParts<Arc<Shared>> for Call {
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        shared: &Arc<Shared>,
    ) -> Result<Self, Infallible> {
        let text = |name: &str| {
            let value = parts.headers.get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        Ok(Self {
            shared: Arc::clone(shared),
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            version: text(VERSION_HEADER),
            bearer: text(header::AUTHORIZATION.as_str()),
        })
    }
}

impl Call {
    fn require_version(&self) -> Result<(), Refusal> {
        let version = self.version.as_deref().unwrap_or_default();
        if VERSIONS.contains(&version) {
            return Ok(());
        }
        let message = format!("Cannot {} {}", self.method, self.path);
        Err(Refusal::not_found(message))
    }

    /// A later version lists by cursors, and not by time of change.
    fn refuse_cursors(&self) -> Result<(), Refusal> {
        if self.version.as_deref() == Some(CURSOR_VERSION) {
            let message = "property skip should not exist";
            return Err(Refusal::bad_request(message));
        }
        Ok(())
    }

    /// Nobody answers for somebody else's calendar.
    fn refuse_elsewhere(&self, uid: &Uid) -> Result<(), Refusal> {
        if self.shared.state().find(uid)?.host.is_some() {
            return Err(Refusal::unauthorized("UNAUTHORIZED"));
        }
        Ok(())
    }

    /// Whether the caller is the host. A wrong key is refused even where none is needed.
    fn is_host(&self) -> Result<bool, Refusal> {
        match &self.bearer {
            None => Ok(false),
            Some(value) if *value == format!("Bearer {}", self.shared.options.api_key) => Ok(true),
            Some(_) => Err(Refusal::unauthorized("Your api key is not valid")),
        }
    }

    fn require_host(&self) -> Result<(), Refusal> {
        self.require_version()?;
        self.require_key()
    }

    /// Where any version will do.
    pub(super) fn require_key(&self) -> Result<(), Refusal> {
        if self.is_host()? {
            return Ok(());
        }
        Err(Refusal::unauthorized("No authentication method provided"))
    }

    pub(super) fn respond(&self, result: Result<Value, Refusal>) -> Response {
        match result {
            Ok(answer) => Json(answer).into_response(),
            Err(refusal) => error_envelope(&self.shared, &self.path, &refusal),
        }
    }

    fn success(&self, booking: &Booking) -> Value {
        let state = self.shared.state();
        json!({ "status": "success", "data": view(&self.shared, &state, booking) })
    }

    /// All of a series, as its own uid answers.
    fn series(&self, id: &Uid) -> Option<Value> {
        let state = self.shared.state();
        let occurrences = state.series(id.as_str());
        let views: Vec<_> = occurrences
            .iter()
            .map(|booking| view(&self.shared, &state, booking))
            .collect();
        (!views.is_empty()).then(|| json!({ "status": "success", "data": views }))
    }

    /// Where confirm and decline do not take shared bookings, they are refused here.
    fn refuse_seats(&self, uid: &Uid) -> Result<(), Refusal> {
        let state = self.shared.state();
        if self.shared.options.seats_have_own_calls && !state.find(uid)?.seats.is_empty() {
            let message = "This booking has seats: use the seats endpoints";
            return Err(Refusal::bad_request(message));
        }
        Ok(())
    }
}

/// `GET /v2/bookings/{uid}`: one booking; for the uid of a series, all of it.
pub(super) async fn read(call: Call, Path(uid): Path<String>) -> Response {
    let uid = Uid::new(uid);
    let one = || {
        call.require_version()?;
        call.is_host()?;
        if let Some(series) = call.series(&uid) {
            return Ok(series);
        }
        let booking = call.shared.state().find(&uid)?.clone();
        Ok(call.success(&booking))
    };
    call.respond(one())
}

/// `GET /v2/me`
pub(super) async fn me(call: Call) -> Response {
    let told = || {
        call.require_host()?;
        let host = &call.shared.options.host;
        let user = json!({
            "id": HOST_ID,
            "username": username(host),
            "email": host.email,
            "timeZone": host.time_zone,
        });
        Ok(json!({ "status": "success", "data": user }))
    };
    call.respond(told())
}

/// `GET /v2/bookings`
pub(super) async fn list(call: Call, Query(parameters): Query<Vec<(String, String)>>) -> Response {
    let listed = || {
        call.require_host()?;
        call.refuse_cursors()?;
        let listing = Listing::parse(&parameters)?;
        Ok(page(&call.shared, &listing))
    };
    call.respond(listed())
}

/// `POST /v2/bookings/{uid}/confirm`
pub(super) async fn confirm(call: Call, Path(uid): Path<String>) -> Response {
    let confirmed = async {
        let uid = Uid::new(uid);
        call.require_host()?;
        call.refuse_elsewhere(&uid)?;
        call.refuse_seats(&uid)?;
        let booking = call.shared.confirm(&uid, None).await?;
        Ok(call.success(&booking))
    };
    let result = confirmed.await;
    call.respond(result)
}

/// `POST /v2/bookings/{uid}/decline`
pub(super) async fn decline(call: Call, Path(uid): Path<String>, body: Bytes) -> Response {
    let declined = async {
        let uid = Uid::new(uid);
        call.require_host()?;
        call.refuse_elsewhere(&uid)?;
        call.refuse_seats(&uid)?;
        let reason = text(&object(&body)?, "reason")?;
        let booking = call.shared.decline(&uid, reason.as_deref(), None).await?;
        Ok(call.success(&booking))
    };
    let result = declined.await;
    call.respond(result)
}

/// `POST /v2/bookings/{uid}/cancel`: a booking, a seat of one, or what is left of a series.
pub(super) async fn cancel(call: Call, Path(uid): Path<String>, body: Bytes) -> Response {
    let cancelled = async {
        call.require_version()?;
        let as_host = call.is_host()?;
        let body = object(&body)?;
        let uid = Uid::new(uid);
        let whole_series = first_standing(&call.shared, &uid);
        let remaining = body.get("cancelSubsequentBookings") == Some(&Value::Bool(true));
        let cancel = Cancel {
            told: Cancellation {
                reason: text(&body, "cancellationReason")?,
                through_v2: true,
                ..Cancellation::default()
            },
            seat: text(&body, "seatUid")?.map(SeatId::new),
            all_remaining: remaining || whole_series.is_some(),
            reason_required: as_host,
        };
        let named = whole_series.unwrap_or_else(|| uid.clone());
        let booking = call.shared.cancel(&named, cancel).await?;
        Ok(call.series(&uid).unwrap_or_else(|| call.success(&booking)))
    };
    let result = cancelled.await;
    call.respond(result)
}

/// `POST /v2/bookings/{uid}/seats/confirm`
pub(super) async fn confirm_seats(call: Call, Path(uid): Path<String>, body: Bytes) -> Response {
    let confirmed = async {
        let uid = Uid::new(uid);
        call.require_host()?;
        let seats = named_seats(&call.shared, &uid, &body)?;
        call.shared.confirm(&uid, seats.first()).await?;
        Ok(json!({ "status": "success", "data": { "confirmedSeatUids": seats } }))
    };
    let result = confirmed.await;
    call.respond(result)
}

/// `POST /v2/bookings/{uid}/seats/decline`
pub(super) async fn decline_seats(call: Call, Path(uid): Path<String>, body: Bytes) -> Response {
    let declined = async {
        let uid = Uid::new(uid);
        call.require_host()?;
        let seats = named_seats(&call.shared, &uid, &body)?;
        let reason = text(&object(&body)?, "reason")?;
        call.shared
            .decline(&uid, reason.as_deref(), seats.first())
            .await?;
        Ok(json!({ "status": "success", "data": { "declinedSeatUids": seats } }))
    };
    let result = declined.await;
    call.respond(result)
}

/// If `id` is a series, its first occurrence that is not cancelled, or its first.
fn first_standing(shared: &Shared, id: &Uid) -> Option<Uid> {
    let state = shared.state();
    let series = state.series(id.as_str());
    let standing = series
        .iter()
        .find(|booking| booking.status != Status::Cancelled);
    standing
        .or(series.first())
        .map(|booking| booking.uid.clone())
}

/// The seats a request names. Those of a pending booking are one: everyone has a booking of their own
/// until one stands.
fn named_seats(shared: &Shared, uid: &Uid, body: &Bytes) -> Result<Vec<SeatId>, Refusal> {
    let wrong = || Refusal::bad_request("seatUids must be a list of seats of this booking");
    let body = object(body)?;
    let named = body.get("seatUids").and_then(Value::as_array);
    let seats: Vec<_> = named
        .ok_or_else(wrong)?
        .iter()
        .map(|seat| seat.as_str().map(SeatId::new).ok_or_else(wrong))
        .collect::<Result<_, _>>()?;
    let state = shared.state();
    let booking = state.find(uid)?;
    if seats.is_empty() || !seats.iter().all(|seat| booking.has_seat(seat)) {
        return Err(wrong());
    }
    Ok(seats)
}

/// A text field of a request, if it is there.
fn text(body: &Map<String, Value>, name: &str) -> Result<Option<String>, Refusal> {
    match body.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Refusal::bad_request(format!("{name} must be a string"))),
    }
}
