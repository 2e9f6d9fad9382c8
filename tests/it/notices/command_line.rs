//! `bookgate notices`, and a daemon that is killed.

use rustix::process::Signal;

use super::receiver::{Answer, Receiver};
use crate::cli::home::Home;
use crate::harness::NOTICES_SECRET;

fn home(receivers: &[(&str, &Receiver)]) -> Home {
    let mut home = Home::new();
    home.set("NOTICES", NOTICES_SECRET);
    let mut settings = std::fs::read_to_string(home.path("bookgate.toml")).unwrap();
    for (name, receiver) in receivers {
        settings.push_str(&format!("\n{}", receiver.section(name, "")));
    }
    home.write("bookgate.toml", &settings);
    home
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_is_tried_out() {
    let (one, other) = (Receiver::start().await, Receiver::start().await);
    let home = home(&[("one", &one), ("other", &other)]);
    let said = home.run(&["notices", "test"]).done();
    assert!(
        said.contains("one: HTTP 200, after ") && said.contains("\nother: HTTP 200"),
        "{said}"
    );
    let came = one.take();
    assert_eq!((came.len(), other.take().len()), (1, 1));
    assert_eq!(came[0].kind(), "bookgate.test");
    assert_eq!(came[0].data()["receiver"], "one");

    other.answer([Answer::Status(404)]);
    let told = home.run(&["notices", "test", "other", "--json"]);
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.stdout.contains("\"HTTP 404\""), "{told:?}");
    assert!(told.stderr.contains("not taken by: other"), "{told:?}");
    assert_eq!(one.came().len(), 0);
    let said = home.run(&["notices", "test", "nobody"]).failed(3);
    assert!(said.contains("there is no receiver `nobody`"), "{said}");
    let said = home_without().run(&["notices", "test"]).failed(2);
    assert!(said.contains("[notices.NAME]"), "{said}");
}

fn home_without() -> Home {
    home(&[])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_loses_none() {
    let receiver = Receiver::start().await;
    let home = home(&[("ops", &receiver)]);
    let list = ["notices", "list", "--json"];
    receiver.answer([Answer::Status(500)]);
    let daemon = home.serve();
    let url = daemon.webhooks();
    home.run(&["webhook", "send", &url]).done();
    home.wait_for(&list, |seen| seen["items"][0]["detail"] == "HTTP 500");
    let text = home.run(&list[..2]).done();
    assert!(
        text.contains("booking.decided") && text.contains("HTTP 500"),
        "{text}"
    );
    daemon.signal(Signal::KILL);
    drop(daemon);
    let _daemon = home.serve();
    receiver.wait_for(2).await;
    let came = receiver.take();
    assert_eq!(came[0].id, came[1].id);
    home.wait_for(&list, |seen| {
        seen["items"].as_array().is_some_and(Vec::is_empty)
    });
    let said = home.run(&list[..2]).done();
    assert_eq!(said, "no notices: all were taken\n");
}
