//! What each role may do.

use reqwest::{Method, RequestBuilder};
use serde_json::json;

use super::{ADA, TOP_UPS, ask, five, refused};
use crate::harness::{ADMIN_TOKEN, CREDITS_TOKEN, Installation, READ_TOKEN, Setup, run_test};

/// Everything that changes something, except for top-ups.
const CHANGES: [&str; 12] = [
    "/v1/accounts/ada@reader.example/deductions",
    "/v1/accounts/ada@reader.example/tags",
    "/v1/bookings/calcom/1/decision",
    "/v1/deliveries/replays",
    "/v1/deliveries/1/replay",
    "/v1/dead-letters/retries",
    "/v1/dead-letters/purges",
    "/v1/dead-letters/1/retry",
    "/v1/jobs/reconcile/runs",
    "/v1/policies/reload",
    "/v1/retention/runs",
    TOP_UPS,
];

fn change(it: &Installation, path: &str, token: &str) -> RequestBuilder {
    let request = it.raw_admin(Method::POST, path).bearer_auth(token);
    request.header("idempotency-key", "k").json(&five())
}

#[tokio::test]
async fn a_reading_token_looks_and_changes_nothing() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("5").await;
        let looked = ask(it.raw_admin(Method::GET, ADA).bearer_auth(READ_TOKEN)).await;
        assert_eq!(looked.status, 200);
        for path in CHANGES {
            let needed = if path == TOP_UPS { "credits" } else { "admin" };
            let said = refused(change(it, path, READ_TOKEN), 403).await;
            let expected = format!("token `looker` has the role `read`; this needs `{needed}`");
            assert_eq!(said, expected, "{path}");
        }
        it.assert_balance("5", "0").await;
    })
    .await;
}

#[tokio::test]
async fn a_till_tops_up_and_changes_nothing_else() {
    run_test(Setup::default(), async |it: &mut Installation| {
        let topped_up = ask(change(it, TOP_UPS, CREDITS_TOKEN)).await;
        assert_eq!(topped_up.status, 201, "{}", topped_up.body);
        it.assert_balance("5", "0").await;
        let (_, log) = it.get("/v1/audit").await;
        assert_eq!(log["items"][0]["actor"], "token:till");
        let looked = it.raw_admin(Method::GET, "/v1/bookings");
        assert_eq!(ask(looked.bearer_auth(CREDITS_TOKEN)).await.status, 200);
        for path in CHANGES.iter().filter(|path| **path != TOP_UPS) {
            let said = refused(change(it, path, CREDITS_TOKEN), 403).await;
            let expected = "token `till` has the role `credits`; this needs `admin`";
            assert_eq!(said, expected, "{path}");
        }
    })
    .await;
}

/// A new way to change something has to be told of here, with the role that it needs.
#[test]
fn every_route_that_changes_something_is_among_them() {
    let routes = include_str!("../../../src/http/mod.rs");
    let changing = routes.matches("post(").count() - routes.matches("post(webhook::").count();
    assert_eq!(changing, CHANGES.len());
    assert_eq!(routes.matches("needs(Role::").count(), CHANGES.len());
}

#[tokio::test]
async fn a_method_that_is_none_is_told_before_the_role() {
    run_test(Setup::default(), async |it: &mut Installation| {
        for token in [READ_TOKEN, CREDITS_TOKEN, ADMIN_TOKEN] {
            for (method, path) in [(Method::GET, TOP_UPS), (Method::DELETE, ADA)] {
                let request = it.raw_admin(method, path).bearer_auth(token);
                refused(request.json(&json!({})), 405).await;
            }
        }
    })
    .await;
}
