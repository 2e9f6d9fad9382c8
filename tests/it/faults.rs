//! The provider fails in every way that it can, before and after it did what was asked. Whatever
//! happens: the booking ends where it should, no call takes effect twice, the ledger adds up.

use std::time::Duration;

use bookgate::domain::ids::Uid;
use bookgate::standin::calcom::{Fault, Matcher, Operation, When};
use reqwest::Method;
use serde_json::Value;

use crate::harness::{CALL_TIMEOUT_MS, Installation, Setup, run_test};

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60_000;
/// After a call without an answer: three times the call's timeout, and the grace.
const QUIET_MS: i64 = 3 * CALL_TIMEOUT_MS as i64 + 5 * SECOND_MS;
/// The default schedule, in minutes.
const SCHEDULE_MIN: [i64; 5] = [1, 5, 15, 30, 60];
/// How long a call may take that a story lets hang. The calls around it have real time to be answered in, too,
/// on a machine that stands still for a moment.
const HANGING_MS: u32 = 2_000;
/// Between two looks at something that another task is about to do.
const POLL: Duration = Duration::from_millis(5);

/// What an attempt may meet.
struct Case {
    when: When,
    fault: Fault,
    /// How the attempts end, in order.
    attempts: &'static [&'static str],
}

const fn case(when: When, fault: Fault, attempts: &'static [&'static str]) -> Case {
    Case {
        when,
        fault,
        attempts,
    }
}

/// No answer, and nothing was done: seen by reading, and done by the schedule's time.
const NOT_DONE: &[&str] = &["unknown", "limited", "ok"];
/// No answer, and it was done: seen by reading.
const DONE: &[&str] = &["unknown", "settled"];
const PATIENT: &[&str] = &["limited", "ok"];

/// Faults that strike a call that changes something.
const CASES: &[Case] = &[
    case(When::BeforeWork, Fault::Reset, NOT_DONE),
    case(When::AfterWork, Fault::Reset, DONE),
    case(When::BeforeWork, Fault::Status(500), NOT_DONE),
    case(When::AfterWork, Fault::Status(500), DONE),
    case(When::BeforeWork, Fault::Status(503), NOT_DONE),
    case(When::BeforeWork, Fault::Html(502), NOT_DONE),
    case(When::AfterWork, Fault::Html(502), DONE),
    case(When::BeforeWork, Fault::Html(200), NOT_DONE),
    case(When::AfterWork, Fault::Html(200), DONE),
    case(When::BeforeWork, Fault::Status(408), &["transient", "ok"]),
    case(When::BeforeWork, Fault::Status(404), &["transient", "ok"]),
    case(When::BeforeWork, Fault::Status(401), &["rejected", "ok"]),
    case(When::BeforeWork, LIMITED_FOR_30_S, PATIENT),
    case(When::BeforeWork, LIMITED, PATIENT),
];

const LIMITED: Fault = Fault::RateLimited {
    retry_after_s: None,
};
const LIMITED_FOR_30_S: Fault = Fault::RateLimited {
    retry_after_s: Some(30),
};

fn setup(dialect: &'static str) -> Setup {
    Setup {
        dialect,
        ..Setup::default()
    }
}

fn confirming(dialect: &str) -> Matcher {
    Matcher::operation(match dialect {
        "v1" => Operation::Patch,
        _ => Operation::Confirm,
    })
}

fn refusing(dialect: &str) -> Matcher {
    Matcher::operation(match dialect {
        "v1" => Operation::Cancel,
        _ => Operation::Decline,
    })
}

/// The booking's only command.
async fn command(it: &Installation, uid: &Uid) -> Value {
    let booking = it.booking(uid).await;
    let calls = booking["calls"].as_array().unwrap();
    assert_eq!(calls.len(), 1, "{calls:?}");
    calls[0].clone()
}

/// How its attempts ended.
async fn attempts(it: &Installation, uid: &Uid) -> Vec<String> {
    let command = command(it, uid).await;
    let attempts = command["attempts"].as_array().unwrap();
    let result = |attempt: &Value| attempt["result"].as_str().unwrap_or("open").to_owned();
    attempts.iter().map(result).collect()
}

