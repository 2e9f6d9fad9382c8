//! Who may call, and how often.

use super::*;

#[tokio::test]
async fn a_caller_without_a_name_gets_a_web_page() {
    let room = deaf_room(Options::default()).await;
    let nameless = reqwest::Client::new();
    let url = format!("{}/users/me", room.it.base_url());
    let answer = nameless
        .get(url)
        .bearer_auth(room.it.token())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status().as_u16(), 403);
    let text = answer.text().await.unwrap();
    assert!(text.contains("1010"));
    assert!(serde_json::from_str::<Value>(&text).is_err());
}

#[tokio::test]
async fn a_wrong_token_is_not_let_in() {
    let room = deaf_room(Options::default()).await;
    let answer = room.call_as("stolen", Method::GET, "/users/me", None).await;
    assert_eq!(answer.status, 401);
    let error = json!({ "title": "Unauthenticated", "message": "The access token is invalid" });
    assert_eq!(answer.json(), error);
    let url = format!("{}/users/me", room.it.base_url());
    let bare = room.http.get(url).send().await.unwrap();
    assert_eq!(bare.status().as_u16(), 401);
}

#[tokio::test]
async fn a_token_does_only_what_it_allows() {
    use Permission::*;
    let everything_but = |missing: Permission| {
        let mut permissions = Permission::ALL.to_vec();
        permissions.retain(|one| *one != missing);
        Token::with(format!("no_{missing:?}"), &permissions)
    };
    let mut options = Options::default();
    options.tokens.extend(Permission::ALL.map(everything_but));
    let room = deaf_room(options).await;
    let invitee = room.booked("intro").await;
    let event = format!("/scheduled_events/{}", invitee.event);
    let user = room.it.user_uri();
    let hook = json!({
        "url": room.hook,
        "events": ["invitee.created"],
        "organization": room.it.organization_uri(),
        "scope": "organization",
    });
    let types_hook = json!({
        "url": room.hook,
        "events": ["event_type.created"],
        "organization": room.it.organization_uri(),
        "scope": "organization",
    });
    let marked = json!({ "invitee": room.it.invitee_uri(&invitee) });
    for (missing, method, path, body) in [
        (ReadUsers, Method::GET, "/users/me".to_owned(), None),
        (
            ReadEventTypes,
            Method::GET,
            format!("/event_types?user={user}"),
            None,
        ),
        (
            ReadEventTypes,
            Method::POST,
            "/webhook_subscriptions".to_owned(),
            Some(types_hook),
        ),
        (ReadScheduledEvents, Method::GET, event.clone(), None),
        (
            ReadScheduledEvents,
            Method::GET,
            format!("/scheduled_events?user={user}"),
            None,
        ),
        (
            ReadScheduledEvents,
            Method::GET,
            format!("{event}/invitees"),
            None,
        ),
        (
            ReadScheduledEvents,
            Method::POST,
            "/webhook_subscriptions".to_owned(),
            Some(hook.clone()),
        ),
        (
            WriteScheduledEvents,
            Method::POST,
            "/invitee_no_shows".to_owned(),
            Some(marked),
        ),
        (
            WriteScheduledEvents,
            Method::POST,
            format!("{event}/cancellation"),
            None,
        ),
        (
            WriteWebhooks,
            Method::POST,
            "/webhook_subscriptions".to_owned(),
            Some(hook),
        ),
        (
            WriteWebhooks,
            Method::DELETE,
            "/webhook_subscriptions/x".to_owned(),
            None,
        ),
        (
            ReadWebhooks,
            Method::GET,
            "/webhook_subscriptions/x".to_owned(),
            None,
        ),
    ] {
        let token = format!("no_{missing:?}");
        let refused = room
            .call_as(&token, method.clone(), &path, body.clone())
            .await;
        assert_eq!(refused.status, 403, "{method} {path}");
        assert_eq!(refused.json()["title"], "Permission Denied");
        // The full token gets past this, if only to hear that there is no such thing.
        let allowed = room.call(method.clone(), &path, body).await.status;
        let expected = if path.ends_with("/x") {
            404..405
        } else {
            200..300
        };
        assert!(expected.contains(&allowed), "{method} {path}: {allowed}");
        for subscription in room.it.subscriptions() {
            let path = format!("/webhook_subscriptions/{}", subscription.uuid);
            room.delete(&path).await;
        }
    }
}

#[tokio::test]
async fn every_answer_says_how_many_calls_are_left() {
    let mut options = Options {
        calls_per_minute: 3,
        ..Options::default()
    };
    options.tokens.push(Token::full("second"));
    let room = deaf_room(options).await;
    for (left, status) in [("2", 200), ("1", 404), ("0", 200), ("0", 429), ("0", 429)] {
        let path = if status == 404 {
            "/nothing"
        } else {
            "/users/me"
        };
        let answer = room.get(path).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("x-ratelimit-limit"), "3");
        assert_eq!(answer.header("x-ratelimit-remaining"), left);
        assert_eq!(answer.header("x-ratelimit-reset"), "60");
    }
    let other = room.call_as("second", Method::GET, "/users/me", None).await;
    assert_eq!(other.header("x-ratelimit-remaining"), "2");
    room.clock.advance_ms(45_500);
    assert_eq!(
        room.get("/users/me").await.header("x-ratelimit-reset"),
        "15"
    );
    room.clock.advance_ms(14_500);
    assert_eq!(room.get("/users/me").await.status, 200);
}
