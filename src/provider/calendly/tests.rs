use serde_json::{Value, json};

use super::*;
use crate::domain::booking::{Party, Status};
use crate::domain::clock::{SystemClock, from_us};
use crate::domain::ids::Uid;
use crate::provider::scripted_server::{ScriptedServer, Step};
use crate::provider::subscriptions::Fit;
use crate::provider::survey::Since;

const API: &str = "https://api.calendly.com";

fn calendly(server: &ScriptedServer) -> Calendly {
    let settings = CalendlySettings {
        base_url: server.url.clone(),
        key: Secret::new("token"),
        requests_per_minute: 0,
        connect_timeout_ms: 20_000,
        call_timeout_ms: 20_000,
    };
    let subscription = SubscriptionSetup {
        url: Url::parse("https://gate.example.org/webhooks/calendly").unwrap(),
        scope: "organization".to_owned(),
        user: None,
        group: None,
        signing_key: Secret::new("correct horse"),
    };
    Calendly::new(
        &settings,
        Some(subscription),
        Calling::whatever_comes(Arc::new(SystemClock)),
    )
    .unwrap()
}

fn ok(resource: &Value) -> Step {
    Step::json(200, &json!({ "resource": resource }))
}

fn list(collection: &Value, next: Option<&str>) -> Step {
    let pagination = json!({"count": 100, "next_page_token": next});
    Step::json(
        200,
        &json!({"collection": collection, "pagination": pagination}),
    )
}

fn me() -> Step {
    ok(
        &json!({"uri": format!("{API}/users/U1"), "current_organization": format!("{API}/organizations/O1")}),
    )
}

fn invitee() -> Value {
    json!({
        "uri": format!("{API}/scheduled_events/E1/invitees/I1"),
        "email": "mara@example.org",
        "name": "Mara",
        "status": "canceled",
        "rescheduled": true,
        "new_invitee": format!("{API}/scheduled_events/E2/invitees/I2"),
        "cancellation": {"reason": "ill", "canceler_type": "host"},
        "created_at": "2027-02-01T09:00:00Z",
        "updated_at": "2027-02-01T10:00:00Z"
    })
}

fn event(active: i64) -> Value {
    json!({
        "uri": format!("{API}/scheduled_events/E1"),
        "name": "Reading hour",
        "status": "active",
        "start_time": "2027-02-04T10:00:00Z",
        "end_time": "2027-02-04T11:00:00Z",
        "event_type": format!("{API}/event_types/T1"),
        "invitees_counter": {"total": 2, "active": active, "limit": 5}
    })
}

fn target() -> Target {
    Target {
        uid: Uid::new("E1.I1"),
        number: None,
        seat: None,
    }
}

fn cancel() -> Call {
    Call {
        action: Action::Cancel,
        target: target(),
        reason: Some("No credit left".to_owned()),
        pending: false,
    }
}

fn lines(server: &ScriptedServer) -> Vec<String> {
    server.seen().iter().map(|seen| seen.line.clone()).collect()
}

#[tokio::test]
async fn a_booking_is_read_with_its_event_and_the_types_slug_once() {
    let event_type = || ok(&json!({"slug": "reading-hour"}));
    let steps = [
        ok(&invitee()),
        ok(&event(1)),
        event_type(),
        ok(&invitee()),
        ok(&event(1)),
    ];
    let server = ScriptedServer::start(steps).await;
    let calendly = calendly(&server);
    let reading = calendly.read(&target()).await.unwrap().remove(0);
    assert_eq!(
        (reading.uid, reading.status),
        (Uid::new("E1.I1"), Status::Cancelled)
    );
    assert_eq!(reading.moved_to, Some(Uid::new("E2.I2")));
    assert_eq!(reading.moved_by, Some(Party::Host));
    let details = reading.details.unwrap();
    assert_eq!(details.event_type_slug.as_deref(), Some("reading-hour"));
    calendly.read(&target()).await.unwrap();
    let first = "GET /scheduled_events/E1/invitees/I1";
    let second = "GET /scheduled_events/E1";
    assert_eq!(
        lines(&server),
        [first, second, "GET /event_types/T1", first, second]
    );
    let seen = &server.seen()[0];
    assert_eq!(seen.headers["authorization"], "Bearer token");
    assert!(seen.headers["user-agent"].starts_with("bookgate/"));
}

#[tokio::test]
async fn a_refusal_calls_the_event_off_and_there_is_no_confirm() {
    let server = ScriptedServer::start([Step::json(201, &json!({"resource": {}}))]).await;
    let calendly = calendly(&server);
    assert_eq!(calendly.act(&cancel()).await.unwrap().http_status, 201);
    let seen = &server.seen()[0];
    assert_eq!(seen.line, "POST /scheduled_events/E1/cancellation");
    assert_eq!(seen.body, json!({"reason": "No credit left"}));
    let confirm = Call {
        action: Action::Confirm,
        ..cancel()
    };
    let refused = calendly.act(&confirm).await.unwrap_err();
    assert!(
        matches!(refused, CallError::Rejected { http_status: 0, .. }),
        "{refused}"
    );
}

