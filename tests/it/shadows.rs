//! Policies that are only watched, told from the outside: their word is kept and shown, and changes nothing.

use std::collections::BTreeMap;

use bookgate::app::{check_policies, check_policies_with};
use bookgate::domain::clock::{Clock, plus_ms};
use bookgate::gate::{Candidate, Trial};
use serde_json::{Value, json};

use crate::harness::{CREDIT_POLICY, Installation, Setup, run_test};

/// As the policy in force, dearer.
fn dearer() -> String {
    let header = "id = \"dearer\"\nmode = \"shadow\"\nshadow_of = \"credits\"";
    let text = CREDIT_POLICY.replace("id = \"credits\"", header);
    text.replace("base = \"2\"", "base = \"3\"")
}

/// Looks at other facts than the policy in force.
const EARLIER: &str = r#"
schema = 1
[policy]
id = "earlier"
kind = "guardrail"
mode = "shadow"
[[criterion]]
id = "notice"
kind = "notice"
min = "100h"
[[criterion]]
id = "one-at-a-time"
kind = "concurrent"
max = 1
"#;

fn setup() -> Setup {
    Setup {
        policies: vec![
            ("credits.toml", CREDIT_POLICY.to_owned()),
            ("dearer.toml", dearer()),
            ("earlier.toml", EARLIER.to_owned()),
        ],
        ..Setup::default()
    }
}

async fn decision(it: &Installation, uid: &str) -> Value {
    let (_, booking) = it.get(&format!("/v1/bookings/calcom/{uid}")).await;
    booking["decisions"][0].clone()
}

/// What each shadow would have said: policy, outcome, criteria, price.
fn shadows(decision: &Value) -> Vec<Value> {
    let all = decision["shadows"].as_array().unwrap().iter();
    let line = |one: &Value| json!([one["policy"], one["outcome"], one["failed"], one["cost"]]);
    all.map(line).collect()
}

#[tokio::test]
async fn a_shadow_s_word_is_kept_beside_the_verdict_and_changes_nothing() {
    run_test(setup(), async |it: &mut Installation| {
        it.top_up("4").await;
        let first = it.book(120).await.uid.to_string();
        it.settle().await;
        let second = it.book(72).await.uid.to_string();
        it.settle().await;

        let told = decision(it, &first).await;
        assert_eq!((&told["outcome"], &told["cost"]), (&json!("accept"), &json!("2")));
        assert_eq!(
            shadows(&told),
            [
                json!(["dearer", "accept", [], "3"]),
                json!(["earlier", "accept", [], "2"])
            ]
        );
        let told = decision(it, &second).await;
        assert_eq!((&told["outcome"], &told["policy"]), (&json!("accept"), &json!("credits")));
        // Two of four credits were left: enough for one, not for the other.
        assert_eq!(
            shadows(&told),
            [
                json!(["dearer", "reject", ["has-credit"], "3"]),
                json!(["earlier", "reject", ["notice"], "2"])
            ]
        );
        let message = &told["shadows"][0]["message"];
        assert_eq!(message, "This costs 3 credits and you have 2.");
        let (_, account) = it.get("/v1/accounts/ada@reader.example").await;
        assert_eq!(account["balances"][0]["available"], "0", "{account}");

        // What was looked at for them does not keep it from coming out the same.
        let (_, told) = it.get(&format!("/v1/bookings/calcom/{second}/explanation")).await;
        assert_eq!(told["decisions"][0]["remade"]["result"], "same", "{told}");

        let text = it.metrics_text().await;
        for line in [
            r#"bookgate_shadow_decisions_total{policy="dearer",enforced="accept",shadow="accept"} 1"#,
            r#"bookgate_shadow_decisions_total{policy="dearer",enforced="accept",shadow="reject"} 1"#,
            r#"bookgate_shadow_decisions_total{policy="earlier",enforced="accept",shadow="defer"} 0"#,
        ] {
            assert!(text.contains(line), "{line} is missing:\n{text}");
        }
    })
    .await;
}

/// One answer answers all occurrences of a series, and so it would if the shadow were in force.
#[tokio::test]
async fn a_series_is_one_answer_for_a_shadow_too() {
    let second = "schema = 1\n[policy]\nid = \"not-the-second\"\nkind = \"guardrail\"\nmode = \"shadow\"\n\
                  [[criterion]]\nid = \"open\"\nkind = \"window\"\nexcept = [2027-03-11]\nmessage = \"Closed.\"\n";
    let setup = Setup {
        policies: vec![
            ("credits.toml", CREDIT_POLICY.to_owned()),
            ("second.toml", second.to_owned()),
        ],
        ..Setup::default()
    };
    run_test(setup, async |it: &mut Installation| {
        it.top_up("6").await;
        let request = it.request("consultation", 72);
        let series = it.cal.book_recurring(request, 3).await.unwrap();
        it.settle().await;
        it.pass_ms(6_000).await;
        for (place, booking) in series.iter().enumerate() {
            let (_, seen) = it
                .get(&format!("/v1/bookings/calcom/{}", booking.uid))
                .await;
            let mut decided = seen["decisions"].as_array().unwrap().iter();
            let told = decided
                .find(|one| one["unit"] == booking.uid.as_str())
                .unwrap();
            assert_eq!(told["outcome"], "accept", "{told}");
            let shadow = &told["shadows"][0];
            let (failed, note) = match place {
                1 => (json!(["open"]), json!(null)),
                _ => (
                    json!([]),
                    json!("another occurrence of the series is not accepted"),
                ),
            };
            let said = [
                &shadow["outcome"],
                &shadow["message"],
                &shadow["failed"],
                &shadow["note"],
            ];
            assert_eq!(
                said,
                [&json!("reject"), &json!("Closed."), &failed, &note],
                "{place}: {told}"
            );
        }
    })
    .await;
}

