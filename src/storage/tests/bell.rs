//! One daemon tells another of work.

use std::time::Duration;

use super::*;

/// Much longer than a ring takes to be heard.
const PATIENCE: Duration = Duration::from_secs(60);

async fn is_rung(storage: &Storage) {
    let rung = tokio::time::timeout(PATIENCE, storage.rung()).await;
    rung.expect("the bell was heard");
}

#[tokio::test]
async fn another_daemon_hears_the_bell() {
    contract::on_a_server(async {
        let place = Place::new().await;
        let other = Storage::open(&place.settings()).await.unwrap();
        // Each begins to listen with a look of its own, since it may have missed something.
        is_rung(&place.storage).await;
        is_rung(&other).await;
        for (ringing, hearing) in [(&place.storage, &other), (&other, &place.storage)] {
            ringing.ring();
            is_rung(hearing).await;
            is_rung(ringing).await;
        }
        other.close().await;
    })
    .await;
}

#[tokio::test]
async fn the_server_s_time_is_what_all_agree_on() {
    let alone = Place::new().await;
    assert_eq!(alone.storage.time().await, Ok(None), "a file has no clock");
    contract::on_a_server(async {
        let place = Place::new().await;
        let first = place.storage.time().await.unwrap().unwrap();
        let then = place.storage.time().await.unwrap().unwrap();
        assert!(first < then);
    })
    .await;
}
