//! What people change is kept, with who, when, and by which request.

use reqwest::header::HeaderMap;
use serde_json::Value;

use super::{ask, get, post, refused};
use crate::harness::{Installation, Setup, run_test};

async fn changes(it: &Installation, query: &str) -> Value {
    let answered = ask(get(it, &format!("/v1/audit?{query}"))).await;
    assert_eq!(answered.status, 200, "{}", answered.body);
    answered.body
}

fn request_id(headers: &HeaderMap) -> &str {
    headers["x-request-id"].to_str().unwrap()
}

#[tokio::test]
async fn changes_are_listed_newest_first() {
    run_test(Setup::default(), async |it: &mut Installation| {
        it.top_up("5").await;
        it.pass_ms(1_000).await;
        it.top_up("2").await;
        let first = changes(it, "limit=1").await;
        let newest = &first["items"][0];
        assert_eq!(newest["actor"], "token:ops");
        assert_eq!(newest["action"], "account.top_up");
        assert_eq!(newest["detail"], "2 CREDIT");
        assert_eq!(newest["target"], "ada@reader.example");
        assert_eq!(newest["at"], "2027-03-01T12:00:01Z");
        let next = first["next"].as_str().unwrap();
        let rest = changes(it, &format!("limit=1&after={next}")).await;
        assert_eq!(rest["items"][0]["detail"], "5 CREDIT");
        assert!(rest["next"].is_null(), "{rest}");
        for (query, found) in [
            ("actor=token:ops", 2),
            ("actor=token:looker", 0),
            ("action=booking.accept", 0),
            ("target=ada@reader.example", 2),
        ] {
            let listed = changes(it, query).await;
            assert_eq!(listed["items"].as_array().unwrap().len(), found, "{query}");
        }
        refused(get(it, "/v1/audit?after=x"), 400).await;
        refused(get(it, "/v1/audit?who=me"), 400).await;
    })
    .await;
}

#[tokio::test]
async fn a_change_is_found_by_the_id_of_its_request() {
    run_test(Setup::default(), async |it: &mut Installation| {
        let job = "/v1/jobs/retention:facts/runs";
        it.settle().await;
        let run = post(it, job).send().await.unwrap();
        assert_eq!(run.status(), 202);
        let retention = post(it, "/v1/retention/runs");
        let retention = retention.header("x-request-id", "mine").send();
        let retention = retention.await.unwrap();
        assert_eq!(retention.status(), 202);
        let looked = get(it, "/v1/jobs").send().await.unwrap();
        let failed = post(it, "/v1/jobs/none/runs").send().await.unwrap();
        assert_eq!(failed.status(), 404);
        let refused = it.raw_admin(reqwest::Method::GET, "/v1/jobs").send();
        let refused = refused.await.unwrap();
        assert_eq!(refused.status(), 401);
        for (answer, action, target) in [
            (&run, "job.run", "retention:facts"),
            (&retention, "retention.run", "all"),
        ] {
            let id = request_id(answer.headers());
            let found = changes(it, &format!("request_id={id}")).await;
            let [change] = &found["items"].as_array().unwrap()[..] else {
                panic!("{found}");
            };
            assert_eq!(change["action"], action);
            assert_eq!(change["target"], target);
            assert_eq!(change["request_id"], id);
        }
        for answer in [&looked, &failed, &refused] {
            let id = request_id(answer.headers());
            let found = changes(it, &format!("request_id={id}")).await;
            assert_eq!(found["items"].as_array().unwrap().len(), 0);
        }
    })
    .await;
}
