//! What somebody reads who wrote an expression that cannot be used.

use expect_test::{Expect, expect};

use super::support::load_texts;

fn check(cel: &str, expected: &Expect) {
    let text = format!(
        "schema = 1\n[policy]\nid = \"p\"\n[[criterion]]\nid = \"c\"\nkind = \"expr\"\n{cel}\n"
    );
    let found = match load_texts(&[&text]) {
        Ok((_, remarks)) => remarks,
        Err(diagnostics) => diagnostics,
    };
    let found = found.only(|one| one.code.as_str() != "BG0402");
    expected.assert_eq(&found.render(false));
}

#[test]
fn a_slip_in_a_name_is_shown_where_it_is() {
    check(
        r#"cel = "size(booking.nots) >= 20 && bokker.name != ''""#,
        &expect![[r#"
            error[BG0222]: expressions know no `booking.nots`
             --> a.toml:7:13
              |
            7 | cel = "size(booking.nots) >= 20 && bokker.name != ''"
              |             ^^^^^^^^^^^^
              |
              = help: known: `booking.answers`, `booking.end`, `booking.guests`, `booking.length_minutes`, `booking.location`, `booking.metadata`, `booking.notes`, `booking.recurring`, `booking.seated`, `booking.start`, `booking.title`, `booking.uid`
            help: did you mean `booking.notes`?
              |
            7 | cel = "size(booking.notes) >= 20 && bokker.name != ''"
              |                        +

            error[BG0222]: expressions know no `bokker.name`
             --> a.toml:7:36
              |
            7 | cel = "size(booking.nots) >= 20 && bokker.name != ''"
              |                                    ^^^^^^^^^^^
              |
              = help: known: `account.available`, `account.exists`, `account.held`, `account.status`, `booker.domain`, `booker.email`, `booker.language`, `booker.name`, `booker.phone`, `booker.timezone`, `booking.answers`, `booking.end`, `booking.guests`, `booking.length_minutes`, `booking.location`, `booking.metadata`, `booking.notes`, `booking.recurring`, `booking.seated`, `booking.start`, `booking.title`, `booking.uid`, `cost`, `event_type.aliases`, `event_type.id`, `event_type.slug`, `now`, `source`, `timezone`
            help: did you mean `booker.name`?
              |
            7 - cel = "size(booking.nots) >= 20 && bokker.name != ''"
            7 + cel = "size(booking.nots) >= 20 && booker.name != ''"
              |"#]],
    );
    check(
        "cel = '''\nbooking.answers.topic != '' &&\n  emial == 'x' '''",
        &expect![[r#"
            error[BG0222]: expressions know no `emial`
             --> a.toml:9:3
              |
            9 |   emial == 'x' '''
              |   ^^^^^
              |
              = help: known: `account.available`, `account.exists`, `account.held`, `account.status`, `booker.domain`, `booker.email`, `booker.language`, `booker.name`, `booker.phone`, `booker.timezone`, `booking.answers`, `booking.end`, `booking.guests`, `booking.length_minutes`, `booking.location`, `booking.metadata`, `booking.notes`, `booking.recurring`, `booking.seated`, `booking.start`, `booking.title`, `booking.uid`, `cost`, `event_type.aliases`, `event_type.id`, `event_type.slug`, `now`, `source`, `timezone`
            help: did you mean `booker.email`?
              |
            9 -   emial == 'x' '''
            9 +   booker.email == 'x' '''
              |"#]],
    );
}

#[test]
fn a_part_of_a_name_is_not_one() {
    check(
        "cel = 'size(booking) > 2'",
        &expect![[r#"
        error[BG0222]: `booking` by itself is nothing
         --> a.toml:7:13
          |
        7 | cel = 'size(booking) > 2'
          |             ^^^^^^^
          |
          = help: known: `booking.answers`, `booking.end`, `booking.guests`, `booking.length_minutes`, `booking.location`, `booking.metadata`, `booking.notes`, `booking.recurring`, `booking.seated`, `booking.start`, `booking.title`, `booking.uid`"#]],
    );
    check(
        "cel = 'has(booking.notes)'",
        &expect![[r#"
        error[BG0222]: `booking.notes` is always there
         --> a.toml:7:12
          |
        7 | cel = 'has(booking.notes)'
          |            ^^^^^^^^^^^^^
          |
          = help: what the provider does not tell is an empty text, an empty list or 0: compare it with that"#]],
    );
    check(
        "cel = 'booking.notes.length > 3'",
        &expect![[r#"
        error[BG0222]: `booking.notes` has no `length`
         --> a.toml:7:8
          |
        7 | cel = 'booking.notes.length > 3'
          |        ^^^^^^^^^^^^^^^^^^^^
          |
          = help: leave `.length` out"#]],
    );
    check(
        "cel = 'account.available.GOLD > 3'",
        &expect![[r#"
        error[BG0116]: there is no unit `GOLD`
         --> a.toml:7:8
          |
        7 | cel = 'account.available.GOLD > 3'
          |        ^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: one of `CREDIT`, `SEAT`"#]],
    );
}

#[test]
fn where_something_is_escaped_the_whole_text_is_shown() {
    check(
        r#"cel = "booking.nots == \"x\"""#,
        &expect![[r#"
        error[BG0222]: expressions know no `booking.nots`
         --> a.toml:7:7
          |
        7 | cel = "booking.nots == \"x\""
          |       ^^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: known: `booking.answers`, `booking.end`, `booking.guests`, `booking.length_minutes`, `booking.location`, `booking.metadata`, `booking.notes`, `booking.recurring`, `booking.seated`, `booking.start`, `booking.title`, `booking.uid`"#]],
    );
}

#[test]
fn what_the_parser_does_not_understand_is_shown() {
    check(
        "cel = 'size(booking.notes) => 20'",
        &expect![[r#"
        error[BG0119]: this is not CEL: token recognition error at: '=>'
         --> a.toml:7:28
          |
        7 | cel = 'size(booking.notes) => 20'
          |                            ^
          |
          = help: policies/REFERENCE.md has examples; the language is that of https://cel.dev"#]],
    );
    check(
        "cel = 'size(booking.notes) >'",
        &expect![[r#"
        error[BG0119]: the expression ends too early
         --> a.toml:7:29
          |
        7 | cel = 'size(booking.notes) >'
          |                             ^
          |
          = help: policies/REFERENCE.md has examples; the language is that of https://cel.dev"#]],
    );
    check(
        "cel = 'booking.notes.all(x)'",
        &expect![[r#"
        error[BG0119]: `all` is not used like this
         --> a.toml:7:22
          |
        7 | cel = 'booking.notes.all(x)'
          |                      ^^^
          |
          = help: such as `booking.guests.all(guest, guest.endsWith("@example.org"))` or `has(booking.answers.topic)`"#]],
    );
    check(
        "cel = 'len(booking.notes) > 3'",
        &expect![[r#"
        error[BG0119]: there is no function `len`
         --> a.toml:7:8
          |
        7 | cel = 'len(booking.notes) > 3'
          |        ^^^
          |
          = help: one of `bool`, `contains`, `double`, `duration`, `endsWith`, `getDate`, `getDayOfMonth`, `getDayOfWeek`, `getDayOfYear`, `getFullYear`, `getHours`, `getMilliseconds`, `getMinutes`, `getMonth`, `getSeconds`, `int`, `lowerAscii`, `matches`, `size`, `startsWith`, `string`, `timestamp`, `trim`, `upperAscii`, `all`, `exists`, `exists_one`, `filter`, `has`, `map`"#]],
    );
    check(
        "cel = 'Message{a: 1} == 2'",
        &expect![[r#"
        error[BG0119]: messages are not used in policies
         --> a.toml:7:15
          |
        7 | cel = 'Message{a: 1} == 2'
          |               ^
          |
          = help: texts, numbers, lists, maps and moments are"#]],
    );
}

#[test]
fn what_costs_too_much_is_said_with_the_limit() {
    check(
        "cel = 'booking.guests.all(a, booking.guests.all(b, booking.guests.all(c, a + b != c)))'",
        &expect![[r#"
            error[BG0120]: loops nest deeper than 2
             --> a.toml:7:70
              |
            7 | cel = 'booking.guests.all(a, booking.guests.all(b, booking.guests.all(c, a + b != c)))'
              |                                                                      ^
              |
              = help: take it apart: several criteria, put together in `[require]`"#]],
    );
    check(
        "cel = 'booking.guests.all(a, booking.guests.all(b, a.contains(b)))'",
        &expect![[r#"
            error[BG0120]: the expression may take 176835 steps, at most 100000
             --> a.toml:7:7
              |
            7 | cel = 'booking.guests.all(a, booking.guests.all(b, a.contains(b)))'
              |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              |
              = help: take it apart: several criteria, put together in `[require]`"#]],
    );
    check(
        "cel = 'booking.notes.matches(\"(a{1000}){1000}\")'",
        &expect![[r#"
            error[BG0112]: this pattern cannot be used: it grows too large
             --> a.toml:7:30
              |
            7 | cel = 'booking.notes.matches("(a{1000}){1000}")'
              |                              ^^^^^^^^^^^^^^^^^
              |
              = help: in an expression, a backslash is written twice, or the text begins with r: r'^[0-9]{4}$'"#]],
    );
}

#[test]
fn what_is_neither_true_nor_false_is_refused_and_what_is_always_true_is_remarked_on() {
    check(
        "cel = 'size(booking.notes)'",
        &expect![[r#"
        error[BG0223]: this expression gives a number, and not true or false
         --> a.toml:7:7
          |
        7 | cel = 'size(booking.notes)'
          |       ^^^^^^^^^^^^^^^^^^^^^
          |
          = help: compare it with something, such as `size(booking.notes) >= 20`"#]],
    );
    check(
        "cel = 'booking.notes > 5'",
        &expect![[r#"
        error[BG0223]: this expression has no answer for any booking: found no matching overload for '_>_' applied to '(string, int)'
         --> a.toml:7:7
          |
        7 | cel = 'booking.notes > 5'
          |       ^^^^^^^^^^^^^^^^^^^
          |
          = help: compare texts with texts and numbers with numbers"#]],
    );
    check(
        "cel = 'cost > 5'",
        &expect![[r#"
        error[BG0215]: there is no price to compare `cost` with
         --> a.toml:7:7
          |
        7 | cel = 'cost > 5'
          |       ^^^^^^^^^^
          |
          = help: add `[credits]` with `cost`, or leave it out"#]],
    );
    check(
        "cel = '1 < 2'",
        &expect![[r#"
        warning[BG0220]: this criterion refuses nobody
         --> a.toml:4:1
          |
        4 | [[criterion]]
          | ^^^^^^^^^^^^^
          |
          = help: every booking meets it: say what it is to refuse, or leave it out"#]],
    );
    check(
        "cel = 5",
        &expect![[r#"
        error[BG0102]: `cel` takes a text, found a whole number
         --> a.toml:7:7
          |
        7 | cel = 5
          |       ^
          |
        help: put it in quotes
          |
        7 - cel = 5
        7 + cel = "5"
          |"#]],
    );
}
