//! The keys of a policy file, section by section.

use crate::policy::keys::Shape::{
    self, Amount, Anything, Date, Duration, Either, Id, Many, Moment, Named, Other, Switch, Table,
    Text, Whole, Word,
};
use crate::policy::keys::{ALLOW_HTTP_KEY, Key, REFRESH_KEY, TOKEN_KEY};

/// One text, or one for each language beside a `default`.
const MESSAGE: Shape = Either(&[Text, Named(&Text)]);

/// The keys that every criterion may have.
pub const OF_EVERY_KIND: &[Key] = &[
    Key::new(
        "id",
        Id,
        "Its name in decisions and in `[require]`, unique in the file",
    )
    .required(),
    Key::new("kind", Text, "What it asks").required(),
    Key::new(
        "message",
        MESSAGE,
        "What the booker is told if it is not met, in one language or in several",
    ),
    Key::new("note", Text, "What admins are told"),
    Key::new(
        "on_error",
        Word(&["fail", "pass", "unknown"]),
        "What it counts as if it cannot be answered",
    ),
    Key::new(
        "on_error_message",
        MESSAGE,
        "What the booker is told if it cannot be answered",
    ),
    Key::new(
        "when",
        Id,
        "The criterion or group that has to be met, or this one is skipped",
    ),
    Key::new(
        "mode",
        Word(&["enforce", "shadow"]),
        "In shadow it is asked and shown, and changes nothing",
    ),
];

const POLICY: &[Key] = &[
    Key::new(
        "id",
        Id,
        "Its name in decisions; keep it when you edit the file",
    )
    .required(),
    Key::new("title", Text, "Its title for people"),
    Key::new("owner", Text, "Whom to ask about it"),
    Key::new("description", Text, "What it is there for"),
    Key::new(
        "kind",
        Word(&["deciding", "guardrail"]),
        "Whether it decides, or can only refuse",
    ),
    Key::new(
        "mode",
        Word(&["enforce", "shadow", "off"]),
        "Whether it is used",
    ),
    Key::new(
        "shadow_since",
        Date,
        "Since when it is only watched; a warning after 60 days",
    ),
    Key::new(
        "shadow_of",
        Id,
        "While it is only watched: the policy whose place it would take",
    ),
    Key::new(
        "timezone",
        Text,
        "The IANA zone of its days and times of day, such as Europe/London; UTC if left out",
    ),
    Key::new(
        "on_unknown",
        Word(&["defer", "reject"]),
        "What becomes of a booking that it cannot answer",
    ),
    Key::new(
        "priority",
        Whole(-1_000_000, 1_000_000),
        "Of several that match, the highest decides",
    ),
    Key::new(
        "show",
        Word(&["first", "all"]),
        "How many reasons the booker is given",
    ),
    Key::new(
        "language",
        Text,
        "What its texts are written in, such as de; en if left out",
    ),
];

const MATCH: &[Key] = &[
    Key::new(
        "event_types",
        Many(&Either(&[Text, Whole(0, i64::MAX)])),
        "Any of these, by slug, name or number",
    ),
    Key::new(
        "sources",
        Many(&Text),
        "Any of these, by their names in the settings",
    ),
    Key::new("metadata", Named(&Text), "All of these"),
];

const CREDITS: &[Key] = &[
    Key::new("unit", Text, "A unit of the settings; CREDIT if left out"),
    Key::new(
        "cost",
        Table(&[
            Key::new("base", Amount, "For the booking"),
            Key::new("per_extra_guest", Amount, "For each guest"),
            Key::new("per_hour", Amount, "For each hour"),
        ]),
        "What a booking costs",
    ),
    Key::new(
        "waive_if",
        Id,
        "The criterion or group that makes a booking free of charge",
    ),
    Key::new(
        "hold_expiry",
        Duration,
        "How long credit stays set aside while a booking waits",
    ),
    Key::new(
        "refund",
        Many(&Table(&[
            Key::new("notice", Duration, "At least so long before").required(),
            Key::new("percent", Whole(0, 100), "So much comes back").required(),
        ])),
        "What comes back after a cancel: the first line whose notice is met",
    ),
    Key::new(
        "organizer_cancel",
        PERCENT,
        "What comes back if the host cancels",
    ),
    Key::new(
        "no_show",
        PERCENT,
        "What comes back if the booker does not turn up",
    ),
    Key::new(
        "message",
        MESSAGE,
        "What the booker is told whose credit does not suffice",
    ),
    Key::new(
        "reschedule",
        Word(&["carry"]),
        "A move takes what is held along",
    ),
];
const PERCENT: Shape = Table(&[Key::new("percent", Whole(0, 100), "So much").required()]);

pub(super) const LIST: &[Key] = &[
    Key::new("emails", Many(&Text), "Whole addresses"),
    Key::new(
        "domains",
        Many(&Text),
        "example.org, or *.example.org for all below it",
    ),
    Key::new("names", Many(&Text), "Names of people"),
    Key::new("phones", Many(&Text), "Numbers with their country codes"),
    Key::new(
        "file",
        Text,
        "A file with one entry a line, from the policies' folder on",
    ),
    Key::new("url", Text, "Where a server has it, one entry a line"),
    REFRESH_KEY,
    TOKEN_KEY,
    ALLOW_HTTP_KEY,
];

