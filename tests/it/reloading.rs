//! Policies change while the daemon runs, and are broken while it does not.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bookgate::app::App;
use bookgate::domain::clock::{Clock, ManualClock};
use reqwest::Method;
use serde_json::{Value, json};

use crate::down::own_server;
use crate::harness::{
    CREDIT_POLICY, Installation, Setup, answer, run_test, run_test_as_set_up, run_test_on_file,
};
use crate::rig::postgres::Stop;

/// Longer than it takes to notice a change and to read it.
const PATIENCE: Duration = Duration::from_secs(30);
const RELOAD: &str = "/v1/policies/reload";
const BROKEN: &str = "schema = 1\n[policy]\nid = \"credits\"\nmood = \"bad\"\n";

/// Refuses whoever is on a list.
const LISTED: &str = r#"
schema = 1
[policy]
id = "doors"
[[criterion]]
id = "not-blocked"
kind = "deny-list"
list = { file = "lists/blocked.txt" }
message = "Not you."
"#;

fn free_of_charge() -> String {
    CREDIT_POLICY.replace("base = \"2\"", "base = \"0\"")
}

impl Installation {
    pub(crate) fn write_policy(&self, name: &str, text: &str) {
        fs::write(self.folder().join("policies").join(name), text).unwrap();
    }

    pub(crate) async fn reload(&self) -> (u16, Value) {
        self.admin(Method::POST, RELOAD, None).await
    }

    /// The policies, once they are as they should be.
    pub(crate) async fn policies_until(&self, is_right: impl Fn(&Value) -> bool) -> Value {
        let started = Instant::now();
        loop {
            let (_, policies) = self.get("/v1/policies").await;
            if is_right(&policies) {
                return policies;
            }
            assert!(started.elapsed() < PATIENCE, "{policies}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn readiness(&self) -> Value {
        answer(self.raw_public(Method::GET, "/readyz")).await.1
    }

    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let request = self.raw_admin(Method::GET, "/metrics");
        let text = request.bearer_auth(crate::harness::READ_TOKEN).send();
        let text = text.await.unwrap().text().await.unwrap();
        let mut lines = text.lines().filter_map(|line| line.split_once(' '));
        let (_, value) = lines.find(|(found, _)| *found == name).unwrap();
        value.parse().unwrap()
    }
}

#[tokio::test]
async fn policies_are_read_again_on_request_and_a_bad_file_changes_nothing() {
    run_test(Setup::default(), async |it: &mut Installation| {
        let (_, before) = it.get("/v1/policies").await;
        assert_eq!(before["loaded_from"], "folder", "{before}");
        it.write_policy("credits.toml", &free_of_charge());
        it.clock.advance_ms(1_000);
        let (status, loaded) = it.reload().await;
        assert_eq!(
            (status, &loaded["last_attempt"]["result"]),
            (200, &json!("ok"))
        );
        assert_ne!(loaded["hash"], before["hash"]);
        assert_eq!(loaded["loaded_at"], loaded["last_attempt"]["at"]);

        it.write_policy("credits.toml", BROKEN);
        it.clock.advance_ms(1_000);
        let (status, refused) = it.reload().await;
        assert_eq!(
            (status, &refused["code"]),
            (422, &json!("policies-refused"))
        );
        let wrong = &refused["last_attempt"]["diagnostics"][0];
        assert_eq!(
            (&wrong["code"], &wrong["line"]),
            (&json!("BG0103"), &json!(4))
        );
        let (_, now) = it.get("/v1/policies").await;
        assert_eq!(
            (&now["hash"], &now["loaded_at"]),
            (&loaded["hash"], &loaded["loaded_at"])
        );
        assert_eq!(now["last_attempt"], refused["last_attempt"]);
        assert_eq!(it.readiness().await, "degraded");
        assert_eq!(
            it.metric("bookgate_policy_last_reload_successful").await,
            0.0
        );
        let refused = "bookgate_policy_loads_total{result=\"refused\"}";
        assert_eq!(it.metric(refused).await, 1.0);

        // Decided by those that go on, at no price.
        let booking = it.book(72).await;
        it.settle().await;
        assert_eq!(it.status_at_cal(&booking.uid), "accepted");

        it.write_policy("credits.toml", CREDIT_POLICY);
        let (status, back) = it.reload().await;
        assert_eq!((status, &back["hash"]), (200, &before["hash"]));
        assert_eq!(it.readiness().await, "ok");
        assert_eq!(
            it.metric("bookgate_policy_last_reload_successful").await,
            1.0
        );
        let poor = it.book(96).await;
        it.settle().await;
        assert_eq!(it.status_at_cal(&poor.uid), "rejected");

        let (_, changes) = it.get("/v1/audit?action=policy.reload").await;
        let details = changes["items"].as_array().unwrap().iter();
        let details: Vec<_> = details.map(|one| one["detail"].as_str().unwrap()).collect();
        let loaded = format!("loaded {}", loaded["hash"].as_str().unwrap());
        let back = format!("loaded {}", back["hash"].as_str().unwrap());
        assert_eq!(details, [back.as_str(), "refused", loaded.as_str()]);
        assert_eq!(changes["items"][0]["actor"], "token:ops");
    })
    .await;
}

#[tokio::test]
async fn changed_files_are_noticed_however_they_change() {
    let setup = Setup {
        policies_section: "look_ms = 100",
        ..Setup::default()
    };
    run_test_on_file(setup, async |it: &mut Installation| {
        let (_, before) = it.get("/v1/policies").await;
        let folder = it.folder().join("policies");
        let differs = |from: &Value| {
            let from = from["hash"].clone();
            move |now: &Value| now["hash"] != from
        };
        // In place, as some editors do.
        it.write_policy("credits.toml", &free_of_charge());
        let free = it.policies_until(differs(&before)).await;
        // By another file in its place, as others do.
        fs::write(folder.join(".credits.toml.swp"), CREDIT_POLICY).unwrap();
        fs::rename(
            folder.join(".credits.toml.swp"),
            folder.join("credits.toml"),
        )
        .unwrap();
        it.policies_until(|now| now["hash"] == before["hash"]).await;
        // A list beneath the folder.
        fs::create_dir(folder.join("lists")).unwrap();
        fs::write(folder.join("lists/blocked.txt"), "ada@reader.example\n").unwrap();
        it.write_policy(
            "doors.toml",
            &LISTED.replace("id = \"doors\"", "id = \"doors\"\nkind = \"guardrail\""),
        );
        let listed = it.policies_until(differs(&before)).await;
        fs::write(folder.join("lists/blocked.txt"), "eve@reader.example\n").unwrap();
        it.policies_until(differs(&listed)).await;
        // What is wrong is told, and what mends it is noticed as well.
        fs::rename(folder.join("lists"), folder.join("away")).unwrap();
        it.write_policy("credits.toml", BROKEN);
        it.policies_until(|now| now["last_attempt"]["result"] == "refused")
            .await;
        fs::remove_file(folder.join("doors.toml")).unwrap();
        it.write_policy("credits.toml", &free_of_charge());
        let mended = it
            .policies_until(|now| now["last_attempt"]["result"] == "ok")
            .await;
        assert_eq!(mended["hash"], free["hash"]);
    })
    .await;
}

/// Who asked for it cannot be noted, so the request does nothing; the change is noticed all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_reload_that_cannot_be_noted_is_not_lost() {
    let Some((store, setup)) = own_server() else {
        return;
    };
    let setup = Setup {
        policies_section: "look_ms = 100",
        ..setup
    };
    run_test_as_set_up(setup, async |it: &mut Installation| {
        it.settle().await;
        let (_, before) = it.get("/v1/policies").await;
        store.postgres(|cluster, _| cluster.stop(Stop::Fast));
        it.write_policy("credits.toml", &free_of_charge());
        assert_eq!(it.reload().await.0, 503);
        it.policies_until(|now| now["hash"] != before["hash"]).await;
        store.postgres(|cluster, _| cluster.resume());
        it.settle().await;
    })
    .await;
}

