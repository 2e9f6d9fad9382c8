//! The private PostgreSQL does what the tests that use it rely on.

use crate::rig::postgres::{Postgres, Stop};

#[test]
fn a_commit_survives_stops_and_kills() {
    let Some(mut postgres) = Postgres::start(20) else {
        return;
    };
    let database = postgres.create_database();
    let mut rows = 0;
    postgres.sql(&database, "CREATE TABLE kept (number BIGINT NOT NULL)");
    for how in [Some(Stop::Fast), Some(Stop::Immediate), None] {
        postgres.sql(&database, &format!("INSERT INTO kept VALUES ({rows})"));
        rows += 1;
        match how {
            Some(how) => postgres.stop(how),
            None => postgres.kill(),
        }
        assert!(postgres.try_sql(&database, "SELECT 1").is_err(), "{how:?}");
        postgres.resume();
        let kept = postgres.sql(&database, "SELECT count(*) FROM kept");
        assert_eq!(kept, rows.to_string(), "{how:?}");
    }
}

#[test]
fn databases_are_separate_and_belong_to_an_ordinary_role() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let (one, other) = (postgres.create_database(), postgres.create_database());
    assert_ne!(postgres.url(&one), postgres.url(&other));
    postgres.sql(&one, "SET ROLE bookgate; CREATE TABLE here (number BIGINT)");
    let tables = "SELECT count(*) FROM information_schema.tables WHERE table_name = 'here'";
    assert_eq!(postgres.sql(&one, tables), "1");
    assert_eq!(postgres.sql(&other, tables), "0");
    let role = "SELECT rolsuper FROM pg_roles WHERE rolname = 'bookgate'";
    assert_eq!(postgres.sql(&one, role), "f");
}
