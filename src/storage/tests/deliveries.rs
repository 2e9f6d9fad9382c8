//! Stored deliveries: found by what they are, and read again.

use super::*;

async fn a_delivery_is_found_with_its_chain_and_body() {
    let place = Place::new().await;
    let (rows, row, body, none) = store!(place.storage, tx => {
        let chain = tx.chain_for(&source(), &keys(&["uid:a"]), at(0)).await?;
        let mut last = DeliveryId(0);
        for number in 1..=3 {
            last = tx.filed(number, Some(chain)).await?;
        }
        (
            tx.deliveries_of_chain(chain, 2).await?,
            tx.delivery(last).await?.unwrap(),
            tx.delivery_body(last).await?.unwrap(),
            tx.delivery_body(DeliveryId(99)).await?,
        )
    })
    .unwrap();
    let times: Vec<_> = rows.iter().map(|row| row.received_at).collect();
    assert_eq!(
        times,
        [at(1), at(2)],
        "oldest first, and no more than asked for"
    );
    assert_eq!(row.received_at, at(3));
    assert_eq!(row.state, DeliveryState::Event);
    assert_eq!(row.trigger.as_deref(), Some("BOOKED"));
    assert_eq!(&body[..], [3, 3, 3]);
    assert_eq!(none, None);
}

/// The places of those that fit, from pages of two.
async fn listed(place: &Place, filter: &DeliveryFilter) -> Vec<i64> {
    let (mut ids, mut before) = (Vec::new(), None);
    for _ in 0..9 {
        let filter = filter.clone();
        let found = read!(place.storage, tx => tx.deliveries(&filter, before, 2).await?);
        let found = found.unwrap();
        assert!(found.rows.len() <= 2);
        ids.extend(found.rows.iter().map(|row| row.id.0));
        before = found.searched_to;
        if before.is_none() {
            return ids;
        }
    }
    panic!("there is no end to it: {ids:?}");
}

async fn deliveries_are_listed_newest_first_by_what_they_are() {
    let place = Place::new().await;
    assert!(listed(&place, &DeliveryFilter::default()).await.is_empty());
    store!(place.storage, tx => {
        for number in 1..=7 {
            tx.filed(number, None).await?;
        }
        let odd = filing(DeliveryState::Unparsed, None, Some("no uid"));
        tx.file_delivery(DeliveryId(2), &odd, None, at(9)).await?;
        tx.file_delivery(DeliveryId(5), &odd, None, at(9)).await?;
        let deep = filing(DeliveryState::Quarantined, None, Some("too deep"));
        tx.file_delivery(DeliveryId(3), &deep, None, at(9)).await?;
        let ping = filing(DeliveryState::Ignored, Some("PING"), None);
        tx.file_delivery(DeliveryId(1), &ping, None, at(9)).await?;
        tx.arrive(&[delivery(8)]).await?;
    })
    .unwrap();
    let of = |state| DeliveryFilter {
        state: Some(state),
        ..DeliveryFilter::default()
    };
    let all = DeliveryFilter::default;
    for (filter, expected) in [
        (all(), &[8, 7, 6, 5, 4, 3, 2, 1][..]),
        (of(DeliveryState::Waiting), &[8]),
        (of(DeliveryState::Unparsed), &[5, 2]),
        (of(DeliveryState::Quarantined), &[3]),
        (of(DeliveryState::Event), &[7, 6, 4]),
        (of(DeliveryState::Ignored), &[1]),
        (
            DeliveryFilter {
                trigger: Some("PING".to_owned()),
                ..all()
            },
            &[1],
        ),
        (
            DeliveryFilter {
                source: Some(source()),
                since: Some(at(6)),
                ..all()
            },
            &[8, 7, 6],
        ),
        (
            DeliveryFilter {
                source: Some(SourceName::new("back")),
                ..all()
            },
            &[],
        ),
        (
            DeliveryFilter {
                since: Some(at(2)),
                until: Some(at(4)),
                ..all()
            },
            &[3, 2],
        ),
        (
            DeliveryFilter {
                until: Some(at(6)),
                ..of(DeliveryState::Unparsed)
            },
            &[5, 2],
        ),
    ] {
        assert_eq!(listed(&place, &filter).await, expected, "{filter:?}");
    }
    let rows = read!(place.storage, tx => tx.deliveries(&all(), None, 9).await?.rows).unwrap();
    let (waiting, filed) = (&rows[0], &rows[1]);
    assert_eq!(
        (waiting.state, waiting.filed_at),
        (DeliveryState::Waiting, None)
    );
    assert_eq!(
        (filed.state, filed.filed_at),
        (DeliveryState::Event, Some(at(100)))
    );
    assert_eq!((filed.body_bytes, filed.replayed_at), (Some(3), None));
}

