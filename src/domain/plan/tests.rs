use super::*;
use crate::domain::booking::{Party, Status};
use crate::domain::chain::{AttemptResult, CommandState, HoldState, Purpose};
use crate::domain::decision::Outcome;
use crate::domain::event::EventKind;
use crate::domain::testing::*;
use crate::domain::timeline::SharedRefusal;

fn plan_at(record: &ChainRecord, now: i64) -> Plan {
    let rules = rules();
    let timeline = Timeline::fold(record, &rules);
    Plan::make(record, &timeline, &rules, at(now))
}

fn accepted_and_held() -> ChainRecord {
    let mut record = chain([(0, event(EventKind::Requested, "a", 0))]);
    let decision = decided(&mut record, key("a"), Outcome::Accept);
    held(&mut record, key("a"), decision, HoldState::Held);
    record
}

#[test]
fn a_request_is_decided_then_confirmed_then_captured() {
    let record = chain([(0, event(EventKind::Requested, "a", 0))]);
    assert_eq!(plan_at(&record, 1).decide[0].how, How::Policy);

    let mut record = accepted_and_held();
    let plan = plan_at(&record, 1);
    assert_eq!(plan.commands[0].action, Action::Confirm);
    assert!(plan.credit.is_empty());

    told(
        &mut record,
        key("a"),
        Action::Confirm,
        Some(AttemptResult::Ok),
        5,
    );
    let plan = plan_at(&record, 7);
    assert_eq!(plan.credit, [CreditStep::Capture(HoldId(1))]);
    assert!(plan.commands.is_empty());
}

#[test]
fn a_refused_booking_is_declined_while_pending_and_cancelled_once_it_stands() {
    let mut record = chain([(0, event(EventKind::Requested, "a", 0))]);
    decided(&mut record, key("a"), Outcome::Reject);
    assert_eq!(plan_at(&record, 1).commands[0].action, Action::Decline);

    let mut record = chain([(0, event(EventKind::Created, "a", 0))]);
    decided(&mut record, key("a"), Outcome::Reject);
    assert_eq!(plan_at(&record, 1).commands[0].action, Action::Cancel);
}

#[test]
fn nothing_is_done_while_a_call_may_be_under_way() {
    let mut record = accepted_and_held();
    told(&mut record, key("a"), Action::Confirm, None, 5);
    let plan = plan_at(&record, 20);
    assert_eq!((plan.deliver, plan.wake_at), (None, Some(at(40))));
    let plan = plan_at(&record, 40);
    assert_eq!(plan.expired.len(), 1);
}

#[test]
fn what_a_call_without_an_answer_has_done_is_looked_at_once_it_is_over() {
    let mut record = accepted_and_held();
    let unknown = Some(AttemptResult::Unknown);
    told(&mut record, key("a"), Action::Confirm, unknown, 5);
    let plan = plan_at(&record, 39);
    assert_eq!((plan.deliver, plan.wake_at), (None, Some(at(40))));
    assert!(plan_at(&record, 40).deliver.is_some());
}

#[test]
fn what_has_ended_unanswered_is_given_back_and_called_for_no_more() {
    let mut record = accepted_and_held();
    let unknown = Some(AttemptResult::Unknown);
    told(&mut record, key("a"), Action::Confirm, unknown, 103_590);
    // The call may still come through.
    read(&mut record, 103_610, reading("a", Status::Pending));
    let plan = plan_at(&record, 103_640);
    assert_eq!((&*plan.credit, plan.deliver.is_some()), (&[][..], true));
    read(&mut record, 103_640, reading("a", Status::Pending));
    let plan = plan_at(&record, 103_640);
    assert_eq!(plan.credit, [CreditStep::Release(HoldId(1))]);
    assert_eq!(plan.changes[0].state, CommandState::Obsolete);
    assert_eq!(plan.deliver, None);
    // It did come through, after all.
    read(&mut record, 103_900, reading("a", Status::Accepted));
    let plan = plan_at(&record, 103_900);
    assert_eq!(plan.credit, [CreditStep::Capture(HoldId(1))]);
}

#[test]
fn a_cancel_between_our_look_and_our_confirm_is_made_good() {
    for result in [AttemptResult::Ok, AttemptResult::Unknown] {
        let mut record = accepted_and_held();
        record
            .facts
            .extend(chain([(8, event(EventKind::Cancelled, "a", 4))]).facts);
        told(&mut record, key("a"), Action::Confirm, Some(result), 5);
        let plan = plan_at(&record, 60);
        assert_eq!(plan.credit, [CreditStep::Release(HoldId(1))]);
        assert_eq!(plan.commands[0].purpose, Purpose::Compensation);
        assert_eq!(plan.commands[0].action, Action::Cancel);
    }
}

