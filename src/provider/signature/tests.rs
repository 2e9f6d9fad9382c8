use super::*;
use crate::domain::clock::{from_us, plus_ms};

const BODY: &[u8] = br#"{"triggerEvent":"BOOKING_REQUESTED"}"#;
const CALCOM: Scheme = Scheme::HexHmacBody {
    header: "x-cal-signature-256",
};
const CALENDLY: Scheme = Scheme::TimestampedHmac {
    header: "calendly-webhook-signature",
    mark: "v1=",
    tolerance_ms: 180_000,
};
const STANDARD: Scheme = Scheme::StandardWebhooks {
    tolerance_ms: 300_000,
};
const SHARED: Scheme = Scheme::SharedHeaderSecret { header: "x-key" };
// printf '%s' '{"triggerEvent":"BOOKING_REQUESTED"}' | openssl dgst -sha256 -hmac 'correct horse'
const HEX: &str = "5709994637887305f5ae41e8031709b052c9d620283d27c4f3638ce2899c85b2";
// printf '%s' '1800000000.{"triggerEvent":"BOOKING_REQUESTED"}' | openssl dgst -sha256 -hmac 'correct horse'
const HEX_AT: &str = "c9ea23138b6374120f5ae30445d1c075b6de9038e7ea07d143293c05bd0f24d4";
// printf '%s' 'msg_1.1800000000.{"triggerEvent":"BOOKING_REQUESTED"}' | openssl dgst -sha256 -mac HMAC -macopt hexkey:000102030405060708090a0b0c0d0e0f -binary | base64
const BASE64_AT: &str = "kxp/2TmzRwaEZtAxxvzpXWKkE1kzuzXkZYDjIrNKV/c=";

fn now() -> Timestamp {
    from_us(1_800_000_000_000_000)
}

fn verifier(scheme: Scheme, secrets: &[&str]) -> Verifier {
    let secrets: Vec<Secret> = secrets.iter().map(|secret| Secret::new(*secret)).collect();
    Verifier::new(vec![scheme], &secrets).unwrap()
}

fn check(
    verifier: &Verifier,
    headers: &[(&str, &str)],
    body: &[u8],
    now: Timestamp,
) -> Result<(), Refusal> {
    let owned: Vec<(String, Vec<u8>)> = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
        .collect();
    let find = |name: &str| {
        let found = owned.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_slice())
    };
    verifier.verify(&find, body, now)
}

#[test]
fn known_signatures_verify() {
    let calcom = verifier(CALCOM, &["correct horse"]);
    assert_eq!(
        check(&calcom, &[("x-cal-signature-256", HEX)], BODY, now()),
        Ok(())
    );
    let upper = HEX.to_uppercase();
    assert_eq!(
        check(&calcom, &[("x-cal-signature-256", &upper)], BODY, now()),
        Ok(())
    );

    let calendly = verifier(CALENDLY, &["correct horse"]);
    let header = format!("t=1800000000,v1={HEX_AT}");
    assert_eq!(
        check(
            &calendly,
            &[("calendly-webhook-signature", &header)],
            BODY,
            now()
        ),
        Ok(())
    );

    let standard = verifier(STANDARD, &["whsec_AAECAwQFBgcICQoLDA0ODw=="]);
    for prefix in ["webhook", "svix"] {
        let names = [
            format!("{prefix}-id"),
            format!("{prefix}-timestamp"),
            format!("{prefix}-signature"),
        ];
        let signature = format!("v2,ignored v1,{BASE64_AT}");
        let headers = [
            (&*names[0], "msg_1"),
            (&*names[1], "1800000000"),
            (&*names[2], &*signature),
        ];
        assert_eq!(check(&standard, &headers, BODY, now()), Ok(()));
    }
    let shared = verifier(SHARED, &["correct horse"]);
    assert_eq!(
        check(&shared, &[("x-key", "correct horse")], BODY, now()),
        Ok(())
    );
    assert_eq!(
        check(&shared, &[("x-key", "correct horsf")], BODY, now()),
        Err(Refusal::Mismatch)
    );
}

