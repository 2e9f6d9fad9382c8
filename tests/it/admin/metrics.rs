//! What is counted.

use super::{ask, refused};
use crate::harness::{Installation, READ_TOKEN, Setup, run_test_on_file};

#[tokio::test]
async fn what_happened_to_a_booking_is_counted() {
    run_test_on_file(Setup::default(), async |it: &mut Installation| {
        it.top_up("2").await;
        it.book(72).await;
        it.settle().await;
        it.book(96).await;
        it.settle().await;
        let unsigned = it
            .raw_public(reqwest::Method::POST, "/webhooks/calcom")
            .body("{}");
        assert_eq!(unsigned.send().await.unwrap().status(), 401);

        refused(it.raw_admin(reqwest::Method::GET, "/metrics"), 401).await;
        let answered = ask(it
            .raw_admin(reqwest::Method::GET, "/metrics")
            .bearer_auth(READ_TOKEN))
        .await;
        assert_eq!(answered.status, 200);
        assert!(
            answered.kind.starts_with("application/openmetrics-text"),
            "{}",
            answered.kind
        );
        let text = answered.body.as_str().unwrap();
        let line = |start: &str| {
            let mut lines = text.lines();
            lines
                .find_map(|line| line.strip_prefix(start)?.strip_prefix(' '))
                .unwrap_or_else(|| panic!("no {start} in\n{text}"))
        };
        let of = |name: &str, label: &str| {
            let start = format!("bookgate_{name}_total{{source=\"calcom\"{label}}}");
            line(&start).parse::<u64>().unwrap()
        };
        assert_eq!(of("webhooks_received", ",result=\"bad_signature\""), 1);
        assert!(
            of("webhooks_received", ",result=\"stored\"") >= 4,
            "two requests, two echoes"
        );
        assert_eq!(
            of("webhooks_filed", ",event=\"requested\",state=\"event\""),
            2
        );
        assert_eq!(of("decisions", ",result=\"accept\""), 1);
        assert_eq!(of("decisions", ",result=\"reject\""), 1);
        assert_eq!(of("attempts", ",result=\"ok\""), 2);
        assert!(!text.contains("example.org"), "nobody's address");
    })
    .await;
}
