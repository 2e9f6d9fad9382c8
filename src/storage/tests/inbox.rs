//! Deliveries: stored once, filed once.

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
        tx.deliveries(&unparsed(), None, 10).await?.rows,
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
    a_delivery_that_is_not_there_cannot_be_filed,
}
