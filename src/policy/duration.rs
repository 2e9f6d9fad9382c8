//! Durations as an admin writes them (`"24h"`) and as a booker reads them (`24 hours`).

use std::fmt;

use super::words::Language;

/// The longest duration taken: ten years of 366 days, in milliseconds.
pub const DURATION_MS_MAX: i64 = 10 * 366 * DAY_MS;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// The units, longest first: letter and milliseconds. A day is 24 hours, whatever the clocks do.
const UNITS: [(char, i64); 5] = [
    ('w', 7 * DAY_MS),
    ('d', DAY_MS),
    ('h', HOUR_MS),
    ('m', MINUTE_MS),
    ('s', 1_000),
];
/// Where the units that are measured in stand among them.
const DAY: usize = 1;
const HOUR: usize = 2;
const MINUTE: usize = 3;

/// A length of time, remembered in the units it was written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duration {
    /// Milliseconds, never negative.
    pub ms: i64,
    /// As it was written.
    pub length: Length,
}

/// How many weeks, days, hours, minutes and seconds: what is told of a length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Length([Option<i64>; 5]);

impl Duration {
    /// Reads `"90m"`, `"24h"`, `"60d"`, `"2w"`, `"0s"` or a sum such as `"1h30m"`, units in falling
    /// order. `None` for anything else, or for more than [`DURATION_MS_MAX`].
    pub fn parse(text: &str) -> Option<Self> {
        let (mut rest, mut units) = (text, UNITS.iter().enumerate());
        let (mut ms, mut length) = (0_i64, Length::default());
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let count: i64 = rest[..digits].parse().ok()?;
            let letter = rest[digits..].chars().next()?;
            let (place, (_, unit_ms)) = units.find(|(_, unit)| unit.0 == letter)?;
            ms = ms.checked_add(count.checked_mul(*unit_ms)?)?;
            length.0[place] = Some(count);
            rest = &rest[digits + letter.len_utf8()..];
        }
        (!text.is_empty() && ms <= DURATION_MS_MAX).then_some(Self { ms, length })
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.length.fmt(f)
    }
}

impl Length {
    /// A measured length of time, rounded down to its largest sensible unit: `3 days`, `47 hours`,
    /// `90 minutes`. Nothing and less is `0 minutes`.
    pub fn of(ms: i64) -> Self {
        match ms {
            ms if ms >= 2 * DAY_MS => Self::one(DAY, ms / DAY_MS),
            ms => Self::in_hours(ms),
        }
    }

    /// A measured length of time, never in longer units than hours: days of opening hours are not days.
    pub fn in_hours(ms: i64) -> Self {
        match ms {
            ms if ms >= 2 * HOUR_MS => Self::one(HOUR, ms / HOUR_MS),
            ms => Self::one(MINUTE, ms.max(0) / MINUTE_MS),
        }
    }

    /// A length of time in hours and minutes, without rounding but to the minute: `2 hours 30 minutes`.
    pub fn in_hours_and_minutes(ms: i64) -> Self {
        let minutes = ms.max(0) / MINUTE_MS;
        let mut length = Self::default();
        let (hours, minutes) = (minutes / 60, minutes % 60);
        length.0[HOUR] = (hours > 0).then_some(hours);
        length.0[MINUTE] = (minutes > 0 || hours == 0).then_some(minutes);
        length
    }

    fn one(place: usize, count: i64) -> Self {
        let mut length = Self::default();
        length.0[place] = Some(count);
        length
    }

    /// How many of which unit, longest first: 0 is weeks, 4 seconds.
    pub(super) fn counts(&self) -> impl Iterator<Item = (usize, i64)> {
        let counts = self.0.into_iter().enumerate();
        counts.filter_map(|(unit, count)| Some((unit, count?)))
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Language::English.length(self, f)
    }
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
        let in_words = |ms| Length::of(ms).to_string();
        let in_hours = |ms| Length::in_hours(ms).to_string();
        let exactly = |ms| Length::in_hours_and_minutes(ms).to_string();
        assert_eq!(in_words(3 * DAY_MS - 1), "2 days");
        assert_eq!(in_words(2 * DAY_MS - 1), "47 hours");
        assert_eq!(in_words(90 * MINUTE_MS), "90 minutes");
        assert_eq!(in_words(-5), "0 minutes");
        assert_eq!(in_hours(3 * DAY_MS), "72 hours");
        assert_eq!(in_hours(90 * MINUTE_MS), "90 minutes");
        assert_eq!(exactly(150 * MINUTE_MS), "2 hours 30 minutes");
        assert_eq!(exactly(-1), "0 minutes");
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