/// Lets time pass until the booking's only command is no longer open.
async fn finish(it: &Installation, uid: &Uid) -> Value {
    for _ in 0..10 {
        it.settle().await;
        let command = command(it, uid).await;
        if command["state"] != "open" {
            return command["state"].clone();
        }
        it.pass_ms(QUIET_MS).await;
    }
    panic!("still open: {}", it.booking(uid).await);
}

/// Every fault strikes once, each another booking. No webhook of our own calls is heard before the
/// end, so that only reading can tell what became of them.
async fn unheard(dialect: &'static str, credit: &'static str, calls: Matcher, end: &'static str) {
    run_test(setup(dialect), async |it: &mut Installation| {
        it.top_up(credit).await;
        it.hold_webhooks();
        for (hour, case) in (72..).zip(CASES) {
            let said = format!("{dialect} {:?} {:?}", case.when, case.fault);
            it.cal.fail_next(calls.clone(), case.when, case.fault);
            let uid = it.book(hour).await.uid;
            for webhook in it.cal.take_outbox() {
                it.deliver(&webhook).await;
            }
            assert_eq!(finish(it, &uid).await, "done", "{said}");
            assert_eq!(attempts(it, &uid).await, case.attempts, "{said}");
            assert_eq!(it.status_at_cal(&uid), end, "{said}");
            assert_eq!(it.cal.effective_calls(&uid).len(), 1, "{said}");
        }
        let before = it.balance().await;
        it.deliver_all().await;
        it.pass_ms(MINUTE_MS).await;
        assert_eq!(it.balance().await, before, "the echoes change nothing");
        assert_eq!(before.1, "0", "nothing is held any more");
        let accepted = it.cal.live().len() * 2;
        let credit: usize = credit.parse().unwrap();
        assert_eq!(before.0, (credit - accepted).to_string());
    })
    .await;
}

#[tokio::test]
async fn a_confirm_that_goes_wrong_is_done_once() {
    unheard("v2", "100", confirming("v2"), "accepted").await;
}

#[tokio::test]
async fn a_confirm_that_goes_wrong_is_done_once_in_v1() {
    unheard("v1", "100", confirming("v1"), "accepted").await;
}

#[tokio::test]
async fn a_refusal_that_goes_wrong_is_done_once() {
    unheard("v2", "1", refusing("v2"), "rejected").await;
}

#[tokio::test]
async fn a_refusal_that_goes_wrong_is_done_once_in_v1() {
    unheard("v1", "1", refusing("v1"), "cancelled").await;
}

#[tokio::test]
async fn the_webhook_of_a_call_without_an_answer_settles_it() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("5").await;
        it.cal
            .fail_next(confirming("v2"), When::AfterWork, Fault::Reset);
        let uid = it.book(72).await.uid;
        it.settle().await;
        assert_eq!(it.status_at_cal(&uid), "accepted");
        it.assert_balance("3", "0").await;
        it.pass_ms(MINUTE_MS).await;
        assert_eq!(it.cal.effective_calls(&uid).len(), 1);
        assert_ne!(command(it, &uid).await["state"], "open");
    })
    .await;
}

/// A call that hangs until we give up on it, and is carried out after that.
async fn late_success(dialect: &'static str, release_after_reading: bool) {
    let setup = Setup {
        call_timeout_ms: HANGING_MS,
        ..setup(dialect)
    };
    run_test(setup, async |it: &mut Installation| {
        it.top_up("5").await;
        it.hold_webhooks();
        let hanging = it.cal.pause_next(confirming(dialect));
        let uid = it.book(72).await.uid;
        it.deliver(&it.cal.take_outbox()[0]).await;
        hanging.reached().await;
        it.settle().await;
        assert_eq!(attempts(it, &uid).await, ["unknown"]);
        it.assert_balance("5", "2").await;
        if release_after_reading {
            // We read it back as pending, and will call again: then the first call wakes up, too.
            it.pass_ms(QUIET_MS).await;
            assert_eq!(attempts(it, &uid).await, ["unknown", "limited"]);
        }
        hanging.release();
        accepted(it, &uid).await;
        it.pass_ms(MINUTE_MS).await;
        assert_eq!(finish(it, &uid).await, "done");
        it.deliver_all().await;
        it.assert_balance("3", "0").await;
        assert_eq!(it.cal.effective_calls(&uid).len(), 1);
    })
    .await;
}

