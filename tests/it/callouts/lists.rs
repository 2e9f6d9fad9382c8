//! Lists that a web server keeps, told from the outside.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bookgate::app::{App, check_policies};
use bookgate::domain::clock::{Clock, ManualClock};
use serde_json::json;
use tokio::net::TcpListener;

use super::SETTINGS;
use crate::harness::{Installation, Setup, run_test, run_test_on_file};

const TOKEN: &str = "a token for the list";
/// How often the list is asked for, as the policies below say.
const REFRESH_MS: i64 = 15 * 60_000;
/// How long a list rests after a failure.
const RETRY_MS: i64 = 60_000;
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server with lists, by their paths. It ends with the test.
struct Lists {
    url: String,
    desk: Arc<Desk>,
}

#[derive(Default)]
struct Desk {
    answers: Mutex<BTreeMap<String, (u16, String)>>,
    seen: Mutex<Vec<HeaderMap>>,
}

impl Lists {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let desk = Arc::<Desk>::default();
        let app = axum::Router::new().fallback(answer);
        let app = app.with_state(Arc::clone(&desk));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, desk }
    }

    /// What is answered from now on.
    fn answers(&self, path: &str, status: u16, body: &str) {
        let mut answers = self.desk.answers.lock().unwrap();
        answers.insert(path.to_owned(), (status, body.to_owned()));
    }

    fn serves(&self, text: &str) {
        self.answers("/blocked", 200, text);
    }

    /// Begins anew, for the next store.
    fn forget(&self) {
        self.desk.seen.lock().unwrap().clear();
    }

    fn seen(&self) -> Vec<HeaderMap> {
        self.desk.seen.lock().unwrap().clone()
    }

    /// A policy that refuses whoever is on the list at this path.
    fn policy(&self, path: &str) -> String {
        let url = &self.url;
        format!(
            r#"
schema = 1
[policy]
id = "door"
[[criterion]]
id = "not-blocked"
kind = "deny-list"
message = "Not you."

[criterion.list]
url = "{url}{path}"
refresh = "15m"
token = {{ secret = "file:list_token" }}
allow_http = true

[[test]]
name = "somebody on the list"
given = {{ lists = {{ "{url}{path}" = ["booker@example.org"] }} }}
expect = {{ decision = "reject" }}

[[test]]
name = "somebody else"
expect = {{ decision = "accept" }}
"#
        )
    }

    fn setup(&self) -> Setup {
        Setup {
            policies: vec![
                ("door.toml", self.policy("/blocked")),
                ("list_token", TOKEN.to_owned()),
            ],
            policies_section: "look_ms = 100",
            more: SETTINGS.to_owned(),
            ..Setup::default()
        }
    }

    /// A metric of the list at this path.
    fn metric(&self, name: &str, path: &str, result: &str) -> String {
        let result = match result {
            "" => String::new(),
            result => format!(",result=\"{result}\""),
        };
        format!("bookgate_{name}{{list=\"{}{path}\"{result}}}", self.url)
    }

    /// Waits until so many refreshes of the list came to this.
    async fn refreshed(&self, it: &Installation, result: &str, times: f64) {
        let name = self.metric("list_refreshes_total", "/blocked", result);
        let started = Instant::now();
        while it.metric(&name).await < times {
            assert!(started.elapsed() < PATIENCE, "{name} stays below {times}");
            tokio::time::sleep(crate::rig::POLL).await;
        }
    }
}

