//! What the fuzzer checks, with a few bytes of our own: see `tests/fuzz`.

#[path = "../fuzz/checks.rs"]
mod checks;

use proptest::prelude::*;

/// A policy that loads, from which nonsense is made.
const POLICY: &str = include_str!("../../policies/house-rules.toml");
const BLOCKED: &str = include_str!("../../policies/lists/blocked.txt");
const EXPRESSION: &str = "booking.guests.all(guest, guest.endsWith('@example.org')) && cost <= 100";

/// A text with a piece of it replaced by any bytes.
fn disturbed(text: &str, from: usize, length: usize, noise: &[u8]) -> Vec<u8> {
    let from = from % text.len();
    let until = (from + length).min(text.len());
    let bytes = text.as_bytes();
    [&bytes[..from], noise, &bytes[until..]].concat()
}

proptest! {
    #[test]
    fn no_policy_and_no_expression_panics(
        noise in prop::collection::vec(any::<u8>(), 0..16),
        from: usize,
        length in 0_usize..32,
    ) {
        checks::policy_load(&noise);
        checks::cel_guard(&noise);
        let policy = [POLICY, BLOCKED].join("\0");
        checks::policy_load(&disturbed(&policy, from, length, &noise));
        checks::cel_guard(&disturbed(EXPRESSION, from, length, &noise));
    }
}

#[test]
fn what_is_not_disturbed_is_loaded() {
    let with_its_list = [POLICY, BLOCKED].join("\0");
    assert!(checks::policy_load(with_its_list.as_bytes()));
    assert!(checks::cel_guard(EXPRESSION.as_bytes()));
}
