//! What a decision costs as the store grows. Some hundred bookings are decided for real; their rows are
//! then copied, by SQL, under new ids, until as many are stored as wanted; then bookings are decided
//! for real again. A cost that does not grow with what is stored gives ratios near 1.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::World;
use crate::daemon::{Daemon, Setup};
use crate::decisions::decide;
use crate::figures::{Table, short};
use crate::store::{Session, Store};

/// Bookings stored when the cost is measured, as far as the limit goes.
const SIZES: [u64; 3] = [10_000, 100_000, 1_000_000];
/// Bookings decided to be copied.
const PATTERNS: u64 = 1_000;
const WARM_UP: u64 = 500;
const MEASURED: u64 = 2_000;
/// Copies of all patterns in one transaction.
const COPIES_MAX: u64 = 25;

/// A table whose rows belong to one booking, and how to tell the patterns' rows.
struct Copied {
    table: &'static str,
    key: &'static str,
}

/// Parents first. Accounts, units and policies stay as they are: bookings share them.
const TABLES: [Copied; 11] = [
    Copied {
        table: "chain",
        key: "id",
    },
    Copied {
        table: "delivery",
        key: "id",
    },
    Copied {
        table: "chain_key",
        key: "chain_id",
    },
    Copied {
        table: "fact",
        key: "id",
    },
    Copied {
        table: "decision",
        key: "id",
    },
    Copied {
        table: "command",
        key: "id",
    },
    Copied {
        table: "attempt",
        key: "id",
    },
    Copied {
        table: "booking",
        key: "chain_id",
    },
    Copied {
        table: "txn",
        key: "id",
    },
    Copied {
        table: "hold",
        key: "id",
    },
    Copied {
        table: "entry",
        key: "txn_id",
    },
];
/// Columns that name a booking's own rows: moved up by the same distance everywhere.
const IDS: [&str; 7] = [
    "id",
    "chain_id",
    "delivery_id",
    "decision_id",
    "command_id",
    "txn_id",
    "hold_id",
];
/// Columns that name the booking at the provider.
const NAMES: [&str; 2] = ["uid", "key"];

/// Grows both stores and prints.
pub(crate) fn run(world: &mut World, bookings_max: u64) -> Result<()> {
    let mut table = Table::new([
        "decided with so many stored",
        "decisions/s",
        "of the first",
        "bookgate CPU us",
        "of the first",
        "database CPU us",
        "of the first",
    ]);
    let folder = world.new_folder()?;
    grow(
        world,
        "SQLite",
        &Store::file_in(folder.path()),
        &folder,
        bookings_max,
        &mut table,
    )?;
    let folder = world.new_folder()?;
    if let Some(cluster) = &mut world.cluster {
        let store = cluster.database()?;
        grow(
            world,
            "PostgreSQL",
            &store,
            &folder,
            bookings_max,
            &mut table,
        )?;
    }
    table.print("## As bookings pile up");
    Ok(())
}

fn grow(
    world: &World,
    name: &str,
    store: &Store,
    folder: &TempDir,
    bookings_max: u64,
    table: &mut Table,
) -> Result<()> {
    world.calcom.reset();
    let start = || {
        Daemon::start(&Setup {
            folder: folder.path(),
            store,
            acknowledge: "auto",
            calcom: world.calcom.address,
            concurrency: None,
        })
    };
    let daemon = start()?;
    daemon.top_up()?;
    decide(world, store, &[daemon], 0, PATTERNS, None)?;
    let patterns = Patterns::of(&mut store.open()?)?;

    let mut next = PATTERNS;
    let mut first: Option<[f64; 3]> = None;
    for size in SIZES.into_iter().filter(|size| *size <= bookings_max) {
        let begun = Instant::now();
        let mut session = store.open()?;
        patterns.copy_until(&mut session, size)?;
        drop(session);
        let daemon = [start()?];
        decide(world, store, &daemon, next, WARM_UP, None)?;
        let decided = decide(world, store, &daemon, next + WARM_UP, MEASURED, None)?;
        next += WARM_UP + MEASURED;
        let [daemon] = daemon;
        daemon.server.stop(Signal::TERM)?;
        let [cpu, database_cpu] = decided.cpu_us();
        let figures = [decided.rate(), cpu, database_cpu];
        let base = *first.get_or_insert(figures);
        let ratio = |place: usize| short(figures[place] / base[place]);
        println!(
            "{name}, {size} bookings: {} decisions/s, {} us; others {:.0} %; {} s with filling",
            short(figures[0]),
            short(cpu),
            decided.others * 100.0,
            begun.elapsed().as_secs()
        );
        table.row([
            format!("{name}, {size}"),
            short(figures[0]),
            ratio(0),
            short(cpu),
            ratio(1),
            short(database_cpu),
            ratio(2),
        ]);
    }
    Ok(())
}