#[tokio::test]
async fn a_daemon_starts_on_the_last_good_set_with_its_lists_and_says_so() {
    let setup = Setup {
        policies: vec![
            ("doors.toml", LISTED.to_owned()),
            ("lists/blocked.txt", "ada@reader.example\n".to_owned()),
        ],
        ..Setup::default()
    };
    run_test(setup, async |it: &mut Installation| {
        let (_, good) = it.get("/v1/policies").await;
        it.stop().await;
        it.write_policy("doors.toml", BROKEN);
        fs::remove_dir_all(it.folder().join("policies/lists")).unwrap();
        it.begin().await;
        let (_, now) = it.get("/v1/policies").await;
        assert_eq!(
            (&now["hash"], &now["loaded_from"]),
            (&good["hash"], &json!("last_good"))
        );
        assert_eq!(now["last_attempt"]["result"], "refused");
        assert_eq!(it.readiness().await, "degraded");
        assert_eq!(
            it.metric("bookgate_policy_last_reload_successful").await,
            0.0
        );
        let blocked = it.book(72).await;
        it.settle().await;
        assert_eq!(it.status_at_cal(&blocked.uid), "rejected");

        it.write_policy("doors.toml", CREDIT_POLICY);
        let (status, mended) = it.reload().await;
        assert_eq!((status, &mended["loaded_from"]), (200, &json!("folder")));
        assert_eq!(it.readiness().await, "ok");
    })
    .await;
}

#[tokio::test]
async fn a_daemon_that_must_not_or_cannot_use_a_last_good_set_does_not_start() {
    let setup = Setup {
        policies_section: "look_ms = 0\nstart_with_last_good = false",
        ..Setup::default()
    };
    run_test_on_file(setup, async |it: &mut Installation| {
        it.stop().await;
        it.write_policy("credits.toml", BROKEN);
        let start = async |it: &Installation, settings| {
            let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&it.clock);
            let failed = App::open(&settings, clock).await.map(drop).unwrap_err();
            assert!(failed.to_string().contains("BG0103"), "{failed}");
        };
        start(it, it.settings().clone()).await;
        // Allowed, but what was kept is damaged, or is not there.
        let mut allowed = it.settings().clone();
        allowed.policies.start_with_last_good = true;
        let kept = allowed.journal.dir.join("last-good-policies.json");
        fs::write(&kept, "{").unwrap();
        start(it, allowed.clone()).await;
        fs::remove_file(&kept).unwrap();
        start(it, allowed).await;
        it.write_policy("credits.toml", CREDIT_POLICY);
        it.begin().await;
    })
    .await;
}
