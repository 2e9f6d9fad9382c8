//! `ledger verify`: whether the books are right, found out from the rows alone. Each rule is one
//! statement that returns what breaks it, in words.

use super::backend::{Sql, Tx};
use super::error::StorageError;
use super::records::Violation;

/// Violations shown for each statement at most: the first ones tell where to look.
const VIOLATIONS_MAX: i64 = 100;

const RULES: [(&str, Sql); 11] = [
    ("I1", UNBALANCED),
    ("I1", EMPTY),
    ("I2", WRONG_BALANCE),
    ("I2", WRONG_STEP),
    ("I2", HOUSE_BALANCE),
    ("I3", BELOW_LIMIT),
    ("I4", WRONG_HELD),
    ("I6", WRONG_HOLD),
    ("I6", RESOLVED_TWICE),
    ("I8", UNPAID),
    ("I8", STILL_HELD),
];

const UNBALANCED: Sql = Sql::same(
    "SELECT 'transaction ' || entry.txn_id || ': its ' || entry.layer || ' entries in '
         || account.unit || ' sum to ' || SUM(entry.amount) || ', not 0' AS what
     FROM entry JOIN account ON account.id = entry.account_id
     GROUP BY entry.txn_id, account.unit, entry.layer HAVING SUM(entry.amount) <> 0
     ORDER BY entry.txn_id LIMIT $1",
);
const EMPTY: Sql = Sql::same(
    "SELECT 'transaction ' || id || ' has no entries' AS what FROM txn
     WHERE NOT EXISTS (SELECT 1 FROM entry WHERE entry.txn_id = txn.id) ORDER BY id LIMIT $1",
);
const WRONG_BALANCE: Sql = Sql::same(
    "SELECT 'account ' || id || ': posted, held and version are ' || posted || ', ' || held || ', '
         || version || '; its entries say ' || posted_sum || ', ' || held_sum || ', ' || steps AS what
     FROM (SELECT account.id, account.posted, account.held, account.version,
               COALESCE(SUM(CASE WHEN entry.layer = 'posted' THEN entry.amount END), 0) AS posted_sum,
               COALESCE(SUM(CASE WHEN entry.layer = 'held' THEN entry.amount END), 0) AS held_sum,
               COUNT(DISTINCT entry.txn_id) AS steps
           FROM account LEFT JOIN entry ON entry.account_id = account.id
           WHERE account.tracked = 1
           GROUP BY account.id, account.posted, account.held, account.version) AS told
     WHERE posted <> posted_sum OR held <> held_sum OR version <> steps ORDER BY id LIMIT $1",
);
// Every step of an account, in the order of its versions, beside the running sums of its entries.
const WRONG_STEP: Sql = Sql::same(
    "SELECT 'account ' || account_id || ', transaction ' || txn_id
         || ': the balance or version after it does not follow from the entries' AS what
     FROM (SELECT account_id, txn_id,
               MIN(posted_after) AS posted_low, MAX(posted_after) AS posted_high,
               MIN(held_after) AS held_low, MAX(held_after) AS held_high,
               MIN(account_version) AS version_low, MAX(account_version) AS version_high,
               SUM(SUM(CASE WHEN layer = 'posted' THEN amount ELSE 0 END)) OVER steps AS posted_sum,
               SUM(SUM(CASE WHEN layer = 'held' THEN amount ELSE 0 END)) OVER steps AS held_sum,
               ROW_NUMBER() OVER steps AS step
           FROM entry JOIN account ON account.id = entry.account_id
           WHERE account.tracked = 1 GROUP BY account_id, txn_id
           WINDOW steps AS (PARTITION BY account_id ORDER BY MIN(account_version), txn_id)) AS told
     WHERE posted_low IS NULL OR held_low IS NULL OR version_low IS NULL
         OR posted_low <> posted_sum OR posted_high <> posted_sum
         OR held_low <> held_sum OR held_high <> held_sum
         OR version_low <> step OR version_high <> step
     ORDER BY account_id, txn_id LIMIT $1",
);
const HOUSE_BALANCE: Sql = Sql::same(
    "SELECT 'house account ' || id || ' has a running balance' AS what FROM account
     WHERE tracked = 0 AND (posted <> 0 OR held <> 0 OR version <> 0) ORDER BY id LIMIT $1",
);
const BELOW_LIMIT: Sql = Sql::same(
    "SELECT DISTINCT 'account ' || account.id || ' was below its limit after transaction '
         || entry.txn_id AS what
     FROM entry JOIN account ON account.id = entry.account_id
     WHERE account.tracked = 1
         AND entry.posted_after - entry.held_after + account.credit_limit < 0
     ORDER BY what LIMIT $1",
);
const WRONG_HELD: Sql = Sql::same(
    "SELECT 'account ' || id || ' has ' || held || ' held, its open holds sum to ' || open AS what
     FROM (SELECT account.id, account.held,
               (SELECT CAST(COALESCE(SUM(hold.amount), 0) AS BIGINT) FROM hold
                WHERE hold.account_id = account.id AND hold.state = 'held') AS open
           FROM account WHERE account.tracked = 1) AS told
     WHERE held <> open ORDER BY id LIMIT $1",
);
const WRONG_HOLD: Sql = Sql::same(
    "SELECT 'hold ' || id || ' is ' || state || ' with ' || amount || ' = ' || captured
         || ' captured + ' || released || ' released, ' || refunded || ' refunded; its entries say '
         || held_sum || ' held, ' || posted_sum || ' posted' AS what
     FROM (SELECT hold.id, hold.state, hold.amount, hold.captured, hold.released, hold.refunded,
               COALESCE(SUM(CASE WHEN entry.layer = 'held' THEN entry.amount END), 0) AS held_sum,
               COALESCE(SUM(CASE WHEN entry.layer = 'posted' THEN entry.amount END), 0) AS posted_sum
           FROM hold LEFT JOIN entry
               ON entry.hold_id = hold.id AND entry.account_id = hold.account_id
           GROUP BY hold.id, hold.state, hold.amount, hold.captured, hold.released,
               hold.refunded) AS told
     WHERE held_sum <> amount - captured - released OR posted_sum <> refunded - captured
         OR captured + released <> CASE WHEN state = 'held' THEN 0 ELSE amount END
     ORDER BY id LIMIT $1",
);
const RESOLVED_TWICE: Sql = Sql::same(
    "SELECT 'hold ' || id || ' is ' || state || ', and was made ' || made || ' and resolved '
         || resolved || ' times' AS what
     FROM (SELECT hold.id, hold.state,
               COUNT(CASE WHEN entry.amount > 0 THEN 1 END) AS made,
               COUNT(CASE WHEN entry.amount < 0 THEN 1 END) AS resolved
           FROM hold LEFT JOIN entry ON entry.hold_id = hold.id
               AND entry.account_id = hold.account_id AND entry.layer = 'held'
           GROUP BY hold.id, hold.state) AS told
     WHERE made <> 1 OR resolved <> CASE WHEN state = 'held' THEN 0 ELSE 1 END
     ORDER BY id LIMIT $1",
);
const UNPAID: Sql = Sql::same(
    "SELECT 'booking ' || booking.source || '/' || booking.uid
         || CASE WHEN booking.seat = '' THEN '' ELSE '/' || booking.seat END
         || ' stands, costs ' || decision.cost || ', and has neither a captured hold nor a waiver'
         AS what
     FROM booking JOIN decision ON decision.id = booking.decision_id
     WHERE booking.settled = 1 AND booking.status = 'accepted'
         AND decision.outcome = 'accept' AND decision.cost > 0
         AND NOT EXISTS (SELECT 1 FROM hold
                         WHERE hold.decision_id = decision.id AND hold.state = 'captured')
         AND NOT EXISTS (SELECT 1 FROM waiver WHERE waiver.decision_id = decision.id)
     ORDER BY booking.source, booking.uid, booking.seat LIMIT $1",
);
const STILL_HELD: Sql = Sql::same(
    "SELECT 'booking ' || booking.source || '/' || booking.uid
         || CASE WHEN booking.seat = '' THEN '' ELSE '/' || booking.seat END
         || ' is over, and hold ' || hold.id || ' is still open' AS what
     FROM booking JOIN hold ON hold.chain_id = booking.chain_id AND hold.uid = booking.uid
         AND hold.seat = booking.seat AND hold.state = 'held'
     WHERE booking.settled = 1 AND booking.status IN ('rejected', 'cancelled', 'superseded')
     ORDER BY hold.id LIMIT $1",
);

impl Tx {
    /// Everything in the books that must not be; empty if they are right.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn verify(&mut self) -> Result<Vec<Violation>, StorageError> {
        self.take_time().await?;
        let mut violations = Vec::new();
        for (invariant, sql) in RULES {
            for row in self.query(sql).bind(VIOLATIONS_MAX).all().await? {
                let what = row.get("what")?;
                violations.push(Violation { invariant, what });
            }
        }
        Ok(violations)
    }
}
