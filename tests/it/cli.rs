//! The real binary in a folder of its own, as an admin runs it: commands, the daemon as a process,
//! signals and exit codes. The provider is a stand-in in this process.

mod calcom;
mod calendly;
mod decide;
mod deliveries;
mod explain;
pub(crate) mod home;
mod looking;
mod policies;
mod reloading;
mod service_manager;
mod trying;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use bookgate::domain::clock::{Clock, SystemClock, plus_ms};
use bookgate::provider::client::{HttpClient, Method};
use bookgate::standin::calcom::{
    BookingRequest, Delivery, Fault, Matcher, Operation, Options, Person, StandIn, Subscription,
    When,
};
use rustix::process::Signal;
use serde_json::Value;
use tokio::net::TcpListener;

use self::home::{Daemon, Home, PATIENCE, free_address};

/// A stand-in whose webhooks are held back, so that the command line can send them.
async fn stand_in(home: &mut Home) -> StandIn {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = Options {
        delivery: Delivery::Held,
        ..Options::default()
    };
    let cal = StandIn::start(listener, Arc::new(SystemClock), options).unwrap();
    home.set("BOOKGATE_CALCOM_API_KEY", cal.api_key());
    home.set("BOOKGATE__SOURCES__CALCOM__API__BASE_URL", &cal.base_url());
    cal
}