#[test]
fn any_of_several_secrets_will_do() {
    let rotated = verifier(CALCOM, &["battery staple", "correct horse"]);
    assert_eq!(
        check(&rotated, &[("x-cal-signature-256", HEX)], BODY, now()),
        Ok(())
    );
    let others = verifier(CALCOM, &["battery", "staple"]);
    assert_eq!(
        check(&others, &[("x-cal-signature-256", HEX)], BODY, now()),
        Err(Refusal::Mismatch)
    );
}

#[test]
fn what_we_sign_we_verify() {
    let standard_secret = "whsec_AAECAwQFBgcICQoLDA0ODw==";
    for (scheme, secret) in [(CALCOM, "s"), (CALENDLY, "s"), (STANDARD, standard_secret)] {
        let verifier = verifier(scheme, &[secret]);
        let signed = verifier.sign("msg_2", BODY, now());
        let headers: Vec<_> = signed
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        assert_eq!(check(&verifier, &headers, BODY, now()), Ok(()));
        assert_eq!(
            check(&verifier, &headers, b"{}", now()),
            Err(Refusal::Mismatch)
        );
    }
}

#[test]
fn odd_hex_headers_are_refused() {
    let calcom = verifier(CALCOM, &["correct horse"]);
    let refused = |value: &str| check(&calcom, &[("x-cal-signature-256", value)], BODY, now());
    assert_eq!(check(&calcom, &[], BODY, now()), Err(Refusal::Missing));
    for odd in [
        "",
        "no-secret-provided",
        &HEX[..62],
        &format!("{HEX}00"),
        &format!("sha256={HEX}"),
        &format!(" {HEX}"),
    ] {
        assert_eq!(refused(odd), Err(Refusal::Malformed), "{odd}");
    }
    assert_eq!(refused(&"0".repeat(64)), Err(Refusal::Mismatch));
}

#[test]
fn odd_timestamped_headers_are_refused() {
    let calendly = verifier(CALENDLY, &["correct horse"]);
    let refused = |value: &str| {
        check(
            &calendly,
            &[("calendly-webhook-signature", value)],
            BODY,
            now(),
        )
    };
    for odd in [
        String::new(),
        format!("v1={HEX_AT}"),
        "t=1800000000".to_owned(),
        format!("t=1800000000,t=1800000000,v1={HEX_AT}"),
        format!("t=,v1={HEX_AT}"),
        format!("t=-1800000000,v1={HEX_AT}"),
        "t=1800000000,v1=zz".to_owned(),
        format!("t=1800000000,s=sha256={HEX_AT}"),
    ] {
        assert_eq!(refused(&odd), Err(Refusal::Malformed), "{odd}");
    }
    assert_eq!(
        refused(&format!("t=1800000001,v1={HEX_AT}")),
        Err(Refusal::Mismatch)
    );
    let two = format!("t=1800000000,v1={},v1={HEX_AT}", "0".repeat(64));
    assert_eq!(refused(&two), Ok(()), "one of several signatures will do");
}

#[test]
fn a_matching_signature_from_another_time_is_stale() {
    let calendly = verifier(CALENDLY, &["correct horse"]);
    let header = format!("t=1800000000,v1={HEX_AT}");
    for (ms, expected) in [
        (180_000, Ok(())),
        (180_001, Err(Refusal::Stale)),
        (-180_001, Err(Refusal::Stale)),
    ] {
        let at = plus_ms(now(), ms);
        assert_eq!(
            check(
                &calendly,
                &[("calendly-webhook-signature", &header)],
                BODY,
                at
            ),
            expected
        );
    }
}

#[test]
fn secrets_are_checked_and_never_printed() {
    assert_eq!(
        Verifier::new(vec![CALCOM], &[]).unwrap_err(),
        KeyError::NoSecret
    );
    assert_eq!(
        Verifier::new(vec![CALCOM], &[Secret::new("")]).unwrap_err(),
        KeyError::Empty
    );
    assert_eq!(
        Verifier::new(vec![STANDARD], &[Secret::new("plain")]).unwrap_err(),
        KeyError::NotBase64
    );
    let shown = format!(
        "{:?} {:?}",
        Secret::new("hunter2"),
        verifier(CALCOM, &["hunter2"])
    );
    assert!(!shown.contains("hunter2"));
}
