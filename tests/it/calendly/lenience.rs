//! Webhooks as they were in 2020 and 2023, and addresses under other hosts: all of it is understood, and
//! what they leave out is read.

use bookgate::standin::calendly::{Actor, Options, Shape};

use super::{calendly, decisions};
use crate::harness::{Calendly, Installation, Setup, run_test, start_of};

fn looking(shape: Shape, uri_base: &str) -> Setup {
    calendly(Calendly {
        stand_in: Options {
            shape,
            uri_base: uri_base.to_owned(),
            ..Options::default()
        },
        ..Calendly::default()
    })
}

/// Paid, moved, called off late: half comes back. Then one that is refused.
async fn all_of_it(it: &Installation) {
    it.top_up("2").await;
    let old = it.calendly_book(72).await;
    it.settle().await;
    it.assert_balance("0", "0").await;
    let calendly = it.calendly();
    let moved = calendly.reschedule(&old.uuid, start_of(96), Actor::Invitee);
    let new = moved.await.unwrap();
    it.pass_ms(11_000).await;
    assert_eq!(it.calendly_booking(&old).await["status"], "superseded");
    assert_eq!(it.calendly_booking(&new).await["status"], "accepted");
    it.assert_balance("0", "0").await;
    it.pass_ms(60 * 3_600_000).await;
    let cancel = calendly.cancel(&new.uuid, Actor::Invitee, None);
    cancel.await.unwrap();
    it.settle().await;
    assert_eq!(it.calendly_booking(&new).await["status"], "cancelled");
    it.assert_balance("1", "0").await;
    let refused = it.calendly_book(200).await;
    it.settle().await;
    assert!(!it.comes(&refused));
    let seen = it.calendly_booking(&refused).await;
    assert_eq!((&seen["outcome"], decisions(&seen)), (&"reject".into(), 1));
    let unparsed = it.get("/v1/deliveries?state=unparsed").await.1;
    assert_eq!(unparsed["items"], serde_json::json!([]));
}

#[tokio::test]
async fn webhooks_of_every_age_are_decided() {
    for shape in [Shape::Today, Shape::Of2023, Shape::Of2020] {
        let setup = looking(shape, "https://api.calendly.com");
        run_test(setup, async |it: &mut Installation| all_of_it(it).await).await;
    }
}

#[tokio::test]
async fn addresses_under_any_host_are_decided() {
    for base in ["https://calendly.com/api/v2", "http://calendly.test:81"] {
        let setup = looking(Shape::Today, base);
        run_test(setup, async |it: &mut Installation| all_of_it(it).await).await;
    }
}

#[tokio::test]
async fn what_says_no_times_is_read_before_it_is_decided() {
    let setup = looking(Shape::Of2020, "https://api.calendly.com");
    run_test(setup, async |it: &mut Installation| {
        it.top_up("2").await;
        let booked = it.calendly_book(72).await;
        it.settle().await;
        let seen = it.calendly_booking(&booked).await;
        assert_eq!(seen["start"], start_of(72).to_string(), "{seen}");
        let read = it.calendly().calls();
        let path = format!("/scheduled_events/{}", booked.event);
        assert!(read.iter().any(|call| call.path == path), "{read:?}");
    })
    .await;
}
