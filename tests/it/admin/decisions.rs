//! A person decides what was left open to one.

use bookgate::domain::clock::plus_ms;
use bookgate::domain::ids::Uid;
use bookgate::standin::calcom::{Matcher, Operation};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{ask, get, post, refused};
use crate::harness::{CREDIT_POLICY, Installation, READ_TOKEN, Setup, noon, run_test};

/// Cal.com's older API does not tell which series a booking belongs to, so each is left to a person. It has
/// its price: 2 credits.
fn priced() -> Setup {
    Setup {
        dialect: "v1",
        ..Setup::default()
    }
}

/// No policy speaks for consultations, so they are left to a person, and cost nothing.
fn unmatched() -> Setup {
    let policy = format!("{CREDIT_POLICY}\n[match]\nevent_types = [\"chat\"]\n");
    Setup {
        policies: vec![("chats.toml", policy)],
        ..Setup::default()
    }
}

/// An occurrence of a weekly consultation that waits for a person.
async fn occurrence(it: &Installation, hours_ahead: i64) -> Uid {
    let request = it.request("consultation", hours_ahead);
    let series = it.cal.book_recurring(request, 1).await.unwrap();
    let uid = series[0].uid.clone();
    it.deliver_all().await;
    it.settle().await;
    it.pass_ms(6_000).await;
    assert_eq!(it.booking(&uid).await["outcome"], "defer");
    uid
}

/// A consultation that waits for a person.
async fn consultation(it: &Installation, hours_ahead: i64) -> Uid {
    let uid = it.book(hours_ahead).await.uid;
    it.settle().await;
    assert_eq!(it.booking(&uid).await["outcome"], "defer");
    uid
}

fn decide(it: &Installation, uid: &Uid, body: &Value) -> RequestBuilder {
    post(it, &format!("/v1/bookings/calcom/{uid}/decision")).json(body)
}

fn accept() -> Value {
    json!({"accept": true})
}

fn refuse() -> Value {
    json!({"accept": false, "reason": "We are closed that week."})
}

async fn decided(it: &Installation, uid: &Uid, body: &Value) -> Value {
    let answered = ask(decide(it, uid, body)).await;
    assert_eq!(answered.status, 200, "{}", answered.body);
    it.settle().await;
    answered.body
}

fn last_decision(booking: &Value) -> &Value {
    booking["decisions"].as_array().unwrap().last().unwrap()
}

#[tokio::test]
async fn what_a_person_accepts_is_confirmed_and_paid_once() {
    run_test(priced(), async |it: &mut Installation| {
        it.top_up("5").await;
        let uid = occurrence(it, 72).await;
        let listed = ask(get(it, "/v1/bookings?outcome=defer")).await.body;
        assert_eq!(listed["items"][0]["uid"], uid.as_str());
        it.assert_balance("5", "0").await;

        let answer = decided(it, &uid, &accept()).await;
        assert_eq!(
            answer["outcome"], "accept",
            "at once, not only once it is done"
        );
        let decision = last_decision(&answer);
        assert_eq!(decision["decided_by"], "person:token:ops");
        assert_eq!(
            (&decision["round"], &decision["cost"]),
            (&2.into(), &"2".into())
        );
        assert_eq!(it.status_at_cal(&uid), "accepted");
        it.assert_balance("3", "0").await;
        let waiting = ask(get(it, "/v1/bookings?outcome=defer")).await.body;
        assert_eq!(waiting["items"], json!([]));

        decided(it, &uid, &accept()).await;
        let said = refused(decide(it, &uid, &refuse()), 409).await;
        assert!(said.contains("accepted by person:token:ops"), "{said}");
        assert_eq!(it.cal.effective_calls(&uid).len(), 1);
        it.assert_balance("3", "0").await;

        it.cal.cancel_by_booker(&uid, None).await.unwrap();
        it.settle().await;
        it.assert_balance("5", "0").await;
    })
    .await;
}

