//! Who holds a chain: what becomes of leases that nobody knows of, and of answers that come when
//! somebody else has gone on.

use std::sync::Arc;

use bookgate::app::{App, Listeners};
use bookgate::domain::clock::Clock;
use bookgate::gate::Gate;
use bookgate::settings::Database;
use bookgate::standin::calcom::{Fault, Matcher, Operation, When};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::harness::{Installation, Setup, run_test_on_server};
use crate::rig::postgres::Postgres;

const MINUTE_MS: i64 = 60_000;

/// Runs SQL on the installation's database, past bookgate.
fn sql(it: &Installation, sql: &str) -> String {
    let Database::Postgres(url) = &it.settings().storage.database else {
        panic!("not on a server");
    };
    let (_, name) = url.expose().rsplit_once('/').unwrap();
    Postgres::shared().expect("it runs").sql(name, sql)
}

#[tokio::test]
async fn a_lease_that_its_holder_knows_nothing_of_is_free_once_it_has_expired() {
    run_test_on_server(Setup::default(), async |it: &mut Installation| {
        it.top_up("5").await;
        let uid = it.book(72).await.uid;
        it.settle().await;
        it.assert_balance("3", "0").await;
        // As if the connection had broken between the commit of a claim and its answer.
        let taken = sql(
            it,
            "UPDATE chain SET lease_owner = (SELECT max(worker) FROM attempt),
                 lease_fence = lease_fence + 1, lease_until = updated_at + 30000000
             RETURNING 1",
        );
        assert_eq!(taken, "1");
        it.cal.cancel_by_booker(&uid, None).await.unwrap();
        it.settle().await;
        assert_eq!(it.booking(&uid).await["status"], "accepted", "it is leased");
        it.pass_ms(MINUTE_MS).await;
        assert_eq!(it.booking(&uid).await["status"], "cancelled");
        it.assert_balance("5", "0").await;
    })
    .await;
}

/// Another daemon on the same database, without doors that anybody knows.
async fn second_daemon(it: &Installation, stop: &CancellationToken) -> Gate {
    let mut settings = it.settings().clone();
    settings.journal.dir = it.folder().join("second-journal");
    let clock: Arc<dyn Clock> = Arc::<bookgate::domain::clock::ManualClock>::clone(&it.clock);
    let app = App::open(&settings, clock).await.unwrap();
    let gate = app.gate.clone();
    let listeners = Listeners {
        public: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        admin: TcpListener::bind("127.0.0.1:0").await.unwrap(),
    };
    tokio::spawn(app.run(listeners, stop.clone()));
    gate
}

#[tokio::test]
async fn an_answer_that_comes_when_another_daemon_has_gone_on_changes_nothing() {
    run_test_on_server(Setup::default(), async |it: &mut Installation| {
        it.top_up("5").await;
        let confirm = Matcher::operation(Operation::Confirm);
        let hanging = it.cal.pause_next(confirm.clone());
        let uid = it.book(72).await.uid;
        hanging.reached().await;

        // Its lease runs out, and so does the time of its call: another takes over, asks, and calls.
        let stop = CancellationToken::new();
        let second = second_daemon(it, &stop).await;
        for _ in 0..3 {
            it.clock.advance_ms(MINUTE_MS);
            second.wake();
            second.settle().await;
        }
        assert_eq!(it.status_at_cal(&uid), "accepted");
        it.assert_balance("3", "0").await;

        // Now the first call comes back, and says that it wants to be made again.
        it.cal
            .fail_next(confirm, When::BeforeWork, Fault::Status(408));
        hanging.release();
        it.settle().await;
        second.settle().await;
        stop.cancel();
        let booking = it.booking(&uid).await;
        assert_eq!(booking["calls"][0]["state"], "done", "{booking}");
        it.assert_balance("3", "0").await;
        assert_eq!(it.cal.effective_calls(&uid).len(), 1);
    })
    .await;
}