async fn a_delivery_that_is_read_again_waits_and_has_told_until_then() {
    let place = Place::new().await;
    let (chain, id) = store!(place.storage, tx => {
        let chain = tx.chain_for(&source(), &keys(&["uid:a"]), at(0)).await?;
        let id = tx.filed(1, Some(chain)).await?;
        tx.append_fact(chain, Some(id), &missing("a"), at(1), None).await?;
        (chain, id)
    })
    .unwrap();
    let (done, again, waiting, row, none) = store!(place.storage, tx => (
        tx.replay(id, at(50)).await?,
        tx.replay(id, at(60)).await?,
        tx.unfiled(9).await?,
        tx.delivery(id).await?.unwrap(),
        tx.replay(DeliveryId(9), at(50)).await?,
    ))
    .unwrap();
    assert_eq!(
        (done, again, none),
        (true, false, false),
        "it waits already"
    );
    assert!(waiting[0].replayed);
    assert_eq!(
        (row.state, row.replayed_at),
        (DeliveryState::Waiting, Some(at(50)))
    );

    let (told, kept, taken, left) = store!(place.storage, tx => {
        let told = tx.told_by(id).await?;
        let kept = tx.load_chain(chain).await?.unwrap();
        tx.take_back(id, at(70)).await?;
        tx.take_back(id, at(70)).await?;
        (told, kept, tx.load_chain(chain).await?.unwrap(), tx.told_by(id).await?)
    })
    .unwrap();
    assert_eq!(told, Some((chain, Some("BOOKED".to_owned()))));
    assert_eq!((kept.facts.len(), taken.facts.len(), left), (1, 0, None));
    assert!(
        taken.version > kept.version,
        "whoever works it has to look again"
    );
    let due = read!(place.storage, tx => tx.next_due().await?);
    assert_eq!(due.unwrap(), Some(at(70)));
}

async fn what_retention_has_emptied_cannot_be_read_again() {
    let place = Place::new().await;
    let (done, row) = store!(place.storage, tx => {
        let id = tx.filed(1, None).await?;
        let bodies = Removable::DeliveryBodies;
        tx.remove(bodies, id.0, at(500), at(500)).await?;
        (tx.replay(id, at(600)).await?, tx.delivery(id).await?.unwrap())
    })
    .unwrap();
    assert!(!done);
    assert_eq!((row.body_bytes, row.state), (None, DeliveryState::Event));
}

async fn a_delivery_is_known_by_its_digest() {
    let place = Place::new().await;
    let (own, nobody_s, of_no_chain) = store!(place.storage, tx => {
        let id = tx.filed(1, None).await?;
        (
            tx.delivery_digest(id).await?,
            tx.delivery_digest(DeliveryId(id.0 + 1)).await?,
            tx.chain_digest(ChainId(99), at(500)).await?,
        )
    })
    .unwrap();
    assert!(own.is_some());
    assert_eq!((nobody_s, of_no_chain), (None, None));
}

on_both! {
    a_delivery_is_found_with_its_chain_and_body,
    deliveries_are_listed_newest_first_by_what_they_are,
    a_delivery_that_is_read_again_waits_and_has_told_until_then,
    what_retention_has_emptied_cannot_be_read_again,
    a_delivery_is_known_by_its_digest,
}
