//! What the page lets browsers do, and what it takes from other sites: nothing.

use super::{Answered, Visitor, answered, field, setup};
use crate::harness::{CREDITS_TOKEN, Installation, READ_TOKEN, ada, run_test, run_test_on_file};

const VIEWS: [&str; 6] = [
    "/",
    "/bookings",
    "/accounts",
    "/dead-letters",
    "/policies",
    "/audit",
];

fn assert_careful(answered: &Answered, path: &str) {
    let says = |name: &str| answered.headers[name].to_str().unwrap();
    let policy = says("content-security-policy");
    for part in [
        "default-src 'none'",
        "style-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ] {
        assert!(policy.contains(part), "{path}: {policy}");
    }
    assert!(
        !policy.contains("unsafe") && !policy.contains("script-src"),
        "{policy}"
    );
    assert_eq!(says("x-content-type-options"), "nosniff", "{path}");
    assert_eq!(says("referrer-policy"), "same-origin", "{path}");
    assert_eq!(says("cache-control"), "no-store", "{path}");
    assert!(answered.headers.contains_key("x-request-id"), "{path}");
}

#[tokio::test]
async fn every_answer_says_that_nothing_may_be_run_kept_or_framed() {
    run_test_on_file(setup(), async |it: &mut Installation| {
        let admin = Visitor::admin(it).await;
        for path in VIEWS
            .into_iter()
            .chain(["/log-in", "/nowhere", "/bookings/calcom/none"])
        {
            let answered = admin.get(path).await;
            assert_careful(&answered, path);
            let kind = answered.headers["content-type"].to_str().unwrap();
            assert_eq!(kind, "text/html; charset=utf-8", "{path}");
            assert!(!answered.html.contains("<script") && !answered.html.contains(" style="));
        }
        assert_careful(&Visitor::stranger(it).get("/").await, "/");
        for (path, kind) in [
            ("/style.css", "text/css; charset=utf-8"),
            ("/favicon.svg", "image/svg+xml"),
        ] {
            let answered = Visitor::stranger(it).get(path).await;
            assert_eq!(
                (answered.status, &answered.headers["content-type"]),
                (200, &kind.parse().unwrap())
            );
        }
    })
    .await;
}

#[tokio::test]
async fn what_goes_wrong_looks_like_the_page_for_browsers_and_like_a_problem_for_programs() {
    run_test_on_file(setup(), async |it: &mut Installation| {
        let admin = Visitor::admin(it).await;
        for (path, status) in [
            ("/nowhere", 404),
            ("/bookings/calcom/none", 404),
            ("/accounts/eve@nowhere.example", 404),
            ("/accounts/nobody", 400),
            ("/bookings?status=odd", 400),
            ("/bookings?after=odd", 400),
            ("/audit?after=odd", 400),
            ("/accounts/%ff", 400),
            ("/top-ups", 405),
            ("/log-out", 405),
        ] {
            let answered = admin.get(path).await;
            assert_eq!(answered.status, status, "{path}");
            assert!(
                answered.html.contains("role=\"alert\""),
                "{path}: {}",
                answered.html
            );
            assert!(answered.html.contains("<title>"), "{path}");
        }
        let program = it
            .raw_admin(reqwest::Method::GET, "/nowhere")
            .send()
            .await
            .unwrap();
        assert_eq!(
            program.headers()["content-type"],
            "application/problem+json"
        );
        let api = admin.get("/v1/nowhere").await;
        assert_eq!(api.headers["content-type"], "application/problem+json");
    })
    .await;
}

#[tokio::test]
async fn a_form_is_taken_from_the_page_itself_alone() {
    run_test(setup(), async |it: &mut Installation| {
        it.top_up("5").await;
        let (admin, other) = (Visitor::admin(it).await, Visitor::admin(it).await);
        let (own, others) = (admin.form_token().await, other.form_token().await);
        assert_ne!(own, others);
        let page = admin.page("/accounts/ada@reader.example").await;
        let key = field(&page, "key");
        let fields = |form_token| {
            let order = [
                ("owner", "ada@reader.example"),
                ("amount", "1"),
                ("unit", "CREDIT"),
            ];
            let mut fields = vec![("form_token", form_token), ("key", key.as_str())];
            fields.extend(order);
            fields
        };
        let form = |form_token| admin.form("/top-ups", &fields(form_token));
        let host = admin.url.trim_start_matches("http://").to_owned();
        let refused = [
            form("").header("sec-fetch-site", "same-origin"),
            form(&others).header("sec-fetch-site", "same-origin"),
            form(&own).header("sec-fetch-site", "cross-site"),
            form(&own).header("sec-fetch-site", "same-site"),
            form(&own).header("sec-fetch-site", "none"),
            form(&own).header("origin", "http://evil.example"),
            form(&own).header("origin", format!("http://evil.example/{host}")),
            form(&own).header("origin", "null"),
            form(&own),
        ];
        for (index, request) in refused.into_iter().enumerate() {
            let answered = answered(request).await;
            assert_eq!(answered.status, 403, "{index}: {}", answered.html);
        }
        it.assert_balance("5", "0").await;
        let by_origin = form(&own).header("origin", format!("http://{host}"));
        assert_eq!(answered(by_origin).await.status, 303);
        it.assert_balance("6", "0").await;
        let log_in = Visitor::stranger(it).form("/log-in", &[("token", READ_TOKEN)]);
        let log_in = answered(log_in.header("sec-fetch-site", "cross-site")).await;
        assert_eq!((log_in.status, log_in.cookie), (403, None));
    })
    .await;
}

#[tokio::test]
async fn buttons_are_for_those_who_may_press_them() {
    run_test(setup(), async |it: &mut Installation| {
        it.top_up("5").await;
        let uid = super::left_open(it, ada(), 72).await;
        let decision = format!("/bookings/calcom/{uid}/decision");
        let account = "/accounts/ada@reader.example";
        for (token, name, tops_up) in [(READ_TOKEN, "looker", false), (CREDITS_TOKEN, "till", true)]
        {
            let visitor = Visitor::logged_in(it, token).await;
            let page = visitor.page(account).await;
            assert_eq!(page.contains("action=\"/top-ups\""), tops_up);
            assert!(!page.contains("/deductions"), "{page}");
            let waiting = visitor.page("/").await;
            assert!(
                waiting.contains(uid.as_str()) && !waiting.contains("/decision\""),
                "{waiting}"
            );
            let booking = visitor.page(&format!("/bookings/calcom/{uid}")).await;
            assert!(
                booking.contains("This booking waits for a person")
                    && !booking.contains("/decision\"")
            );
            for (path, needed) in [
                (decision.as_str(), "admin"),
                ("/dead-letters/retries", "admin"),
                ("/dead-letters/purges", "admin"),
                ("/deductions", "admin"),
                ("/top-ups", "credits"),
            ] {
                if tops_up && needed == "credits" {
                    continue;
                }
                let refused = visitor
                    .send(path, &[("answer", "accept"), ("id", "1")])
                    .await;
                assert_eq!(refused.status, 403, "{path}");
                let said = format!("token `{name}` has the role");
                let needs = format!("this needs `{needed}`");
                assert!(
                    refused.html.contains(&said) && refused.html.contains(&needs),
                    "{}",
                    refused.html
                );
            }
        }
        it.assert_balance("5", "0").await;
        assert_eq!(it.booking(&uid).await["outcome"], "defer");
    })
    .await;
}