/// Waits until the stand-in has carried out a call that nobody waits for any more.
async fn accepted(it: &Installation, uid: &Uid) {
    for _ in 0..1_000 {
        if it.status_at_cal(uid) == "accepted" {
            return;
        }
        tokio::time::sleep(POLL).await;
    }
    panic!("the call was never carried out");
}

#[tokio::test]
async fn a_call_that_succeeds_after_our_timeout_is_seen() {
    late_success("v2", false).await;
}

#[tokio::test]
async fn a_call_that_succeeds_after_our_timeout_is_seen_in_v1() {
    late_success("v1", false).await;
}

#[tokio::test]
async fn a_call_that_succeeds_after_it_was_read_back_is_seen() {
    late_success("v2", true).await;
    late_success("v1", true).await;
}

/// Six failures in a row, at the times of the schedule; then a dead letter, which a person retries.
async fn to_the_end(calls: Matcher, fault: Fault, each: &[&str], last: &[&str]) {
    let setup = Setup {
        worker: "circuit_failures = 0",
        ..Setup::default()
    };
    run_test(setup, async |it: &mut Installation| {
        it.top_up("5").await;
        for _ in 0..=SCHEDULE_MIN.len() {
            it.cal.fail_next(calls.clone(), When::BeforeWork, fault);
        }
        let uid = it.book(72).await.uid;
        it.settle().await;
        let mut expected: Vec<&str> = Vec::new();
        for minutes in SCHEDULE_MIN {
            expected.extend(each);
            it.pass_ms(QUIET_MS).await;
            it.pass_ms(minutes * MINUTE_MS - QUIET_MS - 1).await;
            assert_eq!(
                attempts(it, &uid).await,
                expected,
                "{minutes} min: too early"
            );
            it.pass_ms(1).await;
        }
        expected.extend(last);
        it.pass_ms(QUIET_MS).await;
        assert_eq!(attempts(it, &uid).await, expected);
        let (_, listed) = it.get("/v1/dead-letters").await;
        let letter = &listed["items"][0];
        assert_eq!(letter["booking"], uid.as_str(), "{listed}");
        assert_eq!(
            (&letter["action"], &letter["tries"]),
            (&"confirm".into(), &6.into())
        );
        assert!(letter["note"].is_string(), "it says why: {letter}");
        it.pass_ms(24 * 60 * MINUTE_MS).await;
        assert_eq!(
            attempts(it, &uid).await,
            expected,
            "nobody tries again by itself"
        );
        assert_eq!(it.status_at_cal(&uid), "pending");
        it.assert_balance("5", "2").await;

        let path = format!("/v1/dead-letters/{}/retry", letter["id"]);
        assert_eq!(it.admin(Method::POST, &path, None).await.0, 202);
        it.settle().await;
        assert_eq!(command(it, &uid).await["state"], "done");
        assert_eq!(it.status_at_cal(&uid), "accepted");
        assert_eq!(it.cal.effective_calls(&uid).len(), 1);
        it.assert_balance("3", "0").await;
        assert_eq!(it.admin(Method::POST, &path, None).await.0, 404);
    })
    .await;
}

#[tokio::test]
async fn a_key_that_stays_wrong_ends_in_a_dead_letter() {
    to_the_end(
        confirming("v2"),
        Fault::Status(401),
        &["rejected"],
        &["rejected"],
    )
    .await;
}

#[tokio::test]
async fn a_provider_that_cannot_be_read_ends_in_a_dead_letter() {
    let reading = Matcher::operation(Operation::Read);
    to_the_end(reading, Fault::Status(500), &["transient"], &["transient"]).await;
}

#[tokio::test]
async fn a_provider_that_never_answers_ends_in_a_dead_letter() {
    let (each, last) = (["unknown", "limited"], ["unknown", "transient"]);
    to_the_end(confirming("v2"), Fault::Status(500), &each, &last).await;
}