/// Turns, credits, and what cannot be told.
fn told(trial: &Trial) -> Value {
    let credits = trial.credits.get("CREDIT");
    let credits = credits.map(|totals| [&totals.was, &totals.would, &totals.more]);
    json!([
        trial.compared,
        trial.turns,
        credits,
        trial.cannot_tell,
        trial.skipped
    ])
}

#[tokio::test]
async fn what_would_have_gone_otherwise_is_counted_and_told() {
    run_test(setup(), async |it: &mut Installation| {
        it.top_up("4").await;
        let mut uids = Vec::new();
        for hours in [120, 72] {
            uids.push(it.book(hours).await.uid.to_string());
            it.settle().await;
        }
        let desk = it.gate().desk();
        let since = plus_ms(it.clock.now(), -3_600_000);
        let diff = desk.diff_shadows(None, since, |_| ()).await.unwrap();
        let all: BTreeMap<_, _> = diff.iter().map(|(id, one)| (id.as_str(), told(one))).collect();
        let turned = json!({"accept to reject": 1, "another price": 1});
        let expected = json!([2, turned, ["4", "3", "-1"], {}, {}]);
        assert_eq!(all["dearer"], expected);
        let expected = json!([2, {"accept to reject": 1}, ["4", "2", "-2"], {}, {}]);
        assert_eq!(all["earlier"], expected);
        let changed = &diff["dearer"].changes[0];
        assert_eq!(changed.booking, format!("calcom/{}", uids[1]));
        assert_eq!(changed.why, "has-credit: This costs 3 credits and you have 2.");
        let of_one = Some("earlier".to_owned());
        let of_one = desk.diff_shadows(of_one, since, |_| ()).await.unwrap();
        assert_eq!(of_one.keys().collect::<Vec<_>>(), ["earlier"]);
        let later = plus_ms(it.clock.now(), 1);
        assert!(desk.diff_shadows(None, later, |_| ()).await.unwrap().is_empty());

        // A file in the place of the one in force says the same as the shadow did.
        let (folder, settings) = (it.folder().join("policies"), it.settings());
        let file = it.folder().join("next.toml");
        let text = CREDIT_POLICY.replace("base = \"2\"", "base = \"3\"");
        std::fs::write(&file, &text).unwrap();
        let (set, _) = check_policies_with(&folder, &file, settings).unwrap();
        assert_eq!(set.policies().count(), 3);
        let candidate = Candidate { set, shadow: None };
        let trial = desk.try_out(&candidate, since, |_| ()).await.unwrap();
        assert_eq!(told(&trial), told(&diff["dearer"]));
        // So does the shadow itself.
        let file = folder.join("dearer.toml");
        let (set, id) = check_policies_with(&folder, &file, settings).unwrap();
        let candidate = Candidate { set, shadow: Some(id) };
        let trial = desk.try_out(&candidate, since, |_| ()).await.unwrap();
        assert_eq!(told(&trial), told(&diff["dearer"]));
        // What nobody looked at then cannot be told; what is in force comes out the same.
        let longer = "\n[[criterion]]\nid = \"seldom\"\nkind = \"quota\"\nlimit = 3\nper = \"calendar-year\"\n";
        let text = CREDIT_POLICY.replace("all = [\"has-credit\"]", "all = [\"has-credit\", \"seldom\"]");
        let file = it.folder().join("next.toml");
        std::fs::write(&file, text + longer).unwrap();
        let (set, _) = check_policies_with(&folder, &file, settings).unwrap();
        let candidate = Candidate { set, shadow: None };
        let trial = desk.try_out(&candidate, since, |_| ()).await.unwrap();
        let expected = json!([0, {}, null, {"not looked at then: other bookings": 2}, {}]);
        assert_eq!(told(&trial), expected);
        let (set, _) = check_policies(&folder, settings).unwrap();
        let candidate = Candidate { set, shadow: None };
        let trial = desk.try_out(&candidate, since, |_| ()).await.unwrap();
        assert_eq!(told(&trial), json!([2, {}, ["4", "4", "0"], {}, {}]));
    })
    .await;
}

impl Installation {
    async fn metrics_text(&self) -> String {
        let request = self.raw_admin(reqwest::Method::GET, "/metrics");
        let request = request.bearer_auth(crate::harness::READ_TOKEN);
        request.send().await.unwrap().text().await.unwrap()
    }
}