#[tokio::test]
async fn what_a_person_refuses_is_declined_with_the_reason() {
    run_test(unmatched(), async |it: &mut Installation| {
        it.top_up("5").await;
        let uid = consultation(it, 72).await;
        let body = json!({"accept": false, "reason": "We are\u{202e}\n closed\u{0} that week. "});
        let answer = decided(it, &uid, &body).await;
        let message = "We are closed that week.";
        assert_eq!(last_decision(&answer)["message"], message);
        assert_eq!(it.status_at_cal(&uid), "rejected");
        let row = it.cal.booking(&uid).unwrap();
        assert_eq!(row.rejection_reason.as_deref(), Some(message));
        it.assert_balance("5", "0").await;
        decided(it, &uid, &refuse()).await;
        let other = json!({"accept": false, "reason": "No."});
        for body in [accept(), other] {
            let said = refused(decide(it, &uid, &body), 409).await;
            assert!(said.contains("refused by person:token:ops"), "{said}");
        }
        assert_eq!(it.cal.effective_calls(&uid).len(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_the_booker_cannot_pay_is_accepted_only_for_nothing() {
    run_test(priced(), async |it: &mut Installation| {
        it.top_up("1.5").await;
        let uid = occurrence(it, 72).await;
        let said = refused(decide(it, &uid, &accept()), 409).await;
        for part in ["costs 2 CREDIT", "has 1.5", "waive_credits"] {
            assert!(said.contains(part), "{said}");
        }
        it.settle().await;
        assert_eq!(it.booking(&uid).await["outcome"], "defer");
        assert_eq!(it.status_at_cal(&uid), "pending");

        let answer = decided(it, &uid, &json!({"accept": true, "waive_credits": true})).await;
        let note = last_decision(&answer)["note"].as_str().unwrap().to_owned();
        assert!(note.contains("the price is waived"), "{note}");
        assert_eq!(it.status_at_cal(&uid), "accepted");
        it.assert_balance("1.5", "0").await;
        it.cal.cancel_by_booker(&uid, None).await.unwrap();
        it.settle().await;
        it.assert_balance("1.5", "0").await;

        let other = occurrence(it, 96).await;
        it.top_up("0.5").await;
        decided(it, &other, &accept()).await;
        it.assert_balance("0", "0").await;
    })
    .await;
}

#[tokio::test]
async fn what_is_not_open_to_a_person_is_refused_with_the_reason() {
    run_test(unmatched(), async |it: &mut Installation| {
        it.top_up("9").await;
        let chat = it.request("chat", 72);
        let plain = it.cal.book(chat).await.unwrap().uid;
        it.settle().await;
        let said = refused(decide(it, &plain, &refuse()), 409).await;
        assert!(said.contains("accepted by policy at 2027-"), "{said}");

        let over = consultation(it, 96).await;
        it.cal.cancel_by_booker(&over, None).await.unwrap();
        it.settle().await;
        let said = refused(decide(it, &over, &accept()), 409).await;
        assert!(said.contains("it is cancelled"), "{said}");

        let old = consultation(it, 120).await;
        let start = plus_ms(noon(), 144 * 3_600_000);
        let new = it.cal.reschedule_by_booker(&old, start, None).await;
        let new = new.unwrap().uid;
        it.settle().await;
        let said = refused(decide(it, &old, &accept()), 409).await;
        assert!(said.contains(new.as_str()), "{said}");
        assert_eq!(it.booking(&new).await["outcome"], "defer");

        it.pass_ms(144 * 3_600_000).await;
        for body in [accept(), refuse()] {
            let said = refused(decide(it, &new, &body), 409).await;
            assert!(said.contains("it began at 2027-03-07T12:00:00Z"), "{said}");
        }
        assert_eq!(it.status_at_cal(&new), "pending");
    })
    .await;
}

#[tokio::test]
async fn requests_that_make_no_sense_decide_nothing() {
    run_test(unmatched(), async |it: &mut Installation| {
        let uid = consultation(it, 72).await;
        for (body, part) in [
            (json!({}), "accept"),
            (json!({"accept": "yes"}), "accept"),
            (json!({"accept": true, "reason": "why not"}), "reason"),
            (json!({"accept": false}), "reason"),
            (json!({"accept": false, "reason": " \n"}), "reason"),
            (
                json!({"accept": false, "reason": "no", "waive_credits": true}),
                "waive_credits",
            ),
            (json!({"accept": true, "waive": true}), "waive"),
        ] {
            let said = refused(decide(it, &uid, &body), 400).await;
            assert!(said.contains(part), "{body}: {said}");
        }
        let seat = json!({"accept": true, "seat": "7"});
        let said = refused(decide(it, &uid, &seat), 404).await;
        assert!(said.contains("no seat `7`"), "{said}");
        let nothing = post(it, "/v1/bookings/calcom/nothing/decision");
        refused(nothing.json(&accept()), 404).await;
        let path = format!("/v1/bookings/calcom/{uid}/decision");
        let reader = it.raw_admin(Method::POST, &path).bearer_auth(READ_TOKEN);
        refused(reader.json(&accept()), 403).await;
        refused(get(it, &path), 405).await;
        it.settle().await;
        assert_eq!(it.booking(&uid).await["outcome"], "defer");
    })
    .await;
}

#[tokio::test]
async fn of_two_people_at_once_one_decides() {
    run_test(priced(), async |it: &mut Installation| {
        it.top_up("50").await;
        for hours in 72..80 {
            let uid = occurrence(it, hours).await;
            let (one, other) = (decide(it, &uid, &accept()), decide(it, &uid, &refuse()));
            let (accepted, declined) = tokio::join!(ask(one), ask(other));
            it.settle().await;
            let end = it.status_at_cal(&uid);
            match (accepted.status, declined.status) {
                (200, 409) => assert_eq!(end, "accepted"),
                (409, 200) => assert_eq!(end, "cancelled"),
                both => panic!("{both:?}: {} {}", accepted.body, declined.body),
            }
            let booking = it.booking(&uid).await;
            assert_eq!(booking["decisions"].as_array().unwrap().len(), 2);
            assert_eq!(it.cal.effective_calls(&uid).len(), 1);
        }
        let paid = 2 * it.cal.live().len();
        it.assert_balance(&(50 - paid).to_string(), "0").await;
    })
    .await;
}

#[tokio::test]
async fn two_people_who_agree_are_both_told_yes() {
    run_test(priced(), async |it: &mut Installation| {
        it.top_up("5").await;
        let uid = occurrence(it, 72).await;
        let (one, other) = (decide(it, &uid, &accept()), decide(it, &uid, &accept()));
        let (one, other) = tokio::join!(ask(one), ask(other));
        assert_eq!(
            (one.status, other.status),
            (200, 200),
            "{} {}",
            one.body,
            other.body
        );
        it.settle().await;
        assert_eq!(it.cal.effective_calls(&uid).len(), 1);
        it.assert_balance("3", "0").await;
    })
    .await;
}

#[tokio::test]
async fn a_host_who_confirms_has_the_last_word_whoever_is_heard_first() {
    run_test(priced(), async |it: &mut Installation| {
        it.top_up("50").await;
        it.hold_webhooks();
        for (hours, body) in [(72, accept()), (73, refuse())] {
            let uid = occurrence(it, hours).await;
            it.cal.confirm_by_host(&uid).await.unwrap();
            let confirmed = it.cal.take_outbox();
            // The person is heard first, by us.
            decided(it, &uid, &body).await;
            for webhook in &confirmed {
                it.deliver(webhook).await;
            }
            it.settle().await;
            it.deliver_all().await;
            it.pass_ms(11_000).await;
            assert_eq!(it.status_at_cal(&uid), "accepted");
            assert!(it.cal.effective_calls(&uid).is_empty());
            let seen = it.booking(&uid).await;
            assert_eq!(seen["outcome"], "accept", "{seen:#}");
        }
        it.assert_balance("46", "0").await;
        // The host is heard first.
        let uid = occurrence(it, 74).await;
        it.cal.confirm_by_host(&uid).await.unwrap();
        it.deliver_all().await;
        let said = refused(decide(it, &uid, &refuse()), 409).await;
        assert!(said.contains("accepted by host"), "{said}");
        it.assert_balance("44", "0").await;
    })
    .await;
}

#[tokio::test]
async fn a_booking_that_stands_at_once_is_called_off_or_left_standing() {
    run_test(priced(), async |it: &mut Installation| {
        it.top_up("5").await;
        let mut uids = Vec::new();
        for hours in [72, 96] {
            let chat = it.request("chat", hours);
            let series = it.cal.book_recurring(chat, 1).await.unwrap();
            uids.push(series[0].uid.clone());
        }
        it.settle().await;
        decided(it, &uids[0], &accept()).await;
        decided(it, &uids[1], &refuse()).await;
        assert!(it.cal.effective_calls(&uids[0]).is_empty());
        assert_eq!(it.status_at_cal(&uids[0]), "accepted");
        assert_eq!(it.status_at_cal(&uids[1]), "cancelled");
        it.assert_balance("3", "0").await;
    })
    .await;
}

#[tokio::test]
async fn one_word_decides_a_whole_series() {
    run_test(unmatched(), async |it: &mut Installation| {
        let request = it.request("consultation", 72);
        let series = it.cal.book_recurring(request, 3).await.unwrap();
        it.settle().await;
        it.pass_ms(6_000).await;
        let answer = decided(it, &series[1].uid, &accept()).await;
        assert_eq!(answer["decisions"].as_array().unwrap().len(), 6);
        it.pass_ms(11_000).await;
        for booking in &series {
            assert_eq!(it.status_at_cal(&booking.uid), "accepted");
            let seen = it.booking(&booking.uid).await;
            assert_eq!(seen["outcome"], "accept");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_decided_while_the_provider_is_away_is_told_later() {
    run_test(priced(), async |it: &mut Installation| {
        it.top_up("5").await;
        let uid = occurrence(it, 72).await;
        let pause = it.cal.pause_next(Matcher::operation(Operation::Read));
        let answered = ask(decide(it, &uid, &accept())).await;
        assert_eq!(answered.status, 200);
        pause.reached().await;
        // The decision and its hold are there; the provider knows nothing of it yet.
        assert_eq!(it.status_at_cal(&uid), "pending");
        it.assert_balance("5", "2").await;
        let said = refused(decide(it, &uid, &refuse()), 409).await;
        assert!(said.contains("accepted by person:token:ops"), "{said}");
        pause.release();
        it.settle().await;
        assert_eq!(it.status_at_cal(&uid), "accepted");
        it.assert_balance("3", "0").await;
    })
    .await;
}
