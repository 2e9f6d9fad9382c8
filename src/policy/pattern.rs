//! Regular expressions of limited size: what an author may match the texts of strangers with.

use regex::{Regex, RegexBuilder};

use super::text::clean;

/// The longest pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 1_024;
/// The largest compiled pattern, in bytes; bounds what `(a{1000}){1000}` may cost.
const PATTERN_COMPILED_BYTES_MAX: usize = 256 * 1_024;
/// How deep a pattern may nest.
const PATTERN_DEPTH_MAX: u32 = 32;

/// Compiles a pattern.
///
/// # Errors
/// Why it cannot be used.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(format!("it is longer than {PATTERN_BYTES_MAX} bytes"));
    }
    let regex = RegexBuilder::new(pattern)
        .size_limit(PATTERN_COMPILED_BYTES_MAX)
        .nest_limit(PATTERN_DEPTH_MAX)
        .build();
    regex.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "it grows too large".to_owned(),
        error => {
            // The crate draws its own picture of the place; its last line is the reason.
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default();
            clean(reason.trim_start_matches("error: "), 200)
        }
    })
}