#[test]
fn a_move_between_our_look_and_our_confirm_is_made_good() {
    let mut record = accepted_and_held();
    let moved = moved_from(event(EventKind::Requested, "b", 4), "a");
    record.facts.extend(chain([(8, moved)]).facts);
    told(
        &mut record,
        key("a"),
        Action::Confirm,
        Some(AttemptResult::Ok),
        5,
    );
    let plan = plan_at(&record, 9);
    assert_eq!(plan.commands[0].purpose, Purpose::Compensation);
    assert_eq!(plan.commands[0].unit, key("a"));
    assert_eq!(plan.decide[0].units, [key("b")]);
    assert_eq!(plan.decide[0].carry_from, [HoldId(1)]);
}

#[test]
fn a_cancel_long_after_our_confirm_is_just_a_cancel_and_refunds_by_notice() {
    for (sent, minor) in [(10_000, 200), (90_000, 100)] {
        let mut record = accepted_and_held();
        record.holds[0].state = HoldState::Captured;
        record.holds[0].captured = 200;
        told(
            &mut record,
            key("a"),
            Action::Confirm,
            Some(AttemptResult::Ok),
            5,
        );
        let mut cancelled = event(EventKind::Cancelled, "a", sent);
        cancelled.cancelled_by = Some(Party::Booker);
        record.facts.extend(chain([(sent, cancelled)]).facts);
        let plan = plan_at(&record, sent + 1);
        assert!(plan.commands.is_empty());
        let refund = CreditStep::Refund {
            hold: HoldId(1),
            minor,
            reason: "cancelled by the booker",
        };
        assert_eq!(plan.credit, [refund], "sent at {sent}");
    }
}

/// A booking that stands and is paid, of which so much comes back if nobody comes.
fn stands(percent: u8, accepted: &str) -> ChainRecord {
    let mut record = accepted_and_held();
    record.decisions[0].terms.no_show_percent = percent;
    record.holds[0].state = HoldState::Captured;
    record.holds[0].captured = 200;
    let action = Action::Confirm;
    match accepted {
        "host" => {
            let confirmed = event(EventKind::Created, "a", 5);
            record.facts.extend(chain([(5, confirmed)]).facts);
        }
        _ => {
            told(&mut record, key("a"), action, Some(AttemptResult::Ok), 5);
        }
    }
    record
}

/// The host says that nobody came, or takes that back.
fn mark(record: &mut ChainRecord, sent: i64, taken_back: bool) {
    let mut mark = event(EventKind::NoShow, "a", sent);
    mark.taken_back = taken_back;
    record.facts.extend(chain([(sent, mark)]).facts);
}

#[test]
fn what_came_back_for_not_coming_is_taken_again_once_if_the_mark_is_taken_back() {
    for accepted in ["policy", "host"] {
        let mut record = stands(50, accepted);
        // Heard of in the wrong order, and before anything came back: nothing to do.
        mark(&mut record, 104_010, true);
        mark(&mut record, 104_000, false);
        let plan = plan_at(&record, 104_011);
        assert!(plan.credit.is_empty() && plan.decide.is_empty());

        record.holds[0].refunded = 100;
        let plan = plan_at(&record, 104_012);
        let again = CreditStep::ChargeAgain {
            hold: HoldId(1),
            minor: 100,
        };
        assert_eq!(plan.credit, std::slice::from_ref(&again), "{accepted}");
        assert!(plan.decide.is_empty(), "it had not ended");
        let mut waived = record.clone();
        waived.waivers.push(record.holds[0].decision);
        assert!(plan_at(&waived, 104_013).credit.is_empty());
        again.apply(&mut record.holds[0]);
        assert_eq!(record.holds[0].refunded, 0);
        assert!(plan_at(&record, 104_013).credit.is_empty());

        mark(&mut record, 104_020, false);
        let plan = plan_at(&record, 104_021);
        assert!(matches!(
            plan.credit[..],
            [CreditStep::Refund { minor: 100, .. }]
        ));
        // More came back than for that: its booking had ended, and what came of that stays.
        mark(&mut record, 104_030, true);
        record.holds[0].refunded = 150;
        assert!(plan_at(&record, 104_031).credit.is_empty());
    }
}

