//! Durations as an admin writes them (`"24h"`) and as a booker reads them (`24 hours`).

use std::fmt;

/// The longest duration taken: ten years of 366 days, in milliseconds.
pub const DURATION_MS_MAX: i64 = 10 * 366 * DAY_MS;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// The units, longest first: letter, milliseconds, name. A day is 24 hours, whatever the clocks do.
const UNITS: [(char, i64, &str); 5] = [
    ('w', 7 * DAY_MS, "week"),
    ('d', DAY_MS, "day"),
    ('h', HOUR_MS, "hour"),
    ('m', MINUTE_MS, "minute"),
    ('s', 1_000, "second"),
];

/// A length of time, remembered in the units it was written in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duration {
    /// Milliseconds, never negative.
    pub ms: i64,
    words: Box<str>,
}

impl Duration {
    /// Reads `"90m"`, `"24h"`, `"60d"`, `"2w"`, `"0s"` or a sum such as `"1h30m"`, units in falling
    /// order. `None` for anything else, or for more than [`DURATION_MS_MAX`].
    pub fn parse(text: &str) -> Option<Self> {
        let (mut rest, mut units, mut ms, mut words) = (text, UNITS.iter(), 0_i64, Vec::new());
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let count: i64 = rest[..digits].parse().ok()?;
            let letter = rest[digits..].chars().next()?;
            let (_, unit_ms, name) = units.find(|unit| unit.0 == letter)?;
            ms = ms.checked_add(count.checked_mul(*unit_ms)?)?;
            words.push(counted(count, name));
            rest = &rest[digits + letter.len_utf8()..];
        }
        (!words.is_empty() && ms <= DURATION_MS_MAX).then(|| Self {
            ms,
            words: words.join(" ").into(),
        })
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

/// A measured length of time in words, rounded down to its largest sensible unit: `3 days`,
/// `47 hours`, `90 minutes`. Nothing and less is `0 minutes`.
pub fn in_words(ms: i64) -> String {
    let (unit_ms, name) = match ms {
        ms if ms >= 2 * DAY_MS => (DAY_MS, "day"),
        ms if ms >= 2 * HOUR_MS => (HOUR_MS, "hour"),
        _ => (MINUTE_MS, "minute"),
    };
    counted(ms.max(0) / unit_ms, name)
}

/// A length of time in hours and minutes, without rounding but to the minute: `2 hours 30 minutes`.
pub fn in_hours_and_minutes(ms: i64) -> String {
    let minutes = ms.max(0) / MINUTE_MS;
    match (minutes / 60, minutes % 60) {
        (0, minutes) => counted(minutes, "minute"),
        (hours, 0) => counted(hours, "hour"),
        (hours, minutes) => format!("{} {}", counted(hours, "hour"), counted(minutes, "minute")),
    }
}

/// A measured length of time in words, never longer units than hours: days of opening hours are not
/// days.
pub fn in_hours(ms: i64) -> String {
    match ms {
        ms if ms >= 2 * HOUR_MS => counted(ms / HOUR_MS, "hour"),
        _ => in_words(ms),
    }
}

fn counted(count: i64, name: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {name}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn written_and_read() {
        let words = |text: &str| Duration::parse(text).map(|d| (d.ms / 1_000, d.to_string()));
        assert_eq!(words("24h"), Some((86_400, "24 hours".into())));
        assert_eq!(words("1h30m"), Some((5_400, "1 hour 30 minutes".into())));
        assert_eq!(words("0s"), Some((0, "0 seconds".into())));
        for wrong in [
            "", "24", "h", "24 h", "-1h", "1.5h", "30m1h", "1h1h", "99999w", "1µ",
        ] {
            assert_eq!(words(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn measured() {
        assert_eq!(in_words(3 * DAY_MS - 1), "2 days");
        assert_eq!(in_words(2 * DAY_MS - 1), "47 hours");
        assert_eq!(in_words(90 * MINUTE_MS), "90 minutes");
        assert_eq!(in_words(-5), "0 minutes");
        assert_eq!(in_hours(3 * DAY_MS), "72 hours");
        assert_eq!(in_hours(90 * MINUTE_MS), "90 minutes");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[0-9]{0,25}[a-zé]{0,2}[0-9]{0,3}[smhdw]?") {
            if let Some(duration) = Duration::parse(&text) {
                prop_assert!((0..=DURATION_MS_MAX).contains(&duration.ms));
            }
        }
    }
}
