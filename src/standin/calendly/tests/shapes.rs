//! How webhooks and addresses have looked over the years.

use super::*;

async fn canceled_in(shape: Shape) -> Value {
    let room = room_with(Options {
        shape,
        event_status_lags: false,
        ..Options::default()
    })
    .await;
    let invitee = room.booked("intro").await;
    let by = Actor::Invitee;
    room.it
        .cancel(&invitee.uuid, by, Some("Flu"))
        .await
        .unwrap();
    room.the_heard().json
}

#[tokio::test]
async fn today_everything_is_there() {
    let json = canceled_in(Shape::Today).await;
    assert!(json["created_by"].is_string());
    let payload = &json["payload"];
    assert!(payload["cancellation"]["created_at"].is_string());
    let event = &payload["scheduled_event"];
    assert_eq!(event["status"], "canceled");
    assert_eq!(event["cancellation"], payload["cancellation"]);
    assert_eq!(event["invitees_counter"]["active"], 0);
}

#[tokio::test]
async fn in_2023_a_cancellation_did_not_say_when() {
    let json = canceled_in(Shape::Of2023).await;
    let payload = &json["payload"];
    let event = &payload["scheduled_event"];
    for cancellation in [&payload["cancellation"], &event["cancellation"]] {
        assert_eq!(cancellation["reason"], "Flu");
        assert!(cancellation.get("created_at").is_none());
    }
}

#[tokio::test]
async fn in_2020_the_event_was_only_named() {
    let json = canceled_in(Shape::Of2020).await;
    assert!(json.get("created_by").is_none());
    let payload = &json["payload"];
    assert!(payload.get("scheduled_event").is_none());
    assert!(payload.get("scheduling_method").is_none());
    assert!(payload["event"].is_string());
    assert_eq!(payload["cancellation"]["canceler_type"], "invitee");
}

#[tokio::test]
async fn addresses_have_had_other_hosts() {
    for uri_base in ["https://calendly.com", "https://api.calendly.com/api/v2"] {
        let room = room_with(Options {
            uri_base: uri_base.to_owned(),
            ..Options::default()
        })
        .await;
        let invitee = room.it.book(request("intro")).await.unwrap();
        let heard = room.the_heard();
        let uri = format!(
            "{uri_base}/scheduled_events/{}/invitees/{}",
            invitee.event, invitee.uuid
        );
        assert_eq!(heard.payload()["uri"], uri);
        // Whoever names a thing by its address may use either.
        for base in [uri_base, "https://api.calendly.com"] {
            let uri = uri.replace(uri_base, base);
            let answer = room
                .post("/invitee_no_shows", json!({ "invitee": uri }))
                .await;
            assert_eq!(answer.status, 201);
            let no_show = room.row(&invitee).no_show.unwrap().uuid;
            room.it.take_back_no_show(&no_show).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_place_may_be_an_address_a_text_or_a_link_elsewhere() {
    for (location, kind, place) in [
        (
            Location::Physical("1 Pier Road".to_owned()),
            "physical",
            json!("1 Pier Road"),
        ),
        (
            Location::Custom("http://x/y".to_owned()),
            "custom",
            json!("http://x/y"),
        ),
        (
            Location::Conference("http://x/z".to_owned()),
            "google_conference",
            Value::Null,
        ),
    ] {
        let mut options = Options::default();
        options.event_types[0].location = location;
        let room = room_with(options).await;
        room.it.book(request("intro")).await.unwrap();
        let told = room.the_heard();
        let told = &told.payload()["scheduled_event"]["location"];
        assert_eq!((&told["type"], &told["location"]), (&json!(kind), &place));
    }
}
