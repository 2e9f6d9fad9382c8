//! How each store carries out every statement of `src/storage` when much is stored: what reads a whole
//! table gets slower with every booking. The statements are taken out of the source, so that none is
//! forgotten; which of them a decision needs is learned from PostgreSQL, which counts them.

mod plan;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use self::plan::{in_short, is_scan};
use crate::World;
use crate::decisions::decide;
use crate::figures::{Table, short};
use crate::growth::Stage;
use crate::hoard::PATTERNS;
use crate::store::Session;

/// Bookings decided while the statements are counted.
const DECIDED: u64 = 1_000;
/// A statement that is run for every so many bookings belongs to deciding them.
const RARE: u64 = 100;
const VERBS: [&str; 5] = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "];

/// A statement, and where it stands.
struct Statement {
    /// Its file and its name.
    place: String,
    text: String,
    /// Whether it is for a server only, or for a file only.
    for_server: Option<bool>,
}

/// What the server counted of a statement.
#[derive(Clone, Copy, Default)]
struct Count {
    calls: f64,
    us: f64,
    pages: f64,
}

/// By what is left of a statement when its values are taken out.
type Counts = BTreeMap<String, Count>;

/// Prints the plans of both stores.
pub(crate) fn run(world: &mut World, bookings: u64, all: bool) -> Result<()> {
    let statements = statements(&crate::root().join("src/storage"))?;
    // The server first, since it knows what is needed for a decision.
    let mut needed = None;
    for postgres in [true, false] {
        if postgres && world.cluster.is_none() {
            continue;
        }
        let stage = Stage::new(world, postgres, bookings)?;
        let mut session = stage.store.open()?;
        let mut counts = Counts::new();
        if postgres {
            counts = count(world, &stage, &mut session)?;
            let counted = |one: &&Statement| counts.contains_key(&without_values(&one.text));
            let places = statements.iter().filter(counted);
            needed = Some(places.map(|one| one.place.clone()).collect());
            // As a server does that has seen a statement a few times.
            session.run("SET plan_cache_mode = force_generic_plan")?;
        }
        let name = if postgres { "PostgreSQL" } else { "SQLite" };
        println!("\n# {name} with {bookings} bookings");
        print(&mut session, &statements, needed.as_ref(), &counts, all)?;
    }
    Ok(())
}

fn print(
    session: &mut Session,
    statements: &[Statement],
    needed: Option<&BTreeSet<String>>,
    counts: &Counts,
    all: bool,
) -> Result<()> {
    let tables = session.tables()?;
    let mut deciding = Table::new(["to decide", "for each", "us", "pages", "reads"]);
    let mut scanning = Table::new(["beside it, reading a whole table", "reads"]);
    let mut in_full = String::new();
    let other = Some(!session.is_postgres());
    for Statement { place, text, .. } in statements.iter().filter(|one| one.for_server != other) {
        // Some are the same for both, and of use to one.
        let Ok(plan) = session.plan(text) else {
            continue;
        };
        let count = counts.get(&without_values(text));
        let reads = in_short(&plan, &tables);
        let is_needed = needed.is_none_or(|needed| needed.contains(place));
        if is_needed && (count.is_some() || counts.is_empty()) {
            let Count { calls, us, pages } = count.copied().unwrap_or_default();
            let each = [calls / DECIDED as f64, us / calls, pages / calls];
            let each = each.map(|value| if counts.is_empty() { f64::NAN } else { value });
            let [calls, us, pages] = each.map(short);
            deciding.row([place.clone(), calls, us, pages, reads]);
        } else if plan.iter().any(|line| is_scan(line, &tables)) {
            scanning.row([place.clone(), reads]);
        }
        if all {
            in_full += &format!("\n{place}: {text}\n    {}\n", plan.join("\n    "));
        }
    }
    deciding.print("## What a decision needs");
    scanning.print("## What else reads whole tables");
    if all {
        println!("\n## All plans\n{in_full}");
    }
    Ok(())
}

