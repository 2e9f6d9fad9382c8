//! What is taken as Calendly's: its own signature, while it is fresh; older forms only where the settings
//! name them. And the retries of a provider that may or may not sign anew.

use bookgate::domain::clock::{Clock, ms_between};
use bookgate::standin::calendly::{Options, OutgoingWebhook, SIGNATURE_HEADER};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use sha2::Sha256;

use super::{calendly, decisions, plain};
use crate::harness::{Calendly, Installation, SIGNING_KEY, Setup, answer, run_test_on_file};

const MINUTE_MS: i64 = 60_000;

fn hex_hmac(parts: &[&[u8]]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SIGNING_KEY.as_bytes()).unwrap();
    parts.iter().for_each(|part| mac.update(part));
    hex::encode(mac.finalize().into_bytes())
}

/// Sends the webhook's body under another signature.
async fn post(it: &Installation, webhook: &OutgoingWebhook, signature: Option<String>) -> u16 {
    let mut request = it
        .raw_public(Method::POST, "/webhooks/calendly")
        .header("content-type", "application/json")
        .body(webhook.body.clone());
    if let Some(signature) = signature {
        request = request.header(SIGNATURE_HEADER, signature);
    }
    answer(request).await.0
}

/// Ada has booked, and the webhook is held.
async fn booked(it: &Installation) -> OutgoingWebhook {
    it.hold_calendly();
    it.calendly_book(72).await;
    it.calendly().take_outbox().remove(0)
}

fn now_s(it: &Installation) -> i64 {
    it.clock.now().as_second()
}

#[tokio::test]
async fn only_a_fresh_signature_of_the_very_bytes_is_taken() {
    run_test_on_file(plain(), async |it: &mut Installation| {
        let webhook = booked(it).await;
        let (body, now) = (webhook.body.clone(), now_s(it));
        let signed = |t: i64| {
            let time = t.to_string();
            let mac = hex_hmac(&[time.as_bytes(), b".", &body]);
            format!("t={time},v1={mac}")
        };
        let other_body = hex_hmac(&[now.to_string().as_bytes(), b".", b"{}"]);
        let refused = [
            None,
            Some(String::new()),
            Some(format!("t={now}")),
            Some(format!("v1={}", hex_hmac(&[&body]))),
            Some(format!("t={now},v1={other_body}")),
            Some(signed(now).replace(&format!("t={now}"), &format!("t={}", now - 1))),
            Some(signed(now - 181)),
            Some(signed(now + 181)),
        ];
        for signature in refused {
            assert_eq!(
                post(it, &webhook, signature.clone()).await,
                401,
                "{signature:?}"
            );
        }
        assert_eq!(
            it.get("/v1/bookings").await.1["items"],
            serde_json::json!([])
        );
        assert_eq!(post(it, &webhook, Some(signed(now - 179))).await, 200);
        it.settle().await;
        it.deliver_all_of_calendly().await;
    })
    .await;
}

/// The forms that old guides show: `t=…,s=sha256=…`, and the bare hex of the body.
fn older_forms(it: &Installation, webhook: &OutgoingWebhook) -> [String; 2] {
    let time = now_s(it).to_string();
    let over_time = hex_hmac(&[time.as_bytes(), b".", &webhook.body]);
    [
        format!("t={time},s=sha256={over_time}"),
        hex_hmac(&[&webhook.body]),
    ]
}

#[tokio::test]
async fn older_forms_of_signature_are_taken_where_they_are_named() {
    let cases: [(&'static str, [u16; 2]); 4] = [
        ("", [401, 401]),
        ("legacy_signatures = [\"s-sha256\"]", [200, 401]),
        ("legacy_signatures = [\"body-hex\"]", [401, 200]),
        (
            "legacy_signatures = [\"s-sha256\", \"body-hex\"]",
            [200, 200],
        ),
    ];
    for (source, answers) in cases {
        let setup = calendly(Calendly {
            source,
            ..Calendly::default()
        });
        run_test_on_file(setup, async |it: &mut Installation| {
            let webhook = booked(it).await;
            for (signature, wanted) in older_forms(it, &webhook).into_iter().zip(answers) {
                let answered = post(it, &webhook, Some(signature.clone())).await;
                assert_eq!(answered, wanted, "{source}: {signature}");
            }
            // Calendly's own is taken in any case.
            it.deliver_of_calendly(&webhook).await;
            it.settle().await;
            it.deliver_all_of_calendly().await;
        })
        .await;
    }
}

#[tokio::test]
async fn a_tolerance_may_be_wider() {
    let setup = calendly(Calendly {
        source: "signature_tolerance_ms = 86400000",
        ..Calendly::default()
    });
    run_test_on_file(setup, async |it: &mut Installation| {
        let webhook = booked(it).await;
        it.clock.advance_ms(23 * 60 * MINUTE_MS);
        assert_eq!(it.calendly().deliver(&webhook).await.unwrap(), 200);
        it.settle().await;
        it.deliver_all_of_calendly().await;
    })
    .await;
}

fn signing_retries(renews_time: bool) -> Setup {
    calendly(Calendly {
        stand_in: Options {
            renews_time,
            ..Options::default()
        },
        ..Calendly::default()
    })
}

/// The daemon is away for ten minutes, in which Ada books, and Calendly tries again; gives what the
/// retries after that were answered.
async fn away_for_ten_minutes(it: &mut Installation) -> Vec<Option<u16>> {
    it.top_up("5").await;
    it.stop().await;
    it.calendly_book(72).await;
    for _ in 0..10 {
        it.clock.advance_ms(MINUTE_MS);
        for (_, answered) in it.calendly().retry_due().await {
            assert_eq!(answered, None, "nobody is there");
        }
    }
    it.begin().await;
    let due = it.calendly().next_retry_at().unwrap();
    it.clock.advance_ms(ms_between(it.clock.now(), due));
    let made = it.calendly().retry_due().await;
    it.settle().await;
    made.into_iter().map(|(_, answered)| answered).collect()
}

#[tokio::test]
async fn a_retry_that_is_signed_anew_is_decided() {
    run_test_on_file(signing_retries(true), async |it: &mut Installation| {
        assert_eq!(away_for_ten_minutes(it).await, [Some(200)]);
        let booked = &it.calendly().invitees()[0];
        assert_eq!(decisions(&it.calendly_booking(booked).await), 1);
        it.assert_balance("3", "0").await;
        assert_eq!(it.calendly().next_retry_at(), None);
        assert_eq!(it.calendly().subscriptions()[0].retry_started_at, None);
    })
    .await;
}

#[tokio::test]
async fn a_retry_with_an_old_time_is_refused_and_reconciliation_finds_the_booking() {
    let setup = calendly(Calendly {
        stand_in: Options {
            renews_time: false,
            ..Options::default()
        },
        reconcile_ms: 15 * MINUTE_MS,
        ..Calendly::default()
    });
    run_test_on_file(setup, async |it: &mut Installation| {
        assert_eq!(away_for_ten_minutes(it).await, [Some(401)]);
        let booked = &it.calendly().invitees()[0];
        assert_eq!(decisions(&it.calendly_booking(booked).await), 1);
        it.assert_balance("3", "0").await;
    })
    .await;
}