/// Books a chat so many hours ahead, sends its webhook, and waits until it is left to a person, since no policy
/// of the folder speaks for a chat; its uid.
async fn defer_a_chat(
    home: &Home,
    cal: &StandIn,
    daemon: &Daemon,
    hours: i64,
    address: &str,
) -> String {
    let start = plus_ms(SystemClock.now(), hours * 3_600_000);
    let booker = Person::new("A. Booker", address);
    let booking = cal.book(BookingRequest::new("chat", start, booker)).await;
    let uid = booking.unwrap().uid.to_string();
    std::fs::write(home.path("body.json"), &cal.take_outbox()[0].body).unwrap();
    let url = daemon.webhooks();
    home.run(&["webhook", "send", &url, "--body", "body.json"])
        .done();
    let show = ["bookings", "show", "calcom", &uid, "--json"];
    home.wait_for(&show, |seen| seen["outcome"] == "defer");
    uid
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_an_empty_folder_to_a_paid_booking() {
    let mut home = Home::new();
    let cal = stand_in(&mut home).await;
    // Where the settings say, so that commands find the daemon by themselves.
    let admin = free_address();
    home.set("BOOKGATE__SERVER__ADMIN_LISTEN", &admin);

    assert!(
        home.run(&["policy", "check"])
            .done()
            .starts_with("1 policy")
    );
    let daemon = home.serve();
    let ready = format!("{}/readyz", daemon.public).parse().unwrap();
    let client = HttpClient::new(&ready, 5_000).unwrap();
    let ready = client.request(Method::GET, ready);
    assert_eq!(client.exchange(ready, PATIENCE).await.unwrap().status, 200);

    let top_up = ["credits", "top-up", "ada@reader.example", "5", "--json"];
    assert_eq!(home.run(&top_up).json()["replayed"], false);

    let subscription = Subscription::to_everything("http://127.0.0.1:1/held", "unused");
    cal.subscribe(subscription).unwrap();
    let start = plus_ms(SystemClock.now(), 72 * 3_600_000);
    let ada = Person::new("Ada Booker", "ada@reader.example");
    let booking = cal.book(BookingRequest::new("consultation", start, ada));
    let uid = booking.await.unwrap().uid.to_string();
    let webhook = &cal.take_outbox()[0];
    std::fs::write(home.path("body.json"), &webhook.body).unwrap();
    let url = daemon.webhooks();
    let sent = home.run(&["webhook", "send", &url, "--body", "body.json", "--json"]);
    assert_eq!(sent.json()["status"], 200);

    let show = ["bookings", "show", "calcom", &uid, "--json"];
    let seen = home.wait_for(&show, |seen| seen["holds"][0]["state"] == "captured");
    assert_eq!(seen["outcome"], "accept");
    assert_eq!(cal.live()[0].uid.as_str(), uid);
    let text = home.run(&show[..4]).done();
    for part in [
        "has-credit",
        "cost=2",
        "confirm",
        "captured 2",
        "HTTP 200",
        "requested (event)",
    ] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    let listed = home.run(&["bookings", "list", "--booker", "ada@reader.example"]);
    assert!(listed.done().contains(&uid));
    home.run(&["ledger", "verify"]).done();
    assert_eq!(
        home.run(&["instances", "--json"]).json()["items"][0]["alive"],
        true
    );
    let text = home.run(&["instances"]).done();
    assert!(text.contains("alive"), "{text}");

    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(home.run(&["instances"]).done(), "no instances\n");
    let account = home.run(&["credits", "show", "ada@reader.example", "--json"]);
    assert_eq!(account.json()["balances"][0]["available"], "3");
    home.run(&["ledger", "verify"]).done();
}

#[test]
fn credit_is_put_on_once_and_taken_off_with_a_daemon_and_without() {
    let mut home = Home::new();
    let admin = free_address();
    home.set("BOOKGATE__SERVER__ADMIN_LISTEN", &admin);
    let top_up = |amount: &str| {
        let line = ["credits", "top-up", "Ada@reader.example", amount];
        let rest = ["--idempotency-key", "invoice-7", "--json"];
        home.run(&[&line[..], &rest[..]].concat())
    };
    home.run(&["migrate"]).done();
    assert_eq!(top_up("5").json()["replayed"], false);
    assert_eq!(top_up("5.00").json()["replayed"], true);
    let daemon = home.serve();
    assert_eq!(top_up("5").json()["replayed"], true);
    let error = top_up("6").failed(1);
    assert!(
        error.contains("invoice-7") && error.contains("amount"),
        "{error}"
    );
    let deduct = |amount: &str| {
        let line = ["credits", "deduct", "ada@reader.example", amount];
        home.run(&[&line[..], &["--reason", "typed 5 for 2", "--json"]].concat())
    };
    assert_eq!(deduct("2").json()["account"]["balances"][0]["posted"], "3");
    assert_eq!(daemon.stop(), Some(0));
    assert!(top_up("6").failed(1).contains("amount"));
    assert!(deduct("4").failed(1).contains("3 is available"));
    deduct("1").done();
    let account = home.run(&["credits", "show", "ada@reader.example", "--json"]);
    assert_eq!(account.json()["balances"][0]["posted"], "2");
}

#[test]
fn a_daemon_elsewhere_is_reached_with_url_and_token() {
    let mut home = Home::new();
    let daemon = home.serve();
    let top_up = |home: &Home, rest: &[&str]| {
        let line = ["credits", "top-up", "ada@reader.example", "1"];
        home.run(&[&line, rest].concat())
    };
    // The settings say port 0, where nobody is.
    assert!(top_up(&home, &[]).failed(1).contains("--admin-url"));
    let at = ["--admin-url", &daemon.admin];
    top_up(&home, &at).done();
    home.set("OTHER", "not the token");
    let wrong = ["--admin-url", &daemon.admin, "--token", "env:OTHER"];
    assert!(top_up(&home, &wrong).failed(2).contains("token"));
    let not_admin = ["--admin-url", &daemon.public];
    assert!(top_up(&home, &not_admin).failed(3).contains("nothing at"));
    let bad = ["--admin-url", &daemon.admin, "--unit", "HOURS"];
    assert!(top_up(&home, &bad).failed(2).contains("CREDIT"));
    let retry = ["dead-letters", "retry", "7", "--admin-url", &daemon.admin];
    assert!(home.run(&retry).failed(3).contains("no dead letter 7"));
    assert_eq!(daemon.stop(), Some(0));
    assert!(
        home.run(&["dead-letters", "retry", "7"])
            .failed(3)
            .contains("no dead letter 7")
    );
    assert_eq!(
        home.run(&["dead-letters", "list"]).done(),
        "no dead letters\n"
    );
    for rest in ["retry", "purge"] {
        let all = home.run(&["dead-letters", rest, "--all", "--dry-run"]);
        assert_eq!(all.done(), "no dead letters\n");
        home.run(&["dead-letters", rest]).failed(2);
        home.run(&["dead-letters", rest, "7", "--source", "calcom"])
            .failed(2);
        home.run(&["dead-letters", rest, "7"]).failed(3);
    }
    home.run(&["dead-letters", "show", "7"]).failed(3);
    assert_eq!(home.run(&["deliveries", "list"]).done(), "no deliveries\n");
    let none = home.run(&["deliveries", "replay", "--all", "--dry-run"]);
    assert_eq!(none.done(), "0 in all; 0 left\n");
    for wrong in [&[][..], &["7", "--state", "event"], &["--state", "lost"]] {
        home.run(&[&["deliveries", "replay"], wrong].concat())
            .failed(2);
    }
    for one in ["replay", "show"] {
        home.run(&["deliveries", one, "7"]).failed(3);
    }
    let log = home.run(&["audit", "list"]).done();
    assert!(log.contains("account.top_up"), "{log}");
}

#[test]
fn a_second_daemon_and_a_migration_are_refused() {
    let home = Home::new();
    let daemon = home.serve();
    for line in [&["serve"][..], &["migrate"]] {
        let error = home.run(line).failed(1);
        assert!(error.contains("in use by another bookgate"), "{error}");
    }
    drop(daemon);
    let migrated = home.run(&["migrate", "--json"]).json();
    assert!(migrated["schema"].as_i64().unwrap() >= 1);
}

#[test]
fn an_address_that_is_taken_is_named_with_its_setting() {
    let mut home = Home::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    home.set("BOOKGATE__SERVER__ADMIN_LISTEN", &address);
    let error = home.run(&["serve"]).failed(1);
    assert!(
        error.contains(&address) && error.contains("server.admin_listen"),
        "{error}"
    );
}

#[test]
fn wrong_settings_end_with_2_at_their_line() {
    let mut home = Home::new();
    let text = std::fs::read_to_string(home.path("bookgate.toml")).unwrap();
    home.write(
        "bookgate.toml",
        &text.replace("admin_listen", "admin_lisen"),
    );
    for line in [
        &["serve"][..],
        &["policy", "check"],
        &["credits", "show", "a@b.example"],
    ] {
        let error = home.run(line).failed(2);
        assert!(error.contains("bookgate.toml:10:1"), "{error}");
        assert!(error.contains("admin_listen"), "{error}");
    }
    home.write("bookgate.toml", &text);
    home.unset("BOOKGATE_CALCOM_API_KEY");
    let error = home.run(&["serve"]).failed(2);
    assert!(
        error.contains("BOOKGATE_CALCOM_API_KEY is not set"),
        "{error}"
    );
    home.write("empty.toml", "");
    let error = home.run(&["serve", "--config", "empty.toml"]).failed(2);
    assert!(error.contains("there is no source"), "{error}");
    home.set("BOOKGATE_CALCOM_API_KEY", "cal_nobody");
    home.set("BOOKGATE_LOG", "bookgate=loud");
    assert!(home.run(&["serve"]).failed(2).contains("BOOKGATE_LOG"));
}

#[test]
fn wrong_policies_end_with_1_at_their_line() {
    let home = Home::new();
    let sound = std::fs::read_to_string(home.path("policies/executive-book-club.toml")).unwrap();
    let wrong = sound.replace("kind = \"account\"", "kind = \"acount\"");
    let line = 1 + wrong
        .lines()
        .position(|line| line.contains("acount"))
        .unwrap();
    home.write("policies/executive-book-club.toml", &wrong);
    for command in [&["serve"][..], &["policy", "check"]] {
        let error = home.run(command).failed(1);
        let place = format!("executive-book-club.toml:{line}:");
        assert!(
            error.contains(&place) && error.contains("account"),
            "{error}"
        );
    }
    let told = home.run(&["policy", "check", "--json"]);
    assert_eq!(told.code, Some(1));
    let answer: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(answer["ok"], false);
    assert_eq!(answer["diagnostics"][0]["line"], line);
}

#[test]
fn policies_are_checked_without_settings_and_secrets() {
    let mut home = Home::new();
    home.env.clear();
    home.run(&["policy", "check"]).done();
    std::fs::remove_file(home.path("bookgate.toml")).unwrap();
    let answer = home.run(&["policy", "check", "--json"]).json();
    assert_eq!(answer["policies"][0], "executive-book-club");
    std::fs::create_dir(home.path("none")).unwrap();
    assert!(
        home.run(&["policy", "check", "none"])
            .done()
            .contains("no policy in")
    );
    let error = home.run(&["policy", "check", "absent"]).failed(1);
    assert!(error.contains("absent"), "{error}");
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    home.run(&["policy", "check", examples.to_str().unwrap()])
        .done();
}

#[test]
fn what_is_not_there_ends_with_3() {
    let home = Home::new();
    let show = ["credits", "show", "ada@reader.example"];
    assert!(home.run(&show).failed(3).contains("there is no database"));
    home.run(&["migrate"]).done();
    assert!(home.run(&show).failed(3).contains("no account"));
    let booking = ["bookings", "show", "calcom", "nothing"];
    assert!(home.run(&booking).failed(3).contains("no booking"));
    assert_eq!(home.run(&["bookings", "list"]).done(), "no bookings\n");
    home.run(&["credits", "show", "ada"]).failed(2);
}

#[test]
fn retention_is_shown_and_run_with_a_daemon_and_without() {
    let mut home = Home::new();
    let admin = free_address();
    home.set("BOOKGATE__SERVER__ADMIN_LISTEN", &admin);
    let dry = ["retention", "run", "--dry-run"];
    home.run(&dry).failed(3);
    home.run(&["migrate"]).done();
    home.set("BOOKGATE__RETENTION__IDEMPOTENCY_DAYS", "0");
    let wet = &dry[..2];
    let text = home.run(wet).done();
    for part in ["delivery_bodies  30 days", "kept for ever", "removed"] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    let daemon = home.serve();
    assert!(home.run(&dry).done().contains("would be removed"));
    assert!(home.run(wet).done().contains("by the daemon"));
    daemon.wait_for_line("job done");
    let lines = home.run(&[wet, &["--json"]].concat()).json();
    assert_eq!(lines[0]["what"], "delivery_bodies");
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_of_reconciliation_is_ordered_and_waited_for() {
    let mut home = Home::new();
    let cal = stand_in(&mut home).await;
    let admin = free_address();
    home.set("BOOKGATE__SERVER__ADMIN_LISTEN", &admin);
    let now = ["reconcile", "--now"];
    home.run(&now[..1]).failed(3);
    home.run(&["migrate"]).done();
    assert!(home.run(&now).failed(1).contains("no daemon runs"));
    let daemon = home.serve();
    home.run(&now).done();

    let start = plus_ms(SystemClock.now(), 72 * 3_600_000);
    let ada = Person::new("Ada Booker", "ada@reader.example");
    let booking = cal.book(BookingRequest::new("consultation", start, ada));
    let uid = booking.await.unwrap().uid.to_string();
    let text = home.run(&now).done();
    let named = format!("\ncalcom\n  missed        {uid}\n");
    for part in ["source", "calcom", "missed 1", &named] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    let show = ["bookings", "show", "calcom", &uid, "--json"];
    home.wait_for(&show, |seen| seen["outcome"].is_string());

    let list = Matcher::operation(Operation::List);
    cal.fail_next(list, When::BeforeWork, Fault::Status(401));
    let why = home.run(&now).failed(1);
    assert!(why.contains("not all sources"), "{why}");
    let last = home.run(&[&now[..1], &["--json"]].concat());
    assert!(last.stdout.contains("HTTP 401"), "{last:?}");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_webhook_with_a_wrong_signature_is_not_taken() {
    let mut home = Home::new();
    home.set("WRONG", "another secret");
    let daemon = home.serve();
    let url = daemon.webhooks();
    assert!(
        home.run(&["webhook", "send", &url])
            .done()
            .starts_with("HTTP 200")
    );
    let wrong = home.run(&["webhook", "send", &url, "--secret", "env:WRONG"]);
    assert!(wrong.failed(1).contains("HTTP 401"));
    let unknown = format!("{}/webhooks/other", daemon.public);
    assert!(
        home.run(&["webhook", "send", &unknown])
            .failed(1)
            .contains("HTTP 404")
    );
    assert_eq!(daemon.stop(), Some(0));
    assert!(
        home.run(&["webhook", "send", &url])
            .failed(1)
            .contains("no connection")
    );
}

#[test]
fn a_second_signal_does_not_wait() {
    let home = Home::new();
    let mut daemon = home.serve();
    // A request that never ends: the answer to `Expect` says that it is being worked.
    let address = daemon.public.trim_start_matches("http://");
    let mut stuck = TcpStream::connect(address).unwrap();
    let head = "POST /webhooks/calcom HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\nexpect: 100-continue\r\n\r\n";
    stuck.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    BufReader::new(&stuck).read_line(&mut answer).unwrap();
    assert_eq!(answer, "HTTP/1.1 100 Continue\r\n");
    daemon.signal(Signal::INT);
    assert_eq!(daemon.wait_for_line("stopping")["signal"], "SIGINT");
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.process.wait().unwrap().code(), Some(1));
    let left: Vec<Value> = daemon.log.iter().collect();
    // Other threads may have logged something behind it.
    let mut told = left.iter().filter_map(Value::as_str);
    assert!(
        told.any(|line| line.contains("second signal (SIGTERM)")),
        "{left:?}"
    );
}