/// Decides bookings, and gives what the server counted of the statements that were needed.
fn count(world: &World, stage: &Stage, session: &mut Session) -> Result<Counts> {
    session.run("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")?;
    let daemon = [stage.start(world)?];
    session.run("SELECT pg_stat_statements_reset()")?;
    decide(world, &stage.store, &daemon, PATTERNS, DECIDED, None)?;
    let rows = session.texts(
        &format!(
            "SELECT calls || ' ' || total_exec_time * 1000 || ' '
                 || shared_blks_hit + shared_blks_read || ' ' || query
             FROM pg_stat_statements JOIN pg_database ON pg_database.oid = dbid
             WHERE datname = current_database() AND calls >= {}",
            DECIDED / RARE
        ),
        0,
    )?;
    let mut counts = Counts::new();
    for row in rows {
        let mut fields = row.splitn(4, ' ');
        let mut number = || fields.next().and_then(|field| field.parse::<f64>().ok());
        let (Some(calls), Some(us), Some(pages)) = (number(), number(), number()) else {
            continue;
        };
        let count = counts.entry(without_values(fields.next().unwrap_or_default()));
        let count: &mut Count = count.or_default();
        count.calls += calls;
        count.us += us;
        count.pages += pages;
    }
    Ok(counts)
}

/// A statement without blanks and values, of which the server keeps only that there were some.
fn without_values(text: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let mut word = String::from(letter);
        if letter == '\'' {
            letters.by_ref().find(|letter| *letter == '\'');
            word = "?".to_owned();
        } else if letter.is_alphanumeric() || matches!(letter, '$' | '_') {
            while let Some(more) = letters.next_if(|one| one.is_alphanumeric() || *one == '_') {
                word.push(more);
            }
            let after_is = words
                .last()
                .is_some_and(|last| last == "IS" || last == "NOT");
            let null = word == "NULL" && !after_is;
            if null || word.starts_with(|first: char| first == '$' || first.is_ascii_digit()) {
                word = "?".to_owned();
            }
        } else if letter.is_whitespace() {
            continue;
        }
        words.push(word);
    }
    words.concat()
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
            // The plan of an insert also shows how its children would be found, which is done only while
            // some are without their parent.
            let insert = statement.starts_with("INSERT");
            let keys = if insert { "OFF" } else { "ON" };
            self.run(&format!("PRAGMA foreign_keys = {keys}"))?;
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
        self.texts(&format!("EXPLAIN (COSTS OFF) EXECUTE asked{values}"), 0)
    }
}

fn statements(room: &Path) -> Result<Vec<Statement>> {
    let mut files = Vec::new();
    list(room, &mut files)?;
    files.sort();
    let mut statements = Vec::new();
    for path in files {
        let source = fs::read_to_string(&path)?;
        let file = path.strip_prefix(room).unwrap_or(&path).display();
        for (name, text, for_server) in literals(&source) {
            let statement = VERBS.iter().any(|verb| text.starts_with(verb));
            if statement && !text.contains('{') {
                let place = format!("{file} {name}");
                statements.push(Statement {
                    place,
                    text,
                    for_server,
                });
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

/// The plain texts in a source file, each on one line, with the constant that it stands in, and the
/// store that it is for, if there is one for each.
fn literals(source: &str) -> Vec<(String, String, Option<bool>)> {
    let code = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let code: Vec<&str> = code.collect();
    let code = code.join("\n");
    let (mut name, mut for_server) = (String::new(), None);
    let mut texts = Vec::new();
    // Every second piece between quotes is a text; the room's statements have no quote in them.
    for (index, piece) in code.split('"').enumerate() {
        if index % 2 == 1 {
            let words: Vec<&str> = piece.split_whitespace().collect();
            texts.push((name.clone(), words.join(" "), for_server));
            continue;
        }
        for_server = match for_server {
            _ if piece.trim_end().ends_with("Sql::each(") => Some(false),
            Some(false) => Some(true),
            _ => None,
        };
        if let Some((_, constant)) = piece.rsplit_once("const ") {
            let end = constant.find(':').unwrap_or(0);
            name = constant[..end].to_owned();
        }
    }
    texts
}
