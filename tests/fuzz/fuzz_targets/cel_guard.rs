//! Any bytes as an expression of a policy.
#![no_main]

#[path = "../checks.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    checks::cel_guard(bytes);
});
