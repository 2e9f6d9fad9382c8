//! What views show.

use bookgate::standin::calcom::{Fault, Matcher, Person};
use reqwest::Method;

use super::{HOSTILE, Visitor, left_open, setup};
use crate::harness::{
    CREDIT_POLICY, Installation, READ_TOKEN, Setup, ada, answer, run_test, run_test_on_file,
};

const MINUTE_MS: i64 = 60_000;

#[tokio::test]
async fn empty_views_say_what_to_do() {
    run_test_on_file(setup(), async |it: &mut Installation| {
        let visitor = Visitor::logged_in(it, READ_TOKEN).await;
        for (path, parts) in [
            (
                "/",
                ["Nothing waits for a person.", "There are no dead letters."],
            ),
            ("/bookings", ["There are no bookings yet.", "first webhook"]),
            (
                "/bookings?status=pending",
                ["No booking fits.", "Take a filter away"],
            ),
            (
                "/accounts",
                ["There are no accounts yet.", "A top-up makes one."],
            ),
            (
                "/dead-letters",
                ["There are no dead letters.", "Everything could be told"],
            ),
            (
                "/audit",
                ["Nobody has changed anything yet.", "Top-ups, decisions"],
            ),
        ] {
            let page = visitor.page(path).await;
            for part in parts {
                assert!(page.contains(part), "{path}: {part}: {page}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_story_is_told_in_its_order_and_in_sentences() {
    run_test(setup(), async |it: &mut Installation| {
        it.top_up("3").await;
        let uid = it.book(72).await.uid;
        it.settle().await;
        it.clock.advance_ms(60_000);
        it.cal
            .cancel_by_booker(&uid, Some("I am <ill>"))
            .await
            .unwrap();
        it.settle().await;
        let visitor = Visitor::logged_in(it, READ_TOKEN).await;
        let story = visitor.page(&format!("/bookings/calcom/{uid}")).await;
        let mut from = 0;
        for part in [
            "Ada Booker",
            "The booker asks for this appointment.",
            "by the policy",
            "Is there enough credit?",
            "The booking costs 2. The booker had 3 to spend.",
            "2 CREDIT</strong> set aside",
            "The provider is asked to <strong>confirm the booking</strong>",
            "2 CREDIT</strong> spent for the booking",
            "The booker calls it off.",
            "I am &lt;ill&gt;",
            "2 CREDIT</strong> given back",
        ] {
            let at = story[from..].find(part);
            from += at.unwrap_or_else(|| panic!("{part} (in its place) in {story}"));
        }
        let refused = it.book(96).await.uid;
        it.settle().await;
        let second = it.book(120).await.uid;
        it.settle().await;
        assert_eq!(it.status_at_cal(&refused), "accepted");
        let story = visitor.page(&format!("/bookings/calcom/{second}")).await;
        for part in [
            "not met",
            "The booking costs 2. The booker had 1 to spend; 1 were missing.",
            "The decision rests on this.",
            "This costs 2 credits and you have 1.",
        ] {
            assert!(story.contains(part), "{part}: {story}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_strangers_write_is_shown_and_does_nothing() {
    run_test(setup(), async |it: &mut Installation| {
        it.top_up("5").await;
        let hostile = Person::new(HOSTILE, "Ada@Reader.example");
        let uid = left_open(it, hostile, 72).await;
        let visitor = Visitor::admin(it).await;
        let pages = ["/", "/bookings", "/accounts/ada@reader.example"].map(str::to_owned);
        for path in pages.into_iter().chain([format!("/bookings/calcom/{uid}")]) {
            let page = visitor.page(&path).await;
            for raw in ["<script", "<img", "onerror=\""] {
                assert!(!page.contains(raw), "{path}: {raw}: {page}");
            }
        }
        let story = visitor.page(&format!("/bookings/calcom/{uid}")).await;
        assert!(
            story.contains("<bdi>&lt;script&gt;document.title='owned'&lt;/script&gt;"),
            "{story}"
        );
        let odd = "\"><script>alert(1)</script>";
        let encoded = "%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E";
        for path in [
            format!("/bookings?source={encoded}"),
            format!("/bookings?status={encoded}"),
            format!("/accounts?begins={encoded}"),
            format!("/audit?actor={encoded}"),
            format!("/dead-letters?source={encoded}"),
            format!("/log-in?next=/{encoded}"),
            format!("/bookings/calcom/{encoded}"),
            format!("/{encoded}"),
            format!("/?said={encoded}"),
        ] {
            let page = visitor.get(&path).await.html;
            assert!(
                !page.contains(odd) && !page.contains("<script"),
                "{path}: {page}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn lists_go_on_where_they_stopped() {
    run_test(setup(), async |it: &mut Installation| {
        for number in 0..55 {
            let path = format!("/v1/accounts/guest{number:02}@many.example/top-ups");
            let request = it.raw_admin(reqwest::Method::POST, &path);
            let request = request.bearer_auth(crate::harness::ADMIN_TOKEN);
            let request = request.header("idempotency-key", number.to_string());
            let body = serde_json::json!({"amount": "1", "unit": "CREDIT"});
            assert_eq!(answer(request.json(&body)).await.0, 201);
        }
        it.top_up("1").await;
        let visitor = Visitor::logged_in(it, READ_TOKEN).await;
        let first = visitor.page("/accounts?begins=GUEST").await;
        assert!(
            first.contains("guest49@") && !first.contains("guest50@"),
            "{first}"
        );
        assert!(!first.contains("ada@reader.example"), "{first}");
        let (_, next) = first
            .split_once("rel=\"next\"")
            .map_or(("", ""), |(before, _)| {
                before.rsplit_once("href=\"").unwrap()
            });
        let next = next.split('"').next().unwrap().replace("&amp;", "&");
        let second = visitor.page(&next).await;
        assert!(
            second.contains("guest50@") && second.contains("guest54@"),
            "{second}"
        );
        assert!(
            !second.contains("guest49@") && !second.contains("rel=\"next\""),
            "{second}"
        );
        assert!(
            second.contains("href=\"/accounts?begins=GUEST\""),
            "{second}"
        );

        let (_, listed) = it.get("/v1/accounts?begins=guest&limit=2").await;
        assert_eq!(listed["next"], "guest01@many.example");
        assert_eq!(listed["items"][0]["balances"][0]["available"], "1");
        let log = visitor.page("/audit").await;
        assert!(log.contains("Older changes"), "{log}");
    })
    .await;
}

#[tokio::test]
async fn sources_and_policies_tell_how_they_are() {
    run_test(setup(), async |it: &mut Installation| {
        it.top_up("5").await;
        it.book(72).await;
        it.settle().await;
        left_open(it, ada(), 96).await;
        let (_, sources) = it.get("/v1/sources").await;
        let source = &sources["items"][0];
        assert_eq!(
            (&source["name"], &source["verified"]),
            (&"calcom".into(), &true.into())
        );
        assert_eq!(source["last_delivery"]["state"], "event");
        assert_eq!(source["last_call"]["result"], "ok", "{source}");
        let (_, policies) = it.get("/v1/policies").await;
        assert_eq!(policies["loaded_at"], "2027-03-01T12:00:00Z");
        let policy = &policies["policies"][0];
        assert_eq!(
            (&policy["id"], &policy["price"]),
            (&"credits".into(), &"2 CREDIT".into())
        );
        assert_eq!(policy["criteria"][0]["kind"], "credit");

        let visitor = Visitor::logged_in(it, READ_TOKEN).await;
        let overview = visitor.page("/").await;
        for part in [
            "Last webhook",
            "requested",
            "Last call",
            "Daemons on this database",
            "alive",
        ] {
            assert!(overview.contains(part), "{part}: {overview}");
        }
        let page = visitor.page("/policies").await;
        let hash = policies["hash"].as_str().unwrap();
        for part in [
            "in force",
            "every booking",
            "2 CREDIT",
            "credits.toml",
            hash,
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }

        // What is refused is told where people look, line by line.
        let file = it.folder().join("policies/credits.toml");
        let wrong = CREDIT_POLICY.replace("refund", "refunds");
        std::fs::write(file, wrong).unwrap();
        let reload = it.admin(Method::POST, "/v1/policies/reload", None).await;
        assert_eq!(reload.0, 422);
        let page = visitor.page("/policies").await;
        for part in ["were refused", "go on", "BG0103", "unknown key `refunds`"] {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert!(visitor.page("/").await.contains("were refused"));
    })
    .await;
}

#[tokio::test]
async fn what_reconciliation_found_is_shown_with_the_source_and_so_is_an_outage() {
    let setup = Setup {
        dialect: "v2", // v1 lists no bookings
        reconcile_ms: MINUTE_MS,
        worker: "circuit_failures = 1",
        ..setup()
    };
    run_test(setup, async |it: &mut Installation| {
        it.top_up("5").await;
        it.hold_webhooks();
        it.pass_ms(1_000).await; // what was there before the first start is left alone
        it.book(72).await;
        it.cal.take_outbox(); // lost
        it.pass_ms(MINUTE_MS).await;
        let visitor = Visitor::logged_in(it, READ_TOKEN).await;
        let page = visitor.page("/").await;
        // It is on the list of what waits, and then on that of what has changed.
        for part in ["2 checked, 1 put right, 0 left", "12:01"] {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert!(!page.contains("failing"), "{page}");

        it.cal.fail_all(Matcher::any(), Fault::Status(503));
        it.pass_ms(MINUTE_MS).await;
        let page = visitor.page("/").await;
        for part in ["failed", "failing", "calls wait until it answers again"] {
            assert!(page.contains(part), "{part}: {page}");
        }
        it.cal.clear_faults();
    })
    .await;
}
