//! What Calendly has is gone through and compared: webhooks that never came are made up for, and when
//! there is no news it costs no more than the pages.

use bookgate::standin::calendly::{Actor, Fault, Matcher, Operation, When};
use serde_json::Value;

use super::{calendly, decisions};
use crate::harness::{Calendly, Installation, Setup, run_test, run_test_on_file, start_of};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// Goes through everything four times an hour.
fn reconciling() -> Setup {
    calendly(Calendly {
        reconcile_ms: 15 * MINUTE_MS,
        ..Calendly::default()
    })
}

/// Has a run made now; gives its report.
async fn reconcile(it: &Installation) -> Value {
    it.run_job("reconcile").await
}

/// Nobody hears of what happens from now on.
fn lose_webhooks(it: &Installation) {
    it.hold_calendly();
}

#[tokio::test]
async fn a_booking_whose_webhook_never_came_is_decided() {
    run_test(reconciling(), async |it: &mut Installation| {
        lose_webhooks(it);
        it.top_up("2").await;
        let paid = it.calendly_book(72).await;
        assert_eq!(reconcile(it).await["repaired"], 1);
        assert!(it.comes(&paid));
        it.assert_balance("0", "0").await;
        let refused = it.calendly_book(80).await;
        // Without being asked, too.
        it.pass_ms(16 * MINUTE_MS).await;
        assert!(!it.comes(&refused));
        let seen = it.calendly_booking(&refused).await;
        assert_eq!((&seen["outcome"], decisions(&seen)), (&"reject".into(), 1));
        assert_eq!(it.calendly_effects().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn the_late_webhooks_of_what_was_found_change_nothing() {
    run_test(reconciling(), async |it: &mut Installation| {
        lose_webhooks(it);
        it.top_up("2").await;
        let paid = it.calendly_book(72).await;
        reconcile(it).await;
        it.pass_ms(HOUR_MS).await;
        it.deliver_all_of_calendly().await;
        let seen = it.calendly_booking(&paid).await;
        assert_eq!((&seen["status"], decisions(&seen)), (&"accepted".into(), 1));
        it.assert_balance("0", "0").await;
    })
    .await;
}

#[tokio::test]
async fn a_cancel_that_was_not_heard_of_is_followed_by_its_own_terms() {
    // Booked 72 hours ahead. Called off 71 or 40 hours before, found 30 hours before.
    for (by, before_hours, left) in [
        (Actor::Invitee, 71, "2"),
        (Actor::Invitee, 40, "1"),
        (Actor::Host, 40, "2"),
    ] {
        run_test(reconciling(), async |it: &mut Installation| {
            it.top_up("2").await;
            let booked = it.calendly_book(72).await;
            it.settle().await;
            it.assert_balance("0", "0").await;
            lose_webhooks(it);
            it.stop().await;
            it.clock.advance_ms((72 - before_hours) * HOUR_MS);
            let cancel = it.calendly().cancel(&booked.uuid, by, None);
            cancel.await.unwrap();
            it.clock.advance_ms((before_hours - 30) * HOUR_MS);
            it.begin().await;
            it.settle().await;
            it.pass_ms(11_000).await;
            assert_eq!(it.calendly_booking(&booked).await["status"], "cancelled");
            it.assert_balance(left, "0").await;
            it.pass_ms(HOUR_MS).await;
            it.deliver_all_of_calendly().await;
            it.assert_balance(left, "0").await;
            assert_eq!(it.calendly_effects(), []);
        })
        .await;
    }
}

#[tokio::test]
async fn a_late_cancel_costs_what_it_costs_also_if_nothing_was_heard() {
    run_test(reconciling(), async |it: &mut Installation| {
        lose_webhooks(it);
        it.top_up("2").await;
        let booked = it.calendly_book(40).await;
        let cancel = it.calendly().cancel(&booked.uuid, Actor::Invitee, None);
        cancel.await.unwrap();
        reconcile(it).await;
        it.pass_ms(11_000).await;
        let seen = it.calendly_booking(&booked).await;
        assert_eq!(
            (&seen["status"], decisions(&seen)),
            (&"cancelled".into(), 1)
        );
        it.assert_balance("1", "0").await;
        it.deliver_all_of_calendly().await;
        it.assert_balance("1", "0").await;
    })
    .await;
}

#[tokio::test]
async fn a_move_of_which_both_halves_were_lost_is_one_booking() {
    run_test(reconciling(), async |it: &mut Installation| {
        it.top_up("2").await;
        let old = it.calendly_book(72).await;
        it.settle().await;
        lose_webhooks(it);
        let calendly = it.calendly();
        let new = calendly.reschedule(&old.uuid, start_of(96), Actor::Invitee);
        let new = new.await.unwrap();
        reconcile(it).await;
        it.pass_ms(11_000).await;
        assert_eq!(it.calendly_booking(&old).await["status"], "superseded");
        assert_eq!(it.calendly_booking(&new).await["status"], "accepted");
        it.assert_balance("0", "0").await;
        assert_eq!(it.calendly_effects(), []);
        assert_eq!(reconcile(it).await["repaired"], 0);
    })
    .await;
}

#[tokio::test]
async fn one_of_a_group_is_found() {
    run_test(reconciling(), async |it: &mut Installation| {
        it.top_up("6").await;
        let mut invitees = Vec::new();
        for place in 0..3 {
            if place == 1 {
                it.settle().await;
                lose_webhooks(it);
            }
            let request = it.calendly_request("masterclass", 72);
            invitees.push(it.calendly().book(request).await.unwrap());
        }
        let cancel = it
            .calendly()
            .cancel(&invitees[2].uuid, Actor::Invitee, None);
        cancel.await.unwrap();
        reconcile(it).await;
        it.pass_ms(11_000).await;
        let mut standing = Vec::new();
        for invitee in &invitees {
            standing.push(it.calendly_booking(invitee).await["status"].clone());
        }
        assert_eq!(standing, ["accepted", "accepted", "cancelled"]);
        it.assert_balance("2", "0").await;
        assert_eq!(reconcile(it).await["opened"], Value::Null);
    })
    .await;
}

#[tokio::test]
async fn without_news_only_the_pages_are_asked_for() {
    run_test(reconciling(), async |it: &mut Installation| {
        it.top_up("20").await;
        for place in 0..5 {
            it.calendly_book(72 + place).await;
        }
        // Refused, cancelled, moved: what is over is no news either.
        let calendly = it.calendly();
        let all = calendly.invitees();
        let cancel = calendly.cancel(&all[0].uuid, Actor::Invitee, None);
        cancel.await.unwrap();
        let moved = calendly.reschedule(&all[1].uuid, start_of(200), Actor::Invitee);
        moved.await.unwrap();
        it.pass_ms(11_000).await;
        let before = it.calendly().calls().len();
        let report = reconcile(it).await;
        assert_eq!(
            (&report["checked"], &report["repaired"]),
            (&6.into(), &0.into())
        );
        let asked: Vec<_> = it.calendly().calls()[before..]
            .iter()
            .map(|call| call.operation)
            .collect();
        assert_eq!(asked, [Operation::ListEvents]);
    })
    .await;
}

#[tokio::test]
async fn all_pages_are_gone_through() {
    let mut setup = reconciling();
    let source = &mut setup.calendly.as_mut().unwrap().source;
    *source = "created = \"observe\"";
    run_test_on_file(setup, async |it: &mut Installation| {
        lose_webhooks(it);
        for place in 0..101 {
            it.calendly_book(72 + place).await;
        }
        let before = it.calendly().calls().len();
        let report = reconcile(it).await;
        assert_eq!(
            (&report["checked"], &report["repaired"]),
            (&101.into(), &101.into())
        );
        let calls = it.calendly().calls().split_off(before);
        let pages = calls
            .iter()
            .filter(|call| call.operation == Operation::ListEvents);
        assert_eq!(pages.count(), 2);
        assert_eq!(reconcile(it).await["repaired"], 0);
    })
    .await;
}

/// Lets time pass until the run is over.
async fn finished(it: &Installation, checked: i64) -> Value {
    loop {
        let report = it.job("reconcile").await["report"].clone();
        if report["checked"].as_i64() >= Some(checked) {
            return report;
        }
        it.clock.advance_ms(200);
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_limit_is_respected_and_what_was_found_before_it_stays_found() {
    run_test_on_file(reconciling(), async |it: &mut Installation| {
        lose_webhooks(it);
        it.top_up("20").await;
        for place in 0..4 {
            it.calendly_book(72 + place).await;
        }
        // Of the four that are news, the second cannot be listed at first.
        let calendly = it.calendly();
        let second = Matcher::operation(Operation::ListInvitees).of(&calendly.invitees()[1].event);
        let limited = Fault::RateLimited {
            retry_after_s: Some(2),
        };
        calendly.fail_next(second, When::BeforeWork, limited);
        let before = calendly.calls().len();
        it.order_run("reconcile").await;
        let report = finished(it, 4).await;
        it.settle().await;
        assert_eq!(report["failed"], Value::Null, "{report}");
        it.assert_balance("12", "0").await;
        let first = &it.calendly().invitees()[0].event;
        let calls = it.calendly().calls().split_off(before);
        let listed = calls.iter().filter(|call| {
            call.operation == Operation::ListInvitees && call.uid.as_ref() == Some(first)
        });
        assert_eq!(listed.count(), 1, "the first is not asked for again");
    })
    .await;
}

#[tokio::test]
async fn a_source_that_fails_is_told_of_and_tried_again() {
    run_test_on_file(reconciling(), async |it: &mut Installation| {
        lose_webhooks(it);
        it.top_up("2").await;
        let paid = it.calendly_book(72).await;
        let all = Matcher::operation(Operation::ListEvents);
        it.calendly()
            .fail_next(all, When::BeforeWork, Fault::Status(401));
        let report = reconcile(it).await;
        assert_eq!(report["failed"], 1);
        let told = report["sources"]["calendly"]["failed"].as_str().unwrap();
        assert!(told.contains("401"), "{told}");
        it.pass_ms(16 * MINUTE_MS).await;
        assert_eq!(it.calendly_booking(&paid).await["outcome"], "accept");
    })
    .await;
}
