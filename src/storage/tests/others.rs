//! Other bookings are found by whose they are and when, and counted by one at a time.

use std::collections::BTreeMap;

use tokio::task::JoinSet;

use super::*;
use crate::domain::others::{Measured, OTHERS_MAX, Of, Wanted};
use crate::domain::timeline::EndedBy;
use crate::storage::Tx;

fn line(chain: ChainId, uid: &str, booker: &str, start: i64) -> BookingRow {
    BookingRow {
        outcome: Some(Outcome::Accept),
        booker: Some(owner(booker)),
        event_type: Some("talk".to_owned()),
        event_type_id: Some(7),
        start: Some(at(start)),
        end: Some(at(start + 10)),
        asked_at: Some(at(start - 100)),
        ..booking(chain, uid, "accepted")
    }
}

fn of_ann() -> Of {
    Of::Booker(owner("ann"))
}

fn wanted(of: Of, measured: Measured, from: i64, until: i64) -> Wanted {
    let (from, until) = (at(from), at(until));
    Wanted {
        of,
        measured,
        from,
        until,
    }
}

async fn uids(place: &Place, wanted: Wanted, but_of: ChainId) -> Vec<String> {
    let rows = read!(place.storage, tx => tx.other_bookings(&wanted, but_of).await?).unwrap();
    rows.iter().map(|row| row.uid.to_string()).collect()
}

async fn others_are_found_by_whose_they_are_and_when() {
    let place = Place::new().await;
    let (own, other) = store!(place.storage, tx => {
        let own = tx.chain_for(&source(), &["uid:own".to_owned()], at(2)).await?;
        let other = tx.chain_for(&source(), &["uid:a".to_owned()], at(2)).await?;
        tx.put_bookings(own, &[line(own, "own", "ann", 500)]).await?;
        let undecided = BookingRow {
            outcome: None,
            status: "pending".to_owned(),
            ..line(other, "undecided", "ann", 500)
        };
        let watched = BookingRow { outcome: None, ..line(other, "watched", "ann", 510) };
        let moved = BookingRow { status: "superseded".to_owned(), ..line(other, "moved", "ann", 500) };
        let bob = line(other, "bob", "bob", 530);
        let old = BookingRow { asked_at: None, ..line(other, "old", "ann", 520) };
        let called_off = BookingRow {
            status: "cancelled".to_owned(),
            ended_at: Some(at(490)),
            ended_by: Some(EndedBy::Booker),
            no_show: Some(true),
            ..line(other, "off", "ann", 500)
        };
        tx.put_bookings(other, &[undecided, watched, moved, bob, old, called_off]).await?;
        (own, other)
    })
    .unwrap();
    let start = |from, until| wanted(of_ann(), Measured::Start, from, until);
    assert_eq!(
        uids(&place, start(500, 521), own).await,
        ["old", "watched", "off"]
    );
    assert_eq!(uids(&place, start(501, 520), own).await, ["watched"]);
    assert_eq!(uids(&place, start(500, 521), other).await, ["own"]);
    let part = wanted(of_ann(), Measured::Part, 519, 520);
    assert_eq!(uids(&place, part, own).await, ["watched"]);
    let asked = |from, until| wanted(of_ann(), Measured::Asked, from, until);
    assert_eq!(uids(&place, asked(400, 411), own).await, ["watched", "off"]);
    assert_eq!(uids(&place, asked(520, 521), own).await, ["old"]);
    let domain = Of::Domain(owner("ann").domain().to_owned());
    let domain = wanted(domain, Measured::Start, 505, 1_000);
    assert_eq!(uids(&place, domain, own).await, ["bob", "old", "watched"]);
    let named = wanted(
        Of::EventType("talk".to_owned()),
        Measured::Start,
        525,
        1_000,
    );
    assert_eq!(uids(&place, named, own).await, ["bob"]);
    let off = start(500, 501);
    let rows = read!(place.storage, tx => tx.other_bookings(&off, own).await?).unwrap();
    let [off] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!(
        (off.ended_at, off.ended_by),
        (Some(at(490)), Some(EndedBy::Booker))
    );
    assert_eq!((off.no_show, off.event_type_id), (Some(true), Some(7)));
}

async fn more_than_can_be_counted_are_one_too_many() {
    let place = Place::new().await;
    let own = store!(place.storage, tx => {
        let own = tx.chain_for(&source(), &["uid:own".to_owned()], at(2)).await?;
        let chain = tx.chain_for(&source(), &["uid:a".to_owned()], at(2)).await?;
        let rows: Vec<_> = (0..OTHERS_MAX as i64 + 5)
            .map(|number| line(chain, &format!("b-{number}"), "ann", 1_000 + number))
            .collect();
        tx.put_bookings(chain, &rows).await?;
        own
    })
    .unwrap();
    let found = uids(&place, wanted(of_ann(), Measured::Start, 0, 9_000), own).await;
    assert_eq!(found.len(), OTHERS_MAX + 1);
    assert_eq!(found[0], "b-504", "those that start last come first");
}

