//! `calendly webhooks` against the stand-in, and the daemon's log on signatures that it refuses.

use std::sync::Arc;

use bookgate::domain::clock::{Clock, SystemClock};
use bookgate::standin::calendly::{
    Matcher, NewSubscription, Operation, Options, Permission, Plan, SIGNATURE_HEADER, StandIn,
    Token,
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::net::TcpListener;

use super::home::{Home, Told};

const KEY: &str = "a signing key for tests";
const HOOK: &str = "http://127.0.0.1:9/webhooks/calendly";

/// A folder with a source of Calendly beside that of Cal.com.
async fn home(options: Options) -> (Arc<Home>, StandIn) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let calendly = StandIn::start(listener, Arc::new(SystemClock), options).unwrap();
    let mut home = Home::new();
    home.set("CALENDLY_KEY", calendly.token());
    home.set("CALENDLY_SECRET", KEY);
    let settings = std::fs::read_to_string(home.path("bookgate.toml")).unwrap();
    let base = calendly.base_url();
    let source = format!(
        r#"
[sources.calendly]
provider = "calendly"
signing_secrets = ["env:CALENDLY_SECRET"]
[sources.calendly.api]
base_url = "{base}"
key = "env:CALENDLY_KEY"
[sources.calendly.subscription]
url = "{HOOK}"
"#
    );
    home.write("bookgate.toml", &(settings + &source));
    (Arc::new(home), calendly)
}

/// Runs a command without keeping the stand-in from answering it.
async fn run(home: &Arc<Home>, line: &'static [&'static str]) -> Told {
    let home = Arc::clone(home);
    let running = tokio::task::spawn_blocking(move || home.run(line));
    running.await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_are_listed_ensured_and_deleted() {
    let (home, calendly) = home(Options::default()).await;
    let list: &[&str] = &["calendly", "webhooks", "list"];
    let ensure: &[&str] = &["calendly", "webhooks", "ensure"];
    assert_eq!(run(&home, list).await.done(), "no subscriptions\n");
    let other = NewSubscription::to_invitees(HOOK, "another key");
    let other = calendly.subscribe(other).unwrap().uuid;
    assert!(run(&home, list).await.done().contains("outdated"));

    let told = run(&home, ensure).await.done();
    assert!(told.contains(": made\n"), "{told}");
    assert!(
        told.contains(&format!("{other}: deleted, it was outdated")),
        "{told}"
    );
    let ours = &calendly.subscriptions()[0];
    assert_eq!(calendly.subscriptions().len(), 1);
    assert_eq!(ours.signing_key.as_deref(), Some(KEY));
    let told = run(&home, ensure).await.done();
    assert!(told.contains("there already"), "{told}");
    let listed = run(&home, list).await.done();
    assert!(
        listed.contains("ours") && listed.contains("active"),
        "{listed}"
    );

    let id = ours.uuid.to_string();
    let delete = move |home: Arc<Home>| {
        let line = ["calendly", "webhooks", "delete", &id];
        home.run(&line)
    };
    let (again, first) = (delete.clone(), Arc::clone(&home));
    let told = tokio::task::spawn_blocking(move || delete(first)).await;
    assert!(told.unwrap().done().contains("deleted"));
    let told = tokio::task::spawn_blocking(move || again(home)).await;
    assert!(told.unwrap().failed(3).contains("there is no subscription"));
    assert_eq!(calendly.subscriptions(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_at_once_make_one() {
    let (home, calendly) = home(Options::default()).await;
    let ensure: &[&str] = &["calendly", "webhooks", "ensure"];
    let slow = calendly.pause_next(Matcher::operation(Operation::Subscribe));
    let first = tokio::spawn({
        let home = Arc::clone(&home);
        async move { run(&home, ensure).await }
    });
    slow.reached().await;
    assert!(run(&home, ensure).await.done().contains(": made\n"));
    slow.release();
    assert!(first.await.unwrap().done().contains("there already"));
    assert_eq!(calendly.subscriptions().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_plan_and_token_lack_is_said() {
    let ensure: &[&str] = &["calendly", "webhooks", "ensure"];
    let old_plan = Options {
        plan: Plan::FreeWithoutWebhooks,
        ..Options::default()
    };
    let (free, _calendly) = home(old_plan).await;
    let error = run(&free, ensure).await.failed(1);
    assert!(error.contains("Please upgrade"), "{error}");

    let reads_only = Options {
        tokens: vec![Token::with(
            "reader",
            &[Permission::ReadUsers, Permission::ReadWebhooks],
        )],
        ..Options::default()
    };
    let (reader, _calendly) = home(reads_only).await;
    let error = run(&reader, ensure).await.failed(1);
    assert!(error.contains("webhooks:write"), "{error}");

    let (wrong, _calendly) = home(Options::default()).await;
    let mut wrong = Arc::into_inner(wrong).unwrap();
    wrong.set("CALENDLY_KEY", "revoked");
    let wrong = Arc::new(wrong);
    let list: &[&str] = &["calendly", "webhooks", "list"];
    for command in [ensure, list] {
        let error = run(&wrong, command).await.failed(1);
        assert!(
            error.contains("the token is wrong or was revoked"),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_tells_a_stale_signature_from_a_wrong_one() {
    let (home, _calendly) = home(Options::default()).await;
    let daemon = home.serve();
    let body = "{}";
    for (age_s, key, reason) in [
        (600, KEY, "out of tolerance"),
        (0, "wrong", "does not match"),
    ] {
        let time = (SystemClock.now().as_second() - age_s).to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(format!("{time}.{body}").as_bytes());
        let mac = hex::encode(mac.finalize().into_bytes());
        let url = format!("{}/webhooks/calendly", daemon.public);
        let request = crate::rig::client().post(url).body(body);
        let request = request.header(SIGNATURE_HEADER, format!("t={time},v1={mac}"));
        let request = request.header("x-request-id", "of-the-proxy");
        assert_eq!(request.send().await.unwrap().status(), 401);
        let line = daemon.wait_for_line("webhook refused: signature");
        let told = line["reason"].as_str().unwrap();
        assert!(told.contains(reason), "{line}");
        assert_eq!(line["request.id"], "of-the-proxy", "{line}");
    }
    assert_eq!(daemon.stop(), Some(0));
}
