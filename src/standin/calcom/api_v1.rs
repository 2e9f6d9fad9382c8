//! The v1 dialect of self-hosted installs: a key in the query, upper-case states, and a PATCH that
//! writes the row and does nothing else: **no webhook, no mail, no calendar**.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::actions::Cancel;
use super::api::object;
use super::bodies::Cancellation;
use super::fields::{extend, milliseconds, row_metadata, row_responses, upper};
use super::refusal::Refusal;
use super::rows::{Booking, HOST_ID};
use super::state::Shared;
use crate::domain::booking::Status;
use crate::domain::clock::Timestamp;

type Parameters = Query<HashMap<String, String>>;

/// An answer in v1's words.
type Answer = Result<Json<Value>, Failure>;

/// `GET /v1/bookings/{id}`
pub(super) async fn read(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Answer {
    let booking = authorized(&shared, &parameters, &id)?;
    let mut view = view(&shared, &booking);
    let host = &shared.options.host;
    let attendees = booking.attendees(None);
    let attendees: Vec<_> = attendees
        .iter()
        .map(|person| {
            json!({
                "id": booking.number,
                "email": person.email,
                "name": person.name,
                "timeZone": person.time_zone,
                "locale": person.locale,
            })
        })
        .collect();
    extend(
        &mut view,
        json!({
            "attendees": attendees,
            "user": { "email": host.email, "name": host.name, "timeZone": host.time_zone, "locale": host.locale },
            "payment": [],
        }),
    );
    Ok(Json(json!({ "booking": view })))
}

/// `GET /v1/me`
pub(super) async fn me(State(shared): State<Arc<Shared>>, parameters: Parameters) -> Answer {
    signed_in(&shared, &parameters)?;
    let host = &shared.options.host;
    let user = json!({ "id": HOST_ID, "email": host.email, "name": host.name });
    Ok(Json(json!({ "user": user })))
}

/// `PATCH /v1/bookings/{id}`: one raw update, without a look at the state.
pub(super) async fn overwrite(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    parameters: Parameters,
    body: Bytes,
) -> Answer {
    let uid = authorized(&shared, &parameters, &id)?.uid;
    let changes = Changes::parse(&object(&body)?)?;
    let patched = {
        let mut state = shared.state();
        let row = state.find_mut(&uid)?;
        changes.apply(row);
        row.updated_at = shared.clock.now();
        row.clone()
    };
    Ok(Json(json!({ "booking": view(&shared, &patched) })))
}

/// `DELETE /v1/bookings/{id}/cancel`
pub(super) async fn cancel(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Answer {
    let booking = authorized(&shared, &parameters, &id)?;
    let reason = parameters.get("cancellationReason").map(String::as_str);
    let told = Cancellation {
        reason: Some(reason.unwrap_or("Not Provided").to_owned()),
        by: parameters.get("cancelledBy").cloned(),
        ..Cancellation::default()
    };
    let all = parameters.get("allRemainingBookings");
    let cancel = Cancel {
        told,
        all_remaining: all.is_some_and(|all| all == "true"),
        ..Cancel::default()
    };
    shared.cancel(&booking.uid, cancel).await?;
    Ok(Json(json!({
        "success": true,
        "message": "Booking successfully cancelled.",
        "onlyRemovedAttendee": false,
        "bookingId": booking.number,
        "bookingUid": booking.uid,
    })))
}

/// What v1 answers when it does not do a thing.
pub(super) struct Failure {
    status: u16,
    body: Value,
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self {
            status: refusal.http_status,
            body: json!({ "message": refusal.message }),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        (status, Json(self.body)).into_response()
    }
}

/// The booking, if the key is right. One that does not exist is as forbidden as somebody else's.
fn failure(status: u16, body: Value) -> Failure {
    Failure { status, body }
}

fn signed_in(shared: &Shared, parameters: &Parameters) -> Result<(), Failure> {
    match parameters.get("apiKey") {
        None => Err(failure(401, json!({ "message": "No apiKey provided" }))),
        Some(key) if *key != shared.options.api_key => {
            Err(failure(401, json!({ "error": "Your apiKey is not valid" })))
        }
        Some(_) => Ok(()),
    }
}

fn authorized(shared: &Shared, parameters: &Parameters, id: &str) -> Result<Booking, Failure> {
    signed_in(shared, parameters)?;
    let number: i64 = id
        .parse()
        .map_err(|_| failure(400, json!({ "message": "id is not a number" })))?;
    let state = shared.state();
    let booking = state
        .bookings
        .iter()
        .find(|booking| booking.number == number);
    booking
        .cloned()
        .ok_or_else(|| failure(403, json!({ "message": "You are not authorized" })))
}

fn view(shared: &Shared, booking: &Booking) -> Map<String, Value> {
    let place = &shared.event_type(booking).place;
    let mut view = Map::new();
    extend(
        &mut view,
        json!({
            "id": booking.number,
            "userId": HOST_ID,
            "description": booking.notes.as_deref().unwrap_or_default(),
            "eventTypeId": booking.event_type_id,
            "uid": booking.uid,
            "title": booking.title,
            "startTime": milliseconds(booking.start),
            "endTime": milliseconds(booking.end),
            "metadata": row_metadata(booking, place),
            "status": upper(booking.status),
            "responses": row_responses(booking, place),
            "fromReschedule": booking.from_reschedule,
            "cancelledBy": booking.cancelled_by,
            "rescheduledBy": booking.rescheduled_by,
            "createdAt": milliseconds(booking.created_at),
        }),
    );
    view
}

/// What a PATCH may write. Anything else, and any other spelling, is refused.
#[derive(Default)]
struct Changes {
    status: Option<Status>,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    title: Option<String>,
    notes: Option<String>,
    cancelled_by: Option<String>,
    rescheduled_by: Option<String>,
}

impl Changes {
    fn parse(body: &Map<String, Value>) -> Result<Self, Refusal> {
        let mut changes = Self::default();
        for (key, value) in body {
            let wrong =
                || Refusal::bad_request(format!("Invalid value or unrecognized key `{key}`"));
            let text = value.as_str().ok_or_else(wrong)?;
            let time = || text.parse().map_err(|_| wrong());
            match key.as_str() {
                "status" => changes.status = Some(parse_status(text).ok_or_else(wrong)?),
                "startTime" => changes.start = Some(time()?),
                "endTime" => changes.end = Some(time()?),
                "title" => changes.title = Some(text.to_owned()),
                "description" => changes.notes = Some(text.to_owned()),
                "cancelledBy" => changes.cancelled_by = Some(text.to_owned()),
                "rescheduledBy" => changes.rescheduled_by = Some(text.to_owned()),
                _ => return Err(wrong()),
            }
        }
        Ok(changes)
    }

    fn apply(self, row: &mut Booking) {
        row.status = self.status.unwrap_or(row.status);
        row.start = self.start.unwrap_or(row.start);
        row.end = self.end.unwrap_or(row.end);
        if let Some(title) = self.title {
            row.title = title;
        }
        row.notes = self.notes.or_else(|| row.notes.take());
        row.cancelled_by = self.cancelled_by.or_else(|| row.cancelled_by.take());
        row.rescheduled_by = self.rescheduled_by.or_else(|| row.rescheduled_by.take());
    }
}

fn parse_status(text: &str) -> Option<Status> {
    let known = [
        Status::Pending,
        Status::Accepted,
        Status::Rejected,
        Status::Cancelled,
    ];
    known.into_iter().find(|status| upper(*status) == text)
}