async fn answer(State(desk): State<Arc<Desk>>, uri: Uri, headers: HeaderMap) -> Response {
    desk.seen.lock().unwrap().push(headers.clone());
    let answers = desk.answers.lock().unwrap();
    let Some((status, body)) = answers.get(uri.path()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let status = StatusCode::from_u16(*status).unwrap();
    let etag = format!("\"{body:x?}\"").replace('\n', "");
    let known = headers.get("if-none-match").map(|known| known.as_bytes());
    if status == StatusCode::OK && known == Some(etag.as_bytes()) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    (status, [("etag", etag)], body.clone()).into_response()
}

const EVE: &str = "eve@reader.example\n";
const ADA: &str = "ada@reader.example # who books below\n";

async fn decided(it: &Installation, hours: i64) -> (String, &'static str) {
    let uid = it.book(hours).await.uid;
    it.settle().await;
    (uid.to_string(), it.status_at_cal(&uid))
}

async fn hash(it: &Installation) -> String {
    let (_, policies) = it.get("/v1/policies").await;
    policies["hash"].as_str().unwrap().to_owned()
}

async fn copies(it: &Installation) -> usize {
    let dir = it.settings().journal.dir.join("lists");
    fs::read_dir(dir).unwrap().count()
}

#[tokio::test]
async fn a_list_is_fetched_asked_for_and_swapped_and_old_decisions_keep_theirs() {
    let lists = Lists::start().await;
    lists.serves(EVE);
    run_test(lists.setup(), async |it: &mut Installation| {
        let seen = lists.seen();
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0]["authorization"], format!("Bearer {TOKEN}"));
        assert!(!seen[0].contains_key("if-none-match"));
        let (before, status) = decided(it, 72).await;
        assert_eq!(status, "accepted");
        let first = hash(it).await;
        let loads = "bookgate_policy_loads_total{result=\"loaded\"}";
        let loaded = it.metric(loads).await;

        it.clock.advance_ms(REFRESH_MS);
        lists.refreshed(it, "same", 1.0).await;
        assert!(lists.seen()[1].contains_key("if-none-match"));

        lists.serves(ADA);
        it.clock.advance_ms(REFRESH_MS);
        let swapped = it.policies_until(|now| now["hash"] != first).await;
        assert_eq!(
            it.metric(loads).await - loaded,
            1.0,
            "304 is no reason to read anything"
        );
        let (after, status) = decided(it, 96).await;
        assert_eq!(status, "rejected");
        let checked_at = lists.metric("list_checked_timestamp_seconds", "/blocked", "");
        assert_eq!(
            it.metric(&checked_at).await,
            it.clock.now().as_second() as f64
        );

        // Who checks policies beside the daemon reads its copy, and elsewhere does without.
        let (folder, mut settings) = (it.folder().join("policies"), it.settings().clone());
        let (set, _) = check_policies(&folder, &settings).unwrap();
        assert_eq!(set.hash().to_string(), swapped["hash"]);
        settings.journal.dir = it.folder().join("elsewhere");
        let (_, hints) = check_policies(&folder, &settings).unwrap();
        let codes: Vec<_> = hints.iter().map(|hint| hint.code.as_str()).collect();
        assert_eq!(codes, ["BG0307"]);

        for (uid, outcome) in [(before, "accept"), (after, "reject")] {
            let path = format!("/v1/bookings/calcom/{uid}/explanation");
            let decision = &it.get(&path).await.1["decisions"][0];
            assert_eq!(decision["outcome"], outcome, "{decision}");
            assert_eq!(decision["remade"]["result"], "same", "{decision}");
        }
        // Nobody names it any more.
        assert_eq!(copies(it).await, 2);
        it.write_policy("door.toml", "schema = 1\n[policy]\nid = \"door\"\n");
        assert_eq!(it.reload().await.0, 200);
        assert_eq!(copies(it).await, 0);
        assert!(!it.gate().metrics().await.contains(&checked_at));
        lists.serves(EVE);
        lists.forget();
    })
    .await;
}

#[tokio::test]
async fn while_there_is_no_other_list_the_last_copy_goes_on_over_a_restart_too() {
    let lists = Lists::start().await;
    lists.serves(ADA);
    run_test_on_file(lists.setup(), async |it: &mut Installation| {
        let first = hash(it).await;
        let failing = lists.metric("list_failing", "/blocked", "");
        assert_eq!(it.metric(&failing).await, 0.0);
        let mut hours = 48;
        let mut wait_ms = REFRESH_MS;
        let useless = [
            (503, "down for maintenance"),
            (200, ""),
            (200, "# nobody\n\n"),
            (200, "<html>\nBe right back!\n"),
            (200, "<html>ada@@reader.example</html>"),
            (200, &format!("{EVE}@@")),
        ];
        for (times, (status, body)) in (1..).zip(useless) {
            lists.answers("/blocked", status, body);
            it.clock.advance_ms(wait_ms);
            lists.refreshed(it, "failed", f64::from(times)).await;
            assert_eq!(it.metric(&failing).await, 1.0);
            wait_ms = RETRY_MS << (times - 1);
            hours += 24;
            assert_eq!(decided(it, hours).await.1, "rejected");
        }
        lists.answers("/blocked", 500, "");
        it.stop().await;
        it.begin().await;
        lists.refreshed(it, "failed", 1.0).await;
        assert_eq!(hash(it).await, first);
        assert_eq!(decided(it, 24).await.1, "rejected");

        lists.serves(EVE);
        it.clock.advance_ms(RETRY_MS);
        it.policies_until(|now| now["hash"] != first).await;
        assert_eq!(it.metric(&failing).await, 0.0);
        assert_eq!(decided(it, 30).await.1, "accepted");
    })
    .await;
}

