//! Lines of bookings, decisions and their stories, and stored answers.

use super::*;
use crate::domain::ids::SeatId;

async fn a_booking_is_found_by_uid_and_by_number() {
    let place = Place::new().await;
    let (by_uid, by_number, none) = store!(place.storage, tx => {
        let chain = tx.chain_for(&source(), &keys(&["a"]), at(0)).await?;
        let mut whole = booking(chain, "a", "pending");
        whole.number = Some(41);
        whole.booker = Some(owner("ada"));
        whole.outcome = Some(Outcome::Defer);
        let mut seat = whole.clone();
        seat.seat = Some(SeatId::new("s1"));
        tx.put_bookings(chain, &[seat, whole]).await?;
        (
            tx.find_booking(&source(), "a").await?.unwrap(),
            tx.find_booking(&source(), "41").await?.unwrap(),
            tx.find_booking(&source(), "42").await?,
        )
    })
    .unwrap();
    assert_eq!(by_uid, by_number);
    assert_eq!((by_uid.seat, by_uid.booker), (None, Some(owner("ada"))));
    assert_eq!(by_uid.outcome, Some(Outcome::Defer));
    assert_eq!(none, None);
}

async fn bookings_are_counted_by_what_their_ids_begin_with() {
    let place = Place::new().await;
    let counts = store!(place.storage, tx => {
        let chain = tx.chain_for(&source(), &keys(&["a"]), at(0)).await?;
        let lines = [
            booking(chain, "E1.I1", "accepted"),
            booking(chain, "E1.I2", "cancelled"),
            booking(chain, "E10.I1", "accepted"),
            booking(chain, "E2.I1", "accepted"),
        ];
        tx.put_bookings(chain, &lines).await?;
        let mut counts = Vec::new();
        for prefix in ["E1.", "E2.", "E3."] {
            let count = tx.count_bookings(&source(), prefix).await?;
            counts.push((count.standing, count.all));
        }
        counts
    })
    .unwrap();
    assert_eq!(counts, [(1, 2), (1, 1), (0, 0)]);
}

async fn a_source_is_met_once() {
    let place = Place::new().await;
    let met = store!(place.storage, tx => {
        let first = tx.meet_source(&source(), at(3)).await?;
        tx.note_survey(&source(), at(5)).await?;
        tx.note_reread(&source(), Some(&Uid::new("b"))).await?;
        let second = tx.meet_source(&source(), at(9)).await?;
        tx.note_reread(&source(), None).await?;
        (first, second, tx.meet_source(&source(), at(9)).await?)
    })
    .unwrap();
    let row = |surveyed_at, reread_after: Option<&str>| SourceRow {
        first_seen_at: at(3),
        surveyed_at,
        reread_after: reread_after.map(Uid::new),
        failing_since: None,
    };
    let later = (row(Some(at(5)), Some("b")), row(Some(at(5)), None));
    assert_eq!(met, (row(None, None), later.0, later.1));
}

async fn an_outage_of_a_source_begins_and_ends_once() {
    let place = Place::new().await;
    let (unknown, told, since, ended) = store!(place.storage, tx => {
        let unknown = tx.source(&source()).await?;
        tx.meet_source(&source(), at(1)).await?;
        let told = [
            tx.source_fails(&source(), at(3)).await?,
            tx.source_fails(&source(), at(4)).await?,
        ];
        let since = tx.source(&source()).await?.unwrap().failing_since;
        let ended = [
            tx.source_recovers(&source(), at(4)).await?,
            tx.source_recovers(&source(), at(3)).await?,
            tx.source_recovers(&source(), at(3)).await?,
        ];
        (unknown, told, since, ended)
    })
    .unwrap();
    assert_eq!((unknown, since), (None, Some(at(3))));
    assert_eq!((told, ended), ([true, false], [false, true, false]));
    let now = read!(place.storage, tx => tx.source(&source()).await?).unwrap();
    assert_eq!(now.unwrap().failing_since, None);
}

