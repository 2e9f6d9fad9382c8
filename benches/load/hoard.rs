//! An old installation, made quickly. Some bookings are decided for real; their rows are then copied,
//! by SQL, under new ids and names, as if two years had passed. Nothing is ever removed from it, but for
//! the bodies of old webhooks: a real one of the same age has fewer rows. The books stay right.

use anyhow::{Context, Result, ensure};

use crate::store::Session;
use crate::webhooks::NUMBER_FIRST;

/// Bookings decided to be copied.
pub(crate) const PATTERNS: u64 = 1_000;
/// Copies of all patterns in one transaction.
const COPIES_MAX: u64 = 20;
/// Names of copies lie between those of as many bookings to come, so that these do not all go to the
/// end of an index: a provider's names are random.
const NAMES: u64 = 40_000;
/// One copy in so many is of bookings by the bookers of the patterns, who are those that go on booking;
/// all others are by bookers of their own.
const REGULARS: u64 = 10;
/// One chain in so many waits for a time to come.
const WAITING: u64 = 50;
const DAY_US: u64 = 24 * 60 * 60 * 1_000_000;
const AGE_DAYS: u64 = 2 * 365;
/// As retention is set where nobody has set it.
const BODIES_DAYS: u64 = 30;

/// The tables that are copied, parents first, and how to tell the patterns' rows. Units, policies and
/// the house's accounts stay as they are.
const TABLES: [(&str, &str); 12] = [
    ("chain", "id"),
    ("delivery", "id"),
    ("chain_key", "chain_id"),
    ("fact", "id"),
    ("decision", "id"),
    ("command", "id"),
    ("attempt", "id"),
    ("booking", "chain_id"),
    ("account", "id"),
    ("txn", "id"),
    ("hold", "id"),
    ("entry", "txn_id"),
];

/// The rows to be copied.
pub(crate) struct Hoard {
    /// Of each table: the highest key, and its columns.
    tables: Vec<(i64, Vec<String>)>,
    /// What ids go up by with each copy.
    width: i64,
    /// The house's accounts, as an SQL list.
    house: String,
    postgres: bool,
}

impl Hoard {
    /// Makes [`PATTERNS`] bookings into as many as are wanted.
    pub(crate) fn fill(session: &mut Session, bookings: u64) -> Result<()> {
        let hoard = Self::of(session)?;
        session.run(if hoard.postgres {
            // Nobody checks the rows that they refer to: their parents were copied in the same way.
            "SET session_replication_role = replica; SET synchronous_commit = off"
        } else {
            "PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -400000"
        })?;
        let copies = bookings.saturating_sub(PATTERNS) / PATTERNS;
        let mut first = 1;
        while first <= copies {
            let last = copies.min(first + COPIES_MAX - 1);
            session.run(&hoard.copy(first, last, copies))?;
            first = last + 1;
        }
        let times = 1 + copies.div_ceil(REGULARS);
        session.run(&format!(
            "UPDATE account SET posted = posted * {times}, version = version * {times}
             WHERE kind = 'booker' AND id <= {}",
            hoard.highest("account")
        ))?;
        let stored = session.number("SELECT COUNT(*) FROM booking")?;
        ensure!(stored == i64::try_from(bookings)?, "{stored} are stored");
        tidy(session)
    }

    fn of(session: &mut Session) -> Result<Self> {
        let mut tables = Vec::new();
        for (table, key) in TABLES {
            let highest =
                session.number(&format!("SELECT COALESCE(MAX({key}), 0) FROM {table}"))?;
            ensure!(highest > 0, "nothing in `{table}` to be copied");
            tables.push((highest, columns(session, table)?));
        }
        let open = session.number("SELECT COUNT(*) FROM hold WHERE state <> 'captured'")?;
        ensure!(open == 0, "the patterns are not settled");
        let house = session.texts(
            "SELECT CAST(id AS TEXT) FROM account WHERE kind <> 'booker'",
            0,
        )?;
        let highest = tables.iter().map(|(highest, _)| *highest);
        Ok(Self {
            width: highest.max().unwrap_or(0) + 1,
            house: house.join(", "),
            postgres: session.is_postgres(),
            tables,
        })
    }

    fn highest(&self, name: &str) -> i64 {
        let mut tables = TABLES.iter().zip(&self.tables);
        let found = tables.find(|((table, _), _)| *table == name);
        found.map_or(0, |(_, (highest, _))| *highest)
    }