#[test]
fn what_the_terms_say_comes_back_if_nobody_came_and_once() {
    for (percent, accepted) in [(0, "policy"), (50, "policy"), (50, "host")] {
        let mut record = stands(percent, accepted);
        mark(&mut record, 104_000, false);
        let refund = CreditStep::Refund {
            hold: HoldId(1),
            minor: 100,
            reason: "nobody came",
        };
        let owed: &[CreditStep] = if percent == 0 { &[] } else { &[refund] };
        assert_eq!(plan_at(&record, 104_001).credit, owed, "{accepted}");
        record.holds[0].refunded = i64::from(percent) * 2;
        let after = plan_at(&record, 104_002);
        assert!(after.credit.is_empty() && after.decide.is_empty());
        // Called off afterwards, it comes back as for any cancel, but for what came back already.
        let cancelled = event(EventKind::Cancelled, "a", 104_010);
        record.facts.extend(chain([(104_010, cancelled)]).facts);
        let refund = CreditStep::Refund {
            hold: HoldId(1),
            minor: 200 - record.holds[0].refunded,
            reason: "cancelled, the provider does not say by whom",
        };
        assert_eq!(plan_at(&record, 104_100).credit, [refund]);
    }
}

#[test]
fn the_late_cancel_fee_does_not_depend_on_the_order_of_receiving() {
    let mut cancelled = event(EventKind::Cancelled, "a", 90_000);
    cancelled.cancelled_by = Some(Party::Booker);
    let record = chain([
        (90_000, cancelled),
        (90_001, event(EventKind::Created, "a", 0)),
    ]);
    assert_eq!(
        plan_at(&record, 90_002).decide.len(),
        1,
        "decided although it is over"
    );
    let mut record = record;
    let decision = decided(&mut record, key("a"), Outcome::Accept);
    held(&mut record, key("a"), decision, HoldState::Held);
    assert_eq!(
        plan_at(&record, 90_003).credit,
        [CreditStep::Capture(HoldId(1))]
    );
}

#[test]
fn a_refused_move_returns_what_was_captured() {
    let mut record = accepted_and_held();
    record.holds[0].state = HoldState::Captured;
    record.holds[0].captured = 200;
    told(
        &mut record,
        key("a"),
        Action::Confirm,
        Some(AttemptResult::Ok),
        5,
    );
    let moved = moved_from(event(EventKind::Requested, "b", 500), "a");
    record.facts.extend(chain([(500, moved)]).facts);
    assert!(
        plan_at(&record, 501).credit.is_empty(),
        "kept while the move waits"
    );
    decided(&mut record, key("b"), Outcome::Reject);
    let plan = plan_at(&record, 502);
    assert!(matches!(
        plan.credit[..],
        [CreditStep::Refund { minor: 200, .. }]
    ));
}

#[test]
fn a_host_who_confirms_by_hand_overtakes_our_refusal() {
    let mut record = chain([(0, event(EventKind::Requested, "a", 0))]);
    decided(&mut record, key("a"), Outcome::Reject);
    record
        .facts
        .extend(chain([(3, event(EventKind::Created, "a", 3))]).facts);
    let plan = plan_at(&record, 4);
    assert_eq!(plan.decide[0].how, How::HostConfirm);
    assert_eq!(plan.decide[0].round, 2);
    assert!(plan.commands.is_empty());
}

#[test]
fn a_move_by_the_host_carries_the_decision() {
    let mut record = accepted_and_held();
    let mut moved = moved_from(event(EventKind::Rescheduled, "b", 50), "a");
    moved.moved_by = Some(Party::Host);
    record.facts.extend(chain([(50, moved)]).facts);
    let plan = plan_at(&record, 51);
    assert_eq!(plan.decide[0].how, How::Carry(DecisionId(1)));
    assert_eq!(plan.decide[0].carry_from, [HoldId(1)]);
}

#[test]
fn what_the_host_moved_cancelled_and_brought_back_is_paid_anew() {
    let mut record = accepted_and_held();
    record.holds[0].state = HoldState::Carried;
    let mut moved = moved_from(event(EventKind::Rescheduled, "b", 50), "a");
    moved.moved_by = Some(Party::Host);
    let cancelled = event(EventKind::Cancelled, "b", 60);
    let confirmed = event(EventKind::Created, "b", 70);
    let facts = chain([(50, moved), (60, cancelled), (70, confirmed)]).facts;
    record.facts.extend(facts);
    let carried = decided(&mut record, key("b"), Outcome::Accept);
    held(&mut record, key("b"), carried, HoldState::Captured);
    record.holds[1].refunded = 200;
    read(&mut record, 71, reading("b", Status::Accepted));
    let plan = plan_at(&record, 72);
    assert_eq!(plan.decide[0].round, 2);
    assert_eq!(plan.decide[0].how, How::HostConfirm);
}

