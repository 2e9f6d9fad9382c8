//! Codes about what a policy means: its criteria, conditions, lists and tests.

use super::{Explanation, toml, words};
use crate::policy::codes::Code;

/// What such a code means; `None` for one about files, keys and values.
pub(super) fn explanation(code: Code) -> Option<Explanation> {
    Some(match code {
        Code::UnknownKind => toml(
            "What a criterion asks is its kind. policies/REFERENCE.md lists them all with their keys.",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notise\"\nmin = \"24h\"\n",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\n",
        ),
        Code::UnknownCriterion => toml(
            "`[require]` puts criteria together by the ids that they have in this file.",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\n\n[require]\nall = [\"notice\"]\n",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\n\n[require]\nall = [\"enough-notice\"]\n",
        ),
        Code::Unused => toml(
            "A criterion that no condition names is never asked. Without `[require]` all are.",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\n\n[[criterion]]\nid = \"an-hour\"\nkind = \"length\"\nmax = \"60m\"\n\n[require]\nall = [\"enough-notice\"]\n",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\n\n[[criterion]]\nid = \"an-hour\"\nkind = \"length\"\nmax = \"60m\"\n\n[require]\nall = [\"enough-notice\", \"an-hour\"]\n",
        ),
        Code::DuplicateId => toml(
            "Decisions say by id which criterion was not met, so each needs its own.",
            "[[criterion]]\nid = \"time\"\nkind = \"notice\"\nmin = \"24h\"\n\n[[criterion]]\nid = \"time\"\nkind = \"length\"\nmax = \"60m\"\n",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\n\n[[criterion]]\nid = \"an-hour\"\nkind = \"length\"\nmax = \"60m\"\n",
        ),
        Code::AnyOfOne => toml(
            "Either an alternative was forgotten, or the item alone would say the same.",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\n\n[require]\nany = [\"enough-notice\"]\n",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\n\n[require]\nall = [\"enough-notice\"]\n",
        ),
        Code::MinAboveMax => toml(
            "Nothing lies between the two, so every booking would be refused.",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"60d\"\nmax = \"24h\"\n",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\nmax = \"60d\"\n",
        ),
        Code::EmptyList => toml(
            "A list without an entry lets nobody through, or everybody. (A deny list in a file may be empty: nobody is on it yet.)",
            "[[criterion]]\nid = \"invited\"\nkind = \"allow-list\"\nlist = { emails = [] }\n",
            "[[criterion]]\nid = \"invited\"\nkind = \"allow-list\"\nlist = { emails = [\"ada@example.org\"] }\n",
        ),
        Code::DuplicatePolicy => toml(
            "Decisions are stored under a policy's id. Copies of a file, such as `club-old.toml`, belong outside of the folder.",
            "schema = 1\n[policy]\nid = \"club\"\n# --- another file ---\nschema = 1\n[policy]\nid = \"club\"\n",
            "schema = 1\n[policy]\nid = \"club\"\n[match]\nevent_types = [\"club\"]\n# --- another file ---\nschema = 1\n[policy]\nid = \"clinic\"\n[match]\nevent_types = [\"clinic\"]\n",
        ),
        Code::UnknownPlaceholder => toml(
            "Each kind measures certain things, and a message may say those. policies/REFERENCE.md lists them.",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\nmessage = \"Please book {hours} ahead.\"\n",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\nmessage = \"Please book {min} ahead.\"\n",
        ),
        Code::BadTemplate => toml(
            "Braces stand for what is filled in: {min}, or {min|a day} with what is said where there is nothing. A brace that is meant as such is doubled.",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\nmessage = \"Please book {min ahead.\"\n",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\nmessage = \"Please book {min} ahead.\"\n",
        ),
        Code::AcceptsAll => toml(
            "Without a criterion every booking that matches is accepted. If that is meant, let it be.",
            "[match]\nevent_types = [\"open-house\"]\n",
            "[match]\nevent_types = [\"open-house\"]\n\n[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"1h\"\n",
        ),
        Code::Tie => toml(
            "Exactly one policy decides a booking. Of those that match it is the one with the highest `priority`, and among equals the one whose `[match]` is closer; two that are equal in both would leave it to chance.",
            "schema = 1\n[policy]\nid = \"club\"\n[match]\nevent_types = [\"session\"]\n# --- another file ---\nschema = 1\n[policy]\nid = \"clinic\"\n[match]\nevent_types = [\"session\"]\n",
            "schema = 1\n[policy]\nid = \"club\"\n[match]\nevent_types = [\"session\"]\n# --- another file ---\nschema = 1\n[policy]\nid = \"clinic\"\npriority = 10\n[match]\nevent_types = [\"session\"]\n",
        ),
        Code::ShadowOfNobody => toml(
            "A shadow policy is asked as if it stood where the policy in `shadow_of` stands. That has to be another one, and a guardrail only takes a guardrail's place.",
            "schema = 1\n[policy]\nid = \"club\"\n# --- another file ---\nschema = 1\n[policy]\nid = \"club-next\"\nmode = \"shadow\"\nshadow_of = \"clubb\"\n",
            "schema = 1\n[policy]\nid = \"club\"\n# --- another file ---\nschema = 1\n[policy]\nid = \"club-next\"\nmode = \"shadow\"\nshadow_of = \"club\"\n",
        ),
        Code::UnreachableRefund => toml(
            "The first line whose notice is met counts. Behind a line that is met earlier, a longer notice is never looked at.",
            "[credits]\ncost = { base = \"2\" }\nrefund = [\n  { notice = \"12h\", percent = 50 },\n  { notice = \"48h\", percent = 100 },\n]\n",
            "[credits]\ncost = { base = \"2\" }\nrefund = [\n  { notice = \"48h\", percent = 100 },\n  { notice = \"12h\", percent = 50 },\n]\n",
        ),
        Code::NoPrice => toml(
            "Whether there is enough credit can only be asked if it is known how much is needed, and of what.",
            "[[criterion]]\nid = \"has-credit\"\nkind = \"credit\"\n",
            "[credits]\ncost = { base = \"2\" }\n\n[[criterion]]\nid = \"has-credit\"\nkind = \"credit\"\n",
        ),
        Code::GuardrailPrice => toml(
            "A guardrail can only refuse. What a booking costs is said by the policy that decides it.",
            "schema = 1\n[policy]\nid = \"house-rules\"\nkind = \"guardrail\"\n[credits]\ncost = { base = \"2\" }\n",
            "schema = 1\n[policy]\nid = \"house-rules\"\nkind = \"guardrail\"\n[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"1h\"\n",
        ),
        Code::Cycle => toml(
            "What a group, a `when` or a `waive_if` rests on is answered first. If it rests on itself, by whatever way round, there is nothing to begin with.",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\nwhen = \"enough-notice\"\n",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\n",
        ),
        Code::RestsOnShadow => toml(
            "A criterion in shadow is only watched. If another one or the price rested on it, it would count after all.",
            "[[criterion]]\nid = \"short\"\nkind = \"length\"\nmax = \"30m\"\nmode = \"shadow\"\n\n[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\nwhen = \"short\"\n",
            "[[criterion]]\nid = \"short\"\nkind = \"length\"\nmax = \"30m\"\n\n[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\nwhen = \"short\"\n\n[require]\nall = [\"enough-notice\"]\n",
        ),
        Code::UnknownGroup => toml(
            "`use` asks what a group of another policy says. That policy has to be loaded with this one, and has to have the group.",
            "[[criterion]]\nid = \"as-the-house-says\"\nkind = \"use\"\npolicy = \"house\"\ngroup = \"in-time\"\n",
            "schema = 1\n[policy]\nid = \"club\"\n[[criterion]]\nid = \"as-the-house-says\"\nkind = \"use\"\npolicy = \"house\"\ngroup = \"in-time\"\n# --- another file ---\nschema = 1\n[policy]\nid = \"house\"\npriority = -1\n[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\n[groups]\nin-time = { all = [\"enough-notice\"] }\n",
        ),
        Code::AlwaysMet => toml(
            "Every booking meets this criterion, so it protects nothing, whatever its name says.",
            "[[criterion]]\nid = \"any-day\"\nkind = \"window\"\ndays = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"]\n",
            "[[criterion]]\nid = \"weekdays\"\nkind = \"window\"\ndays = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\"]\n",
        ),
        Code::OldShadow => toml(
            "A policy is watched to find out what it would do. After two months that is known, and everybody takes it for one that counts: put it in force, or switch it off. `policy check` says so, if the file says since when.",
            "schema = 1\n[policy]\nid = \"club\"\nmode = \"shadow\"\nshadow_since = 2020-01-15\n",
            "schema = 1\n[policy]\nid = \"club\"\nmode = \"enforce\"\n",
        ),
        Code::UnknownEventType => toml(
            "A policy for an event type that is not there, because it was renamed or mistyped, decides nothing. `policy check --online` asks the providers for those of the API key's own user; what belongs to a team or to somebody else is not seen, and may be right all the same. Here the provider has `intake`.",
            "[match]\nevent_types = [\"intale\"]\n\n[[criterion]]\nid = \"in-time\"\nkind = \"notice\"\nmin = \"24h\"\n",
            "[match]\nevent_types = [\"intake\"]\n\n[[criterion]]\nid = \"in-time\"\nkind = \"notice\"\nmin = \"24h\"\n",
        ),
        Code::UnknownList => toml(
            "A criterion names a list that is defined in the same file, or writes its entries out.",
            "[[criterion]]\nid = \"clients\"\nkind = \"email-domain\"\nallow = \"clients\"\n",
            "[lists.clients]\ndomains = [\"example.org\"]\n\n[[criterion]]\nid = \"clients\"\nkind = \"email-domain\"\nallow = \"clients\"\n",
        ),
        Code::BadCalendar => toml(
            "Holidays and absences are read from the files that calendars export (.ics). One without events would be forgotten rather than meant.",
            "[[criterion]]\nid = \"no-holiday\"\nkind = \"window\"\ncalendar = { file = \"blocked.txt\" }\n",
            "[[criterion]]\nid = \"no-holiday\"\nkind = \"window\"\ncalendar = { file = \"holidays.ics\" }\n",
        ),
        Code::UnreadableList => toml(
            "A list's path starts at the folder of the policies: look at its spelling, and at who may read the file. A server's list (`url`) has to be fetched before it is used for the first time; the message says what its server answered. Later the last copy goes on if there is no other.",
            "[[criterion]]\nid = \"not-blocked\"\nkind = \"deny-list\"\nlist = { file = \"blockd.txt\" }\n",
            "[[criterion]]\nid = \"not-blocked\"\nkind = \"deny-list\"\nlist = { file = \"blocked.txt\" }\n",
        ),
        Code::BadListEntry => toml(
            "A list file has one entry a line: ada@example.org, example.org, *.example.org or a name; # begins a comment. Here wrong.txt has the line `ada@@example.org`.",
            "[[criterion]]\nid = \"not-blocked\"\nkind = \"deny-list\"\nlist = { file = \"wrong.txt\" }\n",
            "[[criterion]]\nid = \"not-blocked\"\nkind = \"deny-list\"\nlist = { file = \"blocked.txt\" }\n",
        ),
        Code::NoCopy => toml(
            "The daemon keeps copies of the lists that servers have, beside its journal, and only it asks the servers. Where there is no copy, as where policies are only checked, nobody is on the list; a policy's tests never look at the copy, and say with `given.lists` who is on it.",
            "[[criterion]]\nid = \"not-blocked\"\nkind = \"deny-list\"\nlist = { url = \"https://crm.example.org/never-fetched.txt\" }\n",
            "[[criterion]]\nid = \"not-blocked\"\nkind = \"deny-list\"\nlist = { url = \"https://crm.example.org/blocked.txt\" }\n",
        ),
        Code::ListTooLong => words(
            "Lists are held in memory, so that looking somebody up costs nothing. A million lines are the most.",
            "a list file with 3,000,000 addresses, all of example.org",
            "a list file with the line example.org",
        ),
        Code::UnusedList => toml(
            "A list that no criterion uses keeps nobody out and lets nobody in.",
            "[lists.clients]\ndomains = [\"example.org\"]\n\n[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\n",
            "[lists.clients]\ndomains = [\"example.org\"]\n\n[[criterion]]\nid = \"clients\"\nkind = \"email-domain\"\nallow = \"clients\"\n",
        ),
        Code::TestFailed => toml(
            "The policy does something other than its author expected. The message says what came out, and of each criterion what it found. Either the policy is wrong, or the test.",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\n\n[[test]]\nname = \"in an hour\"\nnow = 2027-03-01T09:00:00Z\nbooking = { start = 2027-03-01T10:00:00Z }\nexpect = { decision = \"accept\" }\n",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\n\n[[test]]\nname = \"in an hour\"\nnow = 2027-03-01T09:00:00Z\nbooking = { start = 2027-03-01T10:00:00Z }\nexpect = { decision = \"reject\" }\n",
        ),
        Code::NoTests => toml(
            "A test says with an example what the policy is for, and keeps a later edit from changing that by accident: it is run whenever the file is read.",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\n",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\n\n[[test]]\nname = \"in an hour\"\nnow = 2027-03-01T09:00:00Z\nbooking = { start = 2027-03-01T10:00:00Z }\nexpect = { decision = \"reject\", failed = [\"enough-notice\"] }\n",
        ),
        Code::NeverFails => toml(
            "Only a test with a booking that does not meet the criterion shows that it refuses anybody.",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\n\n[[test]]\nname = \"in a week\"\nexpect = { decision = \"accept\" }\n",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\n\n[[test]]\nname = \"in an hour\"\nnow = 2027-03-01T09:00:00Z\nbooking = { start = 2027-03-01T10:00:00Z }\nexpect = { decision = \"reject\" }\n",
        ),
        Code::NeverPasses => toml(
            "Only a test with a booking that meets the criterion shows that it lets anybody through.",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\n\n[[test]]\nname = \"in an hour\"\nnow = 2027-03-01T09:00:00Z\nbooking = { start = 2027-03-01T10:00:00Z }\nexpect = { decision = \"reject\" }\n",
            "[[criterion]]\nid = \"enough-notice\"\nkind = \"notice\"\nmin = \"24h\"\n\n[[test]]\nname = \"in a week\"\nexpect = { decision = \"accept\" }\n",
        ),
        Code::UnknownName => toml(
            "An expression that looks at something nobody knows would never have an answer. All names are always there: what the provider does not tell is an empty text, an empty list or 0. Only whether a question was answered has to be asked: has(booking.answers.topic).",
            "[[criterion]]\nid = \"says-why\"\nkind = \"expr\"\ncel = \"size(booking.note) >= 20\"\n",
            "[[criterion]]\nid = \"says-why\"\nkind = \"expr\"\ncel = \"size(booking.notes) >= 20\"\n",
        ),
        Code::HostNotAllowed => toml(
            "Who may write policies may not therefore have this machine call any other. Whoever runs it names the hosts in its settings: `[callouts]` with `hosts`.",
            "[[criterion]]\nid = \"crm-approves\"\nkind = \"http\"\nurl = \"https://crm.elsewhere.example/check\"\nsend = [\"booker.email\"]\n",
            "[[criterion]]\nid = \"crm-approves\"\nkind = \"http\"\nurl = \"https://crm.example.org/check\"\nsend = [\"booker.email\"]\n",
        ),
        Code::OpenOnError => toml(
            "Servers fail, and some can be made to. With `pass` everybody gets in as long as this one does; with `fail`, which is the default, nobody does, and with `unknown` a person is asked.",
            "[[criterion]]\nid = \"crm-approves\"\nkind = \"http\"\nurl = \"https://crm.example.org/check\"\nsend = [\"booker.email\"]\non_error = \"pass\"\n",
            "[[criterion]]\nid = \"crm-approves\"\nkind = \"http\"\nurl = \"https://crm.example.org/check\"\nsend = [\"booker.email\"]\non_error = \"unknown\"\n",
        ),
        Code::NotAnAnswer => toml(
            "A criterion is met or not, so its expression says true or false. It is tried on a few imagined bookings when the file is read.",
            "[[criterion]]\nid = \"says-why\"\nkind = \"expr\"\ncel = \"size(booking.notes)\"\n",
            "[[criterion]]\nid = \"says-why\"\nkind = \"expr\"\ncel = \"size(booking.notes) >= 20\"\n",
        ),
        _ => return None,
    })
}