#[tokio::test]
async fn a_list_that_was_never_had_keeps_its_policy_out_until_it_comes() {
    let lists = Lists::start().await;
    lists.serves(ADA);
    lists.answers("/new", 500, "");
    run_test_on_file(lists.setup(), async |it: &mut Installation| {
        let first = hash(it).await;
        it.write_policy("door.toml", &lists.policy("/new"));
        let (status, refused) = it.reload().await;
        assert_eq!(status, 422);
        let wrong = &refused["last_attempt"]["diagnostics"][0];
        assert_eq!(
            (&wrong["code"], &wrong["line"]),
            (&json!("BG0302"), &json!(11))
        );
        assert!(
            wrong["message"].as_str().unwrap().ends_with("HTTP 500"),
            "{wrong}"
        );
        assert_eq!(hash(it).await, first);

        it.stop().await;
        it.begin().await;
        let (_, now) = it.get("/v1/policies").await;
        assert_eq!(
            (&now["hash"], &now["loaded_from"]),
            (&json!(first), &json!("last_good"))
        );
        assert_eq!(decided(it, 72).await.1, "rejected");

        // Nobody has to ask for it again.
        lists.answers("/new", 200, EVE);
        it.clock.advance_ms(RETRY_MS);
        let now = it.policies_until(|now| now["hash"] != first).await;
        assert_eq!(now["loaded_from"], "folder");
        assert_eq!(decided(it, 96).await.1, "accepted");

        // Without a last good set there is nothing to start on.
        it.stop().await;
        let mut settings = it.settings().clone();
        settings.journal.dir = it.folder().join("elsewhere");
        lists.answers("/new", 401, "");
        let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&it.clock);
        let failed = App::open(&settings, clock).await.map(drop).unwrap_err();
        let told = failed.to_string();
        assert!(
            told.contains("BG0302") && told.contains("door.toml:11:"),
            "{told}"
        );
        assert!(told.contains("HTTP 401") && !told.contains(TOKEN), "{told}");
        it.begin().await;
    })
    .await;
}

#[tokio::test]
async fn no_host_is_asked_that_the_settings_do_not_name() {
    let lists = Lists::start().await;
    lists.serves(ADA);
    let setup = Setup {
        policies: vec![("list_token", TOKEN.to_owned())],
        more: SETTINGS.replace("hosts = [\"127.0.0.1\"]", "hosts = [\"crm.example.org\"]"),
        ..Setup::default()
    };
    run_test_on_file(setup, async |it: &mut Installation| {
        it.write_policy("door.toml", &lists.policy("/blocked"));
        let (status, refused) = it.reload().await;
        assert_eq!(status, 422);
        let wrong = &refused["last_attempt"]["diagnostics"][0];
        assert_eq!(wrong["code"], "BG0224", "{wrong}");
        assert_eq!(lists.seen().len(), 0);
    })
    .await;
}

#[tokio::test]
async fn where_nobody_looks_for_changes_lists_are_fetched_when_policies_are_read() {
    let lists = Lists::start().await;
    lists.serves(EVE);
    let setup = Setup {
        policies_section: "look_ms = 0",
        ..lists.setup()
    };
    run_test_on_file(setup, async |it: &mut Installation| {
        let first = hash(it).await;
        lists.serves(ADA);
        assert_eq!(it.reload().await.0, 200);
        assert_eq!(
            (hash(it).await, lists.seen().len()),
            (first.clone(), 1),
            "not due yet"
        );
        it.clock.advance_ms(REFRESH_MS);
        assert_eq!(it.reload().await.0, 200);
        assert_ne!(hash(it).await, first);
        assert_eq!(decided(it, 72).await.1, "rejected");
        // A start reads them, too.
        it.stop().await;
        lists.serves(EVE);
        it.clock.advance_ms(REFRESH_MS);
        it.begin().await;
        assert_eq!(hash(it).await, first);
    })
    .await;
}
