//! Deliveries: stored once, found again, set aside.

use super::*;
use crate::domain::ids::DeliveryId;

async fn a_delivery_is_stored_once() {
    let place = Place::new().await;
    let (first, again, other) = store!(place.storage, tx => {
        let first = tx.store_delivery(&delivery(1)).await?;
        let again = tx.store_delivery(&delivery(1)).await?;
        (first, again, tx.store_delivery(&delivery(2)).await?)
    })
    .unwrap();
    assert_eq!(first, Posted::New(DeliveryId(1)));
    assert_eq!(again, Posted::Duplicate);
    assert!(matches!(other, Posted::New(_)));
}

async fn a_delivery_is_found_with_its_chain_and_body() {
    let place = Place::new().await;
    let (rows, row, body, none) = store!(place.storage, tx => {
        let chain = tx.chain_for(&source(), &keys(&["uid:a"]), at(0)).await?;
        for number in 1..=3 {
            let id = new(tx.store_delivery(&delivery(number)).await?);
            tx.set_delivery_chain(id, chain).await?;
        }
        (
            tx.deliveries_of_chain(chain, 2).await?,
            tx.delivery(DeliveryId(3)).await?.unwrap(),
            tx.delivery_body(DeliveryId(3)).await?.unwrap(),
            tx.delivery_body(DeliveryId(9)).await?,
        )
    })
    .unwrap();
    let ids: Vec<_> = rows.iter().map(|row| row.id.0).collect();
    assert_eq!(ids, [1, 2], "oldest first, and no more than asked for");
    assert_eq!(row.received_at, at(3));
    assert_eq!(row.state, DeliveryState::Event);
    assert_eq!(row.trigger.as_deref(), Some("BOOKED"));
    assert_eq!(&body[..], [3, 3, 3]);
    assert_eq!(none, None);
}

async fn what_nobody_understood_is_listed_until_it_is() {
    let place = Place::new().await;
    store!(place.storage, tx => {
        let mut odd = delivery(1);
        odd.state = DeliveryState::Unparsed;
        odd.note = Some("no uid".to_owned());
        tx.store_delivery(&odd).await?;
        tx.store_delivery(&delivery(2)).await?;
        tx.store_delivery(&delivery(3)).await?;
        tx.quarantine(DeliveryId(3), "too deep").await?;
    })
    .unwrap();
    let listed = read!(place.storage, tx => tx.unparsed(None, 10).await?).unwrap();
    let told: Vec<_> = listed
        .iter()
        .map(|row| (row.id.0, row.state, row.note.as_deref()))
        .collect();
    assert_eq!(
        told,
        [
            (1, DeliveryState::Unparsed, Some("no uid")),
            (3, DeliveryState::Quarantined, Some("too deep")),
        ]
    );
    let rest = store!(place.storage, tx => {
        tx.set_delivery_state(DeliveryId(3), DeliveryState::Event, Some("MOVED"), None).await?;
        tx.unparsed(Some(DeliveryId(1)), 10).await?
    });
    assert!(rest.unwrap().is_empty());
}

async fn a_delivery_that_is_not_there_cannot_be_changed() {
    let place = Place::new().await;
    let error = store!(place.storage, tx => tx.quarantine(DeliveryId(7), "?").await?).unwrap_err();
    assert_eq!(error.to_string(), "delivery 7 does not exist");
}

on_both! {
    a_delivery_is_stored_once,
    a_delivery_is_found_with_its_chain_and_body,
    what_nobody_understood_is_listed_until_it_is,
    a_delivery_that_is_not_there_cannot_be_changed,
}
