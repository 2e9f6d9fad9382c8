//! Stored webhooks on the command line: looked at, and read again beside a daemon and without one.

use super::home::{Home, free_address};
use super::stand_in;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_understood_is_looked_at_and_read_again() {
    let mut home = Home::new();
    let _cal = stand_in(&mut home).await;
    let admin = free_address();
    home.set("BOOKGATE__SERVER__ADMIN_LISTEN", &admin);
    let daemon = home.serve();
    // What a booker types must not steer a terminal.
    std::fs::write(
        home.path("body.json"),
        "{\"template\": \"Hello \u{1b}[2J\"}",
    )
    .unwrap();
    let url = daemon.webhooks();
    home.run(&["webhook", "send", &url, "--body", "body.json"])
        .done();
    let list = ["deliveries", "list", "--state", "unparsed", "--json"];
    let listed = home.wait_for(&list, |seen| seen["items"][0]["note"].is_string());
    let id = listed["items"][0]["id"].to_string();
    let text = home.run(&list[..4]).done();
    assert!(text.contains("unparsed") && text.contains(&id), "{text}");
    let shown = home.run(&["deliveries", "show", &id]).done();
    assert!(shown.contains("Hello \u{fffd}[2J"), "{shown}");

    let said = home.run(&["deliveries", "replay", &id]).done();
    assert_eq!(said, format!("delivery {id} is read again\n"));
    home.wait_for(&list, |seen| seen["items"][0]["replayed_at"].is_string());
    let some = ["deliveries", "replay", "--state", "unparsed"];
    let dry = home.run(&[&some[..], &["--dry-run"]].concat()).done();
    assert_eq!(
        dry,
        format!("delivery {id} (calcom, unparsed, -) would be read again\n1 in all; 0 left\n")
    );
    assert_eq!(daemon.stop(), Some(0));
    let report = home.run(&[&some[..], &["--json"]].concat()).json();
    assert_eq!(report["done"][0]["id"].to_string(), id);
    let waiting = home.run(&["deliveries", "list", "--state", "waiting"]);
    assert!(waiting.done().contains(&id));
    let left = home.run(&["deliveries", "replay", &id]).failed(1);
    assert!(left.contains("it waits to be read as it is"), "{left}");
    let log = home.run(&["audit", "list", "--json"]).json();
    let actions: Vec<_> = log["items"].as_array().unwrap().iter().collect();
    assert_eq!(actions.len(), 2, "{log}");
    assert_eq!(actions[0]["action"], "delivery.replay_some");
    assert_eq!(actions[1]["action"], "delivery.replay");
    assert!(actions[1]["request_id"].is_string() && actions[0]["request_id"].is_null());
}
