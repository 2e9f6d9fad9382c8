//! What a signed body says, and what becomes of it: nothing that is signed is lost, and nothing that
//! is said twice is done twice.

use serde_json::{Value, json};

use super::{PING, post_signed, stored};
use crate::harness::{Installation, Setup, run_test_on_file};

#[tokio::test]
async fn signed_bodies_that_make_no_sense_are_kept_as_unparsed() {
    run_test_on_file(Setup::default(), async |it: &mut Installation| {
        let deep = [&b"["[..], &b"]"[..]].map(|bracket| bracket.repeat(10_000)).concat();
        let nested = r#"{"a":"#.repeat(10_000) + "1" + &"}".repeat(10_000);
        let created = |payload: &str| {
            format!(r#"{{"triggerEvent":"BOOKING_CREATED","payload":{payload}}}"#).into_bytes()
        };
        let bodies: Vec<Vec<u8>> = vec![
            b"".to_vec(),
            b"false".to_vec(),
            b"null".to_vec(),
            b"[]".to_vec(),
            b"{".to_vec(),
            b"{\"triggerEvent\":\"BOOKING_CREATED\",\"payload\":{\"uid\":\"aaa".to_vec(),
            b"{\"triggerEvent\":\"\xff\xfe\"}".to_vec(),
            b"Subject: a template\n\nUid: {{uid}}".to_vec(),
            br#"{"content":"A booking by {{attendees.0.name}}","when":"tomorrow"}"#.to_vec(),
            deep,
            nested.into_bytes(),
            br#"{"triggerEvent":17,"payload":{}}"#.to_vec(),
            br#"{"triggerEvent":"BOOKING_CREATED"}"#.to_vec(),
            created("[]"),
            created("{}"),
            created(r#"{"uid":"only-an-id"}"#),
            created(r#"{"uid":7,"bookingId":"seven","startTime":{},"endTime":[]}"#),
            created(r#"{"uid":"u1","startTime":"when it suits","endTime":"later"}"#),
            created(r#"{"bookingId":99999999999999999999999999,"startTime":1e400}"#),
            created(r#"{"uid":"../../etc","startTime":"2027-03-04T09:00:00Z","endTime":"2027-03-04T10:00:00Z"}"#),
        ];
        for body in &bodies {
            let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
            assert_eq!(post_signed(it, body).await, 200, "{shown}");
        }
        let stored = stored(it).await;
        assert_eq!(stored.len(), bodies.len());
        for (one, body) in stored.iter().zip(&bodies) {
            let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
            assert_eq!(one.body, *body, "kept to the byte: {shown}");
            assert_eq!(one.state, "unparsed", "{shown}");
            assert!(one.note.is_some(), "no word why: {shown}");
        }
        let (status, page) = it.get("/v1/deliveries?limit=15").await;
        assert_eq!(status, 200, "{page}");
        assert_eq!(page["items"].as_array().unwrap().len(), 15);
        let next = page["next"].as_str().unwrap();
        let (_, rest) = it.get(&format!("/v1/deliveries?after={next}")).await;
        assert_eq!(rest["items"].as_array().unwrap().len(), bodies.len() - 15);
        assert_eq!(it.get("/v1/deliveries?after=x").await.0, 400);
    })
    .await;
}

#[tokio::test]
async fn odd_values_in_a_booking_spoil_nothing_else() {
    run_test_on_file(Setup::default(), async |it: &mut Installation| {
        it.hold_webhooks();
        it.top_up("5").await;
        let booking = it.book(72).await;
        it.cal.take_outbox();
        let body = json!({
            "triggerEvent": "BOOKING_REQUESTED",
            "createdAt": 12,
            "payload": {
                "uid": booking.uid, "bookingId": booking.number,
                "startTime": booking.start, "endTime": booking.end,
                "title": ["not", "a", "text"], "length": 1e300, "price": "free",
                "attendees": [null, 3, {"email": "ada@reader.example", "name": {}}],
                "responses": {"email": {"label": "e", "value": "ADA@reader.example"}, "odd": 1e308, "no": null},
                "metadata": [], "organizer": "nobody", "seatsPerTimeSlot": null,
            },
        });
        assert_eq!(post_signed(it, body.to_string().as_bytes()).await, 200);
        assert_eq!(stored(it).await[0].state, "event");
        assert_eq!(it.status_at_cal(&booking.uid), "accepted");
        it.assert_balance("3", "0").await;
    })
    .await;
}

#[tokio::test]
async fn signed_but_not_for_us_is_answered_and_ignored() {
    run_test_on_file(Setup::default(), async |it: &mut Installation| {
        // A meeting's end comes flat, without a `payload`.
        let ended: &[u8] = br#"{"triggerEvent":"MEETING_ENDED","id":31,"uid":"sLW9cXv2nT4kQ8mZ1pRb7d","startTime":"2027-03-01T09:00:00.000Z","status":"ACCEPTED"}"#;
        let unheard: &[u8] = br#"{"triggerEvent":"SOMETHING_NEW","payload":{"uid":"x"}}"#;
        for body in [PING, ended, unheard] {
            assert_eq!(post_signed(it, body).await, 200);
        }
        let stored = stored(it).await;
        let seen: Vec<_> = stored.iter().map(|one| (one.state.as_str(), one.trigger.as_deref())).collect();
        assert_eq!(
            seen,
            [
                ("ignored", Some("PING")),
                ("ignored", Some("MEETING_ENDED")),
                ("ignored", Some("SOMETHING_NEW"))
            ]
        );
    })
    .await;
}

async fn the_same_delivery_twice(server: &'static str) {
    let setup = Setup {
        server,
        ..Setup::default()
    };
    run_test_on_file(setup, async |it: &mut Installation| {
        it.hold_webhooks();
        it.top_up("5").await;
        let booking = it.book(72).await;
        let request = it.cal.take_outbox().remove(0);
        for _ in 0..3 {
            it.deliver(&request).await;
        }
        assert_eq!(stored(it).await.len(), 1);
        assert_eq!(
            it.booking(&booking.uid).await["decisions"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
        assert_eq!(it.cal.effective_calls(&booking.uid).len(), 1);
        it.deliver(&request).await;
        assert_eq!(stored(it).await.len(), 1, "also when all is done");
        it.deliver_all().await;
        it.assert_balance("3", "0").await;
    })
    .await;
}

#[tokio::test]
async fn the_same_delivery_again_is_stored_once_and_decided_once() {
    the_same_delivery_twice("").await;
}

#[tokio::test]
async fn the_same_holds_where_the_database_acknowledges() {
    the_same_delivery_twice(r#"acknowledge = "database""#).await;
}

#[tokio::test]
async fn copies_that_differ_in_their_time_alone_are_one_decision() {
    run_test_on_file(Setup::default(), async |it: &mut Installation| {
        it.hold_webhooks();
        it.top_up("5").await;
        let booking = it.book(72).await;
        let request = it.cal.take_outbox().remove(0);
        let mut copy: Value = serde_json::from_slice(&request.body).unwrap();
        for millisecond in 1..=3 {
            copy["createdAt"] = json!(format!("2027-03-01T12:00:00.{millisecond:03}Z"));
            assert_eq!(post_signed(it, copy.to_string().as_bytes()).await, 200);
        }
        it.deliver(&request).await;
        assert_eq!(stored(it).await.len(), 4);
        let seen = it.booking(&booking.uid).await;
        assert_eq!(seen["decisions"].as_array().unwrap().len(), 1);
        assert_eq!(seen["deliveries"].as_array().unwrap().len(), 4);
        assert_eq!(it.cal.effective_calls(&booking.uid).len(), 1);
        it.assert_balance("3", "0").await;
    })
    .await;
}