/// The rows to be copied: in each table, those up to a highest key.
struct Patterns {
    highest: Vec<i64>,
    columns: Vec<Vec<String>>,
}

impl Patterns {
    fn of(session: &mut Session) -> Result<Self> {
        let mut patterns = Self {
            highest: Vec::new(),
            columns: Vec::new(),
        };
        for Copied { table, key } in TABLES {
            let highest =
                session.number(&format!("SELECT COALESCE(MAX({key}), 0) FROM {table}"))?;
            ensure!(highest > 0, "nothing in `{table}` to be copied");
            patterns.highest.push(highest);
            patterns.columns.push(session.columns(table)?);
        }
        Ok(patterns)
    }

    fn copy_until(&self, session: &mut Session, bookings: u64) -> Result<()> {
        let bookings = i64::try_from(bookings)?;
        loop {
            let stored = session.number("SELECT COUNT(*) FROM booking")?;
            let missing = u64::try_from(bookings - stored).unwrap_or(0);
            if missing == 0 {
                break;
            }
            let copies = missing.div_ceil(PATTERNS).min(COPIES_MAX);
            let base = session.highest_id()?;
            session.run(&self.copy(base, copies, session.is_postgres()))?;
        }
        session.tidy(&TABLES.map(|one| one.table))
    }

    /// One transaction that copies all patterns so many times.
    fn copy(&self, base: i64, copies: u64, postgres: bool) -> String {
        let width = self.highest.iter().max().copied().unwrap_or(0) + 1;
        // Numbered across transactions, because a name must not come twice.
        let copy_no = format!("({base} + k.n)");
        let shift = format!("({base} + (k.n - 1) * {width})");
        let series = "WITH RECURSIVE k (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM k WHERE n <";
        let mut text = String::from("BEGIN;\n");
        for ((Copied { table, key }, highest), columns) in
            TABLES.iter().zip(&self.highest).zip(&self.columns)
        {
            let values = columns.iter().map(|column| match column.as_str() {
                column if IDS.contains(&column) => format!("t.{column} + {shift}"),
                column if NAMES.contains(&column) => format!("t.{column} || '~' || {copy_no}"),
                "number" if *table != "attempt" => format!("t.number + {shift}"),
                "digest" if postgres => format!("decode(md5(t.id || '~' || {copy_no}), 'hex')"),
                "digest" => "randomblob(16)".to_owned(),
                column => format!("t.{column}"),
            });
            let values: Vec<String> = values.collect();
            text += &format!(
                "INSERT INTO {table} ({columns})\n{series} {copies})\nSELECT {values} FROM {table} t, k WHERE t.{key} <= {highest};\n",
                columns = columns.join(", "),
                values = values.join(", "),
            );
        }
        text + "COMMIT;"
    }
}

impl Session {
    fn highest_id(&mut self) -> Result<i64> {
        let mut highest = 0;
        for Copied { table, key } in TABLES {
            highest = highest.max(self.number(&format!("SELECT MAX({key}) FROM {table}"))?);
        }
        Ok(highest)
    }

    fn columns(&mut self, table: &str) -> Result<Vec<String>> {
        let sql = if self.is_postgres() {
            format!(
                "SELECT column_name::text FROM information_schema.columns
                 WHERE table_name = '{table}' AND is_generated = 'NEVER' ORDER BY ordinal_position"
            )
        } else {
            format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid")
        };
        let columns = self.texts(&sql, 0)?;
        ensure!(!columns.is_empty(), "no table `{table}`");
        Ok(columns)
    }

    /// What a store that grew by itself would have done: ids go on above the copies, statistics are
    /// known, and nothing is left in the log.
    fn tidy(&mut self, tables: &[&str]) -> Result<()> {
        if !self.is_postgres() {
            return self.run("PRAGMA wal_checkpoint(TRUNCATE)");
        }
        for table in tables {
            let sequence = format!(
                "SELECT COUNT(*) FROM information_schema.columns
                 WHERE table_name = '{table}' AND column_name = 'id'
                   AND (is_identity = 'YES' OR column_default LIKE 'nextval%')"
            );
            if self.number(&sequence)? == 1 {
                self.run(&format!(
                    "SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT MAX(id) FROM {table}))"
                ))
                .context("ids could not be moved on")?;
            }
        }
        self.run("VACUUM ANALYZE")?;
        self.run("CHECKPOINT")
    }
}
