//! Who may be subscribed to what.

use super::*;

impl Room {
    fn new_hook(&self) -> Value {
        json!({
            "url": self.hook,
            "events": ["invitee.created", "invitee.canceled"],
            "organization": self.it.organization_uri(),
            "scope": "organization",
            "signing_key": KEY,
        })
    }

    async fn subscribe(&self, changes: Value) -> Answer {
        let mut body = self.new_hook();
        for (key, value) in changes.as_object().unwrap() {
            body[key] = value.clone();
        }
        self.post("/webhook_subscriptions", body).await
    }
}

fn path_of(answer: &Answer) -> String {
    let uri = answer.resource()["uri"].take();
    let path = uri
        .as_str()
        .unwrap()
        .strip_prefix("https://api.calendly.com");
    path.unwrap().to_owned()
}

#[tokio::test]
async fn a_subscription_is_made_shown_and_deleted() {
    let room = deaf_room(Options::default()).await;
    let made = room.subscribe(json!({})).await;
    assert_eq!(made.status, 201);
    let subscription = made.resource();
    assert_eq!(made.header("location"), subscription["uri"]);
    assert_eq!(subscription["callback_url"], room.hook);
    assert_eq!(subscription["state"], "active");
    assert_eq!(subscription["retry_started_at"], Value::Null);
    assert_eq!(subscription["user"], Value::Null);
    assert_eq!(subscription["creator"], room.it.user_uri());
    assert!(!made.text.contains("signing_key") && !made.text.contains(KEY));

    let path = path_of(&made);
    assert_eq!(room.get(&path).await.resource(), subscription);
    room.it.book(request("intro")).await.unwrap();
    assert_eq!(
        room.the_heard().signed_at(KEY),
        room.clock.now().as_second()
    );

    assert_eq!(room.delete(&path).await.status, 204);
    assert_eq!(room.delete(&path).await.status, 404);
    assert_eq!(room.get(&path).await.status, 404);
    assert_eq!(room.it.subscriptions(), []);
}

#[tokio::test]
async fn the_same_address_is_refused_until_the_first_is_deleted() {
    let room = deaf_room(Options::default()).await;
    let first = room.subscribe(json!({})).await;
    let user = json!({ "scope": "user", "user": room.it.user_uri() });
    for changes in [json!({}), user.clone()] {
        let refused = room.subscribe(changes).await;
        assert_eq!(refused.status, 409);
        assert_eq!(
            refused.json()["message"],
            "Hook with this url already exists"
        );
    }
    room.delete(&path_of(&first)).await;
    assert_eq!(room.subscribe(user).await.status, 201);
}

#[tokio::test]
async fn two_scopes_are_two_copies() {
    let room = deaf_room(Options {
        hooks_differ_by_scope: true,
        ..Options::default()
    })
    .await;
    room.subscribe(json!({})).await;
    let user = json!({ "scope": "user", "user": room.it.user_uri(), "signing_key": "other" });
    assert_eq!(room.subscribe(user.clone()).await.status, 201);
    assert_eq!(room.subscribe(user).await.status, 409);
    room.it.book(request("intro")).await.unwrap();
    assert_eq!(room.heard(), ["invitee.created", "invitee.created"]);

    let base = "/webhook_subscriptions?organization=".to_owned() + &room.it.organization_uri();
    for (query, scopes) in [
        ("&scope=organization".to_owned(), ["organization"]),
        (format!("&scope=user&user={}", room.it.user_uri()), ["user"]),
    ] {
        let json = room.get(&format!("{base}{query}")).await.json();
        let listed = json["collection"].as_array().unwrap().iter();
        assert!(listed.map(|one| &one["scope"]).eq(&scopes));
    }
    assert_eq!(room.get(&base).await.complaint(), (400, "scope".to_owned()));
    let nobody_s = room.get(&format!("{base}&scope=user")).await;
    assert_eq!(nobody_s.complaint(), (400, "user".to_owned()));
}

#[tokio::test]
async fn what_is_missing_or_wrong_is_refused_by_name() {
    let room = deaf_room(Options::default()).await;
    for (changes, parameter) in [
        (json!({ "url": null }), "url"),
        (json!({ "url": "nowhere" }), "url"),
        (json!({ "events": null }), "events"),
        (json!({ "events": [] }), "events"),
        (json!({ "events": ["invitee.rescheduled"] }), "events"),
        (json!({ "events": [7] }), "events"),
        (json!({ "scope": null }), "scope"),
        (json!({ "scope": "everything" }), "scope"),
        (json!({ "organization": null }), "organization"),
        (json!({ "organization": "mine" }), "organization"),
        (json!({ "scope": "user" }), "user"),
        (json!({ "scope": "group" }), "group"),
        (json!({ "signing_key": 7 }), "signing_key"),
        (json!({ "events": ["meeting_recap.created"] }), "scope"),
    ] {
        let refused = room.subscribe(changes.clone()).await;
        assert_eq!(
            refused.complaint(),
            (400, parameter.to_owned()),
            "{changes}"
        );
    }
    let others = json!({ "organization": "https://api.calendly.com/organizations/other" });
    assert_eq!(room.subscribe(others).await.status, 403);
    let group = json!({ "scope": "group", "group": room.it.group_uri() });
    assert_eq!(room.subscribe(group).await.status, 201);
}

#[tokio::test]
async fn the_plan_decides_what_can_be_heard() {
    let routing = json!({ "events": ["routing_form_submission.created"] });
    for (plan, invitees, forms) in [
        (Plan::Paid, 201, 201),
        (Plan::Free, 201, 403),
        (Plan::FreeWithoutWebhooks, 403, 403),
    ] {
        for (changes, expected) in [(json!({}), invitees), (routing.clone(), forms)] {
            let room = deaf_room(Options {
                plan,
                ..Options::default()
            })
            .await;
            let answer = room.subscribe(changes).await;
            assert_eq!(answer.status, expected, "{plan:?}");
            if expected == 403 {
                let json = answer.json();
                assert!(json["message"].as_str().unwrap().contains("upgrade"));
            }
        }
    }
}

#[tokio::test]
async fn only_the_events_that_were_asked_for_are_told() {
    let room = deaf_room(Options::default()).await;
    room.subscribe(json!({ "events": ["invitee.canceled"] }))
        .await;
    let invitee = room.it.book(request("intro")).await.unwrap();
    room.it.no_show(&invitee.uuid).await.unwrap();
    room.it
        .cancel(&invitee.uuid, Actor::Host, None)
        .await
        .unwrap();
    assert_eq!(room.heard(), ["invitee.canceled"]);
}
