use std::fs;
use std::sync::Arc;

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;
use crate::domain::clock::SystemClock;
use crate::domain::decision::Action;
use crate::domain::ids::{SeatId, Uid};
use crate::domain::secret::Secret;
use crate::provider::calcom::{Calcom, Dialect};
use crate::provider::registry::Calling;
use crate::provider::scripted_server::{ScriptedServer, Step};
use crate::provider::{Answer, Call, Provider};

fn fixture(name: &str) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/calcom");
    let text = fs::read_to_string(format!("{folder}/api_{name}.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn provider(server: &ScriptedServer, dialect: Dialect) -> Calcom {
    provider_with_timeout(server, dialect, 20_000)
}

fn provider_with_timeout(server: &ScriptedServer, dialect: Dialect, timeout_ms: u32) -> Calcom {
    let settings = CalcomSettings {
        base_url: server.url.clone(),
        dialect,
        key: Secret::new("cal_key"),
        version_header: "2024-08-13".to_owned(),
        requests_per_minute: 0,
        connect_timeout_ms: timeout_ms,
        call_timeout_ms: timeout_ms,
    };
    let calling = Calling::whatever_comes(Arc::new(SystemClock));
    Calcom::new(settings, None, calling).unwrap()
}

fn target() -> Target {
    Target {
        uid: Uid::new("steamQ1"),
        number: Some(701),
        seat: None,
    }
}

fn call(action: Action) -> Call {
    Call {
        action,
        target: target(),
        reason: Some("Not enough credit & no steam".to_owned()),
        pending: true,
    }
}

fn seat_call(action: Action, pending: bool) -> Call {
    let mut call = call(action);
    call.target.seat = Some(SeatId::new("seat-a"));
    call.pending = pending;
    call
}

/// What is asked of the server and what comes of it, call by call.
async fn check<const N: usize>(dialect: Dialect, cases: [(Call, Vec<Step>); N], expected: Expect) {
    let mut told = Vec::new();
    for (call, steps) in cases {
        let server = ScriptedServer::start(steps).await;
        let outcome = provider(&server, dialect).act(&call).await;
        let asked = server.seen();
        told.extend(
            asked
                .iter()
                .map(|seen| format!("{} {}", seen.line, seen.body)),
        );
        told.push(match outcome {
            Ok(Answer {
                reading,
                http_status,
            }) => format!(
                "= {http_status} {:?}",
                reading.map(|reading| reading.status)
            ),
            Err(error) => format!("= {error:?}"),
        });
    }
    expected.assert_eq(&told.join("\n"));
}

fn pending() -> Step {
    Step::json(200, &fixture("v2_pending"))
}

#[tokio::test]
async fn v2_confirms_declines_and_cancels() {
    let without_reason = |action| Call {
        reason: None,
        ..call(action)
    };
    let cases = [
        (call(Action::Confirm), vec![pending()]),
        (call(Action::Decline), vec![pending()]),
        (call(Action::Cancel), vec![pending()]),
        (without_reason(Action::Decline), vec![pending()]),
        (without_reason(Action::Cancel), vec![pending()]),
    ];
    check(Dialect::V2, cases, expect![[r#"
        POST /v2/bookings/steamQ1/confirm {}
        = 200 Some(Pending)
        POST /v2/bookings/steamQ1/decline {"reason":"Not enough credit & no steam"}
        = 200 Some(Pending)
        POST /v2/bookings/steamQ1/cancel {"cancellationReason":"Not enough credit & no steam"}
        = 200 Some(Pending)
        POST /v2/bookings/steamQ1/decline {}
        = 200 Some(Pending)
        POST /v2/bookings/steamQ1/cancel {"cancellationReason":"Cancelled by the organizer's booking rules"}
        = 200 Some(Pending)"#]]).await;
}

#[tokio::test]
async fn v2_answers_a_seat() {
    let confirmed = Step::json(200, &fixture("v2_seats_confirmed"));
    let no_such_call = |status| Step::json(status, &json!({}));
    let cases = [
        (seat_call(Action::Confirm, true), vec![confirmed]),
        (
            seat_call(Action::Confirm, true),
            vec![no_such_call(404), pending()],
        ),
        (
            seat_call(Action::Decline, true),
            vec![no_such_call(405), pending()],
        ),
        (seat_call(Action::Decline, true), vec![no_such_call(500)]),
        (seat_call(Action::Cancel, false), vec![pending()]),
    ];
    check(Dialect::V2, cases, expect![[r#"
        POST /v2/bookings/steamQ1/seats/confirm {"seatUids":["seat-a"]}
        = 200 None
        POST /v2/bookings/steamQ1/seats/confirm {"seatUids":["seat-a"]}
        POST /v2/bookings/steamQ1/confirm {}
        = 200 Some(Pending)
        POST /v2/bookings/steamQ1/seats/decline {"seatUids":["seat-a"]}
        POST /v2/bookings/steamQ1/decline {"reason":"Not enough credit & no steam"}
        = 200 Some(Pending)
        POST /v2/bookings/steamQ1/seats/decline {"seatUids":["seat-a"]}
        = Unknown { http_status: Some(500), detail: "HTTP 500" }
        POST /v2/bookings/steamQ1/cancel {"cancellationReason":"Not enough credit & no steam","seatUid":"seat-a"}
        = 200 Some(Pending)"#]]).await;
}

#[tokio::test]
async fn v1_patches_and_deletes_by_number() {
    let cases = [
        (
            call(Action::Confirm),
            vec![Step::json(200, &fixture("v1_patched"))],
        ),
        (
            call(Action::Cancel),
            vec![Step::json(200, &fixture("v1_cancelled"))],
        ),
    ];
    check(Dialect::V1, cases, expect![[r#"
        PATCH /v1/bookings/701?apiKey=cal_key {"status":"ACCEPTED"}
        = 200 Some(Accepted)
        DELETE /v1/bookings/701/cancel?apiKey=cal_key&cancellationReason=Not+enough+credit+%26+no+steam {"cancellationReason":"Not enough credit & no steam","reason":"Not enough credit & no steam"}
        = 200 None"#]]).await;
}

#[tokio::test]
async fn what_cannot_be_right_is_not_sent() {
    let mut without_number = call(Action::Cancel);
    without_number.target.number = None;
    let cases = [
        (call(Action::Decline), vec![]),
        (seat_call(Action::Cancel, false), vec![]),
        (without_number, vec![]),
    ];
    check(Dialect::V1, cases, expect![[r#"
        = Rejected { http_status: 0, detail: "not sent: API v1 has no decline; cancel instead" }
        = Rejected { http_status: 0, detail: "not sent: API v1 can only call off a shared booking as a whole, not one seat of it" }
        = Rejected { http_status: 0, detail: "not sent: API v1 names bookings by number, and the number of this one is not known" }"#]]).await;
    let mut without_uid = call(Action::Cancel);
    without_uid.target.uid = Uid::from_number(701);
    check(Dialect::V2, [(without_uid, vec![])], expect![[r#"= Rejected { http_status: 0, detail: "not sent: API v2 names bookings by `uid`, and only the number of this one is known" }"#]]).await;
}

#[tokio::test]
async fn v2_sends_key_and_version_in_headers_and_v1_the_key_in_the_query() {
    let server = ScriptedServer::start([pending()]).await;
    provider(&server, Dialect::V2)
        .read(&target())
        .await
        .unwrap();
    let seen = server.seen().remove(0);
    assert_eq!(seen.line, "GET /v2/bookings/steamQ1");
    assert_eq!(seen.headers["authorization"], "Bearer cal_key");
    assert_eq!(seen.headers["cal-api-version"], "2024-08-13");

    let server = ScriptedServer::start([Step::json(200, &fixture("v1_pending"))]).await;
    provider(&server, Dialect::V1)
        .read(&target())
        .await
        .unwrap();
    let seen = server.seen().remove(0);
    assert_eq!(seen.line, "GET /v1/bookings/701?apiKey=cal_key");
    assert!(!seen.headers.contains_key("authorization"));
}

async fn check_read(dialect: Dialect, name: &str, target: &Target, expected: Expect) {
    let server = ScriptedServer::start([Step::json(200, &fixture(name))]).await;
    let readings = provider(&server, dialect).read(target).await.unwrap();
    let told: Vec<String> = readings
        .iter()
        .map(|reading| serde_json::to_string_pretty(reading).unwrap())
        .collect();
    expected.assert_eq(&told.join("\n"));
}

#[tokio::test]
async fn a_reading_carries_enough_to_decide_on() {
    check_read(
        Dialect::V2,
        "v2_pending",
        &target(),
        expect![[r#"
            {
              "uid": "steamQ1",
              "number": 701,
              "status": "pending",
              "start": "2027-05-04T15:00:00Z",
              "end": "2027-05-04T16:30:00Z",
              "moved_to": null,
              "moved_from": null,
              "series": null,
              "created_at": "2027-04-20T08:15:30.111Z",
              "seats": null,
              "cancellation_reason": null,
              "details": {
                "start": "2027-05-04T15:00:00Z",
                "end": "2027-05-04T16:30:00Z",
                "title": "Evening sauna between Aino Laine and Pekka Virta",
                "event_type_id": 31,
                "event_type_slug": "evening-sauna",
                "booker": {
                  "email": "pekka.virta@example.com",
                  "name": "Pekka Virta",
                  "time_zone": "Europe/Stockholm",
                  "locale": "sv"
                },
                "hosts": [
                  {
                    "email": "aino@sauna.example",
                    "username": "aino",
                    "id": "12"
                  }
                ],
                "guests": [
                  "maija@example.net"
                ],
                "answers": {
                  "email": "pekka.virta@example.com",
                  "guests": [
                    "maija@example.net"
                  ],
                  "location": "attendeeInPerson",
                  "name": "Pekka Virta",
                  "notes": "Hot, please"
                },
                "metadata": {
                  "campaign": "spring"
                },
                "location": "Rantakatu 3, Turku",
                "notes": "Hot, please",
                "seated": false,
                "recurring": false
              }
            }"#]],
    )
    .await;
    check_read(
        Dialect::V1,
        "v1_pending",
        &target(),
        expect![[r#"
            {
              "uid": "steamQ1",
              "number": 701,
              "status": "pending",
              "start": "2027-05-04T15:00:00Z",
              "end": "2027-05-04T16:30:00Z",
              "moved_to": null,
              "moved_from": "steamQ0",
              "series": null,
              "created_at": "2027-04-20T08:15:30.111Z",
              "seats": null,
              "cancellation_reason": null,
              "details": {
                "start": "2027-05-04T15:00:00Z",
                "end": "2027-05-04T16:30:00Z",
                "title": "Evening sauna between Aino Laine and Pekka Virta",
                "event_type_id": 31,
                "event_type_slug": null,
                "booker": {
                  "email": "pekka.virta@example.com",
                  "name": "Pekka Virta",
                  "time_zone": "Europe/Stockholm",
                  "locale": "sv"
                },
                "hosts": [
                  {
                    "email": "aino@sauna.example"
                  }
                ],
                "guests": [],
                "answers": {
                  "email": "pekka.virta@example.com",
                  "location": "attendeeInPerson",
                  "name": "Pekka Virta"
                },
                "metadata": {},
                "location": null,
                "notes": null,
                "seated": false,
                "recurring": false
              }
            }"#]],
    )
    .await;
}

#[tokio::test]
async fn a_moved_booking_names_both_neighbours() {
    let server = ScriptedServer::start([Step::json(200, &fixture("v2_moved"))]).await;
    let reading = provider(&server, Dialect::V2)
        .read(&target())
        .await
        .unwrap()
        .remove(0);
    assert_eq!(reading.moved_to, Some(Uid::new("steamQ2")));
    assert_eq!(reading.moved_from, Some(Uid::new("steamQ0")));
    assert_eq!(
        reading.cancellation_reason.as_deref(),
        Some("Caught a cold")
    );
}

#[tokio::test]
async fn a_series_is_read_whole_with_the_one_asked_for_first() {
    let server = ScriptedServer::start([Step::json(200, &fixture("v2_series"))]).await;
    let mut target = target();
    target.uid = Uid::new("steamS1");
    let readings = provider(&server, Dialect::V2).read(&target).await.unwrap();
    let uids: Vec<&str> = readings
        .iter()
        .map(|reading| reading.uid.as_str())
        .collect();
    assert_eq!(uids, ["steamS1", "steamS0", "steamS2"]);
    for reading in readings {
        assert_eq!(reading.series.as_deref(), Some("steamSeries"));
        assert!(reading.details.unwrap().recurring);
    }
}

#[tokio::test]
async fn a_shared_booking_tells_the_booker_of_the_seat_asked_for() {
    let steps = || Step::json(200, &fixture("v2_seated"));
    let server = ScriptedServer::start([steps(), steps()]).await;
    let provider = provider(&server, Dialect::V2);
    let mut target = target();
    let whole = provider.read(&target).await.unwrap().remove(0);
    assert_eq!(whole.details, None);
    target.seat = Some(SeatId::new("seat-b"));
    let seat = provider.read(&target).await.unwrap().remove(0);
    let seats = [SeatId::new("seat-a"), SeatId::new("seat-b")];
    assert_eq!(seat.seats, Some(seats.to_vec()));
    let details = seat.details.unwrap();
    assert!(details.seated && details.guests.is_empty());
    assert_eq!(details.booker.email.unwrap().as_str(), "liisa@example.org");
}

#[tokio::test]
async fn a_read_that_shows_no_booking_may_be_tried_again() {
    for body in [
        json!({}),
        json!({"data": []}),
        json!({"data": {"uid": "steamQ1"}}),
    ] {
        let server = ScriptedServer::start([Step::json(200, &body)]).await;
        let error = provider(&server, Dialect::V2)
            .read(&target())
            .await
            .unwrap_err();
        assert!(matches!(error, CallError::Transient { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_confirm_without_answer_is_unknown_and_the_read_back_shows_it() {
    let mut accepted = fixture("v2_pending");
    accepted["data"]["status"] = json!("accepted");
    let server = ScriptedServer::start([Step::Stall, Step::json(200, &accepted)]).await;
    let hasty = provider_with_timeout(&server, Dialect::V2, 200);
    let error = hasty.act(&call(Action::Confirm)).await.unwrap_err();
    assert!(matches!(error, CallError::Unknown { .. }), "{error:?}");
    let patient = provider(&server, Dialect::V2);
    let reading = patient.read(&target()).await.unwrap().remove(0);
    assert_eq!(reading.status.as_str(), "accepted");
}

#[tokio::test]
async fn already_done_is_a_refusal_that_says_so() {
    let refused = Step::json(400, &fixture("v2_error_400"));
    check(
        Dialect::V2,
        [(call(Action::Confirm), vec![refused])],
        expect![[r#"
            POST /v2/bookings/steamQ1/confirm {}
            = Rejected { http_status: 400, detail: "HTTP 400 (TRPCError: Booking already confirmed)" }"#]],
    )
    .await;
}

#[tokio::test]
async fn after_a_429_everyone_waits() {
    let limited = Step::with(429, &["retry-after: 60"], "{}");
    let server = ScriptedServer::start([limited]).await;
    let provider = provider(&server, Dialect::V2);
    assert_eq!(provider.next_call_at(), None);
    let first = provider.read(&target()).await.unwrap_err();
    assert_eq!(first, CallError::Limited { wait_ms: 60_000 });
    let second = provider.act(&call(Action::Confirm)).await.unwrap_err();
    assert!(matches!(second, CallError::Limited { wait_ms } if wait_ms > 50_000));
    assert_eq!(server.seen().len(), 1);
    assert!(provider.next_call_at().is_some());
}

#[test]
fn the_version_is_in_the_path_once() {
    let told = |base: &str, dialect: Dialect| {
        let address = Url::parse(base).unwrap();
        api::base(&address, Some(dialect.version()), "https://api.cal.com/v2")
    };
    let v2 = "https://api.example/v2";
    for base in [
        "https://api.example",
        "https://api.example/",
        v2,
        "https://api.example/v2//",
    ] {
        assert_eq!(told(base, Dialect::V2).unwrap().as_str(), v2);
    }
    let nested = told("https://cal.example/api/?x=1#y", Dialect::V1).unwrap();
    assert_eq!(nested.as_str(), "https://cal.example/api/v1");
    assert!(told("ftp://cal.example", Dialect::V1).is_err());
    assert!(told("https://me:secret@cal.example", Dialect::V1).is_err());
}

#[tokio::test]
async fn ids_are_encoded_in_the_path() {
    let server = ScriptedServer::start([pending()]).await;
    let mut target = target();
    target.uid = Uid::new("a/b?c d");
    provider(&server, Dialect::V2).read(&target).await.unwrap();
    assert_eq!(server.seen()[0].line, "GET /v2/bookings/a%2Fb%3Fc%20d");
}
