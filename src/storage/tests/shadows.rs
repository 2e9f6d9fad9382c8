//! What decisions were made from, and what policies that are only watched made of them.

use super::contract::on_both;
use super::*;

async fn what_a_set_is_made_of_is_kept_once() {
    let place = Place::new().await;
    let found = store!(place.storage, tx => {
        for (word, then) in [("first", at(0)), ("second", at(1))] {
            tx.archive_policy("h1", "members", word, then).await?;
            tx.archive_list("l1", Some(word), then).await?;
            tx.archive_list("l2", None, then).await?;
            tx.archive_set("s1", word, then).await?;
        }
        let lists = (tx.has_archived_list("l2").await?, tx.has_archived_list("l3").await?);
        assert_eq!(lists, (true, false));
        [
            tx.archived_policy("h1").await?,
            tx.archived_set("s1").await?,
            tx.archived_list("l1").await?,
            tx.archived_list("l2").await?,
            tx.archived_list("l3").await?,
            tx.archived_policy("h2").await?,
            tx.archived_set("s2").await?,
        ]
    })
    .unwrap();
    let first = Some("first".to_owned());
    let expected = [first.clone(), first.clone(), first, None, None, None, None];
    assert_eq!(found, expected);
}

async fn what_shadows_said_is_listed_beside_what_was_decided() {
    let place = Place::new().await;
    let shadow = |policy: &str, cost: i64| ShadowVerdict {
        policy: policy.to_owned(),
        policy_hash: "h2".to_owned(),
        outcome: Outcome::Reject,
        failed: vec!["credit".to_owned()],
        message: Some("No.".to_owned()),
        note: None,
        cost: (cost > 0).then(|| credits(cost)),
        trace: "[]".to_owned(),
    };
    let (first, second) = store!(place.storage, tx => {
        let (_, first) = tx.decided("a", 150).await?;
        let (_, second) = tx.decided("b", 0).await?;
        tx.insert_shadow_verdict(first, &shadow("x", 7)).await?;
        tx.insert_shadow_verdict(second, &shadow("x", 0)).await?;
        tx.insert_shadow_verdict(second, &shadow("y", 0)).await?;
        (first, second)
    })
    .unwrap();
    let after = ShadowCursor {
        decision: second,
        policy: "x".to_owned(),
    };
    let (any, of_x) = (
        ShadowFilter::default(),
        ShadowFilter {
            policy: Some("x".to_owned()),
        },
    );
    let (own, all, rest, some, snapshots, older) = read!(place.storage, tx => (
        tx.shadow_verdicts(first).await?,
        tx.list_shadow_verdicts(&any, None, 9).await?,
        tx.list_shadow_verdicts(&any, Some(&after), 1).await?,
        tx.list_shadow_verdicts(&of_x, None, 9).await?,
        tx.snapshots(None, 9).await?,
        tx.snapshots(Some(second), 9).await?,
    ))
    .unwrap();
    assert_eq!(own, [shadow("x", 7)]);
    let ids = |rows: &[ShadowRow]| -> Vec<(DecisionId, String)> {
        let ids = rows.iter();
        ids.map(|row| (row.decision, row.shadow.policy.clone()))
            .collect()
    };
    let (x, y) = ("x".to_owned(), "y".to_owned());
    assert_eq!(
        ids(&all),
        [(second, x.clone()), (second, y.clone()), (first, x.clone())]
    );
    assert_eq!(ids(&rest), [(second, y)]);
    assert_eq!(ids(&some), [(second, x.clone()), (first, x)]);
    assert_eq!(
        (&all[2].cost, &all[2].shadow.cost),
        (&Some(credits(150)), &Some(credits(7)))
    );
    assert_eq!(all[2].by.as_deref(), Some("members"));
    let ids = |rows: &[Snapshot]| rows.iter().map(|row| row.decision).collect::<Vec<_>>();
    assert_eq!(
        (ids(&snapshots), ids(&older)),
        (vec![second, first], vec![first])
    );
    assert_eq!(snapshots[1].cost, Some(credits(150)));
    assert_eq!(
        (&*snapshots[0].decided_by, &*snapshots[0].facts),
        ("policy", r#"{"now":1}"#)
    );
}

on_both! {
    what_a_set_is_made_of_is_kept_once,
    what_shadows_said_is_listed_beside_what_was_decided,
}
