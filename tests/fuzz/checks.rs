//! What has to hold whatever is written: nothing panics, nothing hangs, and what is refused is told. The
//! fuzzer calls these with bytes that it bred, and `tests/it` with a few of its own.
#![allow(dead_code, reason = "each target calls one of them")]

use std::collections::BTreeMap;
use std::io;

use bookgate::domain::amount::{Unit, UnitCode};
use bookgate::domain::booking::{Booker, Details};
use bookgate::domain::clock::plus_ms;
use bookgate::domain::ids::{SourceName, Uid};
use bookgate::domain::owner::Owner;
use bookgate::policy::{Facts, LoadContext, Loaded, SourceFile, load};

/// The length of the booking that is put to what could be loaded, in ms.
const HOUR_MS: i64 = 60 * 60 * 1_000;

/// Loads bytes as a policy file, and puts a booking to it. What begins behind the last zero is what its
/// list files hold. Gives whether it could be loaded.
pub(crate) fn policy_load(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let (policy, list) = text
        .rsplit_once('\0')
        .unwrap_or((&*text, "eve@example.org\n"));
    check(policy.to_owned(), list)
}

/// Compiles bytes as an expression, and evaluates what could be compiled. Gives whether it could.
pub(crate) fn cel_guard(bytes: &[u8]) -> bool {
    let expression = String::from_utf8_lossy(bytes);
    // As TOML writes a text: what JSON escapes, TOML does too, and DEL besides.
    let quoted = serde_json::to_string(&*expression).expect("a text is JSON");
    let quoted = quoted.replace('\u{7f}', "\\u007F");
    let policy = format!(
        "schema = 1\n[policy]\nid = \"fuzz\"\n[credits]\nunit = \"CREDIT\"\ncost = {{ base = \"1\" }}\n\
         [[criterion]]\nid = \"said\"\nkind = \"expr\"\ncel = {quoted}\n"
    );
    check(policy, "")
}

fn check(policy: String, list: &str) -> bool {
    let code = UnitCode::try_from("CREDIT").expect("a code");
    let unit = Unit {
        code: code.clone(),
        scale: 2,
    };
    let units = BTreeMap::from([(code, unit)]);
    let read_list = |_: &str, path: &str| match path {
        "absent.txt" => Err(io::Error::from(io::ErrorKind::NotFound)),
        _ => Ok(list.to_owned()),
    };
    let file = SourceFile {
        name: "fuzz.toml".to_owned(),
        text: policy,
    };
    match load(vec![file], &LoadContext::new(&units, &read_list)) {
        Ok((set, remarks)) => {
            remarks.render(true);
            set.evaluate(&booking());
            true
        }
        Err(diagnostics) => {
            assert!(diagnostics.has_errors());
            assert!(!diagnostics.render(false).is_empty());
            serde_json::to_string(&diagnostics).expect("diagnostics are JSON");
            false
        }
    }
}

/// An ordinary booking, three days ahead.
fn booking() -> Facts {
    let now = "2026-03-02T09:00:00Z".parse().expect("a time");
    let start = plus_ms(now, 72 * HOUR_MS);
    let details = Details {
        title: "Session".to_owned(),
        event_type_id: Some(7),
        event_type_slug: Some("session".to_owned()),
        booker: Booker {
            email: Owner::parse("ada@example.org").ok(),
            name: "Ada".to_owned(),
            locale: Some("de".to_owned()),
            ..Booker::default()
        },
        ..Details::between(start, plus_ms(start, HOUR_MS))
    };
    let mut facts = Facts::of(now, SourceName::new("fuzz"), Uid::new("b-1"), details);
    facts.account = Loaded::Known(None);
    facts
}
