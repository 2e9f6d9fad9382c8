//! What the tests of this room share: texts to sets, and an ordinary booking.

use std::collections::BTreeMap;
use std::io;

use serde_json::json;

use crate::domain::amount::{Unit, UnitCode};
use crate::domain::booking::{Booker, Details};
use crate::domain::callout::Reply;
use crate::domain::clock::{Timestamp, plus_ms};
use crate::domain::ids::{SourceName, Uid};
use crate::domain::owner::Owner;
use crate::domain::secret::Secret;
use crate::policy::lists::RemoteList;
use crate::policy::{
    Diagnostics, Evaluation, Facts, LoadContext, Loaded, Need, PolicySet, SourceFile, Verdict, load,
};

const HOUR_MS: i64 = 3_600_000;

/// Two units: CREDIT with two decimals, SEAT with none.
pub(in crate::policy) fn units() -> BTreeMap<UnitCode, Unit> {
    let unit = |code: &str, scale| {
        let code = UnitCode::try_from(code).unwrap();
        (code.clone(), Unit { code, scale })
    };
    BTreeMap::from([unit("CREDIT", 2), unit("SEAT", 0)])
}

/// A holiday that comes every year, and an afternoon that comes once.
pub(in crate::policy) const HOLIDAYS: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//tests//EN\r\n\
    BEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:20200501\r\nRRULE:FREQ=YEARLY\r\nSUMMARY:May Day, \r\n  a holiday\r\nEND:VEVENT\r\n\
    BEGIN:VEVENT\r\nUID:2\r\nDTSTART;TZID=Europe/Berlin:20260610T140000\r\nDTEND;TZID=Europe/Berlin:20260610T170000\r\nEND:VEVENT\r\n\
    END:VCALENDAR\r\n";
/// A kind of the installation's own.
const LOYALTY: &str = r#"
# Asks the shop.
params = { tier = "text", points = "number" }
url = "https://crm.example.org/loyalty" # theirs
send = ["booker.email"]
"#;

/// Loads texts as `a.toml`, `b.toml`, ...; list files are `blocked.txt` and `empty.txt`,
/// and the one copy of a server's list is of `https://crm.example.org/blocked.txt`.
pub(in crate::policy) fn load_texts(
    texts: &[&str],
) -> Result<(PolicySet, Diagnostics), Diagnostics> {
    let names = ('a'..='z').map(|name| format!("{name}.toml"));
    let files = names.zip(texts).map(|(name, text)| SourceFile {
        name,
        text: (*text).to_owned(),
    });
    load_files(files.collect())
}

pub(in crate::policy) fn load_files(
    files: Vec<SourceFile>,
) -> Result<(PolicySet, Diagnostics), Diagnostics> {
    let units = units();
    let read_list = |_: &str, path: &str| match path {
        "blocked.txt" => Ok("spam.example # always\n\nnuisance@example.com\n".to_owned()),
        "holidays.ics" => Ok(HOLIDAYS.to_owned()),
        "empty.txt" => Ok("# nobody yet\n".to_owned()),
        "kinds/loyalty.toml" => Ok(LOYALTY.to_owned()),
        "kinds/broken.toml" => Ok("url = \"https://crm.example.org\"\nodd = 1\n".to_owned()),
        "wrong.txt" => Ok("ada@example.org\nada@@example.org\n".to_owned()),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    let read_secret = |_: &str, reference: &str| match reference {
        "env:CODES" => Ok(Some(Secret::new("oolong, Darjeeling"))),
        "env:ABSENT" => Ok(None),
        _ => Err("it is not set".to_owned()),
    };
    let read_copy = |_: &str, list: &RemoteList| match list.url.as_str() {
        "https://crm.example.org/blocked.txt" => Ok(Some("nuisance@example.com\n".to_owned())),
        "https://crm.example.org/wrong.txt" => Ok(Some("ada@@example.org\n".to_owned())),
        "https://crm.example.org/down.txt" => Err("HTTP 503".to_owned()),
        _ => Ok(None),
    };
    let mut context = LoadContext::new(&units, &read_list);
    context.read_secret = &read_secret;
    context.read_copy = &read_copy;
    let hosts = ["crm.example.org", "*.corp.example"].map(str::to_owned);
    context.hosts = Some(&hosts);
    load(files, &context)
}

/// A set of policies that have no errors.
pub(in crate::policy) fn policies(texts: &[&str]) -> PolicySet {
    match load_texts(texts) {
        Ok((set, _)) => set,
        Err(diagnostics) => panic!("{}", diagnostics.render(false)),
    }
}

/// An hour, three days after `now`, by Ada, without an account.
pub(in crate::policy) fn facts() -> Facts {
    let now: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
    let start = plus_ms(now, 72 * HOUR_MS);
    Facts::of(
        now,
        SourceName::new("front_door"),
        Uid::new("b-1"),
        Details {
            title: "Session".to_owned(),
            event_type_id: Some(7),
            event_type_slug: Some("session".to_owned()),
            booker: Booker {
                email: Some(Owner::parse("ada@example.org").unwrap()),
                name: "Ada".to_owned(),
                ..Booker::default()
            },
            ..Details::between(start, plus_ms(start, HOUR_MS))
        },
    )
}

/// The ordinary booking at another time.
pub(in crate::policy) fn booking(start: &str, length_min: i64) -> Facts {
    let mut facts = facts();
    facts.details.start = start.parse().unwrap();
    facts.details.end = plus_ms(facts.details.start, length_min * 60_000);
    facts
}

/// What a server answers that has nothing against it.
pub(in crate::policy) fn approved() -> Reply {
    Reply {
        status: 200,
        json: Some(json!({ "result": "pass", "reason": "Welcome." })),
    }
}

/// The verdict; panics if the account is missing. There are no other bookings, and servers approve.
pub(in crate::policy) fn decide(set: &PolicySet, facts: &Facts) -> Verdict {
    let mut facts = facts.clone();
    loop {
        match set.evaluate(&facts) {
            Evaluation::Decided(verdict) => return *verdict,
            Evaluation::Needs(needs) => needs.into_iter().for_each(|need| match need {
                Need::Account => panic!("the account was not given"),
                Need::Tags => facts.tags = Loaded::Known(Default::default()),
                Need::Others(wanted) => facts.know_others(wanted, Loaded::Known(Vec::new())),
                Need::CodeUses(code) => facts.know_uses(code, Loaded::Known(0)),
                Need::Callout(asker) => facts.know_reply(asker, Loaded::Known(approved())),
            }),
        }
    }
}
