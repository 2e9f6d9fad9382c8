//! A person decides on the command line what was left to one.

use bookgate::standin::calcom::Subscription;

use super::home::{Home, free_address};
use super::{defer_a_chat, stand_in};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_to_a_person_is_listed_and_decided() {
    let mut home = Home::new();
    let cal = stand_in(&mut home).await;
    let admin = free_address();
    home.set("BOOKGATE__SERVER__ADMIN_LISTEN", &admin);
    let daemon = home.serve();
    let subscription = Subscription::to_everything("http://127.0.0.1:1/held", "unused");
    cal.subscribe(subscription).unwrap();
    let mut uids = Vec::new();
    for hours in [72, 96] {
        uids.push(defer_a_chat(&home, &cal, &daemon, hours, "ada@reader.example").await);
    }
    let listed = home.run(&["bookings", "list", "--outcome", "defer"]).done();
    assert!(uids.iter().all(|uid| listed.contains(uid)), "{listed}");

    let decide = |uid: &str, rest: &[&str]| {
        let line = ["bookings", "decide", "calcom", uid];
        home.run(&[&line, rest].concat())
    };
    let told = decide(&uids[0], &["--accept"]).done();
    assert!(told.contains("is accepted by person:token:"), "{told}");
    let refuse = ["--refuse", "We are closed that week."];
    let error = decide(&uids[0], &refuse).failed(1);
    assert!(
        error.contains("it was accepted by person:token:"),
        "{error}"
    );
    // In one word, as lists print it, and in another word.
    let named = format!("calcom/{}", uids[1]);
    let reject = ["--reject", "We are closed that week.", "--json"];
    let line = ["bookings", "decide", &named];
    let told = home.run(&[&line[..], &reject].concat()).json();
    assert_eq!(told["outcome"], "reject");
    let told = home
        .run(&["bookings", "explain", "calcom", &uids[0]])
        .done();
    assert!(told.starts_with("decision "), "{told}");
    for part in [
        "Policy executive-book-club (Executive Book Club sessions)",
        "does not apply: it is for the event type",
        "DEFER: a person decides",
        "Made again from what was kept: the same, bit for bit",
        "by            person:token:",
    ] {
        assert!(told.contains(part), "{part} is missing:\n{told}");
    }
    // What a policy would have made of them, also beside the daemon.
    home.write(
        "chats.toml",
        "schema = 1\n[policy]\nid = \"chats\"\nmode = \"shadow\"\n[match]\nevent_types = [\"chat\"]\n\
         [[criterion]]\nid = \"notice\"\nkind = \"notice\"\nmin = \"80h\"\n",
    );
    let replay = ["policy", "replay", "--file", "chats.toml", "--since", "1h"];
    let told = home.run(&replay).done();
    for part in [
        "Policy chats, since ",
        "compared      2",
        "otherwise     2 (1 defer to accept, 1 defer to reject)",
        "left out      2 (decided by a person, by the host, or with a move)",
        "because       notice: ",
    ] {
        assert!(told.contains(part), "{part} is missing:\n{told}");
    }
    let told = home.run(&[&replay[..], &["--format", "json", "--limit", "1"]].concat());
    let told = told.json();
    assert_eq!(told["trial"]["changed"], 2, "{told}");
    assert_eq!(told["trial"]["changes"].as_array().unwrap().len(), 1);
    let told = home.run(&["policy", "diff"]).done();
    assert!(told.starts_with("no policy in shadow was asked"), "{told}");
    home.run(&["policy", "diff", "--since", "soon"]).failed(2);
    home.run(&["policy", "replay"]).failed(2);

    let show = ["bookings", "show", "calcom", &uids[1], "--json"];
    home.wait_for(&show, |seen| seen["calls"][0]["state"] == "done");
    let text = home.run(&show[..4]).done();
    for part in ["person:token:", "We are closed that week.", "cancel"] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    assert_eq!(cal.live().len(), 1);

    decide("nothing", &["--accept"]).failed(3);
    let elsewhere = ["bookings", "decide", "calcum", &uids[0], "--accept"];
    let error = home.run(&elsewhere).failed(3);
    assert!(error.contains("no source `calcum`, but calcom"), "{error}");
    let error = home.run(&["jobs", "run", "nonsense"]).failed(3);
    assert!(error.contains("there are ledger, reconcile, "), "{error}");
    decide(&uids[0], &[]).failed(2);
    decide(&uids[0], &["--accept", "--refuse", "no"]).failed(2);
    decide(&uids[0], &["--refuse", "no", "--waive-credits"]).failed(2);
    assert_eq!(daemon.stop(), Some(0));
    let error = decide(&uids[0], &["--accept"]).failed(1);
    assert!(error.contains("no daemon answers"), "{error}");
}