#[test]
fn a_series_is_read_settled_and_decided_together() {
    let occurrence = |uid: &str, sent: i64| {
        let mut event = event(EventKind::Requested, uid, sent);
        if let Some(details) = &mut event.details {
            details.recurring = true;
        }
        (sent, event)
    };
    let mut record = chain([occurrence("a", 0), occurrence("b", 1)]);
    assert_eq!(plan_at(&record, 2).read, Some(key("a")));
    for uid in ["a", "b"] {
        let mut seen = reading(uid, Status::Pending);
        seen.series = Some("s".to_owned());
        read(&mut record, 2, seen);
    }
    let plan = plan_at(&record, 3);
    assert_eq!((plan.decide.len(), plan.wake_at), (0, Some(at(6))));
    assert_eq!(plan_at(&record, 6).decide[0].units, [key("a"), key("b")]);

    decided(&mut record, key("a"), Outcome::Accept);
    decided(&mut record, key("b"), Outcome::Accept);
    assert_eq!(
        plan_at(&record, 7).commands.len(),
        1,
        "one call answers all"
    );
}

#[test]
fn a_dead_command_is_left_to_a_person() {
    let mut record = accepted_and_held();
    told(
        &mut record,
        key("a"),
        Action::Confirm,
        Some(AttemptResult::Rejected),
        5,
    );
    record.commands[0].state = CommandState::Dead;
    let plan = plan_at(&record, 100);
    assert!(plan.is_idle(), "{plan:?}");
}

#[test]
fn a_dead_letter_is_settled_once_nobody_asks_for_it() {
    let mut record = accepted_and_held();
    told(
        &mut record,
        key("a"),
        Action::Confirm,
        Some(AttemptResult::Rejected),
        5,
    );
    record.commands[0].state = CommandState::Dead;
    let cancelled = event(EventKind::Cancelled, "a", 90);
    record.facts.extend(chain([(90, cancelled)]).facts);
    let plan = plan_at(&record, 100);
    assert_eq!(plan.changes[0].state, CommandState::Obsolete);
    assert_eq!(plan.credit, [CreditStep::Release(HoldId(1))]);
}

#[test]
fn what_webhooks_leave_out_is_read_before_a_decision() {
    let plan_of = |record: &ChainRecord, rules: &Rules| {
        let timeline = Timeline::fold(record, rules);
        Plan::make(record, &timeline, rules, at(100))
    };
    let mut rules = rules();
    rules.provider.reads_who_moved = true;
    let new = moved_from(event(EventKind::Rescheduled, "b", 20), "a");
    let mut record = chain([(0, new.clone())]);
    let plan = plan_of(&record, &rules);
    assert_eq!(
        (plan.read, plan.decide.len()),
        (Some(key("a")), 0),
        "who moved it?"
    );
    read(&mut record, 1, reading("a", Status::Cancelled));
    assert_eq!(
        plan_of(&record, &rules).decide[0].units,
        [key("b")],
        "once is enough"
    );

    rules.provider.reads_who_moved = false;
    rules.provider.reads_event_type = true;
    let mut record = chain([(0, event(EventKind::Created, "a", 0))]);
    assert_eq!(
        plan_of(&record, &rules).read,
        Some(key("a")),
        "which event type?"
    );
    let mut seen = reading("a", Status::Accepted);
    let mut with_slug = details();
    with_slug.event_type_slug = Some("intro".to_owned());
    seen.details = Some(Box::new(with_slug));
    read(&mut record, 1, seen);
    let timeline = Timeline::fold(&record, &rules);
    let known = timeline.unit(&key("a")).unwrap().details.unwrap();
    assert_eq!(known.event_type_slug.as_deref(), Some("intro"));
    assert_eq!(plan_of(&record, &rules).decide.len(), 1);

    rules.provider.reads_event_type = false;
    let mut bare = event(EventKind::Created, "a", 0);
    bare.details = None;
    let record = chain([(0, bare)]);
    assert_eq!(plan_of(&record, &rules).read, Some(key("a")), "when is it?");
}

#[test]
fn a_refusal_that_would_hit_others_is_left_to_a_person_unless_the_source_says_otherwise() {
    let mut shared = event(EventKind::Created, "a", 0);
    if let Some(details) = &mut shared.details {
        details.seated = true;
    }
    let record = chain([(0, shared)]);
    let mut rules = rules();
    let defers = |rules: &Rules| {
        let timeline = Timeline::fold(&record, rules);
        Plan::make(&record, &timeline, rules, at(1)).decide[0]
            .refusal_defers
            .is_some()
    };
    assert!(defers(&rules));
    rules.shared_refusal = SharedRefusal::CancelAll;
    assert!(!defers(&rules));
}
