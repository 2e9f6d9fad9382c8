//! Topping up: once for each key, in amounts that can be kept exactly, for owners spelled in any way.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{ADA, TOP_UPS, ask, five, get, post, refused, top_up};
use crate::harness::{Installation, Setup, run_test};

#[tokio::test]
async fn a_top_up_creates_the_account_and_answers_its_balances() {
    run_test(Setup::default(), async |it: &mut Installation| {
        let said = refused(get(it, ADA), 404).await;
        assert!(said.contains("ada@reader.example"), "{said}");
        let answered = ask(top_up(it, TOP_UPS, "first", &five())).await;
        let account = json!({
            "owner": "ada@reader.example",
            "status": "open",
            "balances": [{"unit": "CREDIT", "posted": "5", "held": "0", "available": "5"}],
        });
        assert_eq!((answered.status, &answered.body), (201, &account));
        assert!(!answered.replayed);
        assert_eq!(ask(get(it, ADA)).await.body, account);
    })
    .await;
}

#[tokio::test]
async fn the_same_key_and_request_give_the_same_answer_and_no_more_credit() {
    run_test(Setup::default(), async |it: &mut Installation| {
        let first = ask(top_up(it, TOP_UPS, "term-1", &five())).await;
        assert_eq!(
            ask(top_up(it, TOP_UPS, "term-2", &five())).await.status,
            201
        );
        let spelled = [
            five(),
            json!({"reason": "spring term", "unit": "CREDIT", "amount": "5.00"}),
            json!({"amount": " 5.0", "unit": "CREDIT", "reason": "spring term", "metadata": null}),
        ];
        for body in &spelled {
            for path in [TOP_UPS, "/v1/accounts/%20ADA%40Reader.EXAMPLE/top-ups"] {
                let again = ask(top_up(it, path, "term-1", body)).await;
                assert_eq!(
                    (again.status, &again.body),
                    (201, &first.body),
                    "as it was then"
                );
                assert!(again.replayed);
            }
        }
        it.assert_balance("10", "0").await;
    })
    .await;
}

#[tokio::test]
async fn the_same_key_for_another_request_is_refused_and_told_what_differs() {
    run_test(Setup::default(), async |it: &mut Installation| {
        assert_eq!(ask(top_up(it, TOP_UPS, "k", &five())).await.status, 201);
        let with = |field: &str, value: Value| {
            let mut body = five();
            body[field] = value;
            body
        };
        for (field, value) in [
            ("amount", json!("50")),
            ("reason", json!("summer term")),
            ("reason", Value::Null),
            ("metadata", json!({"invoice": 7})),
        ] {
            let said = refused(top_up(it, TOP_UPS, "k", &with(field, value)), 422).await;
            assert!(said.ends_with(&format!("different: {field}")), "{said}");
        }
        let elsewhere = "/v1/accounts/bo@reader.example/top-ups";
        let said = refused(top_up(it, elsewhere, "k", &with("amount", json!("6"))), 422).await;
        assert!(said.ends_with("different: amount, owner"), "{said}");
        refused(get(it, "/v1/accounts/bo@reader.example"), 404).await;
        it.assert_balance("5", "0").await;
    })
    .await;
}

#[tokio::test]
async fn identical_requests_at_the_same_time_are_one_top_up() {
    run_test(Setup::default(), async |it: &mut Installation| {
        let requests = (0..20).map(|_| ask(top_up(it, TOP_UPS, "at once", &five())));
        let answers = join_all(requests).await;
        assert!(
            answers
                .iter()
                .all(|one| one.status == 201 && one.body == answers[0].body)
        );
        assert_eq!(answers.iter().filter(|one| !one.replayed).count(), 1);
        it.assert_balance("5", "0").await;
    })
    .await;
}

