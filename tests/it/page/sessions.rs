//! Logging in and out.

use super::{Visitor, answered, setup};
use crate::harness::{ADMIN_TOKEN, Installation, READ_TOKEN, Setup, run_test, run_test_on_file};

const HOUR_MS: i64 = 3_600_000;

#[tokio::test]
async fn who_is_not_logged_in_is_sent_to_log_in_and_back() {
    run_test(setup(), async |it: &mut Installation| {
        let stranger = Visitor::stranger(it);
        for (path, to) in [
            ("/", "/log-in"),
            (
                "/bookings?status=pending",
                "/log-in?next=%2Fbookings%3Fstatus%3Dpending",
            ),
            (
                "/accounts/ada@reader.example",
                "/log-in?next=%2Faccounts%2Fada@reader.example",
            ),
        ] {
            let sent = stranger.get(path).await;
            assert_eq!((sent.status, sent.to.as_deref()), (303, Some(to)), "{path}");
        }
        let next = "/bookings?status=pending";
        let fields = [("token", ADMIN_TOKEN), ("next", next)];
        let back = stranger.post("/log-in", &fields).await;
        assert_eq!((back.status, back.to.as_deref()), (303, Some(next)));
        let elsewhere = [("token", ADMIN_TOKEN), ("next", "//evil.example/")];
        let home = stranger.post("/log-in", &elsewhere).await;
        assert_eq!(home.to.as_deref(), Some("/"));
    })
    .await;
}

#[tokio::test]
async fn a_wrong_token_opens_nothing_and_too_many_wait() {
    let setup = Setup {
        admin: "failed_log_ins_max = 2",
        ..setup()
    };
    run_test(setup, async |it: &mut Installation| {
        let stranger = Visitor::stranger(it);
        for guess in ["guess", "another guess"] {
            let wrong = stranger.post("/log-in", &[("token", guess)]).await;
            assert_eq!((wrong.status, wrong.cookie), (401, None));
            assert!(
                wrong.html.contains("This is not one of the tokens."),
                "{}",
                wrong.html
            );
            assert!(!wrong.html.contains(guess), "a token is not shown again");
        }
        let empty = stranger.post("/log-in", &[("token", " ")]).await;
        assert_eq!(empty.status, 400);
        let wrong = stranger.post("/log-in", &[("token", "third")]).await;
        assert_eq!(wrong.status, 429);
        assert_eq!(wrong.headers["retry-after"], "901");
        // The API counts the same, and nobody else is locked out.
        let api = it.raw_admin(reqwest::Method::GET, "/v1/bookings");
        assert_eq!(
            api.bearer_auth("fourth").send().await.unwrap().status(),
            429
        );
        Visitor::logged_in(it, READ_TOKEN).await.page("/").await;
    })
    .await;
}

#[tokio::test]
async fn the_cookie_is_for_the_browser_alone_and_ends() {
    let setup = Setup {
        admin: "session_ms = 3600000",
        ..setup()
    };
    run_test(setup, async |it: &mut Installation| {
        let stranger = Visitor::stranger(it);
        let fields = [("token", ADMIN_TOKEN)];
        let plain = stranger.post("/log-in", &fields).await.cookie.unwrap();
        let flags = "; Path=/; Max-Age=3600; HttpOnly; SameSite=Strict";
        assert!(
            plain.starts_with("bookgate=ops.") && plain.ends_with(flags),
            "{plain}"
        );
        assert!(!plain.contains(ADMIN_TOKEN));
        let over_https = [
            stranger
                .form("/log-in", &fields)
                .header("x-forwarded-proto", "https"),
            stranger
                .form("/log-in", &fields)
                .header("origin", "https://gate.example.org"),
        ];
        for request in over_https {
            let request = request.header("sec-fetch-site", "same-origin");
            let cookie = answered(request).await.cookie.unwrap();
            assert!(cookie.starts_with("__Host-bookgate=ops."), "{cookie}");
            assert!(cookie.ends_with(&format!("{flags}; Secure")), "{cookie}");
        }
        let admin = Visitor::admin(it).await;
        it.clock.advance_ms(HOUR_MS - 1_000);
        admin.page("/").await;
        it.clock.advance_ms(1_000);
        assert_eq!(admin.get("/").await.to.as_deref(), Some("/log-in"));
    })
    .await;
}

#[tokio::test]
async fn a_session_outlives_a_restart_and_ends_with_a_log_out() {
    run_test(setup(), async |it: &mut Installation| {
        let mut admin = Visitor::admin(it).await;
        it.stop().await;
        it.begin().await;
        admin.url = it.admin_url().to_owned();
        admin.page("/").await;
        let out = admin.send("/log-out", &[]).await;
        assert_eq!(out.to.as_deref(), Some("/log-in?said=logged-out"));
        let cookie = out.cookie.unwrap();
        assert!(
            cookie.starts_with("bookgate=; Path=/; Max-Age=0;"),
            "{cookie}"
        );
        let said = Visitor::stranger(it).page("/log-in?said=logged-out").await;
        assert!(said.contains("You are logged out."), "{said}");
    })
    .await;
}

#[tokio::test]
async fn a_bearer_token_is_no_session_and_a_session_no_bearer_token() {
    run_test_on_file(setup(), async |it: &mut Installation| {
        let stranger = Visitor::stranger(it);
        let bearer = stranger
            .request(reqwest::Method::GET, "/bookings")
            .bearer_auth(ADMIN_TOKEN);
        assert_eq!(answered(bearer).await.status, 303);
        let admin = Visitor::admin(it).await;
        assert_eq!(admin.get("/v1/bookings").await.status, 401);
        assert_eq!(admin.get("/metrics").await.status, 401);
    })
    .await;
}