async fn what_may_still_change_is_found_page_by_page() {
    let place = Place::new().await;
    let found = store!(place.storage, tx => {
        let chain = tx.chain_for(&source(), &keys(&["a"]), at(0)).await?;
        let mut lines = Vec::new();
        for (uid, status, end) in [
            ("a", "pending", 1),
            ("b", "cancelled", 1),
            ("c", "accepted", 1),
            ("d", "superseded", 9),
            ("e", "pending_payment", 1),
            ("f", "accepted", 0),
            ("g", "rejected", 9),
        ] {
            let end = Some(at(end));
            lines.push(BookingRow { end, ..booking(chain, uid, status) });
        }
        lines.push(BookingRow { seat: Some(SeatId::new("1")), ..lines[2].clone() });
        tx.put_bookings(chain, &lines).await?;
        let cal = source();
        let first = tx.bookings_open_to_change(&cal, None, at(0), at(5), 2).await?;
        let last = first.last().map(|known| &known.uid);
        let others = tx.bookings_open_to_change(&cal, last, at(0), at(5), 9).await?;
        (first, others)
    })
    .unwrap();
    assert_eq!(uids(&found.0), ["a", "c"]);
    assert_eq!(uids(&found.1), ["e", "g"]);
}

async fn what_has_ended_with_credit_held_is_found() {
    let place = Place::new().await;
    post!(place.storage, tx => {
        tx.top_up(&top_up("ada", 500), at(0)).await?;
        for (uid, end) in [("a", 5), ("b", 5), ("c", 5), ("d", 50)] {
            let request = tx.request("ada", uid, 100).await?;
            let hold = tx.hold(&request, at(1)).await?;
            if uid == "b" {
                tx.capture(hold, at(2)).await?;
            }
            let line = booking(request.chain, uid, "pending");
            let line = BookingRow { end: Some(at(end)), ..line };
            tx.put_bookings(request.chain, &[line]).await?;
        }
    })
    .unwrap();
    let (all, last) = read!(place.storage, tx => {
        let cal = source();
        let all = tx.bookings_held_past(&cal, None, at(9), 5).await?;
        (all, tx.bookings_held_past(&cal, Some(&Uid::new("a")), at(9), 5).await?)
    })
    .unwrap();
    assert_eq!(
        (uids(&all), uids(&last)),
        (vec!["a".to_owned(), "c".to_owned()], vec!["c".to_owned()])
    );
}

fn uids(page: &[KnownBooking]) -> Vec<String> {
    page.iter().map(|known| known.uid.to_string()).collect()
}

async fn putting_a_line_changes_it_and_leaves_the_others() {
    let place = Place::new().await;
    let rows = store!(place.storage, tx => {
        let chain = tx.chain_for(&source(), &keys(&["a"]), at(0)).await?;
        let lines = [booking(chain, "a", "pending"), booking(chain, "b", "pending")];
        tx.put_bookings(chain, &lines).await?;
        let mut changed = booking(chain, "a", "accepted");
        changed.updated_at = at(9);
        tx.put_bookings(chain, &[changed]).await?;
        let listed = tx.list_bookings(&BookingFilter::default(), None, 10).await?;
        assert_eq!(tx.bookings_of_chain(chain).await?.len(), 2);
        listed
    })
    .unwrap();
    let told: Vec<_> = rows
        .iter()
        .map(|r| (r.uid.as_str(), r.status.as_str()))
        .collect();
    assert_eq!(
        told,
        [("a", "accepted"), ("b", "pending")],
        "the last changed first"
    );
}

