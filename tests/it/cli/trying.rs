//! A whole folder of policies tried out on what was decided, from the command line.

use bookgate::standin::calcom::Subscription;
use serde_json::json;

use super::home::Home;
use super::{defer_a_chat, stand_in};

const NEXT: &str = r#"
schema = 1
[policy]
id = "chats"
[match]
event_types = ["chat"]
[[criterion]]
id = "not-blocked"
kind = "deny-list"
list = { file = "blocked.txt" }
message = "Please write to us instead."
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_is_replayed_alone_and_changes_nothing() {
    let mut home = Home::new();
    let cal = stand_in(&mut home).await;
    let daemon = home.serve();
    let subscription = Subscription::to_everything("http://127.0.0.1:1/held", "unused");
    cal.subscribe(subscription).unwrap();
    let mut uids = Vec::new();
    for (hours, address) in [(72, "ada@reader.example"), (96, "eve@reader.example")] {
        uids.push(defer_a_chat(&home, &cal, &daemon, hours, address).await);
    }

    std::fs::create_dir(home.path("next")).unwrap();
    home.write("next/chats.toml", NEXT);
    home.write("next/blocked.txt", "eve@reader.example\n");
    let replay = ["policy", "replay", "--dir", "next"];
    let told = home.run(&[&replay[..], &["--json"]].concat()).json();
    let trial = &told["trial"];
    assert_eq!(trial["compared"], 2, "{told}");
    let turns = json!({ "defer to accept": 1, "defer to reject": 1 });
    assert_eq!(trial["turns"], turns, "{told}");
    assert_eq!(told["shadow"], json!(null));
    // Newest first.
    let changed = &trial["changes"][0];
    assert_eq!(changed["booking"], format!("calcom/{}", uids[1]));
    assert_eq!(changed["would_by"], "chats");
    assert_eq!(changed["why"], "not-blocked: Please write to us instead.");
    let told = home.run(&replay).done();
    assert!(told.starts_with("The policies in "), "{told}");
    assert!(told.contains(&format!("calcom/{}", uids[0])), "{told}");

    // With a file, the folder is what the file joins; else it would be the one of the settings.
    home.write(
        "dear.toml",
        &NEXT.replace("[match]", "priority = 1\n[match]"),
    );
    home.write("blocked.txt", "");
    let file = ["--file", "dear.toml", "--json"];
    let told = home.run(&[&replay[..], &file].concat()).json();
    assert_eq!(told["trial"]["turns"], json!({ "defer to accept": 2 }));

    // Since then nothing was decided, and nobody was told anything.
    let told = home.run(&[&replay[..], &["--since", "0m", "--json"]].concat());
    assert_eq!(told.json()["trial"]["compared"], 0);
    for uid in &uids {
        let show = ["bookings", "show", "calcom", uid, "--json"];
        assert_eq!(home.run(&show).json()["outcome"], "defer");
    }
    home.write("next/chats.toml", &NEXT.replace("deny-list", "deny-lsit"));
    let error = home.run(&replay).failed(1);
    assert!(error.contains("BG0201"), "{error}");
    let error = home.run(&["policy", "replay"]).failed(2);
    assert!(error.contains("--file"), "{error}");
    assert_eq!(daemon.stop(), Some(0));
}