#[tokio::test]
async fn a_refusal_for_good_is_a_dead_letter_at_once() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("5").await;
        it.cal
            .fail_next(confirming("v2"), When::BeforeWork, Fault::Status(422));
        let uid = it.book(72).await.uid;
        it.settle().await;
        assert_eq!(attempts(it, &uid).await, ["rejected"]);
        let (_, listed) = it.get("/v1/dead-letters").await;
        let path = format!("/v1/dead-letters/{}/retry", listed["items"][0]["id"]);
        assert_eq!(it.admin(Method::POST, &path, None).await.0, 202);
        it.settle().await;
        assert_eq!(it.status_at_cal(&uid), "accepted");
        it.assert_balance("3", "0").await;
    })
    .await;
}

/// The host is quicker: our confirm is refused, and the booking cannot be read just then.
#[tokio::test]
async fn a_refused_call_that_cannot_be_read_back_is_looked_at_again() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("5").await;
        it.hold_webhooks();
        let ours = it.cal.pause_next(confirming("v2"));
        let uid = it.book(72).await.uid;
        it.deliver(&it.cal.take_outbox()[0]).await;
        ours.reached().await;
        it.cal.confirm_by_host(&uid).await.unwrap();
        let reading = Matcher::operation(Operation::Read);
        it.cal
            .fail_next(reading, When::BeforeWork, Fault::Status(500));
        ours.release();
        assert_eq!(finish(it, &uid).await, "done");
        it.assert_balance("3", "0").await;
        assert!(it.cal.effective_calls(&uid).is_empty());
        it.deliver_all().await;
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_is_gone_is_asked_again_later() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("5").await;
        it.cal.shutdown();
        let uid = it.book(72).await.uid;
        it.settle().await;
        it.pass_ms(MINUTE_MS).await;
        assert_eq!(attempts(it, &uid).await, ["transient", "transient"]);
        assert_eq!(command(it, &uid).await["state"], "open");
        it.assert_balance("5", "2").await;
    })
    .await;
}

/// Far more to do than the rate allows: it takes its time, costs no attempt, and all of it is done.
#[tokio::test]
async fn a_tight_rate_limit_delays_and_loses_nothing() {
    let setup = Setup {
        requests_per_minute: 6,
        ..Setup::default()
    };
    run_test(setup, async |it: &mut Installation| {
        it.top_up("100").await;
        let mut uids = Vec::new();
        for hour in 0..12 {
            uids.push(it.book(72 + hour).await.uid);
        }
        it.settle().await;
        let mut minutes = 0;
        while it.cal.live().len() < uids.len() {
            assert!(minutes < 12, "{} of {}", it.cal.live().len(), uids.len());
            for _ in 0..6 {
                it.pass_ms(10 * SECOND_MS).await;
            }
            minutes += 1;
            let calls_max = 5 + 6 * minutes;
            assert!(
                it.cal.calls().len() <= calls_max,
                "{} calls",
                it.cal.calls().len()
            );
        }
        for uid in &uids {
            let attempts = attempts(it, uid).await;
            let (last, before) = attempts.split_last().unwrap();
            assert_eq!(last, "ok");
            assert!(
                before.iter().all(|result| result == "limited"),
                "{before:?}"
            );
            assert_eq!(it.cal.effective_calls(uid).len(), 1);
        }
        it.assert_balance("76", "0").await;
    })
    .await;
}

#[tokio::test]
async fn forty_bookings_at_once_on_credit_for_ten_are_ten() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("20").await;
        let it: &Installation = it;
        let booked = futures_util::future::join_all((0..40).map(|hour| it.book(72 + hour))).await;
        it.settle().await;
        let count = |status| {
            let uids = booked.iter().map(|booking| &booking.uid);
            uids.filter(|uid| it.status_at_cal(uid) == status).count()
        };
        assert_eq!((count("accepted"), count("rejected")), (10, 30));
        it.assert_balance("0", "0").await;
        for booking in &booked {
            assert_eq!(it.cal.effective_calls(&booking.uid).len(), 1);
        }
    })
    .await;
}
