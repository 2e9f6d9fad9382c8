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
        let of = async |name: &str| it.counted(&format!("{name}_total"), "calcom").await;
        let received = of("webhooks_received").await;
        assert_eq!(received["bad_signature"], 1);
        assert!(received["stored"] >= 4, "two requests, two echoes");
        let filed =
            r#"bookgate_webhooks_filed_total{source="calcom",event="requested",state="event"} 2"#;
        assert!(text.lines().any(|line| line == filed), "{text}");
        let decided = of("decisions").await;
        assert_eq!((decided["accept"], decided["reject"]), (1, 1));
        assert_eq!(of("attempts").await["ok"], 2);
        assert!(!text.contains("example.org"), "nobody's address");
    })
    .await;
}