    /// One transaction that makes these copies of all patterns, of so many in all.
    fn copy(&self, first: u64, last: u64, copies: u64) -> String {
        let mut text = String::from("BEGIN;\n");
        for ((table, key), (highest, columns)) in TABLES.iter().zip(&self.tables) {
            let values = columns
                .iter()
                .map(|column| self.value(table, column, copies));
            let values: Vec<String> = values.collect();
            let (beside, which) = match *table {
                "account" => ("", format!("AND t.kind = 'booker' AND NOT {}", regular())),
                "entry" => ("JOIN account a ON a.id = t.account_id", String::new()),
                _ => ("", String::new()),
            };
            text += &format!(
                "INSERT INTO {table} ({columns})
                 WITH RECURSIVE k (n) AS (SELECT CAST({first} AS BIGINT) UNION ALL SELECT n + 1 FROM k WHERE n < {last})
                 SELECT {values} FROM k CROSS JOIN {table} t {beside}
                 WHERE t.{key} <= {highest} {which};\n",
                columns = columns.join(", "),
                values = values.join(", "),
            );
        }
        text + "COMMIT;"
    }

    /// What the copy numbered `k.n` has in a column; the first copy is the oldest.
    fn value(&self, table: &str, column: &str, copies: u64) -> String {
        let shifted = format!("t.{column} + k.n * {}", self.width);
        let step = AGE_DAYS * DAY_US / (copies + 1);
        let age = format!("({} - k.n) * {step}", copies + 1);
        let regular = regular();
        match (table, column) {
            (
                _,
                "id" | "chain_id" | "delivery_id" | "decision_id" | "command_id" | "txn_id"
                | "hold_id",
            ) => shifted,
            (_, "account_id") => format!(
                "CASE WHEN {regular} OR t.account_id IN ({}) THEN t.account_id ELSE {shifted} END",
                self.house
            ),
            ("entry", "posted_after" | "account_version") => {
                let total = if column == "posted_after" {
                    "a.posted"
                } else {
                    "a.version"
                };
                let earlier = format!("(k.n + {REGULARS} - 1) / {REGULARS} * {total}");
                format!("t.{column} + CASE WHEN {regular} THEN {earlier} ELSE 0 END")
            }
            (_, "owner" | "booker") => {
                format!("CASE WHEN {regular} THEN t.{column} ELSE 'c' || k.n || '.' || t.{column} END")
            }
            // All end with the booking's number, which has nine digits.
            (_, "uid" | "key") => format!(
                "substr(t.{column}, 1, length(t.{column}) - 9)
                 || (CAST(substr(t.{column}, length(t.{column}) - 8) AS BIGINT) + k.n % {} * {PATTERNS})
                 || '~' || k.n",
                NAMES / PATTERNS
            ),
            ("booking" | "command", "number") => {
                format!("t.number + k.n * {}", NUMBER_FIRST)
            }
            (_, "digest") if self.postgres => "decode(md5(t.id || '~' || k.n), 'hex')".to_owned(),
            (_, "digest") => "randomblob(16)".to_owned(),
            ("delivery", "body") => {
                let old = BODIES_DAYS * DAY_US;
                format!("CASE WHEN {age} > {old} THEN NULL ELSE t.body END")
            }
            ("chain", "due_at") => {
                let ahead = format!("t.updated_at + k.n * {}", DAY_US / 24);
                format!("CASE WHEN t.id % {WAITING} = 0 THEN {ahead} END")
            }
            (_, column) if column.ends_with("_at") => format!("t.{column} - {age}"),
            (_, column) => format!("t.{column}"),
        }
    }
}

/// Whether a copy is of bookings by the patterns' own bookers.
fn regular() -> String {
    format!("(k.n % {REGULARS} = 1)")
}

fn columns(session: &mut Session, table: &str) -> Result<Vec<String>> {
    let sql = if session.is_postgres() {
        format!(
            "SELECT column_name::text FROM information_schema.columns
             WHERE table_name = '{table}' AND is_generated = 'NEVER' ORDER BY ordinal_position"
        )
    } else {
        format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid")
    };
    let columns = session.texts(&sql, 0)?;
    ensure!(!columns.is_empty(), "no table `{table}`");
    Ok(columns)
}

/// What a store that grew by itself would have done: ids go on above the copies, statistics are
/// known, and nothing is left to be written.
fn tidy(session: &mut Session) -> Result<()> {
    if !session.is_postgres() {
        return session.run("PRAGMA synchronous = FULL; PRAGMA wal_checkpoint(TRUNCATE)");
    }
    for (table, key) in TABLES {
        if key != "id" {
            continue;
        }
        session
            .run(&format!(
                "SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT MAX(id) FROM {table}))"
            ))
            .context("ids could not be moved on")?;
    }
    session.run("VACUUM ANALYZE")?;
    session.run("CHECKPOINT")
}
