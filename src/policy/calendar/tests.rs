use proptest::prelude::*;

use super::*;

fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

fn calendar(events: &str) -> Result<Calendar, String> {
    let text = format!(
        "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\n{events}\nEND:VEVENT\nEND:VCALENDAR\n"
    );
    Calendar::read(&text, &berlin())
}

fn lines(events: &str) -> Vec<String> {
    calendar(events).unwrap().lines()
}

#[test]
fn days_are_those_of_the_zone_and_follow_its_clocks() {
    assert_eq!(
        lines("DTSTART;VALUE=DATE:20260328\nDTEND;VALUE=DATE:20260330"),
        ["2026-03-27T23:00:00Z/2026-03-29T22:00:00Z"]
    );
    assert_eq!(
        lines("DTSTART;VALUE=DATE:20260101"),
        ["2025-12-31T23:00:00Z/2026-01-01T23:00:00Z"],
        "a day, if nothing else is said"
    );
    let times = "20260610T140000";
    for (written, begins) in [
        (format!("DTSTART:{times}"), "12"),
        (format!("DTSTART:{times}Z"), "14"),
        (format!("DTSTART;TZID=America/New_York:{times}"), "18"),
    ] {
        let found = lines(&format!("{written}\nDURATION:PT1H30M"));
        assert!(
            found[0].starts_with(&format!("2026-06-10T{begins}:00:00Z/")),
            "{found:?}"
        );
        assert!(found[0].ends_with(":30:00Z"), "{found:?}");
    }
}

#[test]
fn what_repeats_does_so_by_the_clock_on_the_wall() {
    let weekly = "DTSTART;TZID=Europe/Berlin:20260320T090000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;";
    for (rule, count) in [
        ("COUNT=3", 3),
        ("UNTIL=20260403T070000Z", 3),
        ("UNTIL=20260403T065959Z", 2),
        ("UNTIL=20260403", 3),
        ("BYDAY=FR,SA;COUNT=3", 3),
    ] {
        let found = lines(&format!("{weekly}{rule}"));
        assert_eq!(found.len(), count, "{rule}: {found:?}");
    }
    let found = lines(&format!("{weekly}COUNT=2"));
    // Nine o'clock before and after the clocks change.
    assert_eq!(
        found,
        [
            "2026-03-20T08:00:00Z/2026-03-20T09:00:00Z",
            "2026-03-27T08:00:00Z/2026-03-27T09:00:00Z"
        ]
    );
    let yearly = calendar("DTSTART;VALUE=DATE:20200501\nRRULE:FREQ=YEARLY").unwrap();
    assert_eq!(yearly.spans.len(), 80);
    let at = |text: &str| text.parse().unwrap();
    assert!(yearly.meets(at("2051-05-01T10:00:00Z"), at("2051-05-01T11:00:00Z")));
    assert!(!yearly.meets(at("2051-05-01T22:00:00Z"), at("2051-05-01T23:00:00Z")));
}

#[test]
fn what_is_left_out_or_moved_is() {
    let text = "BEGIN:VCALENDAR\n\
        BEGIN:VEVENT\nUID:a\nDTSTART;VALUE=DATE:20260601\nRRULE:FREQ=DAILY;COUNT=9;INTERVAL=2\nEXDATE;VALUE=DATE:20260603,20260605\nEND:VEVENT\n\
        BEGIN:VEVENT\nUID:a\nRECURRENCE-ID;VALUE=DATE:20260607\nDTSTART;VALUE=DATE:20260608\nEND:VEVENT\n\
        BEGIN:VEVENT\nUID:b\nDTSTART;VALUE=DATE:20260601\nSTATUS:CANCELLED\nEND:VEVENT\n\
        END:VCALENDAR\n";
    let calendar = Calendar::read(text, &TimeZone::UTC).unwrap();
    let days: Vec<String> = calendar
        .lines()
        .iter()
        .map(|line| line[8..10].to_owned())
        .collect();
    // The eighth and the ninth meet.
    assert_eq!(days, ["01", "08", "11", "13", "15", "17"]);
    assert_eq!(Calendar::from_lines(&calendar.lines()), Some(calendar));
}

