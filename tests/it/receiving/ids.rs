//! Each answer of the public door names its request.

use reqwest::{Method, RequestBuilder};

use super::{PING, SIGNATURE, sign};
use crate::harness::{Installation, SECRET, Setup, run_test_on_file};

/// Status and id of an answer.
async fn told(request: RequestBuilder) -> (u16, String) {
    let answer = request.send().await.unwrap();
    let id = answer.headers()["x-request-id"].to_str().unwrap();
    (answer.status().as_u16(), id.to_owned())
}

fn webhook(it: &Installation, signature: &str) -> RequestBuilder {
    it.raw_public(Method::POST, "/webhooks/calcom")
        .header(SIGNATURE, signature)
        .body(PING)
}

#[tokio::test]
async fn every_answer_of_the_public_door_names_its_request() {
    run_test_on_file(Setup::default(), async |it: &mut Installation| {
        let right = sign(SECRET, PING);
        let mut seen = Vec::new();
        for (request, status) in [
            (webhook(it, &right), 200),
            (webhook(it, &right), 200),
            (webhook(it, "wrong"), 401),
            (it.raw_public(Method::POST, "/webhooks/nobody"), 404),
            (it.raw_public(Method::GET, "/webhooks/calcom"), 405),
            (it.raw_public(Method::GET, "/nowhere"), 404),
            (it.raw_public(Method::GET, "/livez"), 200),
        ] {
            let (answered, id) = told(request).await;
            assert_eq!(answered, status);
            assert!(
                id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()),
                "{id}"
            );
            assert!(!seen.contains(&id), "{id} names two");
            seen.push(id);
        }
    })
    .await;
}

#[tokio::test]
async fn a_sender_s_own_id_is_taken_over_if_it_is_one() {
    run_test_on_file(Setup::default(), async |it: &mut Installation| {
        let right = sign(SECRET, PING);
        let longest = "x".repeat(64);
        for own in ["7", "0198f7a2-aa51_b.c", longest.as_str()] {
            let request = webhook(it, &right).header("x-request-id", own);
            assert_eq!(told(request).await, (200, own.to_owned()));
        }
        let too_long = "x".repeat(65);
        for odd in ["", "a b", "a\"}", too_long.as_str()] {
            let request = webhook(it, &right).header("x-request-id", odd);
            let (status, id) = told(request).await;
            assert_eq!(status, 200);
            assert_ne!(id, odd);
        }
        // What changes something is named by us alone: no id can stand for two in the audit log.
        let request = it
            .raw_admin(Method::GET, "/livez")
            .header("x-request-id", "7");
        assert_ne!(told(request).await.1, "7");
    })
    .await;
}