async fn a_list_is_filtered_and_goes_on_where_it_stopped() {
    let place = Place::new().await;
    store!(place.storage, tx => {
        let chain = tx.chain_for(&source(), &keys(&["a"]), at(0)).await?;
        let mut rows = Vec::new();
        for number in 0..20_i64 {
            let status = if number % 2 == 0 { "accepted" } else { "pending" };
            let mut row = booking(chain, &format!("b{number:02}"), status);
            row.booker = Some(owner(if number % 4 == 0 { "ada" } else { "bob" }));
            row.outcome = match number % 5 {
                0 => Some(Outcome::Accept),
                1 => Some(Outcome::Defer),
                _ => None,
            };
            row.updated_at = at(number / 3);
            rows.push(row);
        }
        tx.put_bookings(chain, &rows).await?;
    })
    .unwrap();
    let of_ada = BookingFilter {
        booker: Some(owner("ada")),
        ..BookingFilter::default()
    };
    let accepted = BookingFilter {
        status: Some("accepted".to_owned()),
        outcome: Some(Outcome::Accept),
        source: Some(source()),
        ..BookingFilter::default()
    };
    let deferred = BookingFilter {
        outcome: Some(Outcome::Defer),
        ..BookingFilter::default()
    };
    let deferred_and_pending = BookingFilter {
        status: Some("pending".to_owned()),
        ..deferred.clone()
    };
    let elsewhere = BookingFilter {
        source: Some(SourceName::new("back")),
        ..BookingFilter::default()
    };
    // Three of each second, changed between the second and the fourth.
    let lately = BookingFilter {
        since: Some(at(2)),
        until: Some(at(4)),
        ..BookingFilter::default()
    };
    let by_start = |starts_since, starts_until| BookingFilter {
        starts_since,
        starts_until,
        ..BookingFilter::default()
    };
    let (soon, later) = (Timestamp::UNIX_EPOCH, Timestamp::MAX);
    let all = BookingFilter::default();
    for (filter, expected) in [
        (all, 20),
        (of_ada, 5),
        (accepted, 2),
        (deferred, 4),
        (deferred_and_pending, 2),
        (elsewhere, 0),
        (lately, 6),
        (by_start(Some(soon), Some(later)), 20),
        (by_start(Some(later), None), 0),
        (by_start(None, Some(soon)), 0),
    ] {
        let mut seen: Vec<BookingRow> = Vec::new();
        loop {
            let (filter, after) = (filter.clone(), seen.last().map(BookingCursor::from));
            let page = read!(place.storage, tx => {
                tx.list_bookings(&filter, after.as_ref(), 3).await?
            })
            .unwrap();
            if page.is_empty() {
                break;
            }
            seen.extend(page);
        }
        let order: Vec<_> = seen.iter().map(|r| (r.updated_at, r.uid.clone())).collect();
        let mut sorted = order.clone();
        sorted.sort_unstable_by(|one, other| other.cmp(one));
        sorted.dedup();
        assert_eq!(order, sorted);
        assert_eq!(seen.len(), expected, "{filter:?}");
    }
}