#[test]
fn what_is_not_understood_or_too_much_is_told() {
    for (events, why) in [
        ("SUMMARY:nothing", "no DTSTART"),
        ("DTSTART:soon", "no moment such as"),
        (
            "DTSTART;TZID=W. Europe Standard Time:20260610T140000",
            "no IANA time zone",
        ),
        (
            "DTSTART:20260610T140000Z\nDTEND:20260610T130000Z",
            "ends before it begins",
        ),
        ("DTSTART:20260610T140000Z\nDURATION:long", "no duration"),
        (
            "DTSTART:20260610T140000Z\nRRULE:FREQ=NEVER",
            "cannot be read",
        ),
        (
            "DTSTART:20260610T140000Z\nRRULE:FREQ=SECONDLY",
            "more than 60000",
        ),
    ] {
        let told = calendar(events).unwrap_err();
        assert!(told.contains(why), "{events}: {told}");
    }
    assert!(
        Calendar::read("hello", &berlin()).is_ok_and(|none| none.is_empty())
            || Calendar::read("hello", &berlin()).is_err()
    );
    let deep = "BEGIN:VEVENT\n".repeat(100_000);
    assert!(
        Calendar::read(&deep, &berlin())
            .unwrap_err()
            .contains("deep")
    );
}

#[test]
fn an_event_takes_its_beginning_and_not_its_end() {
    let calendar = calendar("DTSTART:20260610T120000Z\nDTEND:20260610T130000Z").unwrap();
    let at = |minute: i64| {
        let noon: Timestamp = "2026-06-10T12:00:00Z".parse().unwrap();
        noon + SignedDuration::from_mins(minute)
    };
    for (start, end, meets, covers) in [
        (-30, 0, false, false),
        (-30, 1, true, false),
        (0, 60, true, true),
        (10, 50, true, true),
        (59, 61, true, false),
        (60, 90, false, false),
        (0, 0, true, true),
        (60, 60, false, false),
    ] {
        let (start, end) = (at(start), at(end));
        assert_eq!(calendar.meets(start, end), meets, "{start} {end}");
        assert_eq!(calendar.covers(start, end), covers, "{start} {end}");
    }
}

proptest! {
    /// Whatever stands in a file, it is read or refused.
    #[test]
    fn any_file_is_read_or_refused(lines in proptest::collection::vec(prop_oneof![
        Just("BEGIN:VEVENT".to_owned()), Just("END:VEVENT".to_owned()), Just("BEGIN:VALARM".to_owned()),
        "(DTSTART|DTEND|EXDATE|RDATE|RECURRENCE-ID)(;VALUE=DATE|;TZID=Europe/Berlin|;TZID=\\PC{0,5})?:[0-9]{4}(0[1-9]|1[0-2])[0-3][0-9](T[0-9]{6}Z?)?",
        "RRULE:FREQ=(YEARLY|MONTHLY|WEEKLY|DAILY)(;(COUNT|INTERVAL|BYMONTH|BYMONTHDAY|BYSETPOS|BYYEARDAY)=-?[0-9]{1,3}){0,3}(;UNTIL=[0-9]{8})?",
        "DURATION:-?P?[0-9]{0,12}[DTHMSW]{0,3}", "[A-Z]{1,8}:\\PC{0,20}", "\\PC{0,20}",
    ], 0..20)) {
        let inside = lines.join("\r\n");
        let text = format!("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n{inside}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n");
        for text in [text, inside] {
            if let Ok(calendar) = Calendar::read(&text, &berlin()) {
                prop_assert_eq!(Calendar::from_lines(&calendar.lines()), Some(calendar));
            }
        }
    }
}
