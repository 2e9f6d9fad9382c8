//! Codes about files, keys and values.

use super::{Explanation, toml, words};
use crate::policy::codes::Code;

/// What such a code means; `None` for one about what a policy means.
pub(super) fn explanation(code: Code) -> Option<Explanation> {
    Some(match code {
        Code::FileTooLarge => words(
            "A policy is read, checked and tested as a whole each time it changes, so its size is limited. Long lists of addresses or domains belong into a list file, which may have a million lines.",
            "a file of 3 MiB with all customers under `emails`",
            "[lists.customers] with file = \"lists/customers.txt\", one address a line",
        ),
        Code::Syntax => toml(
            "The file cannot be read as TOML 1.0. Often a quote or a bracket is missing, or a name is written twice in one table. What stands behind the mistake is not checked until it is put right.",
            "[[criterion]]\nid = \"enough-notice\nkind = \"notice\"\nmin = \"24h\"\n",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\n",
        ),
        Code::TooManyFiles => words(
            "Every booking is put to the policies that match it. A thousand files is far more than people can keep apart: most likely the folder is the wrong one.",
            "policies.dir names a folder with 20,000 TOML files",
            "a folder of its own for policies, with one file for each kind of appointment",
        ),
        Code::Unreadable => words(
            "A file that cannot be read could be the one that refuses somebody, so nothing is loaded without it. Look at the rights of the folder and its files, at links that lead nowhere, and that texts are UTF-8.",
            "house-rules.toml belongs to root and nobody else may read it",
            "every *.toml in the folder can be read by the user that bookgate runs as",
        ),
        Code::MissingKey => toml(
            "Without this key it is not known what is meant, and nothing is guessed.",
            "[[criterion]]\nkind = \"notice\"\nmin = \"24h\"\n",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\n",
        ),
        Code::WrongType => toml(
            "The key takes another type of value: a text in quotes, a number without, a list in brackets, a table in braces.",
            "[match]\nevent_types = \"consultation\"\n",
            "[match]\nevent_types = [\"consultation\"]\n",
        ),
        Code::UnknownKey => toml(
            "A key that nobody reads would be a rule that nobody keeps, so it is refused. Mostly it is a slip of the pen, or it stands in the wrong table: keys behind a `[table]` line belong to that table.",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\nmesage = \"Please book a day ahead.\"\n",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\nmessage = \"Please book a day ahead.\"\n",
        ),
        Code::NotAllowed => toml(
            "The key takes one of a few words, or two things were written that exclude each other. The message says which.",
            "schema = 1\n[policy]\nid = \"club\"\nmode = \"on\"\n",
            "schema = 1\n[policy]\nid = \"club\"\nmode = \"enforce\"\n",
        ),
        Code::NotAnAmount => toml(
            "Amounts are texts, because numbers with a fraction are not exact, and have no more decimals than their unit.",
            "[credits]\ncost = { base = \"2,50\" }\n",
            "[credits]\ncost = { base = \"2.50\" }\n",
        ),
        Code::NotADuration => toml(
            "A duration is a whole number and a unit: m, h, d or w, put together as in \"1h30m\". A day is 24 hours.",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24 hours\"\n",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\n",
        ),
        Code::OutOfRange => toml(
            "The number is smaller or larger than makes sense here; the message says what would.",
            "[credits]\ncost = { base = \"2\" }\nrefund = [{ notice = \"48h\", percent = 150 }]\n",
            "[credits]\ncost = { base = \"2\" }\nrefund = [{ notice = \"48h\", percent = 100 }]\n",
        ),
        Code::NotAnId => toml(
            "Ids stand in decisions, statements and metrics for years, so they are plain: lower-case letters, digits and hyphens, at most 64. What people read is the title.",
            "schema = 1\n[policy]\nid = \"Book Club\"\n",
            "schema = 1\n[policy]\nid = \"book-club\"\ntitle = \"Book Club\"\n",
        ),
        Code::UnknownTimeZone => toml(
            "Days and times of day are meant in a zone of the IANA list, which knows when clocks change. Abbreviations like CET do not always.",
            "schema = 1\n[policy]\nid = \"club\"\ntimezone = \"Europe/Londom\"\n",
            "schema = 1\n[policy]\nid = \"club\"\ntimezone = \"Europe/London\"\n",
        ),
        Code::NotATime => toml(
            "Dates and times are written without quotes: 2027-03-01 for a day, 08:30:00 for a time of day, 2027-03-01T09:00:00Z for a moment, which needs its offset from UTC.",
            "[[criterion]]\nid = \"office-hours\"\nkind = \"window\"\nfrom = 2027-03-01\nuntil = 18:00:00\n",
            "[[criterion]]\nid = \"office-hours\"\nkind = \"window\"\nfrom = 08:00:00\nuntil = 18:00:00\n",
        ),
        Code::TooMany => words(
            "A limit keeps one file from taking all of the machine's time. What is longer belongs into a list file, or into a second policy.",
            "a `refund` of 51 lines, or 201 criteria in one file",
            "a `refund` of three lines, and a policy for each kind of appointment",
        ),
        Code::BadPattern => toml(
            "The pattern is not a regular expression as this version knows them (no look-around, no back references, so that none takes for ever), or it would become too large.",
            "[[criterion]]\nid = \"reference\"\nkind = \"answer\"\nfield = \"reference\"\nmatches = \"^[A-Z{2}-[0-9]+$\"\n",
            "[[criterion]]\nid = \"reference\"\nkind = \"answer\"\nfield = \"reference\"\nmatches = \"^[A-Z]{2}-[0-9]+$\"\n",
        ),
        Code::UnknownSchema => toml(
            "The first line says which version of the language the file is written in, so that a later version of bookgate cannot take it for something else.",
            "schema = 2\n[policy]\nid = \"club\"\n",
            "schema = 1\n[policy]\nid = \"club\"\n",
        ),
        Code::NotYet => toml(
            "The language has a word for it, and this version cannot do it yet. It is refused rather than ignored.",
            "[credits]\ncost = { base = \"2\" }\nreschedule = \"rehold\"\n",
            "[credits]\ncost = { base = \"2\" }\nreschedule = \"carry\"\n",
        ),
        Code::NotAnAddress => toml(
            "Each list has its sort of entry: `emails` whole addresses, `domains` \"example.org\" or \"*.example.org\" (everything below it), `names` names of people.",
            "[[criterion]]\nid = \"clients\"\nkind = \"email-domain\"\nallow = { domains = [\"@example.org\"] }\n",
            "[[criterion]]\nid = \"clients\"\nkind = \"email-domain\"\nallow = { domains = [\"example.org\"] }\n",
        ),
        Code::UnknownUnit => toml(
            "Units of credit are defined in the settings (`[units.CREDIT]`), because their decimals cannot change once something is booked.",
            "[credits]\nunit = \"CREDITS\"\ncost = { base = \"2\" }\n",
            "[credits]\nunit = \"CREDIT\"\ncost = { base = \"2\" }\n",
        ),
        Code::Nothing => toml(
            "A criterion without a condition is always met, and looks as if it protected something.",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\n",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\n",
        ),
        Code::InlineSecret => toml(
            "Policies are read by many, archived with each decision, and kept in version control. A secret is only named, by the environment variable or the file that holds it. One that was written here has to be changed.",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\nsecret = \"hunter2\"\n",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\n",
        ),
        Code::UnreadableSecret => toml(
            "The daemon looks a secret up when it loads the policy, and does not put one in force that could not do its work. `policy check`, which runs where no secrets are, does without them; `doctor` looks.",
            "[[criterion]]\nid = \"invited\"\nkind = \"invite-code\"\nfield = \"invite\"\ncodes = { secret = \"env:COEDS\" }\n",
            "[[criterion]]\nid = \"invited\"\nkind = \"invite-code\"\nfield = \"invite\"\ncodes = { secret = \"env:CODES\" }\n",
        ),
        Code::NotALanguage => toml(
            "A text for one language is found by the booker's language, as the provider gives it. Region and all others fall back: `pt-BR`, then `pt`, then `default`.",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\nmessage = { default = \"Please book a day ahead.\", \"in German\" = \"Bitte buchen Sie einen Tag vorher.\" }\n",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\nmessage = { default = \"Please book a day ahead.\", de = \"Bitte buchen Sie einen Tag vorher.\" }\n",
        ),
        Code::BadExpression => toml(
            "The language is CEL, as many know it from Kubernetes, without messages, bytes and optional values. policies/REFERENCE.md lists the names and functions there are.",
            "[[criterion]]\nid = \"says-why\"\nkind = \"expr\"\ncel = \"size(booking.notes) => 20\"\n",
            "[[criterion]]\nid = \"says-why\"\nkind = \"expr\"\ncel = \"size(booking.notes) >= 20\"\n",
        ),
        Code::ExpressionTooLarge => toml(
            "An expression is evaluated while bookings wait, so what it may cost is worked out from its text: its length, its nesting, and how often its loops go round if every list has 64 items. Several criteria say more clearly which of them was not met.",
            "[[criterion]]\nid = \"no-twins\"\nkind = \"expr\"\ncel = \"booking.guests.all(a, booking.guests.all(b, booking.guests.all(c, a != b || b != c)))\"\n",
            "[[criterion]]\nid = \"no-booker\"\nkind = \"expr\"\ncel = \"booking.guests.all(guest, guest != booker.email)\"\n",
        ),
        Code::NotACalloutUrl => toml(
            "The address is asked as it stands here, with what `send` names. What is written into it is seen by many, so users and passwords go into `auth` (for a list: `token`), and what is sent over `http` can be read and changed by all on the way.",
            "[[criterion]]\nid = \"crm-approves\"\nkind = \"http\"\nurl = \"http://crm.example.org/check\"\nsend = [\"booker.email\"]\n",
            "[[criterion]]\nid = \"crm-approves\"\nkind = \"http\"\nurl = \"https://crm.example.org/check\"\nsend = [\"booker.email\"]\n",
        ),
        _ => return None,
    })
}
