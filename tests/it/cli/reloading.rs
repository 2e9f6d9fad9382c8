//! Having a daemon read its policies again: by signal, by command; and what looks at them says.

use rustix::process::Signal;
use serde_json::json;

use super::home::{Home, free_address};

const POLICY: &str = "policies/executive-book-club.toml";
const REFUSED: &str =
    "policies refused, those before go on: `bookgate policy check` says what is wrong";

#[test]
fn policies_are_read_again_by_signal_and_by_command() {
    let mut home = Home::new();
    home.set("BOOKGATE__POLICIES__LOOK_MS", "0");
    let admin = free_address();
    home.set("BOOKGATE__SERVER__ADMIN_LISTEN", &admin);
    let daemon = home.serve();
    let right = std::fs::read_to_string(home.path(POLICY)).unwrap();

    home.write(POLICY, &right.replace("title = \"", "title = \"New: "));
    let status = || home.run(&["status", "--json"]).json()["policies"].clone();
    let before = status();
    assert_ne!(before["set_hash"], before["last_good_hash"], "{before}");
    daemon.signal(Signal::HUP);
    let line = daemon.wait_for_line("policies loaded");
    assert_eq!(line["policy.cause"], "signal", "{line}");
    let loaded = status();
    assert_eq!(loaded["last_good_hash"], line["policy.set"]);
    assert_eq!(loaded["set_hash"], loaded["last_good_hash"]);

    home.write(POLICY, &right.replace("owner = ", "owned_by = "));
    let told = home.run(&["policy", "reload"]);
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(
        told.stdout
            .contains("error[BG0103]: unknown key `owned_by`"),
        "{told:?}"
    );
    assert!(
        told.stderr.contains("those that were in force go on"),
        "{told:?}"
    );
    let line = daemon.wait_for_line(REFUSED);
    assert_eq!(line["policy.cause"], "request", "{line}");
    let wrong = line["policy.wrong"].as_str().unwrap();
    assert!(
        wrong.starts_with("BG0103 at executive-book-club.toml:"),
        "{wrong}"
    );
    assert!(
        !line.to_string().contains("example.org"),
        "nobody's address: {line}"
    );
    let told = home.run(&["policy", "reload", "--json"]);
    assert!(told.stdout.contains("\"policies-refused\""), "{told:?}");

    let broken = status();
    assert_eq!(
        (&broken["count"], &broken["last_good_hash"]),
        (&json!(null), &loaded["set_hash"])
    );
    assert!(
        home.run(&["status"])
            .done()
            .contains("REFUSED: `bookgate policy check`")
    );
    let doctor = home.run(&["doctor", "--offline"]);
    assert_eq!(doctor.code, Some(1), "{doctor:?}");
    assert!(
        doctor.stdout.contains("goes on with the policies of"),
        "{doctor:?}"
    );

    home.write(POLICY, &right);
    let told = home.run(&["policy", "reload"]).done();
    assert!(told.contains("policies in force: 1 ("), "{told}");
    assert_eq!(daemon.stop(), Some(0));
}