#[tokio::test]
async fn a_key_must_be_there_and_of_a_length_that_can_be_kept() {
    run_test(Setup::default(), async |it: &mut Installation| {
        let said = refused(post(it, TOP_UPS).json(&five()), 400).await;
        assert!(said.contains("Idempotency-Key"), "{said}");
        refused(top_up(it, TOP_UPS, "", &five()), 400).await;
        refused(top_up(it, TOP_UPS, &"k".repeat(256), &five()), 400).await;
        let odd = post(it, TOP_UPS).header("idempotency-key", &b"caf\xe9"[..]);
        refused(odd.json(&five()), 400).await;
        refused(get(it, ADA), 404).await;
        assert_eq!(
            ask(top_up(it, TOP_UPS, &"k".repeat(255), &five()))
                .await
                .status,
            201
        );
    })
    .await;
}

#[tokio::test]
async fn amounts_that_cannot_be_booked_are_refused_with_what_would_be_right() {
    run_test(Setup::default(), async |it: &mut Installation| {
        let refusals = [
            (json!(5), "\"5\""),
            (json!(1.1), "\"1.1\""),
            (json!(null), "string"),
            (json!(["5"]), "string"),
            (json!("1.005"), "at most 2"),
            (json!("-5"), "more than 0"),
            (json!("0"), "more than 0"),
            (json!("0.00"), "more than 0"),
            (json!(""), "not an amount"),
            (json!("five"), "not an amount"),
            (json!("1e3"), "not an amount"),
            (json!("1,5"), "not an amount"),
            (json!("99999999999999999999"), "too large"),
            (json!("9".repeat(60)), "not an amount"),
        ];
        for (index, (amount, expected)) in refusals.into_iter().enumerate() {
            let body = json!({"amount": amount, "unit": "CREDIT"});
            let said = refused(top_up(it, TOP_UPS, &index.to_string(), &body), 400).await;
            assert!(
                said.contains("amount") && said.contains(expected),
                "{amount}: {said}"
            );
            assert!(!said.contains("amount: amount"), "{said}");
        }
        refused(get(it, ADA), 404).await;
    })
    .await;
}

#[tokio::test]
async fn a_balance_cannot_outgrow_what_can_be_counted() {
    run_test(Setup::default(), async |it: &mut Installation| {
        let minor = bookgate::ledger::BALANCE_MINOR_MAX;
        let most = format!("{}.{:02}", minor / 100, minor % 100);
        let body = |amount: &str| json!({"amount": amount, "unit": "CREDIT"});
        refused(top_up(it, TOP_UPS, "a", &body("92233720368547758.07")), 422).await;
        let answered = ask(top_up(it, TOP_UPS, "b", &body(&most))).await;
        assert_eq!(answered.status, 201, "{}", answered.body);
        refused(top_up(it, TOP_UPS, "c", &body("0.01")), 422).await;
    })
    .await;
}

