//! The webhook subscription that bookgate keeps at Calendly, and how a store that is down does not cost
//! it. (The command line's part: `tests/it/cli/calendly.rs`.)

use std::path::Path;

use bookgate::standin::calendly::{
    Fault, Matcher, NewSubscription, Operation, Scope, Subscription, When,
};
use serde_json::Value;

use super::{calendly, decisions, plain};
use crate::harness::{
    self, Calendly, Installation, SIGNING_KEY, Setup, run_test, run_test_as_set_up,
    run_test_on_file,
};
use crate::rig::postgres::Stop;
use crate::rig::store::{Kind, Store};

const HOUR_MS: i64 = 3_600_000;

/// The one subscription there is.
fn the_only(it: &Installation) -> Subscription {
    let [only] = <[_; 1]>::try_from(it.calendly().subscriptions()).unwrap();
    only
}

/// Has the job run now; gives what it says of the source.
async fn look(it: &Installation) -> Value {
    it.run_job("subscriptions").await["calendly"].clone()
}

/// Whether the subscription is active, failing and unseen, as counted.
async fn watched(it: &Installation) -> [Option<u64>; 3] {
    let mut seen = [None; 3];
    for (seen, name) in seen.iter_mut().zip(["active", "failing", "unseen"]) {
        let name = format!("subscription_{name}");
        *seen = it.gauge(&name, "calendly").await;
    }
    seen
}

/// Calls that made or deleted a subscription, in order.
fn changes(it: &Installation) -> Vec<Operation> {
    let calls = it.calendly().calls().into_iter();
    let changes = calls
        .filter(|call| call.effective)
        .map(|call| call.operation);
    changes
        .filter(|one| matches!(one, Operation::Subscribe | Operation::Unsubscribe))
        .collect()
}

#[tokio::test]
async fn a_subscription_is_made_at_the_start_and_only_once() {
    run_test(plain(), async |it: &mut Installation| {
        let made = the_only(it);
        assert_eq!((made.scope, made.active), (Scope::Organization, true));
        assert_eq!(made.signing_key.as_deref(), Some(SIGNING_KEY));
        let hook = format!("{}/webhooks/calendly?key=", it.public());
        assert!(made.url.starts_with(&hook), "{}", made.url);
        assert!(made.events.contains(&"invitee.created".to_owned()));
        it.stop().await;
        it.begin().await;
        it.settle().await;
        it.pass_ms(HOUR_MS).await;
        assert_eq!(the_only(it), made);
    })
    .await;
}

#[tokio::test]
async fn one_that_signs_with_another_key_is_deleted() {
    run_test_on_file(plain(), async |it: &mut Installation| {
        let ours = the_only(it);
        let hook = format!("{}/webhooks/calendly", it.public());
        let elsewhere = "http://127.0.0.1:9/elsewhere";
        for url in [&hook, &format!("{hook}?key=00000000"), elsewhere] {
            let other = NewSubscription::to_invitees(url, "another key");
            it.calendly().subscribe(other).unwrap();
        }
        // One is gone already by the time it is to be deleted.
        let gone = Matcher::operation(Operation::Unsubscribe);
        it.calendly()
            .fail_next(gone, When::AfterWork, Fault::Status(404));
        look(it).await;
        let left: Vec<_> = it.calendly().subscriptions();
        let urls: Vec<_> = left.iter().map(|one| one.url.as_str()).collect();
        assert_eq!(urls, [ours.url.as_str(), elsewhere]);
    })
    .await;
}

#[tokio::test]
async fn one_that_calendly_has_disabled_is_replaced_without_a_gap() {
    run_test(plain(), async |it: &mut Installation| {
        it.top_up("2").await;
        let old = the_only(it);
        it.stop().await;
        it.calendly_book(72).await;
        while the_only(it).active {
            it.clock.advance_ms(HOUR_MS);
            it.calendly().retry_due().await;
        }
        it.begin().await;
        it.settle().await;
        let new = the_only(it);
        assert!(new.active && new.url != old.url, "{new:?}");
        let [Operation::Subscribe, made, deleted] = changes(it)[..] else {
            panic!("{:?}", changes(it));
        };
        assert_eq!(
            (made, deleted),
            (Operation::Subscribe, Operation::Unsubscribe)
        );
        let heard = it.calendly_book(90).await;
        it.settle().await;
        assert_eq!(it.calendly_booking(&heard).await["outcome"], "accept");
    })
    .await;
}

#[tokio::test]
async fn one_that_is_not_ours_to_make_is_watched() {
    let setup = calendly(Calendly {
        subscription: Some("ensure = false"),
        ..Calendly::default()
    });
    run_test_on_file(setup, async |it: &mut Installation| {
        assert_eq!(it.calendly().subscriptions(), []);
        let told = look(it).await;
        assert_eq!(told["active"], Value::Null, "{told}");
        assert_eq!(watched(it).await, [Some(0), Some(0), Some(0)]);
        let hook = format!("{}/webhooks/calendly", it.public());
        let made = NewSubscription::to_invitees(hook, SIGNING_KEY);
        let made = it.calendly().subscribe(made).unwrap();
        let told = look(it).await;
        assert_eq!(told["active"], true, "{told}");
        assert_eq!(the_only(it), made, "it is only looked at");
    })
    .await;
}

#[tokio::test]
async fn what_calendly_refuses_is_told_and_tried_again() {
    run_test_on_file(plain(), async |it: &mut Installation| {
        let list = Matcher::operation(Operation::ListSubscriptions);
        it.calendly()
            .fail_next(list, When::BeforeWork, Fault::Status(403));
        let told = look(it).await;
        let failed = told["failed"].as_str().unwrap();
        assert!(failed.contains("webhooks:write"), "{failed}");
        assert_eq!(watched(it).await[2], Some(1));
        it.pass_ms(HOUR_MS).await;
        assert_eq!(look(it).await["failed"], Value::Null);
        assert_eq!(watched(it).await, [Some(1), Some(0), Some(0)]);
    })
    .await;
}

#[tokio::test]
async fn a_user_s_own_subscription_may_be_asked_for() {
    let setup = calendly(Calendly {
        subscription: Some("scope = \"user\""),
        ..Calendly::default()
    });
    run_test_on_file(setup, async |it: &mut Installation| {
        assert_eq!(the_only(it).scope, Scope::User);
        it.top_up("2").await;
        let heard = it.calendly_book(90).await;
        it.settle().await;
        assert_eq!(it.calendly_booking(&heard).await["outcome"], "accept");
        assert_eq!(look(it).await["failed"], Value::Null);
        assert_eq!(changes(it), [Operation::Subscribe]);
    })
    .await;
}

/// A day without a 2xx, and Calendly stops sending for good. So a database that is away must not cost a
/// single one.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_costs_no_webhook() {
    let Some(store) = Store::new(Kind::Postgres, Path::new("")) else {
        return;
    };
    let setup = Setup {
        store: harness::Store::At(store.url().leak()),
        ..plain()
    };
    run_test_as_set_up(setup, async |it: &mut Installation| {
        it.top_up("4").await;
        store.postgres(|cluster, _| cluster.stop(Stop::Immediate));
        let booked = [it.calendly_book(72).await, it.calendly_book(80).await];
        assert_eq!(the_only(it).retry_started_at, None, "each was answered 200");
        assert_eq!(it.calendly().next_retry_at(), None);
        store.postgres(|cluster, _| cluster.resume());
        it.settle().await;
        for invitee in &booked {
            assert_eq!(decisions(&it.calendly_booking(invitee).await), 1);
        }
        it.assert_balance("0", "0").await;
    })
    .await;
}
