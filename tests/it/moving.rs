//! Backup and import by the real binary: beside a daemon, killed at any moment, and put to use.

use std::time::Duration;

use bookgate::app::storage_settings;
use bookgate::domain::amount::Amount;
use bookgate::domain::clock::Timestamp;
use bookgate::domain::ids::SourceName;
use bookgate::domain::owner::Owner;
use bookgate::settings::{Environment, Settings};
use bookgate::storage::records::{CreditChange, DeliveryState, Filing, NewDelivery};
use bookgate::storage::{LedgerError, Storage};

use crate::cli::home::Home;
use crate::rig::postgres::Postgres;

const DELIVERIES: u32 = 20_000;

fn now() -> Timestamp {
    "2030-01-01T00:00:00Z".parse().unwrap()
}

/// A file with so many rows that moving them takes a while.
async fn fill(home: &Home) {
    let folder = home.path("");
    let settings = Settings::from_toml_str("", &folder, &Environment::default()).unwrap();
    let storage = Storage::open(&storage_settings(&settings)).await.unwrap();
    let unit = settings.units.keys().next().unwrap().clone();
    for part in 0..DELIVERIES / 1_000 {
        let unit = unit.clone();
        let filled: Result<(), LedgerError> = storage
            .write(move |tx| {
                Box::pin(async move {
                    let ignored = Filing {
                        state: DeliveryState::Ignored,
                        trigger: None,
                        note: None,
                    };
                    for number in part * 1_000..(part + 1) * 1_000 {
                        let mut digest = [0; 16];
                        digest[..4].copy_from_slice(&number.to_be_bytes());
                        let delivery = NewDelivery {
                            source: SourceName::new("calcom"),
                            digest,
                            received_at: now(),
                            content_type: None,
                            body: vec![7; 300].into(),
                        };
                        tx.arrive(&[delivery]).await?;
                        let id = tx.last_unfiled().await?.expect("it has just arrived");
                        tx.file_delivery(id, &ignored, None, now()).await?;
                    }
                    for owner in 0..50 {
                        let top_up = CreditChange {
                            owner: Owner::parse(&format!("b{owner}@reader.example")).unwrap(),
                            amount: Amount {
                                minor: 100,
                                unit: unit.clone(),
                            },
                            actor: "test".to_owned(),
                            reason: None,
                            metadata: None,
                        };
                        tx.top_up(&top_up, now()).await?;
                    }
                    Ok(())
                })
            })
            .await;
        filled.unwrap();
    }
    storage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_is_killed_again_and_again_arrives_whole() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let mut home = Home::new();
    fill(&home).await;
    let database = postgres.create_database();
    let url = postgres.url(&database);
    home.set("TARGET", &url);
    let line = [
        "import",
        "--from",
        "sqlite://bookgate.db",
        "--to",
        "env:TARGET",
    ];
    let (mut killed, mut wait_ms) = (0, 40);
    let told = loop {
        let mut process = home
            .command(&line)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // The moment of the kill is what varies here; nothing is waited for.
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        if process.try_wait().unwrap().is_some() {
            break process.wait_with_output().unwrap();
        }
        process.kill().unwrap();
        process.wait().unwrap();
        (killed, wait_ms) = (killed + 1, wait_ms + 60);
        let begun = "SELECT count(*) FROM pg_class WHERE relname = 'job'";
        if postgres.sql(&database, begun) == "1" {
            let sign = "SELECT count(*) FROM job WHERE name = 'import' AND ended_at IS NULL";
            if postgres.sql(&database, sign) == "1" {
                home.set("BOOKGATE__STORAGE__URL", "env:TARGET");
                let refused = home.run(&["serve"]).failed(1);
                assert!(refused.contains("only half imported"), "{refused}");
                home.unset("BOOKGATE__STORAGE__URL");
            }
        }
    };
    let text = String::from_utf8(told.stdout).unwrap();
    let errors = String::from_utf8(told.stderr).unwrap();
    // The last kill may have come when all was done but telling.
    let was_done = errors.contains("imported already");
    assert!(told.status.success() || was_done, "{killed}: {errors}");
    assert!(
        text.contains("everything has arrived") || was_done,
        "{text}"
    );
    assert!(killed > 2, "{killed}");
    let count = postgres.sql(&database, "SELECT count(*), max(id) FROM delivery");
    assert_eq!(count, format!("{DELIVERIES}|{DELIVERIES}"));

    home.set("BOOKGATE__STORAGE__URL", "env:TARGET");
    let daemon = home.serve();
    let show = ["credits", "show", "b7@reader.example", "--json"];
    let account = home.run(&show).json();
    assert_eq!(account["balances"][0]["posted"], "20");
    let dump = home.run(&["backup", "copy.db"]).failed(2);
    assert!(dump.contains("pg_dump"), "{dump}");
    assert_eq!(daemon.stop(), Some(0));
    home.unset("BOOKGATE__STORAGE__URL");
    let again = home.run(&line).failed(1);
    assert!(again.contains("imported already"), "{again}");
}

#[test]
fn a_backup_made_beside_the_daemon_is_restored_by_copying_it_back() {
    let mut home = Home::new();
    let admin = crate::cli::home::free_address();
    home.set("BOOKGATE__SERVER__ADMIN_LISTEN", &admin);
    home.run(&["backup", "copy.db"]).failed(3);
    let daemon = home.serve();
    let top_up = |amount: &str| home.run(&["credits", "top-up", "ada@reader.example", amount]);
    top_up("5").done();
    let text = home.run(&["backup", "copy.db"]).done();
    assert!(
        text.contains("1 txn") && text.contains("is sound"),
        "{text}"
    );
    top_up("3").done();
    let refused = home.run(&["backup", "copy.db"]).failed(1);
    assert!(refused.contains("not overwritten"), "{refused}");
    assert_eq!(daemon.stop(), Some(0));
    std::fs::copy(home.path("copy.db"), home.path("bookgate.db")).unwrap();
    let daemon = home.serve();
    let account = home.run(&["credits", "show", "ada@reader.example", "--json"]);
    assert_eq!(account.json()["balances"][0]["posted"], "5");
    top_up("1").done();
    assert_eq!(daemon.stop(), Some(0));
    home.run(&["ledger", "verify"]).done();
}