#[tokio::test]
async fn a_survey_goes_through_the_organization_or_what_the_token_may_see() {
    let denied = Step::json(403, &json!({"title": "Permission Denied", "message": "no"}));
    let steps = [
        me(),
        denied,
        list(&json!([event(1)]), Some("more")),
        list(&json!([]), None),
    ];
    let server = ScriptedServer::start(steps).await;
    let calendly = calendly(&server);
    let since = Since {
        ended: from_us(0),
        changed: from_us(0),
    };
    let page = calendly.page(since, None).await.unwrap();
    let [crate::provider::survey::Surveyed::Appointment(found)] = page.found.as_slice() else {
        panic!("{page:?}");
    };
    assert_eq!(
        (found.uid_prefix.as_str(), found.active, found.total),
        ("E1.", 1, 2)
    );
    let last = calendly.page(since, page.next.as_deref()).await.unwrap();
    assert_eq!((last.found.len(), last.next), (0, None));
    let asked = lines(&server);
    assert!(
        asked[1].contains("organization=") && asked[2].contains("user="),
        "{asked:?}"
    );
    assert!(
        asked[3].contains("user=") && asked[3].contains("page_token=more"),
        "{asked:?}"
    );
}

fn subscription(id: &str, query: &str, state: &str) -> Value {
    json!({
        "uri": format!("{API}/webhook_subscriptions/{id}"),
        "callback_url": format!("https://gate.example.org/webhooks/calendly{query}"),
        "state": state,
        "scope": "organization",
        "retry_started_at": null,
        "events": ["invitee.created", "invitee.canceled", "invitee_no_show.created", "invitee_no_show.deleted"]
    })
}

/// The mark of this test's signing key, as it was registered.
fn registered(server: &ScriptedServer) -> String {
    let seen = server.seen();
    let made = seen
        .iter()
        .find(|seen| seen.line.starts_with("POST"))
        .unwrap();
    let url = Url::parse(made.body["url"].as_str().unwrap()).unwrap();
    format!("?{}", url.query().unwrap())
}

#[tokio::test]
async fn a_subscription_with_another_key_is_replaced_without_a_gap() {
    let elsewhere = json!({"uri": format!("{API}/webhook_subscriptions/X"), "callback_url": "https://other.example/"});
    let foreign = json!([subscription("OLD", "", "active"), elsewhere]);
    let made = Step::json(
        201,
        &json!({"resource": subscription("NEW", "?key=00000000", "active")}),
    );
    let gone = Step::json(404, &json!({"title": "Resource Not Found"}));
    let server = ScriptedServer::start([me(), list(&foreign, None), made, gone]).await;
    let ensured = calendly(&server).ensure().await.unwrap();
    assert!(ensured.created);
    assert_eq!(ensured.deleted, ["OLD"], "gone already is as good");
    let asked = lines(&server);
    assert_eq!(
        asked[2..],
        [
            "POST /webhook_subscriptions",
            "DELETE /webhook_subscriptions/OLD"
        ]
    );
    let body = &server.seen()[2].body;
    assert_eq!(body["signing_key"], "correct horse");
    assert_eq!(body["organization"], format!("{API}/organizations/O1"));

    let query = registered(&server);
    let ours = json!([subscription("NEW", &query, "active")]);
    let server = ScriptedServer::start([me(), list(&ours, None)]).await;
    let ensured = calendly(&server).ensure().await.unwrap();
    assert_eq!(
        (ensured.created, ensured.subscription.fit),
        (false, Fit::Ours)
    );

    let disabled = json!([subscription("NEW", &query, "disabled")]);
    let made = Step::json(
        201,
        &json!({"resource": subscription("NEWER", "?key=0&n=2", "active")}),
    );
    let steps = [me(), list(&disabled, None), made, Step::with(204, &[], "")];
    let server = ScriptedServer::start(steps).await;
    assert_eq!(calendly(&server).ensure().await.unwrap().deleted, ["NEW"]);
    assert_ne!(
        registered(&server),
        query,
        "the old URL is taken until it is deleted"
    );
}

#[tokio::test]
async fn a_conflict_means_that_another_instance_was_quicker() {
    let made = Step::json(
        201,
        &json!({"resource": subscription("FIRST", "", "active")}),
    );
    let server = ScriptedServer::start([me(), list(&json!([]), None), made]).await;
    calendly(&server).ensure().await.unwrap();
    let theirs = json!([subscription("THEIRS", &registered(&server), "active")]);

    let conflict =
        json!({"title": "Already Exists", "message": "Hook with this url already exists"});
    let conflict = Step::json(409, &conflict);
    let steps = [me(), list(&json!([]), None), conflict, list(&theirs, None)];
    let server = ScriptedServer::start(steps).await;
    let ensured = calendly(&server).ensure().await.unwrap();
    let id = ensured.subscription.id.as_str();
    assert_eq!((ensured.created, id), (false, "THEIRS"));
}

#[tokio::test]
async fn what_a_plan_or_a_token_lacks_is_explained() {
    let denied = Step::json(
        403,
        &json!({"title": "Permission Denied", "message": "Please upgrade to a paid Calendly account."}),
    );
    let server = ScriptedServer::start([me(), denied]).await;
    let told = calendly(&server).ensure().await.unwrap_err().to_string();
    assert!(
        told.contains("Please upgrade") && told.contains("webhooks:write"),
        "{told}"
    );
}
