//! The disk under the journal is full: what cannot be stored is refused, nothing is half stored, and
//! once there is room again it goes on.

use reqwest::Method;

use crate::harness::{Installation, Setup, answer, run_test_on_file};
use crate::rig::disk::SmallDisk;

/// A few blocks.
const DISK_KIB: u32 = 256;

#[tokio::test]
async fn a_full_disk_refuses_and_goes_on_once_there_is_room() {
    run_test_on_file(Setup::default(), async |it: &mut Installation| {
        it.top_up("20").await;
        it.stop().await;
        let Some(disk) = SmallDisk::mount(&it.folder().join("journal"), DISK_KIB) else {
            it.begin().await;
            return;
        };
        it.begin().await;
        it.hold_webhooks();
        disk.fill();
        let mut stored = Vec::new();
        let mut refused = Vec::new();
        for hour in 72..78 {
            let uid = it.book(hour).await.uid;
            let webhook = it.cal.take_outbox().remove(0);
            match it.cal.deliver(&webhook).await.unwrap() {
                // A last one may have found room in a block that was taken already.
                200 => stored.push(uid),
                503 => refused.push((uid, webhook)),
                other => panic!("answered {other}"),
            }
        }
        assert!(refused.len() >= 4, "{} refused", refused.len());
        assert_eq!(ready(it).await, 503);
        it.settle().await;
        for (uid, _) in &refused {
            let (status, _) = it.get(&format!("/v1/bookings/calcom/{uid}")).await;
            assert_eq!(status, 404, "nothing is kept of what was refused");
        }

        disk.free();
        for (uid, webhook) in refused {
            it.deliver(&webhook).await;
            stored.push(uid);
        }
        assert_eq!(ready(it).await, 200);
        it.deliver_all().await;
        it.stop().await;
        it.begin().await;
        it.settle().await;
        for uid in &stored {
            assert_eq!(it.status_at_cal(uid), "accepted");
            assert_eq!(
                it.booking(uid).await["decisions"].as_array().unwrap().len(),
                1
            );
        }
        it.assert_balance("8", "0").await;
        it.stop().await;
        drop(disk);
        it.begin().await;
    })
    .await;
}

async fn ready(it: &Installation) -> u16 {
    answer(it.raw_public(Method::GET, "/readyz")).await.0
}
