//! An outage at the provider is told once, and so is its end, however many daemons have found out and
//! whichever of them is started anew.

use bookgate::standin::calcom::{Fault, Matcher};
use serde_json::json;

use super::receiver::Receiver;
use super::{only, told_by};
use crate::harness::{Installation, Setup, run_test, run_test_on_server};
use crate::instances::second::{Second, settle_both};

const MINUTE_MS: i64 = 60_000;
const TOPICS: &str = "events = [\"source.failing\", \"source.recovered\"]";

fn setup(receiver: &Receiver) -> Setup {
    Setup {
        worker: "circuit_failures = 3",
        ..told_by(receiver, TOPICS)
    }
}

async fn book_some(it: &Installation, hours: std::ops::Range<i64>) {
    for hour in hours {
        it.book(hour).await;
    }
}

#[tokio::test]
async fn an_outage_is_told_once_and_its_end_too() {
    let receiver = Receiver::start().await;
    run_test(setup(&receiver), async |it: &mut Installation| {
        receiver.take();
        it.top_up("40").await;
        it.book(70).await;
        it.settle().await;
        it.cal.fail_all(Matcher::any(), Fault::Status(503));
        book_some(it, 72..78).await;
        it.settle().await;
        let failing = only(&receiver);
        let since = "2027-03-01T12:00:00Z";
        let expected = json!({"source": "calcom", "since": since, "http_status": 503});
        assert_eq!(
            (failing.kind(), failing.data()),
            ("source.failing", &expected)
        );
        for _ in 0..60 {
            it.pass_ms(MINUTE_MS).await;
        }
        // Whoever is started anew finds out anew, and knows that it was told.
        it.stop().await;
        it.begin().await;
        for _ in 0..60 {
            it.pass_ms(MINUTE_MS).await;
        }
        assert_eq!(receiver.came().len(), 0, "{:?}", receiver.came());
        it.cal.clear_faults();
        for _ in 0..7 {
            it.pass_ms(MINUTE_MS).await;
        }
        let recovered = only(&receiver);
        let expected = json!({"source": "calcom", "since": since});
        assert_eq!(
            (recovered.kind(), recovered.data()),
            ("source.recovered", &expected)
        );
    })
    .await;
}

#[tokio::test]
async fn the_end_of_an_outage_is_told_by_the_next_start_if_it_is_over_by_then() {
    let receiver = Receiver::start().await;
    run_test(setup(&receiver), async |it: &mut Installation| {
        receiver.take();
        it.top_up("40").await;
        it.cal.fail_all(Matcher::any(), Fault::Reset);
        book_some(it, 72..78).await;
        it.settle().await;
        assert_eq!(only(&receiver).kind(), "source.failing");
        it.stop().await;
        it.cal.clear_faults();
        it.begin().await;
        for _ in 0..2 {
            it.pass_ms(MINUTE_MS).await;
        }
        assert_eq!(only(&receiver).kind(), "source.recovered");
    })
    .await;
}

#[tokio::test]
async fn several_daemons_tell_of_an_outage_once() {
    let receiver = Receiver::start().await;
    let setup = Setup {
        worker: "circuit_failures = 3\nconcurrency = 4",
        ..told_by(&receiver, TOPICS)
    };
    run_test_on_server(setup, async |it: &mut Installation| {
        receiver.take();
        it.top_up("100").await;
        let second = Second::start(it).await;
        it.cal.fail_all(Matcher::any(), Fault::Status(500));
        book_some(it, 72..92).await;
        settle_both(it, &second).await;
        for _ in 0..30 {
            it.clock.advance_ms(MINUTE_MS);
            settle_both(it, &second).await;
        }
        assert_eq!(only(&receiver).kind(), "source.failing");
        it.cal.clear_faults();
        for _ in 0..15 {
            it.clock.advance_ms(MINUTE_MS);
            settle_both(it, &second).await;
        }
        assert_eq!(only(&receiver).kind(), "source.recovered");
        second.stopped().await;
    })
    .await;
}
