//! Times on the command line: all options that take one take the same forms.

use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::UsageError;
use crate::domain::clock::{Timestamp, plus_ms};
use crate::policy::duration::Duration;

/// A time as it was written: some are told from now on, which is known when the command runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// This time.
    At(Timestamp),
    /// So many milliseconds from now, negative if ago.
    FromNow(i64),
}

impl When {
    /// The time that is meant.
    pub(super) fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::FromNow(ms) => plus_ms(now, ms),
        }
    }
}

impl FromStr for When {
    type Err = UsageError;

    fn from_str(text: &str) -> Result<Self, UsageError> {
        if let Some(ago) = Duration::parse(text) {
            return Ok(Self::FromNow(-ago.ms));
        }
        if let Some(ahead) = text.strip_prefix('+').and_then(Duration::parse) {
            return Ok(Self::FromNow(ahead.ms));
        }
        if let Ok(time) = text.parse() {
            return Ok(Self::At(time));
        }
        // A date takes a text with a time of day as well, and would drop it.
        if text.chars().all(|c| c.is_ascii_digit() || c == '-')
            && let Ok(date) = text.parse::<Date>()
            && let Ok(start) = date.to_zoned(TimeZone::UTC)
        {
            return Ok(Self::At(start.timestamp()));
        }
        Err(UsageError(
            "write a time such as 2027-03-01T00:00:00Z, a day such as 2027-03-01 (from its \
             beginning, UTC), or a length such as 14d or 2h (so long ago; +7d: so far ahead)"
                .to_owned(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_an_instant_a_day_or_a_length_from_now() {
        let now: Timestamp = "2030-01-15T08:30:00Z".parse().unwrap();
        for (written, meant) in [
            ("2027-03-01T00:00:00Z", "2027-03-01T00:00:00Z"),
            ("2027-03-01T02:00:00+02:00", "2027-03-01T00:00:00Z"),
            ("2026-11-23", "2026-11-23T00:00:00Z"),
            ("14d", "2030-01-01T08:30:00Z"),
            ("1h30m", "2030-01-15T07:00:00Z"),
            ("+7d", "2030-01-22T08:30:00Z"),
        ] {
            let when: When = written.parse().unwrap();
            assert_eq!(when.at(now), meant.parse().unwrap(), "{written}");
        }
        for wrong in [
            "",
            "soon",
            "14",
            "2027-03",
            "2027-02-30",
            "2027-03-01T10:00",
            "2027-03-01t10",
            "-2h",
        ] {
            let error = wrong.parse::<When>().unwrap_err().to_string();
            assert!(error.contains("14d"), "{wrong}: {error}");
        }
    }
}
