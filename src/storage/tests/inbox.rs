//! Deliveries: stored once, filed, found again, set aside.

use super::*;

async fn a_delivery_is_stored_once() {
    let place = Place::new().await;
    let counts = store!(place.storage, tx => {
        let first = tx.arrive(&[delivery(1), delivery(2), delivery(1)]).await?;
        let again = tx.arrive(&[delivery(2)]).await?;
        (first, again, tx.arrive(&[delivery(2), delivery(3)]).await?, tx.arrive(&[]).await?)
    });
    assert_eq!(counts, Ok((2, 0, 1, 0)), "what was new each time");
}

async fn what_arrived_waits_to_be_filed_and_is_filed_once() {
    let place = Place::new().await;
    let none = read!(place.storage, tx => (tx.first_unfiled().await?, tx.last_unfiled().await?));
    assert_eq!(none, Ok((None, None)));
    store!(place.storage, tx => {
        for number in 1..=3 {
            tx.arrive(&[delivery(number)]).await?;
        }
    })
    .unwrap();
    let (first, last, waiting, listed) = store!(place.storage, tx => (
        tx.first_unfiled().await?.unwrap(),
        tx.last_unfiled().await?.unwrap(),
        tx.unfiled(2).await?,
        tx.unparsed(None, 10).await?,
    ))
    .unwrap();
    assert_eq!(waiting.len(), 2);
    assert_eq!(waiting[0].id, first);
    assert!(first < last);
    let it = &waiting[0];
    assert_eq!((&it.source, it.received_at), (&source(), at(1)));
    assert_eq!(it.content_type.as_deref(), Some("application/json"));
    assert_eq!(&it.body[..], [1, 1, 1]);
    assert!(listed.is_empty(), "nobody has tried to understand them yet");

    let (before, after, left) = store!(place.storage, tx => {
        let before = tx.unfiled_one(first).await?;
        let ignored = filing(DeliveryState::Ignored, Some("PING"), None);
        tx.file_delivery(first, &ignored, None, at(9)).await?;
        (before, tx.unfiled_one(first).await?, tx.unfiled(10).await?)
    })
    .unwrap();
    assert!(before.is_some());
    assert!(after.is_none());
    assert_eq!(left.len(), 2);
}

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

async fn what_nobody_understood_is_listed_until_it_is() {
    let place = Place::new().await;
    let (first, third) = store!(place.storage, tx => {
        let first = tx.filed(1, None).await?;
        let odd = filing(DeliveryState::Unparsed, None, Some("no uid"));
        tx.file_delivery(first, &odd, None, at(9)).await?;
        tx.filed(2, None).await?;
        let third = tx.filed(3, None).await?;
        let deep = filing(DeliveryState::Quarantined, None, Some("too deep"));
        tx.file_delivery(third, &deep, None, at(9)).await?;
        (first, third)
    })
    .unwrap();
    let listed = read!(place.storage, tx => tx.unparsed(None, 10).await?).unwrap();
    let told: Vec<_> = listed
        .iter()
        .map(|row| (row.id, row.state, row.note.as_deref()))
        .collect();
    assert_eq!(
        told,
        [
            (first, DeliveryState::Unparsed, Some("no uid")),
            (third, DeliveryState::Quarantined, Some("too deep")),
        ]
    );
    let rest = store!(place.storage, tx => {
        let understood = filing(DeliveryState::Event, Some("MOVED"), None);
        tx.file_delivery(third, &understood, None, at(10)).await?;
        tx.unparsed(Some(first), 10).await?
    });
    assert!(rest.unwrap().is_empty());
}

async fn a_delivery_that_is_not_there_cannot_be_filed() {
    let place = Place::new().await;
    let event = filing(DeliveryState::Event, None, None);
    let filed = store!(place.storage, tx => {
        tx.file_delivery(DeliveryId(7), &event, None, at(1)).await?
    });
    assert_eq!(filed.unwrap_err().to_string(), "delivery 7 does not exist");
}

on_both! {
    a_delivery_is_stored_once,
    what_arrived_waits_to_be_filed_and_is_filed_once,
    a_delivery_is_found_with_its_chain_and_body,
    what_nobody_understood_is_listed_until_it_is,
    a_delivery_that_is_not_there_cannot_be_filed,
}