const GIVEN_BOOKING: &[Key] = &[
    Key::new("email", Text, "Whose; the booker's own if left out"),
    Key::new(
        "event_type",
        Either(&[Text, Whole(0, i64::MAX)]),
        "For what; the same if left out",
    ),
    Key::new("start", Moment, "When it begins").required(),
    Key::new("length", Whole(0, i64::MAX), "Minutes"),
    Key::new("asked_at", Moment, "When it was asked for"),
    Key::new("ended_at", Moment, "When it was called off or refused"),
    Key::new(
        "status",
        Word(&[
            "accepted",
            "pending",
            "cancelled",
            "cancelled-by-host",
            "refused",
        ]),
        "What became of it",
    ),
    Key::new("no_show", Switch, "Whether somebody did not come"),
];

const GIVEN_REPLY: &[Key] = &[
    Key::new("status", Whole(100, 599), "The status; 200 if left out"),
    Key::new("json", Named(&Anything), "The body"),
    Key::new("error", Text, "Why there is no answer"),
];

const TEST: &[Key] = &[
    Key::new("name", Text, "What it shows").required(),
    Key::new("now", Moment, "When the booking is made"),
    Key::new(
        "given",
        Table(&[
            Key::new(
                "account",
                Table(&[
                    Key::new(
                        "status",
                        Word(&["open", "frozen", "closed"]),
                        "How it stands",
                    ),
                    Key::new("created_at", Moment, "Since when there is one"),
                    Key::new("unit", Text, "The unit of the amounts"),
                    Key::new("available", Amount, "What can be spent"),
                    Key::new("held", Amount, "What is set aside"),
                    Key::new(
                        "limit",
                        Amount,
                        "How much of what can be spent is the credit limit",
                    ),
                    Key::new("error", Text, "Why it cannot be read"),
                ]),
                "The booker's account",
            ),
            Key::new("bookings", Many(&Table(GIVEN_BOOKING)), "Other bookings"),
            Key::new("tags", Many(&Id), "The tags of the booker"),
            Key::new(
                "tagged_at",
                Named(&Moment),
                "Tags of the booker, and since when",
            ),
            Key::new(
                "code_uses",
                Named(&Whole(0, i64::MAX)),
                "How many bookings use a code",
            ),
            Key::new(
                "http",
                Named(&Table(GIVEN_REPLY)),
                "What servers answer, by the criterion that asks",
            ),
            Key::new(
                "lists",
                Named(&Many(&Text)),
                "Who is on the lists of servers, by their addresses; nobody if left out",
            ),
        ]),
        "What is known beside the booking",
    ),
    Key::new(
        "booking",
        Table(&[
            Key::new("source", Text, "A source of the settings"),
            Key::new("uid", Text, "The provider's name for it"),
            Key::new("email", Text, "The booker's address"),
            Key::new("name", Text, "The booker's name"),
            Key::new("phone", Text, "The booker's number"),
            Key::new("language", Text, "The booker's language"),
            Key::new("hosts", Many(&Text), "Whose calendar, by address or name"),
            Key::new("start", Moment, "When it begins"),
            Key::new("length", Whole(0, i64::MAX), "Minutes"),
            Key::new(
                "guests",
                Either(&[Whole(0, i64::MAX), Many(&Text)]),
                "How many, or who",
            ),
            Key::new(
                "event_type",
                Either(&[Text, Whole(0, i64::MAX)]),
                "Its slug or number",
            ),
            Key::new("answers", Named(&Text), "What was answered in the form"),
            Key::new("metadata", Named(&Text), "What the provider says beside"),
            Key::new("notes", Text, "The notes field"),
            Key::new("location", Text, "Where it is"),
        ]),
        "The booking; what is left out is something ordinary",
    ),
    Key::new(
        "expect",
        Table(&[
            Key::new(
                "decision",
                Word(&["accept", "reject", "defer", "unmatched"]),
                "What is decided",
            )
            .required(),
            Key::new("failed", Many(&Id), "The criteria that are not met"),
            Key::new("message", Text, "What the booker is told"),
            Key::new("held", Amount, "What is set aside"),
        ]),
        "What has to come out",
    )
    .required(),
];

const CONDITIONS: Shape = Many(&Other("condition"));
pub(super) const REQUIRE: &[Key] = &[
    Key::new("all", CONDITIONS, "All of these have to be met"),
    Key::new("any", CONDITIONS, "One of these has to be met"),
    Key::new("not", Other("condition"), "This must not be met"),
    Key::new(
        "message",
        MESSAGE,
        "What the booker is told instead of the criteria's own messages",
    ),
];

pub(super) const FILE: &[Key] = &[
    Key::new("schema", Whole(1, 1), "The version of the language").required(),
    Key::new("policy", Table(POLICY), "What it is").required(),
    Key::new(
        "match",
        Table(MATCH),
        "Which bookings it is for; all if left out",
    ),
    Key::new("credits", Table(CREDITS), "What bookings cost"),
    Key::new("lists", Named(&Table(LIST)), "People and domains, by name"),
    Key::new("criterion", Many(&Other("criterion")), "What is asked"),
    Key::new(
        "groups",
        Named(&Other("condition")),
        "Conditions by name, for this policy and those that use them",
    ),
    Key::new(
        "require",
        Table(REQUIRE),
        "What has to be met; every criterion if left out",
    ),
    Key::new(
        "test",
        Many(&Table(TEST)),
        "What the policy has to do, or it is not used",
    ),
];
