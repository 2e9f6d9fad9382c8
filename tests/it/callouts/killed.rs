//! The real process, ended between a server's answer and the decision.

use std::process::Command;
use std::sync::Arc;

use bookgate::domain::clock::{Clock, SystemClock, plus_ms};
use bookgate::standin::calcom::{BookingRequest, Options, StandIn, Subscription};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::crm::Crm;
use super::{KEY, SETTINGS, TOKEN, asks};

use crate::harness::{ADMIN_TOKEN, SECRET, ada};
use crate::rig::daemon::Post;

fn settings(post: &Post, cal: &StandIn) -> String {
    let (public, admin, base) = (post.public, post.admin, cal.base_url());
    format!(
        r#"
[server]
listen = "{public}"
admin_listen = "{admin}"
[storage]
url = "sqlite://bookgate.db"
[admin.tokens.ops]
role = "admin"
secret = "env:ADMIN"
[worker]
lease_ms = 1000
[sources.calcom]
provider = "calcom"
signing_secrets = ["env:SECRET"]
[sources.calcom.api]
base_url = "{base}"
key = "env:KEY"
requests_per_minute = 0
{SETTINGS}
"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_asks_it_asks_again_under_the_same_key_and_decides_once() {
    let crm = Crm::start().await;
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let cal = StandIn::start(listener, Arc::new(SystemClock), Options::default()).unwrap();
    let env = [
        ("SECRET", SECRET),
        ("ADMIN", ADMIN_TOKEN),
        ("KEY", cal.api_key()),
    ];
    let env = env.map(|(name, value)| (name, value.to_owned())).to_vec();
    let post = Post::new(folder.path(), env);
    let policies = post.folder.join("policies");
    std::fs::create_dir(&policies).unwrap();
    let policy = asks(&crm, "", "timeout = \"30s\"\ndeadline = \"30s\"");
    for (name, text) in [
        ("onboarding.toml", &*policy),
        ("crm_token", TOKEN),
        ("crm_key", KEY),
    ] {
        std::fs::write(policies.join(name), text).unwrap();
    }
    post.write_settings(&settings(&post, &cal));
    let http = crate::rig::client();
    let daemon = post.start(&http).await;
    let url = format!("http://{}/webhooks/calcom", post.public);
    cal.subscribe(Subscription::to_everything(url, SECRET))
        .unwrap();

    let start = plus_ms(SystemClock.now(), 72 * 3_600_000);
    let asked_for = BookingRequest::new("consultation", start, ada());
    let uid = cal.book(asked_for).await.unwrap().uid;
    crm.was_asked(1).await;
    daemon.kill();
    crm.answers(200, json!({ "result": "pass" }));
    let daemon = post.start(&http).await;
    crm.was_asked(2).await;
    let booking = loop {
        let url = format!("http://{}/v1/bookings/calcom/{uid}", post.admin);
        let asking = http.get(url).bearer_auth(ADMIN_TOKEN).send();
        let booking: Value = asking.await.unwrap().json().await.unwrap();
        if booking["status"] == "accepted" {
            break booking;
        }
        tokio::time::sleep(crate::rig::POLL).await;
    };
    assert_eq!(
        booking["decisions"].as_array().unwrap().len(),
        1,
        "{booking}"
    );
    crm.falls_silent();
    let explained = Command::new(env!("CARGO_BIN_EXE_bookgate"))
        .arg("--config")
        .arg(post.folder.join("bookgate.toml"))
        .args(["policy", "explain", "--delivery", "1"])
        .output()
        .unwrap();
    let told = String::from_utf8(explained.stdout).unwrap();
    assert!(told.contains("ACCEPT"), "from what was answered: {told}");
    let seen = crm.seen();
    assert_eq!(seen.len(), 2);
    let key = |number: usize| seen[number].header("idempotency-key");
    assert_eq!(key(0), key(1));
    assert!(daemon.terminate().await.is_some());
}
