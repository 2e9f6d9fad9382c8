//! Others are told what happens: once, signed, whatever the receiver does, and nobody waits for it.

mod command_line;
mod outages;
mod receiver;
mod trouble;

use bookgate::standin::calcom::{Fault, Matcher, Operation, When};
use reqwest::Method;
use serde_json::json;

use crate::harness::{CREDIT_POLICY, Installation, Setup, run_test};
use receiver::{Notice, Receiver};

/// Whose account a notice is about is said; nobody else is named in any.
const OWNER: &str = "ada@reader.example";

fn told_by(receiver: &Receiver, more: &str) -> Setup {
    Setup {
        more: receiver.section("ops", more),
        worker: "retry_schedule_ms = [1000]",
        ..Setup::default()
    }
}

/// The one notice that has come in.
#[track_caller]
fn only(receiver: &Receiver) -> Notice {
    let mut came = receiver.take();
    assert_eq!(came.len(), 1, "{came:?}");
    came.remove(0)
}

#[tokio::test]
async fn a_decision_is_told_once() {
    let receiver = Receiver::start().await;
    run_test(told_by(&receiver, ""), async |it: &mut Installation| {
        receiver.take();
        it.top_up("2").await;
        let uid = it.book(72).await.uid;
        it.settle().await;
        let accepted = only(&receiver);
        assert_eq!(accepted.kind(), "booking.decided");
        assert_eq!(accepted.body["timestamp"], "2027-03-01T12:00:00Z");
        let seen = it.booking(&uid).await;
        let decision = &seen["decisions"][0];
        let expected = json!({
            "source": "calcom",
            "booking": uid,
            "seat": null,
            "start": "2027-03-04T12:00:00Z",
            "decision": decision["id"],
            "outcome": "accept",
            "decided_by": "policy",
            "policy": "credits",
            "reasons": [],
        });
        assert_eq!(accepted.data(), &expected);

        it.book(96).await;
        it.settle().await;
        let refused = only(&receiver);
        assert_eq!(refused.data()["outcome"], "reject");
        assert_eq!(refused.data()["reasons"], json!(["has-credit"]));
        assert_ne!(refused.id, accepted.id);
        it.pass_ms(86_400_000).await;
        assert_eq!(receiver.came().len(), 0);
        let (_, waiting) = it.get("/v1/notices").await;
        assert_eq!(waiting["items"], json!([]));
        let taken = it.raw_admin(Method::GET, "/metrics");
        let taken = taken.bearer_auth(crate::harness::READ_TOKEN);
        let text = taken.send().await.unwrap().text().await.unwrap();
        let line = "bookgate_notices_total{receiver=\"ops\",result=\"taken\"} 2";
        assert!(text.contains(line), "{text}");
    })
    .await;
}

#[tokio::test]
async fn what_waits_for_a_person_is_told_and_what_the_person_decides() {
    let receiver = Receiver::start().await;
    let policy = format!("{CREDIT_POLICY}\n[match]\nevent_types = [\"chat\"]\n");
    let setup = Setup {
        policies: vec![("chats.toml", policy)],
        ..told_by(&receiver, "")
    };
    run_test(setup, async |it: &mut Installation| {
        receiver.take();
        let uid = it.book(72).await.uid;
        it.settle().await;
        let deferred = only(&receiver);
        assert_eq!(deferred.kind(), "booking.deferred");
        assert_eq!(deferred.data()["booking"], json!(uid));
        let path = format!("/v1/bookings/calcom/{uid}/decision");
        let body = Some(json!({"accept": false, "reason": "We are closed that week."}));
        let (status, _) = it.admin(Method::POST, &path, body.clone()).await;
        assert_eq!(status, 200);
        it.settle().await;
        let decided = only(&receiver);
        assert_eq!(decided.kind(), "booking.decided");
        assert_eq!(decided.data()["outcome"], "reject");
        assert_eq!(decided.data()["decided_by"], "person:token:ops");
        it.admin(Method::POST, &path, body).await;
        it.settle().await;
        assert_eq!(receiver.came().len(), 0, "the same again is no news");
    })
    .await;
}

#[tokio::test]
async fn a_dead_letter_is_told_once() {
    let receiver = Receiver::start().await;
    let setup = told_by(&receiver, "events = [\"dead_letter.added\"]");
    run_test(setup, async |it: &mut Installation| {
        receiver.take();
        it.top_up("2").await;
        for _ in 0..2 {
            let confirm = Matcher::operation(Operation::Confirm);
            it.cal
                .fail_next(confirm, When::BeforeWork, Fault::Status(401));
        }
        let uid = it.book(72).await.uid;
        it.settle().await;
        assert_eq!(receiver.came().len(), 0, "it is tried again");
        it.pass_ms(1_000).await;
        let dead = only(&receiver);
        assert_eq!(dead.kind(), "dead_letter.added");
        let (_, letters) = it.get("/v1/dead-letters").await;
        let expected = json!({
            "source": "calcom",
            "booking": uid,
            "seat": null,
            "dead_letter": letters["items"][0]["id"],
            "action": "confirm",
            "tries": 2,
            "result": "rejected",
            "http_status": 401,
        });
        assert_eq!(dead.data(), &expected);
        let retry = json!({});
        it.admin(Method::POST, "/v1/dead-letters/retries", Some(retry))
            .await;
        it.settle().await;
        assert_eq!(it.status_at_cal(&uid), "accepted");
        assert_eq!(receiver.came().len(), 0);
    })
    .await;
}

#[tokio::test]
async fn an_account_that_falls_low_is_told_once_and_again_after_it_was_high() {
    let receiver = Receiver::start().await;
    let mut setup = told_by(&receiver, "events = [\"balance.low\"]");
    setup.more += "[units.CREDIT]\nlow_balance = \"2.5\"\n";
    run_test(setup, async |it: &mut Installation| {
        receiver.take();
        it.top_up("5").await;
        it.book(72).await;
        it.settle().await;
        assert_eq!(receiver.came().len(), 0, "3 are left");
        it.book(73).await;
        it.settle().await;
        let low = only(&receiver);
        let expected = json!({
            "owner": OWNER, "unit": "CREDIT", "available": "1", "threshold": "2.5",
        });
        assert_eq!((low.kind(), low.data()), ("balance.low", &expected));
        it.top_up("1.2").await;
        it.book(74).await;
        it.settle().await;
        assert_eq!(receiver.came().len(), 0, "it was low already");
        it.top_up("4").await;
        it.book(75).await;
        it.settle().await;
        assert_eq!(only(&receiver).data()["available"], "2.2");
    })
    .await;
}

#[tokio::test]
async fn each_receiver_gets_what_it_asked_for() {
    let (all, some) = (Receiver::start().await, Receiver::start().await);
    let mut setup = told_by(&all, "");
    setup.more += &some.section("someone_else", "events = [\"booking.deferred\"]");
    run_test(setup, async |it: &mut Installation| {
        all.take();
        it.book(72).await;
        it.settle().await;
        assert_eq!(only(&all).kind(), "booking.decided");
        assert_eq!(some.came().len(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_notice_names_nobody_but_the_owner_of_an_account() {
    let receiver = Receiver::start().await;
    run_test(told_by(&receiver, ""), async |it: &mut Installation| {
        receiver.take();
        it.top_up("2").await;
        it.book(72).await;
        it.book(73).await;
        it.settle().await;
        assert_eq!(receiver.came().len(), 2);
        for notice in receiver.take() {
            let text = notice.body.to_string().to_lowercase();
            assert!(!text.contains("ada") && !text.contains('@'), "{text}");
        }
    })
    .await;
}
