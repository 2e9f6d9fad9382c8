//! The list of daemons.

use super::*;

fn instance(id: &str, started: i64, seen: i64) -> Instance {
    Instance {
        id: id.to_owned(),
        host: "desk-1".to_owned(),
        version: "0.1.0".to_owned(),
        started_at: at(started),
        seen_at: at(seen),
    }
}

async fn beat(place: &Place, instance: Instance) {
    store!(place.storage, tx => tx.beat(&instance).await?).unwrap();
}

async fn listed(place: &Place) -> Vec<Instance> {
    read!(place.storage, tx => tx.instances(10).await?).unwrap()
}

async fn a_beat_is_all_that_changes_of_an_instance() {
    let place = Place::new().await;
    beat(&place, instance("b", 2, 2)).await;
    beat(&place, instance("a", 1, 1)).await;
    let moved = Instance {
        host: "elsewhere".to_owned(),
        ..instance("a", 9, 20)
    };
    beat(&place, moved).await;
    let expected = [instance("a", 1, 20), instance("b", 2, 2)];
    assert_eq!(listed(&place).await, expected, "seen last, listed first");
    let first = read!(place.storage, tx => tx.instances(1).await?).unwrap();
    assert_eq!(first, expected[..1]);
}

async fn who_was_seen_lately_is_counted() {
    let place = Place::new().await;
    for (id, seen) in [("a", 10), ("b", 20), ("c", 30), ("d", 40)] {
        beat(&place, instance(id, 0, seen)).await;
    }
    for (after, before, number) in [(0, 99, 4), (10, 99, 3), (10, 40, 2), (30, 40, 0)] {
        let counted = read!(
            place.storage, tx => tx.count_instances(at(after), at(before)).await?
        );
        assert_eq!(counted, Ok(number), "{after} to {before}");
    }
}

async fn who_stops_is_removed_and_who_is_long_gone_forgotten() {
    let place = Place::new().await;
    for (id, seen) in [("a", 10), ("b", 20), ("c", 30), ("d", 5)] {
        beat(&place, instance(id, seen, seen)).await;
    }
    store!(place.storage, tx => tx.remove_instance("b").await?).unwrap();
    store!(place.storage, tx => tx.remove_instance("b").await?).unwrap();
    store!(place.storage, tx => tx.forget_instances(at(30), "d").await?).unwrap();
    let expected = [instance("c", 30, 30), instance("d", 5, 5)];
    assert_eq!(listed(&place).await, expected);
}

on_both! {
    a_beat_is_all_that_changes_of_an_instance,
    who_was_seen_lately_is_counted,
    who_stops_is_removed_and_who_is_long_gone_forgotten,
}
