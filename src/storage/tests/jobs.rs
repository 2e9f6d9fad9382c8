//! Jobs: one instance at a time, a successor when it dies, and nothing lost of how far it got.

use super::*;

const LEASE_MS: i64 = 60_000;

async fn add(place: &Place, name: &'static str, second: i64) {
    store!(place.storage, tx => tx.add_job(name, at(second)).await?).unwrap();
}

async fn take(place: &Place, instance: &'static str, second: i64) -> Option<JobLease> {
    store!(place.storage, tx => tx.take_job("sweep", instance, at(second), LEASE_MS).await?)
        .unwrap()
}

async fn row(place: &Place) -> JobRow {
    read!(place.storage, tx => tx.job("sweep").await?)
        .unwrap()
        .unwrap()
}

async fn advance(place: &Place, lease: &JobLease, position: i64, second: i64) -> bool {
    let lease = lease.clone();
    store!(place.storage, tx => tx.advance_job(&lease, position, at(second)).await?).unwrap()
}

async fn a_job_is_run_when_it_is_due_and_by_one() {
    let place = Place::new().await;
    assert_eq!(take(&place, "a", 0).await, None, "not known");
    add(&place, "sweep", 10).await;
    add(&place, "sweep", 0).await;
    assert_eq!(row(&place).await.next_at(), at(10), "the first time stays");
    assert_eq!(take(&place, "a", 9).await, None);
    let lease = take(&place, "a", 10).await.unwrap();
    assert_eq!((lease.name.as_str(), lease.position), ("sweep", 0));
    assert_eq!(take(&place, "b", 11).await, None);
    assert_eq!(row(&place).await.holder.as_deref(), Some("a"));
    assert_eq!(row(&place).await.next_at(), at(70));
}

async fn two_at_once_are_one() {
    let place = Place::new().await;
    add(&place, "sweep", 0).await;
    let (one, other) = tokio::join!(take(&place, "a", 5), take(&place, "b", 5));
    assert!(one.is_some() != other.is_some(), "{one:?} {other:?}");
}

async fn what_a_dead_instance_left_is_taken_over_where_it_stopped() {
    let place = Place::new().await;
    add(&place, "sweep", 0).await;
    let old = take(&place, "a", 0).await.unwrap();
    assert!(advance(&place, &old, 41, 100).await);
    assert_eq!(take(&place, "b", 99).await, None);
    let new = take(&place, "b", 100).await.unwrap();
    assert_eq!(new.position, 41);
    assert!(new.fence > old.fence);
    // The old one comes to again: nothing it does counts.
    assert!(!advance(&place, &old, 7, 200).await);
    let kept = store!(place.storage, tx => {
        (
            tx.keep_job(&old, at(900)).await?,
            tx.rest_job(&old, at(0), None).await?,
            tx.end_job(&old, at(0), at(0), "{}").await?,
        )
    });
    assert_eq!(kept, Ok((false, false, false)));
    let row = row(&place).await;
    assert_eq!((row.position, row.held_until), (41, Some(at(160))));
}

async fn a_run_that_ends_leaves_a_report_and_begins_anew_next_time() {
    let place = Place::new().await;
    add(&place, "sweep", 0).await;
    let lease = take(&place, "a", 0).await.unwrap();
    advance(&place, &lease, 12, 60).await;
    let ended = store!(place.storage, tx => {
        let first = tx.end_job(&lease, at(500), at(3), r#"{"rows":2}"#).await?;
        (first, tx.end_job(&lease, at(900), at(4), "{}").await?)
    });
    assert_eq!(ended, Ok((true, false)), "twice is once");
    assert_eq!(
        row(&place).await,
        JobRow {
            name: "sweep".to_owned(),
            due_at: at(500),
            holder: None,
            held_until: None,
            position: 0,
            ended_at: Some(at(3)),
            report: Some(r#"{"rows":2}"#.to_owned()),
        }
    );
}

async fn a_run_that_is_given_back_goes_on_later() {
    let place = Place::new().await;
    add(&place, "sweep", 0).await;
    let lease = take(&place, "a", 0).await.unwrap();
    advance(&place, &lease, 12, 60).await;
    store!(place.storage, tx => tx.rest_job(&lease, at(5), None).await?).unwrap();
    assert_eq!(row(&place).await.report, None);
    let lease = take(&place, "b", 5).await.unwrap();
    assert_eq!(lease.position, 12);
    let failed = r#"{"failed":"disk"}"#;
    store!(place.storage, tx => tx.rest_job(&lease, at(99), Some(failed)).await?).unwrap();
    let row = row(&place).await;
    assert_eq!(row.report.as_deref(), Some(failed));
    assert_eq!((row.due_at, row.ended_at), (at(99), None));
}

async fn a_job_is_called_earlier_unless_it_runs() {
    let place = Place::new().await;
    add(&place, "sweep", 50).await;
    for (asked, due) in [(60, 50), (20, 20)] {
        store!(place.storage, tx => tx.job_due_no_later_than("sweep", at(asked)).await?).unwrap();
        assert_eq!(row(&place).await.due_at, at(due));
    }
    take(&place, "a", 20).await.unwrap();
    store!(place.storage, tx => tx.job_due_no_later_than("sweep", at(0)).await?).unwrap();
    assert_eq!(row(&place).await.due_at, at(20));
}

async fn jobs_are_listed_by_name_and_outlive_a_restart() {
    let mut place = Place::new().await;
    add(&place, "sweep", 0).await;
    add(&place, "other", 9).await;
    place.reopen().await;
    let rows = read!(place.storage, tx => tx.jobs().await?).unwrap();
    let names: Vec<_> = rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["other", "sweep"]);
}

on_both!(
    a_job_is_run_when_it_is_due_and_by_one,
    two_at_once_are_one,
    what_a_dead_instance_left_is_taken_over_where_it_stopped,
    a_run_that_ends_leaves_a_report_and_begins_anew_next_time,
    a_run_that_is_given_back_goes_on_later,
    a_job_is_called_earlier_unless_it_runs,
    jobs_are_listed_by_name_and_outlive_a_restart,
);
