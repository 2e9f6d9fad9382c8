//! How each store would carry out every statement of `src/storage`: what reads a whole table gets
//! slower with every booking. The statements are taken out of the source, so that none is forgotten.
//! Whether a scan matters is for a person to say: an empty table is scanned rightly.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::World;
use crate::daemon::{Daemon, Setup};
use crate::decisions::decide;
use crate::store::{Session, Store};

/// Bookings stored, so that the planner has something to plan for.
const STORED: u64 = 2_000;
/// Statements shown with what they cost.
const COSTLIEST: u32 = 60;
const VERBS: [&str; 5] = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "];

/// A statement and the file it is in.
struct Statement {
    file: String,
    text: String,
}

/// Prints the plans of both stores.
pub(crate) fn run(world: &mut World, all: bool) -> Result<()> {
    let statements = statements(&crate::root().join("src/storage"))?;
    let folder = world.new_folder()?;
    let store = Store::file_in(folder.path());
    explain(world, "SQLite", &store, folder.path(), &statements, all)?;
    let folder = world.new_folder()?;
    if let Some(cluster) = &mut world.cluster {
        let store = cluster.database()?;
        explain(world, "PostgreSQL", &store, folder.path(), &statements, all)?;
    }
    Ok(())
}

fn explain(
    world: &World,
    name: &str,
    store: &Store,
    folder: &Path,
    statements: &[Statement],
    all: bool,
) -> Result<()> {
    world.calcom.reset();
    let daemon = Daemon::start(&Setup {
        folder,
        store,
        acknowledge: "auto",
        calcom: world.calcom.address,
        concurrency: None,
    })?;
    daemon.top_up()?;
    decide(world, store, std::slice::from_ref(&daemon), 0, STORED, None)?;
    let mut session = store.open()?;
    if session.is_postgres() {
        session.print_costliest(STORED)?;
        // As for a store that is large: a scan of a small one would be right. No values are known.
        session
            .run("ANALYZE; SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan")?;
    }
    let tables = session.tables()?;
    println!("\n## Plans of {name}: {} statements", statements.len());
    let (mut scans, mut unexplained) = (0, 0);
    for statement in statements {
        // A statement of the other store's dialect cannot be explained here.
        let Ok(plan) = session.plan(&statement.text) else {
            unexplained += 1;
            if all {
                println!(
                    "\n{}: {}\n    (not this store's)",
                    statement.file, statement.text
                );
            }
            continue;
        };
        let scan = plan.iter().any(|line| is_scan(line, &tables));
        scans += usize::from(scan);
        if scan || all {
            println!("\n{}: {}", statement.file, statement.text);
            for line in plan {
                println!("    {line}");
            }
        }
    }
    println!("\n{name}: {scans} read a whole table or index, {unexplained} are not for this store");
    Ok(())
}

/// SQLite writes SCAN, also of an index from end to end, and also of what a subquery gives, which is no
/// table; PostgreSQL, kept from it, still does it where there is no other way.
fn is_scan(line: &str, tables: &[String]) -> bool {
    let scanned = line.split_once("SCAN ").map(|(_, rest)| rest);
    let scanned = scanned.and_then(|rest| rest.split_whitespace().next());
    let scanned = scanned.is_some_and(|name| tables.iter().any(|table| table == name));
    scanned || line.contains("Seq Scan")
}

impl Session {
    fn tables(&mut self) -> Result<Vec<String>> {
        let catalogue = if self.is_postgres() {
            "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'"
        } else {
            "SELECT name FROM sqlite_master WHERE type = 'table'"
        };
        self.texts(catalogue, 0)
    }

    fn plan(&mut self, statement: &str) -> Result<Vec<String>> {
        if !self.is_postgres() {
            return self.texts(&format!("EXPLAIN QUERY PLAN {statement}"), 3);
        }
        let parameters = (1..=20)
            .rev()
            .find(|n| statement.contains(&format!("${n}")));
        let nulls = vec!["NULL"; parameters.unwrap_or(0)].join(", ");
        let values = if nulls.is_empty() {
            nulls
        } else {
            format!("({nulls})")
        };
        self.run("DEALLOCATE ALL")?;
        self.run(&format!("PREPARE asked AS {statement}"))?;
        self.texts(&format!("EXPLAIN EXECUTE asked{values}"), 0)
    }
}

impl Session {
    /// The statements that took the server longest, with what they took for each booking.
    fn print_costliest(&mut self, bookings: u64) -> Result<()> {
        self.run("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")?;
        let each = |what: &str| format!("round(({what} / {bookings}.0)::numeric, 2)");
        let sql = format!(
            "SELECT {calls} || ' calls, ' || {us} || ' us, ' || {pages} || ' pages: '
                 || left(regexp_replace(query, '\\s+', ' ', 'g'), 160)
             FROM pg_stat_statements JOIN pg_database ON pg_database.oid = dbid
             WHERE datname = current_database() ORDER BY total_exec_time DESC LIMIT {COSTLIEST}",
            calls = each("calls"),
            us = each("total_exec_time * 1000"),
            pages = each("(shared_blks_hit + shared_blks_read)"),
        );
        println!("\n## The costliest statements, for each booking decided\n");
        for line in self.texts(&sql, 0)? {
            println!("{line}");
        }
        Ok(())
    }
}

fn statements(room: &Path) -> Result<Vec<Statement>> {
    let mut files = Vec::new();
    list(room, &mut files)?;
    files.sort();
    let mut seen = BTreeSet::new();
    let mut statements = Vec::new();
    for path in files {
        let source = fs::read_to_string(&path)?;
        let file = path
            .strip_prefix(room)
            .unwrap_or(&path)
            .display()
            .to_string();
        for text in literals(&source) {
            let statement = VERBS.iter().any(|verb| text.starts_with(verb));
            if statement && !text.contains('{') && seen.insert(text.clone()) {
                let file = file.clone();
                statements.push(Statement { file, text });
            }
        }
    }
    Ok(statements)
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if !path.ends_with("tests") {
                list(&path, files)?;
            }
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// The plain texts in a source file, on one line each.
fn literals(source: &str) -> Vec<String> {
    let code = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let code: Vec<&str> = code.collect();
    let code = code.join("\n");
    // Every second piece between quotes is a text; the room's statements have no quote in them.
    let pieces = code.split('"').skip(1).step_by(2);
    pieces
        .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}