async fn a_revision_is_decided_once_in_each_round() {
    let place = Place::new().await;
    let (again, record, story, none) = store!(place.storage, tx => {
        let (chain, id) = tx.decided("a", 150).await?;
        let again = tx.insert_decision(&decision(chain, "a", 150)).await?;
        let mut later = decision(chain, "a", 0);
        later.round = 2;
        later.decider = Decider::Person("kim".to_owned());
        tx.insert_decision(&later).await?;
        let record = tx.load_chain(chain).await?.unwrap();
        (again, record, tx.decision_story(id).await?, tx.decision_story(DecisionId(9)).await?)
    })
    .unwrap();
    assert_eq!(again, Posted::Duplicate);
    let [first, second] = &record.decisions[..] else {
        panic!("{:?}", record.decisions);
    };
    assert_eq!(first.terms.cost, Some(credits(150)));
    assert_eq!((first.start, first.end), (at(9_000), at(10_800)));
    assert_eq!(
        (first.outcome, &first.decider),
        (Outcome::Accept, &Decider::Policy)
    );
    assert_eq!(first.message.as_deref(), Some("welcome"));
    assert_eq!(second.decider, Decider::Person("kim".to_owned()));
    let story = story.unwrap();
    assert_eq!(
        (story.facts.as_str(), story.trace.as_str()),
        (r#"{"now":1}"#, r#"["passed"]"#)
    );
    assert_eq!(none, None);
    let by_kim = DecisionFilter {
        decided_by: Some("person:kim".to_owned()),
        source: Some(source()),
        ..DecisionFilter::default()
    };
    let of_nobody = DecisionFilter {
        policy: Some("nobody".to_owned()),
        since: Some(at(0)),
        until: Some(Timestamp::MAX),
        ..DecisionFilter::default()
    };
    let newest = second.id;
    let lists = read!(place.storage, tx => [
        tx.list_decisions(&DecisionFilter::default(), None, 9).await?,
        tx.list_decisions(&DecisionFilter::default(), Some(newest), 9).await?,
        tx.list_decisions(&by_kim, None, 9).await?,
        tx.list_decisions(&of_nobody, None, 9).await?,
    ]);
    let ids = |rows: Vec<DecisionRow>| -> Vec<DecisionId> {
        rows.into_iter().map(|row| row.decision.id).collect()
    };
    let ids = lists.unwrap().map(ids);
    let (first, second) = (first.id, second.id);
    let expected: [Vec<_>; 4] = [vec![second, first], vec![first], vec![second], vec![]];
    assert_eq!(ids, expected);
}

async fn the_first_answer_to_a_key_stays() {
    let place = Place::new().await;
    let answer = |body: &str| StoredAnswer {
        request_hash: vec![7; 32],
        request: r#"{"amount":"1"}"#.to_owned(),
        status: 201,
        outcome: body.to_owned(),
    };
    let (first, second) = (answer("one"), answer("two"));
    store!(place.storage, tx => tx.put_idempotent("desk /top-up", "k", &first, at(0)).await?)
        .unwrap();
    let again =
        store!(place.storage, tx => tx.put_idempotent("desk /top-up", "k", &second, at(1)).await?);
    assert!(matches!(again, Err(StorageError::Conflict(_))), "{again:?}");
    let (found, elsewhere) = read!(place.storage, tx => (
        tx.idempotent("desk /top-up", "k").await?,
        tx.idempotent("till /top-up", "k").await?,
    ))
    .unwrap();
    assert_eq!(found, Some(answer("one")));
    assert_eq!(elsewhere, None);
}

async fn what_waits_for_a_person_is_found_by_its_start() {
    let place = Place::new().await;
    let (all, some) = store!(place.storage, tx => {
        for (uid, status, outcome, start) in [
            ("late", "pending", Outcome::Defer, 90),
            ("soon", "accepted", Outcome::Defer, 50),
            ("begun", "pending", Outcome::Defer, 10),
            ("over", "cancelled", Outcome::Defer, 60),
            ("decided", "pending", Outcome::Accept, 60),
        ] {
            let (chain, decision) = tx.decided(uid, 0).await?;
            let line = BookingRow {
                outcome: Some(outcome),
                decision: Some(decision),
                start: Some(at(start)),
                ..booking(chain, uid, status)
            };
            tx.put_bookings(chain, &[line]).await?;
        }
        (tx.waiting_for_person(at(10), 9).await?, tx.waiting_for_person(at(10), 1).await?)
    })
    .unwrap();
    let found: Vec<_> = all.iter().map(|row| row.booking.uid.as_str()).collect();
    assert_eq!(found, ["soon", "late"]);
    assert_eq!((all[0].since, &all[0].note), (at(5), &None));
    assert_eq!(some[..], all[..1]);
}

async fn what_is_in_hand_is_found_by_when_it_is_due() {
    let place = Place::new().await;
    let found = store!(place.storage, tx => {
        for (uid, settled, due) in [
            ("later", false, Some(9)),
            ("now", false, Some(3)),
            ("rests", false, None),
            ("done", true, Some(1)),
        ] {
            let chain = tx.chain_for(&source(), &keys(&[uid]), at(0)).await?;
            if let Some(due) = due {
                tx.append_fact(chain, None, &missing(uid), at(0), Some(at(due))).await?;
            }
            let line = BookingRow { settled, ..booking(chain, uid, "pending") };
            tx.put_bookings(chain, &[line]).await?;
        }
        (tx.bookings_in_hand(9).await?, tx.bookings_in_hand(1).await?)
    })
    .unwrap();
    let ids = |rows: &[BookingRow]| -> Vec<String> {
        rows.iter().map(|row| row.uid.to_string()).collect()
    };
    assert_eq!(ids(&found.0), ["now", "later"]);
    assert_eq!(ids(&found.1), ["now"]);
}

on_both! {
    what_waits_for_a_person_is_found_by_its_start,
    what_is_in_hand_is_found_by_when_it_is_due,
    a_booking_is_found_by_uid_and_by_number,
    a_source_is_met_once,
    an_outage_of_a_source_begins_and_ends_once,
    what_may_still_change_is_found_page_by_page,
    what_has_ended_with_credit_held_is_found,
    bookings_are_counted_by_what_their_ids_begin_with,
    putting_a_line_changes_it_and_leaves_the_others,
    a_list_is_filtered_and_goes_on_where_it_stopped,
    a_revision_is_decided_once_in_each_round,
    the_first_answer_to_a_key_stays,
}
