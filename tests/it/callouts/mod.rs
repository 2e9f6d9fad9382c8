//! Policies that ask somebody else's server, told from the outside.

mod crm;
mod killed;
mod lists;

use bookgate::domain::ids::Uid;
use serde_json::{Value, json};

use self::crm::Crm;
use crate::harness::{CREDIT_POLICY, Installation, Setup, run_test};

const TOKEN: &str = "a token for the CRM";
const KEY: &str = "a key that is long enough to sign with";
/// Who may be asked.
const SETTINGS: &str = "[callouts]\nhosts = [\"127.0.0.1\"]\nallow_private = [\"127.0.0.1\"]\n";

/// A policy that asks, with further keys of its criterion.
fn asks(crm: &Crm, header: &str, keys: &str) -> String {
    let url = &crm.url;
    format!(
        r#"
schema = 1
[policy]
id = "onboarding"
{header}
[[criterion]]
id = "crm-approves"
kind = "http"
url = "{url}"
allow_http = true
send = ["booking.uid", "booker.email"]
auth = {{ bearer = {{ secret = "file:crm_token" }} }}
sign = {{ hmac_sha256 = {{ secret = "file:crm_key" }} }}
message = "{{response.reason|Nothing is left.}}"
{keys}
"#
    )
}

fn setup(policies: &[(&'static str, &str)]) -> Setup {
    let secrets = [("crm_token", TOKEN), ("crm_key", KEY)];
    let files = policies.iter().chain(&secrets);
    Setup {
        policies: files
            .map(|(name, text)| (*name, (*text).to_owned()))
            .collect(),
        more: SETTINGS.to_owned(),
        ..Setup::default()
    }
}

fn with(crm: &Crm, keys: &str) -> Setup {
    setup(&[("onboarding.toml", &asks(crm, "", keys))])
}

async fn decisions(it: &Installation, uid: &Uid) -> Vec<Value> {
    let booking = it.booking(uid).await;
    booking["decisions"].as_array().unwrap().clone()
}

/// Who was asked is not in force any more, its secrets are gone, and yet the decision comes out the same.
async fn assert_explained_without_policies(it: &mut Installation, uid: &Uid) {
    it.stop().await;
    let policies = it.folder().join("policies");
    std::fs::remove_dir_all(&policies).unwrap();
    std::fs::create_dir(&policies).unwrap();
    it.begin().await;
    let path = format!("/v1/bookings/calcom/{uid}/explanation");
    let (status, told) = it.get(&path).await;
    assert_eq!(status, 200, "{told}");
    let decision = &told["decisions"][0];
    assert_eq!(decision["outcome"], "accept");
    assert_eq!(decision["remade"]["result"], "same", "{decision}");
}

#[tokio::test]
async fn it_passes_and_refuses_with_its_reason_and_is_told_only_what_is_listed() {
    let crm = Crm::start().await;
    run_test(with(&crm, ""), async |it: &mut Installation| {
        crm.forget();
        crm.answers(200, json!({ "result": "pass" }));
        let accepted = it.book(72).await.uid;
        it.settle().await;
        assert_eq!(it.status_at_cal(&accepted), "accepted");

        let reason = "Contract ended\n1 May.";
        crm.answers(200, json!({ "result": "fail", "reason": reason }));
        let refused = it.book(96).await.uid;
        it.settle().await;
        assert_eq!(it.status_at_cal(&refused), "rejected");
        let decided = decisions(it, &refused).await;
        assert_eq!(decided[0]["message"], "Contract ended 1 May.");

        let seen = crm.seen();
        let expected = |uid: &Uid| {
            json!({
                "contract": "bookgate.check/1",
                "policy": "onboarding",
                "criterion": "crm-approves",
                "deadline_ms": 8_000,
                "booking": { "uid": uid },
                "booker": { "email": "ada@reader.example" },
            })
        };
        let bodies: Vec<_> = seen.iter().map(|asked| asked.body.clone()).collect();
        assert_eq!(bodies, [expected(&accepted), expected(&refused)]);
        assert_eq!(seen[0].header("authorization"), format!("Bearer {TOKEN}"));
        assert!(seen[0].header("signature").contains("v1="));
        let key = |number: usize| seen[number].header("idempotency-key");
        assert_ne!(key(0), key(1));
        let metrics = it.gate().metrics().await;
        let counted = r#"bookgate_callouts_total{policy="onboarding",criterion="crm-approves",result="answered"} 2"#;
        assert!(metrics.contains(counted), "{metrics}");
    })
    .await;
}

#[tokio::test]
async fn an_old_decision_is_explained_without_a_call() {
    let crm = Crm::start().await;
    run_test(with(&crm, ""), async |it: &mut Installation| {
        crm.forget();
        crm.answers(200, json!({ "result": "pass" }));
        let uid = it.book(72).await.uid;
        it.settle().await;
        crm.falls_silent();
        assert_explained_without_policies(it, &uid).await;
        assert_eq!(crm.seen().len(), 1);
    })
    .await;
}

/// What the installation says of the server is kept with the decisions, too.
#[tokio::test]
async fn a_kind_of_one_s_own_is_asked_with_its_parameters_and_kept() {
    let crm = Crm::start().await;
    let url = &crm.url;
    let kind = format!(
        r#"
params = {{ tier = "text" }}
url = "{url}" # theirs
allow_http = true
send = ["booking.uid"]
auth = {{ bearer = {{ secret = "file:crm_token" }} }}
"#
    );
    let policy = r#"
schema = 1
[policy]
id = "onboarding"
[[criterion]]
id = "gold-only"
kind = "crm"
tier = "gold"
"#;
    let files = [("kinds/crm.toml", &*kind), ("onboarding.toml", policy)];
    run_test(setup(&files), async |it: &mut Installation| {
        crm.forget();
        crm.answers(200, json!({ "result": "pass" }));
        let uid = it.book(72).await.uid;
        it.settle().await;
        assert_eq!(it.status_at_cal(&uid), "accepted");
        let seen = crm.seen();
        assert_eq!(seen[0].body["params"], json!({ "tier": "gold" }));
        assert_eq!(seen[0].header("authorization"), format!("Bearer {TOKEN}"));
        assert_explained_without_policies(it, &uid).await;
        assert_eq!(crm.seen().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn without_an_answer_in_time_the_booking_is_refused_with_other_words() {
    let crm = Crm::start().await;
    let keys = "timeout = \"1s\"\ndeadline = \"1s\"\nattempts = 1\non_error_message = \"Please try again later.\"";
    run_test(with(&crm, keys), async |it: &mut Installation| {
        crm.forget();
        let uid = it.book(72).await.uid;
        it.settle().await;
        assert_eq!(it.status_at_cal(&uid), "rejected");
        let decided = decisions(it, &uid).await;
        assert_eq!(decided.len(), 1, "{decided:?}");
        assert_eq!(decided[0]["message"], "Please try again later.");
    })
    .await;
}

#[tokio::test]
async fn a_server_that_does_not_know_leaves_it_to_a_person() {
    let crm = Crm::start().await;
    run_test(with(&crm, ""), async |it: &mut Installation| {
        crm.forget();
        crm.answers(200, json!({ "result": "unknown" }));
        let uid = it.book(72).await.uid;
        it.settle().await;
        assert_eq!(it.status_at_cal(&uid), "pending");
        assert_eq!(decisions(it, &uid).await[0]["outcome"], "defer");
    })
    .await;
}

#[tokio::test]
async fn an_answer_may_serve_the_next_booking_for_a_while() {
    let crm = Crm::start().await;
    let keys = "cache = { ttl = \"60s\", key = [\"booker.email\"] }";
    run_test(with(&crm, keys), async |it: &mut Installation| {
        crm.forget();
        crm.answers(200, json!({ "result": "fail" }));
        it.book(24).await;
        it.settle().await;
        crm.answers(200, json!({ "result": "pass" }));
        for hours in [48, 72] {
            it.book(hours).await;
            it.settle().await;
        }
        assert_eq!(
            crm.seen().len(),
            2,
            "a refusal is not remembered, a pass is"
        );
        it.pass_ms(61_000).await;
        it.book(96).await;
        it.settle().await;
        assert_eq!(crm.seen().len(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_series_is_asked_about_one_by_one_and_decided_together() {
    let crm = Crm::start().await;
    run_test(with(&crm, ""), async |it: &mut Installation| {
        crm.forget();
        crm.answers(200, json!({ "result": "pass" }));
        let series = it.cal.book_recurring(it.request("consultation", 72), 3);
        let series = series.await.unwrap();
        it.settle().await;
        it.pass_ms(10_000).await;
        for booking in &series {
            assert_eq!(it.status_at_cal(&booking.uid), "accepted");
        }
        let mut asked: Vec<String> = crm
            .seen()
            .iter()
            .map(|asked| asked.body["booking"]["uid"].to_string())
            .collect();
        asked.sort();
        asked.dedup();
        assert_eq!(asked.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn stopped_while_it_asks_it_asks_again_under_the_same_key() {
    let crm = Crm::start().await;
    run_test(
        with(&crm, "deadline = \"30s\"\ntimeout = \"30s\""),
        async |it: &mut Installation| {
            crm.forget();
            let uid = it.book(72).await.uid;
            crm.was_asked(1).await;
            it.stop().await;
            crm.answers(200, json!({ "result": "pass" }));
            it.begin().await;
            it.settle().await;
            assert_eq!(it.status_at_cal(&uid), "accepted");
            assert_eq!(decisions(it, &uid).await.len(), 1);
            let seen = crm.seen();
            assert_eq!(seen.len(), 2);
            let key = |number: usize| seen[number].header("idempotency-key");
            assert_eq!(key(0), key(1));
        },
    )
    .await;
}

/// Waits until so many webhooks are filed, whatever else is waited for.
async fn filed(it: &Installation, webhooks: usize) {
    loop {
        let (_, listed) = it.get("/v1/deliveries").await;
        let items = listed["items"].as_array().unwrap();
        let filed = items.iter().filter(|one| one["state"] == "event");
        if filed.count() == webhooks {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// The answer that comes then is about a time that nobody asks for any more.
#[tokio::test]
async fn moved_while_a_server_is_asked_the_new_time_is_asked_about_and_decided() {
    let crm = Crm::start().await;
    let keys = "deadline = \"30s\"\ntimeout = \"30s\"\n\
                pass_if = \"response.status == 200 && booking.start == timestamp('2027-03-05T12:00:00Z')\"";
    let policy = asks(&crm, "", keys);
    let policy = policy.replace("\"booking.uid\"", "\"booking.uid\", \"booking.start\"");
    let setup = setup(&[("onboarding.toml", &policy)]);
    run_test(setup, async |it: &mut Installation| {
        crm.forget();
        let first = it.book(72).await.uid;
        crm.was_asked(1).await;
        let start = "2027-03-05T12:00:00Z".parse().unwrap();
        let moved = it.cal.reschedule_by_booker(&first, start, None);
        let moved = moved.await.unwrap().uid;
        filed(it, 2).await;
        crm.answers(200, json!({}));
        it.settle().await;

        let asked: Vec<_> = crm
            .seen()
            .iter()
            .map(|one| one.body["booking"].clone())
            .collect();
        let expected = [
            json!({ "uid": first, "start": "2027-03-04T12:00:00Z" }),
            json!({ "uid": moved, "start": "2027-03-05T12:00:00Z" }),
        ];
        assert_eq!(asked, expected);
        assert_eq!(it.status_at_cal(&moved), "accepted");
        let decided = decisions(it, &moved).await;
        assert_eq!(decided.len(), 1, "{decided:?}");
        assert_eq!(decided[0]["outcome"], "accept");
        assert_eq!(decided[0]["unit"], json!(moved));
        assert!(it.cal.effective_calls(&first).is_empty());
    })
    .await;
}

#[tokio::test]
async fn called_off_while_a_server_is_asked_nothing_is_decided() {
    let crm = Crm::start().await;
    let keys = "deadline = \"30s\"\ntimeout = \"30s\"";
    run_test(with(&crm, keys), async |it: &mut Installation| {
        crm.forget();
        let uid = it.book(72).await.uid;
        crm.was_asked(1).await;
        it.cal.cancel_by_booker(&uid, None).await.unwrap();
        filed(it, 2).await;
        crm.answers(200, json!({ "result": "pass" }));
        it.settle().await;
        assert_eq!(it.status_at_cal(&uid), "cancelled");
        assert!(decisions(it, &uid).await.is_empty());
        assert!(it.cal.effective_calls(&uid).is_empty());
        assert_eq!(crm.seen().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_policy_in_shadow_asks_too_and_changes_nothing() {
    let crm = Crm::start().await;
    let shadow = asks(&crm, "mode = \"shadow\"\npriority = 5", "");
    let setup = setup(&[
        ("credits.toml", CREDIT_POLICY),
        ("onboarding.toml", &shadow),
    ]);
    run_test(setup, async |it: &mut Installation| {
        crm.forget();
        it.top_up("4").await;
        crm.answers(200, json!({ "result": "fail", "reason": "No." }));
        let told = it.book(72).await.uid;
        it.settle().await;
        crm.falls_silent();
        let silent = it.book(96).await.uid;
        it.settle().await;
        for (uid, message) in [
            (&told, "No."),
            (
                &silent,
                "This booking could not be checked just now. Please try again later.",
            ),
        ] {
            assert_eq!(it.status_at_cal(uid), "accepted");
            let shadow = &decisions(it, uid).await[0]["shadows"][0];
            assert_eq!(shadow["outcome"], "reject", "{shadow}");
            assert_eq!(shadow["message"], message);
        }
    })
    .await;
}
