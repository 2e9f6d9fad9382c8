//! Many deliveries filed at once: what is new together, what joins something one by one.

use super::*;

fn understood(delivery: DeliveryId, names: &[&str]) -> Understood {
    Understood {
        delivery,
        source: source(),
        received_at: at(delivery.0 - 1),
        filing: filing(DeliveryState::Event, Some("BOOKED"), None),
        fact: Some(missing(names[0])),
        names: keys(names),
        replayed: false,
    }
}

async fn what_is_new_is_filed_together_and_the_rest_is_left() {
    let place = Place::new().await;
    let (left, waiting) = store!(place.storage, tx => {
        tx.chain_for(&source(), &keys(&["uid:known"]), at(0)).await?;
        for number in 0..7 {
            tx.arrive(&[delivery(number)]).await?;
        }
        let ids: Vec<_> = tx.unfiled(10).await?.iter().map(|each| each.id).collect();
        let mut ping = understood(ids[6], &["none"]);
        ping.fact = None;
        ping.names = Vec::new();
        ping.filing = filing(DeliveryState::Unparsed, None, Some("no \"uid\""));
        let all = [
            understood(ids[0], &["uid:a", "id:1"]),
            understood(ids[1], &["uid:b", "id:2"]),
            // Two about one booking, and two that a move joins.
            understood(ids[2], &["uid:c"]),
            understood(ids[3], &["uid:c", "uid:d"]),
            understood(ids[4], &["uid:known", "id:5"]),
            understood(ids[5], &["uid:e"]),
            ping,
        ];
        (tx.file_together(&all, at(50)).await?, tx.unfiled(10).await?)
    })
    .unwrap();
    assert_eq!(left, [2, 3, 4]);
    assert_eq!(waiting.len(), 3, "what is left is not filed");

    let (records, rows, next, odd) = read!(place.storage, tx => {
        let mut records = Vec::new();
        let mut rows = Vec::new();
        for name in ["uid:a", "id:2", "uid:e"] {
            let chain = tx.find_chain(&source(), name).await?.unwrap();
            records.push(tx.load_chain(chain).await?.unwrap());
            rows.extend(tx.deliveries_of_chain(chain, 9).await?);
        }
        (records, rows, tx.next_due().await?, tx.deliveries(&unparsed(), None, 9).await?.rows)
    })
    .unwrap();
    for (record, uid) in records.iter().zip(["uid:a", "uid:b", "uid:e"]) {
        assert_eq!((record.version, record.facts.len()), (1, 1));
        assert_eq!(record.facts[0].body, missing(uid));
    }
    let triggers: Vec<_> = rows.iter().map(|row| row.trigger.as_deref()).collect();
    assert_eq!(triggers, [Some("BOOKED"); 3]);
    assert_eq!(rows[0].received_at, records[0].facts[0].received_at);
    assert_eq!(next, Some(at(50)));
    assert_eq!(odd[0].note.as_deref(), Some("no \"uid\""));
}

async fn nothing_to_file_is_no_trouble() {
    let place = Place::new().await;
    let left = store!(place.storage, tx => tx.file_together(&[], at(1)).await?);
    assert_eq!(left, Ok(Vec::new()));
}

on_both! {
    what_is_new_is_filed_together_and_the_rest_is_left,
    nothing_to_file_is_no_trouble,
}
