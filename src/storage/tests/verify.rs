//! `verify` is only worth its name if it finds what is wrong: each way to spoil the books, planted.

use super::*;

/// Sound books: ada's booking `a` is paid, `b` is being decided, `c` was given up.
async fn books() -> Place {
    let place = Place::new().await;
    post!(place.storage, tx => {
        tx.top_up(&top_up("ada", 1_000), at(0)).await?;
        for (uid, minor) in [("a", 300), ("b", 200), ("c", 100)] {
            let request = tx.request("ada", uid, minor).await?;
            let hold = tx.hold(&request, at(1)).await?;
            let status = match uid {
                "a" => {
                    tx.capture(hold, at(2)).await?;
                    "accepted"
                }
                "b" => "pending",
                _ => {
                    tx.release_hold(hold, at(2)).await?;
                    "cancelled"
                }
            };
            let mut line = booking(request.chain, uid, status);
            line.decision = Some(request.decision);
            line.outcome = Some(Outcome::Accept);
            line.settled = uid != "b";
            tx.put_bookings(request.chain, &[line]).await?;
        }
    })
    .unwrap();
    place
}

const CHECK_NOTHING: Sql = Sql::each(
    "PRAGMA ignore_check_constraints = ON",
    "DO $$ DECLARE rule record; BEGIN
         FOR rule IN SELECT conrelid::regclass AS of, conname AS name FROM pg_constraint
                     WHERE contype = 'c' AND connamespace = current_schema()::regnamespace
         LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', rule.of, rule.name); END LOOP;
     END $$",
);

/// Which rules are broken once these statements were run.
async fn broken(plant: &[&'static str]) -> Vec<&'static str> {
    let place = books().await;
    assert_eq!(place.violations().await, []);
    place.tamper_with(CHECK_NOTHING).await;
    for sql in plant {
        let sql = Sql::same(sql);
        let changed = store!(place.storage, tx => tx.query(sql).run().await?).unwrap();
        assert!(changed > 0, "{plant:?} changes nothing");
    }
    let mut rules: Vec<_> = place
        .violations()
        .await
        .into_iter()
        .map(|violation| violation.invariant)
        .collect();
    rules.dedup();
    rules
}

async fn entries_that_do_not_sum_to_zero() {
    let house = "UPDATE entry SET amount = amount + 1 WHERE txn_id = 1 AND line = 1";
    assert_eq!(broken(&[house]).await, ["I1"]);
    let empty = "INSERT INTO txn (kind, actor, recorded_at) VALUES ('adjust', 'gate', 0)";
    assert_eq!(broken(&[empty]).await, ["I1"]);
}

async fn a_running_balance_that_does_not_follow() {
    let more = "UPDATE account SET posted = posted + 5 WHERE kind = 'booker'";
    assert_eq!(broken(&[more]).await, ["I2"]);
    let version = "UPDATE account SET version = version + 1 WHERE kind = 'booker'";
    assert_eq!(broken(&[version]).await, ["I2"]);
    let step = "UPDATE entry SET posted_after = posted_after + 1 WHERE account_version = 2";
    assert_eq!(broken(&[step]).await, ["I2"]);
    let gap = "UPDATE entry SET account_version = 99 WHERE account_version = 2";
    assert_eq!(broken(&[gap]).await, ["I2"]);
    let none = "UPDATE entry SET held_after = NULL WHERE account_version = 2";
    assert_eq!(broken(&[none]).await, ["I2"]);
    let house = "UPDATE account SET posted = -5 WHERE kind = 'issued'";
    assert_eq!(broken(&[house]).await, ["I2"]);
}

async fn an_account_that_was_below_its_limit() {
    let once = "UPDATE entry SET posted_after = -1 WHERE account_version = 2";
    assert_eq!(broken(&[once]).await, ["I2", "I3"]);
    let limit = "UPDATE account SET credit_limit = -600 WHERE kind = 'booker'";
    assert_eq!(broken(&[limit]).await, ["I3"]);
}

async fn held_credit_that_no_hold_explains() {
    let larger = "UPDATE hold SET amount = amount + 1 WHERE state = 'held'";
    assert_eq!(broken(&[larger]).await, ["I4", "I6"]);
}

async fn a_hold_that_its_entries_do_not_explain() {
    let refunded = "UPDATE hold SET refunded = 1 WHERE state = 'captured'";
    assert_eq!(broken(&[refunded]).await, ["I6"]);
    let halved = "UPDATE hold SET released = 40 WHERE state = 'released'";
    assert_eq!(broken(&[halved]).await, ["I6"]);
}

async fn a_hold_that_was_resolved_twice() {
    let split = [
        "UPDATE entry SET amount = amount + 40 WHERE layer = 'held' AND amount = -300
             AND account_version IS NOT NULL",
        "INSERT INTO entry SELECT txn_id, 99, account_id, layer, -40, hold_id, posted_after,
             held_after, account_version FROM entry WHERE layer = 'held' AND amount = -260",
    ];
    assert_eq!(broken(&split).await, ["I6"]);
}

async fn a_booking_that_stands_unpaid() {
    let released = "UPDATE booking SET status = 'accepted' WHERE uid = 'c'";
    assert_eq!(broken(&[released]).await, ["I8"]);
    let waived = [
        "UPDATE booking SET status = 'accepted' WHERE uid = 'c'",
        "INSERT INTO waiver SELECT decision_id, chain_id, 'CREDIT', 100, 'host', 0
             FROM booking WHERE uid = 'c'",
    ];
    assert!(broken(&waived).await.is_empty(), "a waiver is as good");
}

async fn a_booking_that_is_over_and_still_holds() {
    for status in [
        "UPDATE booking SET settled = 1, status = 'rejected' WHERE uid = 'b'",
        "UPDATE booking SET settled = 1, status = 'cancelled' WHERE uid = 'b'",
        "UPDATE booking SET settled = 1, status = 'superseded' WHERE uid = 'b'",
    ] {
        assert_eq!(broken(&[status]).await, ["I8"]);
    }
}

async fn a_violation_says_where() {
    let place = books().await;
    place
        .tamper("UPDATE account SET posted = posted + 5 WHERE kind = 'booker'")
        .await;
    let violations = place.violations().await;
    expect_test::expect![
        "account 1: posted, held and version are 705, 200, 6; its entries say 700, 200, 6"
    ]
    .assert_eq(&violations[0].what);
}

on_both! {
    entries_that_do_not_sum_to_zero,
    a_running_balance_that_does_not_follow,
    an_account_that_was_below_its_limit,
    held_credit_that_no_hold_explains,
    a_hold_that_its_entries_do_not_explain,
    a_hold_that_was_resolved_twice,
    a_booking_that_stands_unpaid,
    a_booking_that_is_over_and_still_holds,
    a_violation_says_where,
}
