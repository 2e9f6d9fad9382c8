//! `window`, with all that clocks do.

use super::{ask, ask_in, passes};
use crate::policy::TraceResult;
use crate::policy::tests::booking;

#[test]
fn a_window_takes_the_whole_appointment() {
    let keys =
        "days = [\"mon\", \"tue\"]\nfrom = 08:00:00\nuntil = 18:00:00\nexcept = [2026-03-10]";
    for (start, length_min, met) in [
        ("2026-03-02T07:00:00Z", 60, true), // Monday, 08:00 in Berlin
        ("2026-03-02T06:59:00Z", 60, false),
        ("2026-03-02T16:00:00Z", 60, true), // until 18:00
        ("2026-03-02T16:00:00Z", 61, false),
        ("2026-03-04T09:00:00Z", 60, false), // Wednesday
        ("2026-03-10T09:00:00Z", 60, false), // a Tuesday that is excepted
        ("2026-03-17T09:00:00Z", 60, true),
    ] {
        assert_eq!(
            passes("window", keys, &booking(start, length_min)),
            met,
            "{start} {length_min}"
        );
    }
    let only = "only = [2026-03-04]";
    assert!(
        passes("window", only, &booking("2026-03-03T23:00:00Z", 60)),
        "midnight in Berlin"
    );
    assert!(!passes(
        "window",
        only,
        &booking("2026-03-04T23:00:00Z", 60)
    ));
    let (_, values) = ask("window", keys, &booking("2026-03-04T09:00:00Z", 60));
    assert_eq!(
        values,
        "start=Wed 2026-03-04 10:00 window=on Mon, Tue from 08:00 until 18:00 (Europe/Berlin)"
    );
}

#[test]
fn a_window_past_midnight_belongs_to_the_day_it_opens() {
    let keys = "days = [\"fri\"]\nfrom = 22:00:00\nuntil = 02:00:00";
    for (start, met) in [
        ("2026-03-06T21:00:00Z", true),  // Friday 22:00
        ("2026-03-07T00:00:00Z", true),  // Saturday 01:00
        ("2026-03-07T00:30:00Z", false), // ends at 02:30
        ("2026-03-06T00:00:00Z", false), // Friday 01:00 belongs to Thursday
    ] {
        assert_eq!(passes("window", keys, &booking(start, 60)), met, "{start}");
    }
}

/// In Berlin the clocks go from 02:00 to 03:00 on 29 March 2026, at 01:00 UTC.
#[test]
fn a_time_that_is_skipped_means_the_moment_of_the_change() {
    let opens = "from = 02:30:00\nuntil = 05:00:00";
    for (start, met) in [
        ("2026-03-29T00:59:00Z", false), // 01:59
        ("2026-03-29T01:00:00Z", true),  // 03:00, the clock has just passed 02:30
        ("2026-03-29T02:30:00Z", true),  // until 05:00
        ("2026-03-29T02:31:00Z", false),
    ] {
        assert_eq!(passes("window", opens, &booking(start, 30)), met, "{start}");
    }
    let closes = "from = 00:00:00\nuntil = 02:30:00";
    assert!(
        passes("window", closes, &booking("2026-03-29T00:30:00Z", 30)),
        "ends at the change"
    );
    assert!(
        !passes("window", closes, &booking("2026-03-29T00:31:00Z", 30)),
        "ends at 03:01"
    );
}

/// In Berlin the clocks go from 03:00 back to 02:00 on 25 October 2026, at 01:00 UTC.
#[test]
fn a_time_that_comes_twice_opens_at_the_first_and_closes_at_the_second() {
    let opens = "from = 02:30:00\nuntil = 05:00:00";
    assert!(
        passes("window", opens, &booking("2026-10-25T00:30:00Z", 30)),
        "the first 02:30"
    );
    assert!(!passes(
        "window",
        opens,
        &booking("2026-10-25T00:29:00Z", 30)
    ));
    let closes = "from = 00:00:00\nuntil = 02:30:00";
    assert!(
        passes("window", closes, &booking("2026-10-25T01:00:00Z", 30)),
        "the second 02:30"
    );
    assert!(!passes(
        "window",
        closes,
        &booking("2026-10-25T01:01:00Z", 30)
    ));
}

/// Samoa had no 30 December 2011; the Azores change at midnight; Lord Howe by half an hour.
#[test]
fn odd_changes_of_clocks() {
    let facts = booking("2011-12-30T10:30:00Z", 30); // Pacific/Apia: 31 December, 00:30
    assert_eq!(
        ask_in("Pacific/Apia", "window", "only = [2011-12-31]", &facts).0,
        TraceResult::Pass
    );
    assert_eq!(
        ask_in("Pacific/Apia", "window", "only = [2011-12-30]", &facts).0,
        TraceResult::Fail
    );
    let facts = booking("2026-03-29T01:00:00Z", 30); // Atlantic/Azores: 00:00 is skipped
    assert_eq!(
        ask_in("Atlantic/Azores", "window", "only = [2026-03-29]", &facts).0,
        TraceResult::Pass
    );
    let facts = booking("2026-10-03T15:30:00Z", 30); // Australia/Lord_Howe: 02:00 becomes 02:30
    let keys = "from = 02:15:00\nuntil = 03:00:00";
    assert_eq!(
        ask_in("Australia/Lord_Howe", "window", keys, &facts).0,
        TraceResult::Pass
    );
}

#[test]
fn a_window_may_have_a_zone_of_its_own() {
    let keys = "from = 08:00:00\ntimezone = \"America/New_York\"";
    assert!(passes("window", keys, &booking("2026-03-02T13:00:00Z", 60)));
    let (result, values) = ask("window", keys, &booking("2026-03-02T12:59:00Z", 60));
    assert_eq!(result, TraceResult::Fail);
    assert_eq!(
        values,
        "start=Mon 2026-03-02 07:59 window=from 08:00 (America/New_York)"
    );
}

/// `holidays.ics` has May Day, every year, and an afternoon in June.
#[test]
fn a_calendar_is_kept_free_or_kept_to() {
    let free = "calendar = { file = \"holidays.ics\" }";
    for (start, met) in [
        ("2026-04-30T21:00:00Z", true), // until midnight in Berlin
        ("2026-04-30T21:30:00Z", false),
        ("2034-05-01T09:00:00Z", false),
        ("2034-05-02T09:00:00Z", true),
        ("2026-06-10T11:30:00Z", false),
        ("2026-06-10T15:00:00Z", true),
        ("2027-06-10T12:00:00Z", true),
    ] {
        assert_eq!(passes("window", free, &booking(start, 60)), met, "{start}");
    }
    let kept_to = "from = 08:00:00\ncalendar = { file = \"holidays.ics\", only = true }";
    for (start, met) in [
        ("2026-06-10T12:00:00Z", true),
        ("2026-06-10T14:30:00Z", false),
        ("2034-05-01T09:00:00Z", true),
        ("2034-05-01T02:00:00Z", false), // before eight
        ("2034-05-02T09:00:00Z", false),
    ] {
        assert_eq!(
            passes("window", kept_to, &booking(start, 60)),
            met,
            "{start}"
        );
    }
}