/// Counts, and takes a place if there is one. Whether there was.
async fn take(tx: &mut Tx, number: i64) -> Result<bool, StorageError> {
    const PLACES: usize = 3;
    let uid = format!("b-{number}");
    let chain = tx
        .chain_for(&source(), &[format!("uid:{uid}")], at(2))
        .await?;
    let wanted = wanted(of_ann(), Measured::Start, 0, 9_000);
    tx.lock_count(&wanted.of.lock()).await?;
    let taken = tx.other_bookings(&wanted, chain).await?.len();
    if taken < PLACES {
        let row = line(chain, &uid, "ann", 100 + number);
        tx.put_bookings(chain, &[row]).await?;
    }
    Ok(taken < PLACES)
}

async fn the_last_place_is_taken_once() {
    for together in [false, true] {
        let place = Place::new().await;
        let mut crowd = JoinSet::new();
        for number in 0..24 {
            let storage = place.storage.clone();
            crowd.spawn(async move {
                loop {
                    let taken = match together {
                        true => {
                            storage
                                .write_together(move |tx| Box::pin(take(tx, number)))
                                .await
                        }
                        false => storage.write(move |tx| Box::pin(take(tx, number))).await,
                    };
                    match taken {
                        Err(StorageError::Conflict(_)) => {}
                        done => break done.unwrap(),
                    }
                }
            });
        }
        let taken = crowd.join_all().await;
        let taken = taken.into_iter().filter(|taken| *taken).count();
        assert_eq!(taken, 3, "together: {together}");
    }
}

async fn a_code_is_used_as_long_as_its_booking_stands() {
    let place = Place::new().await;
    let uses =
        async |but_of| read!(place.storage, tx => tx.uses_of_code("code", but_of).await?).unwrap();
    let (own, other) = store!(place.storage, tx => {
        let own = tx.chain_for(&source(), &["uid:own".to_owned()], at(2)).await?;
        let other = tx.chain_for(&source(), &["uid:a".to_owned()], at(2)).await?;
        tx.put_bookings(other, &[line(other, "a", "ann", 500), line(other, "b", "bob", 500)]).await?;
        for uid in ["a", "b", "b", "removed"] {
            tx.use_code("code", &source(), &unit_key(uid), at(3)).await?;
        }
        tx.use_code("another", &source(), &unit_key("a"), at(3)).await?;
        (own, other)
    })
    .unwrap();
    assert_eq!(
        uses(own).await,
        3,
        "also by one whose line retention has removed"
    );
    assert_eq!(uses(other).await, 1);
    let called_off = BookingRow {
        status: "cancelled".to_owned(),
        ..line(other, "a", "ann", 500)
    };
    store!(place.storage, tx => tx.put_bookings(other, &[called_off]).await?).unwrap();
    assert_eq!(uses(own).await, 2);
}

async fn tags_are_put_and_taken_away() {
    let place = Place::new().await;
    let changed = store!(place.storage, tx => {
        let ann = owner("ann");
        let mut changed = Vec::new();
        for tag in ["vip", "board", "vip"] {
            changed.push(tx.add_tag(&ann, tag, at(1)).await?);
        }
        changed.push(tx.remove_tag(&ann, "staff").await?);
        changed
    })
    .unwrap();
    assert_eq!(changed, [true, true, false, false]);
    let tags = async || read!(place.storage, tx => tx.tags(&owner("ann")).await?).unwrap();
    let known = |seconds: &[(&str, i64)]| {
        let tags = seconds.iter().map(|(tag, s)| ((*tag).to_owned(), at(*s)));
        tags.collect::<BTreeMap<_, _>>()
    };
    assert_eq!(tags().await, known(&[("board", 1), ("vip", 1)]));
    let added = store!(place.storage, tx => tx.add_tag(&owner("ann"), "board", at(7)).await?);
    assert!(!added.unwrap(), "it was there, and is added anew");
    assert!(store!(place.storage, tx => tx.remove_tag(&owner("ann"), "vip").await?).unwrap());
    assert_eq!(tags().await, known(&[("board", 7)]));
}

on_both!(
    tags_are_put_and_taken_away,
    others_are_found_by_whose_they_are_and_when,
    more_than_can_be_counted_are_one_too_many,
    the_last_place_is_taken_once,
    a_code_is_used_as_long_as_its_booking_stands,
);
