//! A daemon whose file has no room, already at the start.

use super::{all_is_made_up_for, webhooks_are_taken};
use crate::harness::{Installation, Setup, Store, run_test_as_set_up};
use crate::rig::disk::SmallDisk;

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_starts_while_its_disk_is_full_and_decides_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let mounted = folder.path().join("disk");
    let Some(disk) = SmallDisk::mount(&mounted, 4_096) else {
        return;
    };
    let url = format!("sqlite://{}/bookgate.db", mounted.display());
    let setup = Setup {
        store: Store::At(url.leak()),
        ..Setup::default()
    };
    run_test_as_set_up(setup, async |it: &mut Installation| {
        it.top_up("5").await;
        it.hold_webhooks();
        it.stop().await;
        disk.fill();
        it.begin().await;
        webhooks_are_taken(it).await;
        disk.free();
        all_is_made_up_for(it).await;
    })
    .await;
}
