//! `policy explain`: what the policies say of a webhook.

use super::home::{Home, free_address};

#[test]
fn policies_explain_a_webhook_step_by_step() {
    let home = Home::new();
    let start = "2030-02-01T18:00:00Z";
    let sample = |home: &Home, file: &str, more: &[&str]| {
        let line = [
            "webhook",
            "sign",
            "--email",
            "ada@reader.example",
            "--start",
            start,
        ];
        home.run(&[&line[..], &["--output", file], more].concat())
            .done();
    };
    sample(&home, "body.json", &[]);
    let explain = [
        "policy",
        "explain",
        "body.json",
        "--at",
        "2030-01-20T09:00:00Z",
    ];
    let with = |more: &[&str]| home.run(&[&explain[..], more].concat());
    let told = with(&["--balance", "CREDIT=2.5"]).done();
    for part in [
        "Policy executive-book-club (Executive Book Club sessions)",
        "applies, and decides",
        "passed        enough-notice (notice)",
        "asks          max = \"60d\", min = \"24h\"",
        "found         max 60 days, min 24 hours, notice 12 days",
        "ACCEPT: the booking may stand",
        "cost          2 CREDIT",
        "2.5 CREDIT free",
    ] {
        assert!(told.contains(part), "{part} is missing:\n{told}");
    }
    let told = with(&["--balance", "CREDIT=1"]).done();
    assert!(
        told.contains("NOT PASSED    has-credit (credit) <- the outcome"),
        "{told}"
    );
    assert!(told.contains("REJECT: the booking is refused"), "{told}");
    assert!(
        told.contains("\"This session costs 2 credits and you have 1."),
        "{told}"
    );
    let told = with(&["--no-account", "--json"]).json();
    assert_eq!(told["outcome"], "reject");
    assert_eq!(told["failed"][0], "member-in-good-standing");
    // Nothing is known of accounts without a database: a person would decide.
    let told = with(&[]).done();
    assert!(
        told.contains("DEFER") && told.contains("there is no database"),
        "{told}"
    );
    home.run(&["migrate"]).done();
    home.run(&["credits", "top-up", "ada@reader.example", "5"])
        .done();
    let told = with(&["--json"]).json();
    assert_eq!(told["outcome"], "accept", "{told}");
    assert_eq!(told["webhook"]["account_from"], "the database");

    // Calendly's shape, from stdin.
    let mut command = home.command(&["policy", "explain", "-", "--no-account"]);
    let body = serde_json::json!({
        "event": "invitee.created",
        "created_at": "2030-01-20T09:00:00.000000Z",
        "payload": {
            "uri": "https://api.calendly.com/scheduled_events/AAAA1111/invitees/BBBB2222",
            "email": "ada@reader.example",
            "name": "Ada",
            "status": "active",
            "created_at": "2030-01-20T09:00:00.000000Z",
            "scheduled_event": {
                "uri": "https://api.calendly.com/scheduled_events/AAAA1111",
                "name": "Book club",
                "status": "active",
                "start_time": start,
                "end_time": "2030-02-01T19:00:00Z",
                "event_type": "https://api.calendly.com/event_types/CCCC3333",
            },
        },
    });
    home.write("calendly.json", &body.to_string());
    let stdin = std::fs::File::open(home.path("calendly.json")).unwrap();
    let output = command.stdin(stdin).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        told.contains("created (calendly)"),
        "{told} {:?}",
        output.stderr
    );
    assert!(
        told.contains("does not apply: it is for the event type exec-book-club, 7"),
        "{told}"
    );
    assert!(told.contains("no policy matches this booking"), "{told}");

    home.write("other.json", "{\"hello\": 1}");
    let error = home.run(&["policy", "explain", "other.json"]).failed(2);
    assert!(
        error.contains("calcom:") && error.contains("calendly:"),
        "{error}"
    );
    let error = with(&["--balance", "HOURS=1"]).failed(2);
    assert!(error.contains("known: CREDIT"), "{error}");
    home.run(&["policy", "explain"]).failed(2);
}

#[test]
fn a_stored_webhook_is_explained_by_its_id() {
    let mut home = Home::new();
    let admin = free_address();
    home.set("BOOKGATE__SERVER__ADMIN_LISTEN", &admin);
    let daemon = home.serve();
    home.run(&["webhook", "send", &daemon.webhooks()]).done();
    let listed = home.wait_for(&["deliveries", "list", "--json"], |seen| {
        seen["items"][0]["state"] == "event"
    });
    let id = listed["items"][0]["id"].to_string();
    let told = home.run(&["policy", "explain", "--delivery", &id]).done();
    assert!(told.contains("member-in-good-standing"), "{told}");
    home.run(&["policy", "explain", "--delivery", "999"])
        .failed(3);
    assert_eq!(daemon.stop(), Some(0));
}
