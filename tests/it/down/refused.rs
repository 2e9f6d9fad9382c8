//! What waiting does not cure stops the start, and says what to do; what may pass is waited for, where
//! the journal may stand in.

use serde_json::Value;

use super::own_server;
use crate::cli::home::{Daemon, Home, PATIENCE};
use crate::rig::postgres::{Postgres, ROLE, Stop};

/// The URL with another last part.
fn other_database(url: &str, name: &str) -> String {
    let (server, _) = url.rsplit_once('/').unwrap();
    format!("{server}/{name}")
}

pub(super) fn home_at(url: &str) -> Home {
    let mut home = Home::new();
    home.set("BOOKGATE__STORAGE__URL", url);
    home.set("BOOKGATE__STORAGE__TLS", "disable");
    let nobody = "http://127.0.0.1:1";
    home.set("BOOKGATE__SOURCES__CALCOM__API__BASE_URL", nobody);
    home
}

/// What `serve` says when it does not start.
fn refusal(home: &Home) -> String {
    home.run(&["serve"]).failed(1)
}

pub(super) fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}

#[test]
fn a_wrong_database_or_password_stops_the_start() {
    let Some(mut cluster) = Postgres::start(10) else {
        return;
    };
    let url = cluster.url(&cluster.create_database());
    let home = home_at(&other_database(&url, "nowhere"));
    says(
        &refusal(&home),
        &["cannot open", "\"nowhere\" does not exist", "3D000"],
    );

    cluster.sql("postgres", &format!("ALTER ROLE {ROLE} PASSWORD 'right'"));
    cluster.admit(&format!("host all {ROLE} all scram-sha-256"));
    cluster.stop(Stop::Fast);
    cluster.resume();
    let with = |password: &str| url.replace(ROLE, &format!("{ROLE}:{password}"));
    let mut home = home_at("env:URL");
    home.set("URL", &with("wrong"));
    let said = refusal(&home);
    says(
        &said,
        &["cannot open", "password authentication failed", "28P01"],
    );
    assert!(!said.contains("wrong"), "the password is told: {said}");
    home.set("URL", &with("right"));
    home.run(&["migrate"]).done();
}

#[test]
fn a_database_of_a_later_version_or_without_names_stops_the_start() {
    let Some(cluster) = Postgres::start(10) else {
        return;
    };
    let name = cluster.create_database();
    let home = home_at(&cluster.url(&name));
    home.run(&["migrate"]).done();
    let later = "INSERT INTO _sqlx_migrations
                     (version, description, success, checksum, execution_time)
                 VALUES (9999, 'from the future', TRUE, '', 0)";
    cluster.sql(&name, later);
    says(&refusal(&home), &["schema 9999"]);

    let latin = "CREATE DATABASE latin OWNER bookgate ENCODING 'LATIN1' TEMPLATE template0";
    cluster.sql("postgres", latin);
    let home = home_at(&cluster.url("latin"));
    says(&refusal(&home), &["encoding is LATIN1", "UTF8"]);
}

#[test]
fn an_address_that_is_none_stops_the_start() {
    let home = home_at("postgres://bookgate@127.0.0.1/db?sslmode=sometimes");
    says(&refusal(&home), &["cannot open", "sometimes"]);
    let mut home = home_at("postgres://bookgate@127.0.0.1/db");
    home.set("BOOKGATE__STORAGE__TLS_ROOT_CERTIFICATE", "nowhere.pem");
    says(
        &refusal(&home),
        &["tls_root_certificate", "nowhere.pem", "No such file"],
    );
    home.write("nowhere.pem", "not a certificate");
    says(&refusal(&home), &["nowhere.pem", "BEGIN CERTIFICATE"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_and_daemons_that_may_not_wait_say_where_nobody_answers() {
    let Some((store, _)) = own_server() else {
        return;
    };
    let address = store.postgres(|cluster, _| {
        cluster.stop(Stop::Fast);
        cluster.address()
    });
    let mut home = home_at(&store.url());
    home.set("BOOKGATE__STORAGE__BUSY_TIMEOUT_MS", "300");
    home.set("BOOKGATE__SERVER__WHEN_STORE_IS_DOWN", "refuse");
    let place = format!("{} port {}", address.ip(), address.port());
    for line in [&["serve"][..], &["migrate"], &["bookings", "list"]] {
        let said = home.run(line).failed(1);
        says(&said, &["cannot reach", &place, "refused"]);
    }
    store.postgres(|cluster, _| {
        cluster.resume();
        cluster.freeze();
    });
    let said = refusal(&home);
    says(&said, &["cannot reach", &place, "did not answer within"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_turns_out_later_is_told_and_webhooks_are_taken() {
    let Some((store, _)) = own_server() else {
        return;
    };
    store.postgres(|cluster, _| {
        cluster.stop(Stop::Fast);
        cluster.admit(&format!("host all {ROLE} all reject"));
    });
    let home = home_at(&store.url());
    let daemon = home.serve();
    store.postgres(|cluster, _| cluster.resume());
    let line = daemon.wait_for_line("the store cannot be opened, and waiting does not help");
    says(&line.to_string(), &["pg_hba.conf", "28000"]);
    assert_eq!(line["level"], "ERROR");

    home.run(&["webhook", "send", &daemon.webhooks()]).done();
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_says_once_that_its_database_is_down_and_once_that_it_is_back() {
    let Some((store, _)) = own_server() else {
        return;
    };
    store.postgres(|cluster, _| cluster.stop(Stop::Fast));
    let home = home_at(&store.url());
    let daemon = home.serve();
    home.run(&["webhook", "send", &daemon.webhooks()]).done();
    store.postgres(|cluster, _| cluster.resume());
    assert_eq!(troubles_until(&daemon, BACK), [] as [Value; 0]);
    // Decided; and nobody is at the provider's address.
    daemon.wait_for_line("attempt failed");
    store.postgres(|cluster, _| cluster.stop(Stop::Fast));
    let down = "the store is down; work waits until it is back";
    assert_eq!(daemon.wait_for_line(down)["level"], "WARN");
    home.run(&["webhook", "send", &daemon.webhooks(), "--uid", "other"])
        .done();
    store.postgres(|cluster, _| cluster.resume());
    assert_eq!(troubles_until(&daemon, BACK), [] as [Value; 0]);
    assert_eq!(daemon.stop(), Some(0));
}

const BACK: &str = "the store is back";

/// What a daemon says of trouble before it says this.
fn troubles_until(daemon: &Daemon, message: &str) -> Vec<Value> {
    let mut troubles = Vec::new();
    loop {
        let line = daemon.log.recv_timeout(PATIENCE).unwrap();
        if line["message"] == message {
            return troubles;
        }
        if line["level"] != "INFO" {
            troubles.push(line);
        }
    }
}
