//! Faults and pauses, and the log of calls.

use super::*;

fn cancels() -> Matcher {
    Matcher::operation(Operation::Cancel)
}

#[tokio::test]
async fn a_scripted_answer_looks_like_calendly_s() {
    let room = room().await;
    let invitee = room.booked("intro").await;
    let fail = |when, fault| room.it.fail_next(cancels().of(&invitee.event), when, fault);
    let limited = |retry_after_s| Fault::RateLimited { retry_after_s };
    fail(When::BeforeWork, Fault::Status(503));
    fail(When::BeforeWork, limited(Some(7)));
    fail(When::BeforeWork, limited(None));
    fail(When::BeforeWork, Fault::Html(502));
    fail(When::AfterWork, Fault::Status(500));

    let failed = room.cancel_event(&invitee, "x").await;
    assert_eq!(failed.status, 503);
    assert!(failed.json()["title"].is_string());
    let limited = room.cancel_event(&invitee, "x").await;
    assert_eq!(
        (limited.status, limited.header("x-ratelimit-reset")),
        (429, "7")
    );
    let limited = room.cancel_event(&invitee, "x").await;
    assert!(!limited.headers.contains_key("x-ratelimit-reset"));
    assert!(
        room.cancel_event(&invitee, "x")
            .await
            .text
            .starts_with("<!doctype")
    );
    assert_eq!(room.row(&invitee).status, Status::Active);

    // Done, told, and answered with a failure.
    assert_eq!(room.cancel_event(&invitee, "x").await.status, 500);
    assert_eq!(room.heard(), ["invitee.canceled"]);
    assert_eq!(room.cancel_event(&invitee, "x").await.status, 403);
    let answered: Vec<_> = room.it.calls().iter().map(|call| call.answered).collect();
    assert_eq!(answered, [503, 429, 429, 502, 500, 403].map(Some));
    assert_eq!(room.it.effective_calls(&invitee.event).len(), 1);
}

#[tokio::test]
async fn a_call_can_be_held_while_people_act() {
    let room = room().await;
    let invitee = room.booked("intro").await;
    let pause = room.it.pause_next(cancels());
    let (answer, new) = tokio::join!(room.cancel_event(&invitee, "No credit"), async {
        pause.reached().await;
        let new = room.moved(&invitee, tuesday(), Actor::Invitee).await;
        pause.release();
        new
    });
    // What was to be cancelled is gone, and what took its place stands.
    assert_eq!(answer.status, 403);
    assert_eq!(room.it.live(), [new]);
}

#[tokio::test]
async fn a_reset_may_come_after_the_work() {
    let room = room().await;
    let invitee = room.booked("intro").await;
    room.it.fail_next(cancels(), When::AfterWork, Fault::Reset);
    let url = format!(
        "{}/scheduled_events/{}/cancellation",
        room.it.base_url(),
        invitee.event
    );
    let call = room.http.post(url).bearer_auth(room.it.token()).send();
    assert!(call.await.is_err());
    assert_eq!(room.row(&invitee).status, Status::Canceled);
    assert_eq!(room.it.calls()[0].answered, None);
}

#[tokio::test]
async fn calls_are_logged_with_what_they_asked() {
    let room = deaf_room(Options::default()).await;
    let invitee = room.booked("intro").await;
    let event = format!("/scheduled_events/{}", invitee.event);
    room.get("/users/me").await;
    room.get(&event).await;
    room.get(&format!("{event}/invitees?count=5")).await;
    room.read(&invitee).await;
    room.post("/webhook_subscriptions", json!({})).await;
    room.delete("/webhook_subscriptions/gone").await;
    room.get("/elsewhere").await;
    let calls = room.it.calls();
    let seen: Vec<_> = calls
        .iter()
        .map(|call| (call.operation, call.answered))
        .collect();
    assert_eq!(
        seen,
        [
            (Operation::Me, Some(200)),
            (Operation::ReadEvent, Some(200)),
            (Operation::ListInvitees, Some(200)),
            (Operation::ReadInvitee, Some(200)),
            (Operation::Subscribe, Some(400)),
            (Operation::Unsubscribe, Some(404)),
            (Operation::Other, Some(404)),
        ]
    );
    assert_eq!(calls[1].uid, Some(invitee.event));
    assert_eq!(calls[3].uid, Some(invitee.uuid));
    assert!(calls.iter().all(|call| !call.effective));
}