#[tokio::test]
async fn bodies_that_make_no_sense_are_refused_and_change_nothing() {
    run_test(Setup::default(), async |it: &mut Installation| {
        let refusals = [
            (r#"{"amount":"5","unit":"CREDITS"}"#, 400, "CREDIT"),
            (r#"{"amount":"5","unit":"credit"}"#, 400, "CREDIT"),
            (r#"{"amount":"5"}"#, 400, "`unit`"),
            (r#"{"unit":"CREDIT"}"#, 400, "`amount`"),
            (
                r#"{"amount":"5","unit":"CREDIT","note":"x"}"#,
                400,
                "`note`",
            ),
            (
                r#"{"amount":"5","unit":"CREDIT","metadata":"x"}"#,
                400,
                "metadata",
            ),
            (
                r#"{"amount":"5","unit":"CREDIT","reason":7}"#,
                400,
                "reason",
            ),
            (r#"["5","CREDIT"]"#, 400, "object"),
            (r#"{"amount":"5""#, 400, "JSON"),
            ("", 400, "JSON"),
            ("amount=5", 400, "JSON"),
        ];
        for (body, status, expected) in refusals {
            let request = post(it, TOP_UPS)
                .header("idempotency-key", "k")
                .header("content-type", "application/json")
                .body(body);
            let said = refused(request, status).await;
            assert!(said.contains(expected), "{body}: {said}");
        }
        let reason = json!({"amount": "5", "unit": "CREDIT", "reason": "x".repeat(501)});
        refused(top_up(it, TOP_UPS, "k", &reason), 400).await;
        let metadata =
            json!({"amount": "5", "unit": "CREDIT", "metadata": {"x": "y".repeat(5_000)}});
        refused(top_up(it, TOP_UPS, "k", &metadata), 400).await;
        let deep = format!(
            r#"{{"amount":"5","unit":"CREDIT","metadata":{}1{}}}"#,
            r#"{"a":"#.repeat(5_000),
            "}".repeat(5_000)
        );
        let request = post(it, TOP_UPS)
            .header("idempotency-key", "k")
            .header("content-type", "application/json");
        refused(request.body(deep), 400).await;
        let untyped = post(it, TOP_UPS)
            .header("idempotency-key", "k")
            .body(five().to_string());
        let said = refused(untyped, 415).await;
        assert!(said.contains("application/json"), "{said}");
        let huge = json!({"amount": "5", "unit": "CREDIT", "reason": "x".repeat(64 * 1024)});
        let said = refused(top_up(it, TOP_UPS, "k", &huge), 413).await;
        assert!(said.contains("65536"), "{said}");
        refused(get(it, ADA), 404).await;
    })
    .await;
}

#[tokio::test]
async fn an_owner_is_an_address_however_it_is_spelled() {
    run_test(Setup::default(), async |it: &mut Installation| {
        for owner in [
            "ada",
            "@reader.example",
            "ada@",
            "a%20da@reader.example",
            "a@b@c",
            "%20",
        ] {
            let path = format!("/v1/accounts/{owner}");
            let said = refused(top_up(it, &format!("{path}/top-ups"), "k", &five()), 400).await;
            assert!(said.contains("owner"), "{owner}: {said}");
            refused(get(it, &path), 400).await;
            refused(get(it, &format!("{path}/entries")), 400).await;
        }
        let spellings = [
            ("zoe@b%C3%BCcher.example", "1"),
            ("ZOE@B%C3%9CCHER.Example", "2"),
            ("%09zoe%40xn--bcher-kva.example%20", "3"),
        ];
        for (owner, posted) in spellings {
            let path = format!("/v1/accounts/{owner}/top-ups");
            let body = json!({"amount": "1", "unit": "CREDIT"});
            let answered = ask(top_up(it, &path, owner, &body)).await;
            assert_eq!(answered.status, 201, "{}", answered.body);
            assert_eq!(answered.body["owner"], "zoe@xn--bcher-kva.example");
            assert_eq!(answered.body["balances"][0]["posted"], posted);
        }
    })
    .await;
}

#[tokio::test]
async fn credit_that_should_not_be_there_is_taken_off_and_no_more() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("50").await;
        it.book(72).await;
        it.settle().await;
        let path = "/v1/accounts/ada@reader.example/deductions";
        let body =
            |amount: &str| json!({"amount": amount, "unit": "CREDIT", "reason": "typed 50 for 5"});
        let said = refused(top_up(it, path, "all", &body("50")), 409).await;
        assert!(said.contains("48 is available"), "{said}");
        let unexplained = json!({"amount": "1", "unit": "CREDIT"});
        let said = refused(top_up(it, path, "why", &unexplained), 400).await;
        assert!(said.contains("reason"), "{said}");
        for replayed in [false, true] {
            let answered = ask(top_up(it, path, "term", &body("45"))).await;
            assert_eq!((answered.status, answered.replayed), (201, replayed));
            assert_eq!(answered.body["balances"][0]["available"], "3");
        }
        refused(top_up(it, path, "term", &body("1")), 422).await;
        let (_, entries) = it.get(&format!("{ADA}/entries?kind=adjust")).await;
        let entries = entries["items"].as_array().unwrap();
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0]["amount"], "-45");
        assert_eq!(entries[0]["reason"], "typed 50 for 5");
        let (_, log) = it.get("/v1/audit?action=account.deduct").await;
        assert_eq!(log["items"][0]["detail"], "45 CREDIT");
        let elsewhere = "/v1/accounts/nobody@reader.example/deductions";
        refused(top_up(it, elsewhere, "k", &body("1")), 409).await;
    })
    .await;
}
