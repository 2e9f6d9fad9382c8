//! How long a 429 asks to wait.

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{DATE, HeaderMap, HeaderValue, RETRY_AFTER};

/// The shortest wait after a 429, in milliseconds.
pub(super) const WAIT_MS_MIN: i64 = 1_000;
/// The longest wait after a 429, in milliseconds: more is taken for a mistake.
pub(super) const WAIT_MS_MAX: i64 = 15 * 60 * 1_000;
/// The wait if the answer does not say, in milliseconds.
pub(super) const WAIT_MS_DEFAULT: i64 = 10_000;
/// Reset times under this many seconds are a wait, others are seconds since 1970.
const EPOCH_S_MIN: i64 = 1_000_000_000;

/// The wait in milliseconds, always within [`WAIT_MS_MIN`] and [`WAIT_MS_MAX`]: `Retry-After`
/// (seconds or a date), else the latest sane `X-RateLimit-Reset*`, else [`WAIT_MS_DEFAULT`]. Dates
/// are measured against the answer's own `Date`, so that two clocks are never compared.
pub(super) fn wait_ms(headers: &HeaderMap) -> i64 {
    let answered_at = headers.get(DATE).and_then(http_date);
    retry_after_ms(headers, answered_at)
        .or_else(|| reset_ms(headers, answered_at))
        .unwrap_or(WAIT_MS_DEFAULT)
        .clamp(WAIT_MS_MIN, WAIT_MS_MAX)
}

/// When the answer was given, by the server's clock, to the second.
pub(super) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    headers.get(DATE).and_then(http_date)
}

/// The wait that `Retry-After` asks for, in milliseconds, within the same limits; `None` if it does not.
pub(super) fn asked_ms(headers: &HeaderMap) -> Option<i64> {
    let answered_at = headers.get(DATE).and_then(http_date);
    let asked = retry_after_ms(headers, answered_at)?;
    Some(asked.clamp(WAIT_MS_MIN, WAIT_MS_MAX))
}

fn retry_after_ms(headers: &HeaderMap, answered_at: Option<Timestamp>) -> Option<i64> {
    let value = headers.get(RETRY_AFTER)?;
    if let Some(seconds) = whole_number(value) {
        return Some(seconds.saturating_mul(1_000));
    }
    Some(http_date(value)?.as_millisecond() - answered_at?.as_millisecond())
}

fn reset_ms(headers: &HeaderMap, answered_at: Option<Timestamp>) -> Option<i64> {
    headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("x-ratelimit-reset"))
        .filter_map(|(_, value)| {
            let seconds = whole_number(value)?;
            if seconds < EPOCH_S_MIN {
                return Some(seconds * 1_000);
            }
            Some((seconds.checked_sub(answered_at?.as_second())?).saturating_mul(1_000))
        })
        .filter(|wait| (1..=WAIT_MS_MAX).contains(wait))
        .max()
}

/// Digits only; too many of them count as very long.
fn whole_number(value: &HeaderValue) -> Option<i64> {
    let text = value.to_str().ok()?.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(i64::MAX))
}

fn http_date(value: &HeaderValue) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new()
        .parse_timestamp(value.to_str().ok()?)
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(headers: &[(&'static str, &str)]) -> i64 {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        wait_ms(&map)
    }

    const DATE: (&str, &str) = ("date", "Mon, 01 Mar 2027 10:00:00 GMT");

    #[test]
    fn seconds_are_clamped() {
        assert_eq!(wait(&[("retry-after", "7")]), 7_000);
        assert_eq!(wait(&[("retry-after", "0")]), WAIT_MS_MIN);
        assert_eq!(wait(&[("retry-after", "86400")]), WAIT_MS_MAX);
        let endless = "9".repeat(40);
        assert_eq!(wait(&[("retry-after", &endless)]), WAIT_MS_MAX);
    }

    #[test]
    fn a_date_is_measured_by_the_providers_clock() {
        let later = ("retry-after", "Mon, 01 Mar 2027 10:00:42 GMT");
        assert_eq!(wait(&[DATE, later]), 42_000);
        assert_eq!(wait(&[later]), WAIT_MS_DEFAULT);
        let past = ("retry-after", "Mon, 01 Mar 2027 09:00:00 GMT");
        assert_eq!(wait(&[DATE, past]), WAIT_MS_MIN);
    }

    #[test]
    fn reset_headers_stand_in_when_sane() {
        // 2027-03-01T10:00:30Z
        let epoch = ("x-ratelimit-reset-default", "1803895230");
        assert_eq!(wait(&[DATE, epoch]), 30_000);
        assert_eq!(wait(&[epoch]), WAIT_MS_DEFAULT);
        assert_eq!(wait(&[("x-ratelimit-reset", "25")]), 25_000);
        let past = ("x-ratelimit-reset", "1803890000");
        assert_eq!(wait(&[DATE, past]), WAIT_MS_DEFAULT);
        let millis = ("x-ratelimit-reset", "1803895230000");
        assert_eq!(wait(&[DATE, millis]), WAIT_MS_DEFAULT);
        assert_eq!(wait(&[DATE, epoch, ("retry-after", "3")]), 3_000);
    }

    #[test]
    fn nonsense_is_the_default() {
        assert_eq!(wait(&[]), WAIT_MS_DEFAULT);
        assert_eq!(wait(&[("retry-after", "soon")]), WAIT_MS_DEFAULT);
        assert_eq!(wait(&[("retry-after", "-5")]), WAIT_MS_DEFAULT);
    }
}
