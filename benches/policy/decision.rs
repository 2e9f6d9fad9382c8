//! One decision over twenty criteria, all of whose facts are there.

use std::collections::BTreeMap;
use std::hint::black_box;

use bookgate::domain::booking::{Answer, Booker, Details};
use bookgate::domain::clock::plus_ms;
use bookgate::domain::ids::{SourceName, Uid};
use bookgate::domain::owner::Owner;
use bookgate::policy::{
    AccountFacts, AccountStatus, Balance, Evaluation, Facts, Loaded, Need, PolicySet,
};

use crate::figures::{Table, median, short};
use crate::{Scale, TWENTY, done, file, policies, ratio};

const START: &str = "2026-03-04T09:00:00Z";

pub(crate) fn run(scale: &Scale) {
    let set = policies(vec![file("twenty.toml", TWENTY.to_owned())], "");
    let mut refused = facts(&set);
    let accepted = refused.clone();
    refused.details.booker.name = "Mickey Mouse".to_owned();
    let json = serde_json::to_string(&accepted).expect("facts are JSON");
    let [accepting, refusing, reading] = scale.ns([
        &mut || done(set.evaluate(black_box(&accepted))),
        &mut || done(set.evaluate(black_box(&refused))),
        &mut || done(serde_json::from_str::<Facts>(black_box(&json)).is_ok()),
    ]);
    let mut table = Table::new(["", "us", "of reading"]);
    for (name, times) in [
        ("a booking that is accepted", &accepting),
        ("a booking that is refused", &refusing),
        ("reading its facts from JSON", &reading),
    ] {
        table.row([
            name.to_owned(),
            short(median(times.iter().copied()) / 1e3),
            short(ratio(times, &reading)),
        ]);
    }
    table.print("A decision over 20 criteria; goal: less than 20 us");
}

/// A booking that meets all criteria, with all facts that they ask for.
fn facts(set: &PolicySet) -> Facts {
    let address = |text: &str| Owner::parse(text).expect("an address");
    let texts = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        let owned = |(key, text): &(&str, &str)| ((*key).to_owned(), (*text).to_owned());
        pairs.iter().map(owned).collect()
    };
    let answers = texts(&[("insurance", "statutory"), ("referral", "AB123456")]);
    let start = START.parse().expect("a time");
    let details = Details {
        title: "First appointment between the clinic and Ada".to_owned(),
        event_type_id: Some(7),
        event_type_slug: Some("session".to_owned()),
        booker: Booker {
            email: Some(address("ada@example.org")),
            name: "Ada Example".to_owned(),
            time_zone: Some("Europe/Berlin".to_owned()),
            locale: Some("de".to_owned()),
            phone: None,
        },
        guests: vec![address("bob@example.org"), address("carol@example.org")],
        answers: answers
            .into_iter()
            .map(|(key, text)| (key, Answer::Text(text)))
            .collect(),
        metadata: texts(&[("plan", "team"), ("campaign", "spring")]),
        location: Some("inPerson".to_owned()),
        notes: Some("Back pain since January; see www.a.example for the picture.".to_owned()),
        ..Details::between(start, plus_ms(start, 60 * 60 * 1_000))
    };
    let now = "2026-03-02T09:00:00Z".parse().expect("a time");
    let mut facts = Facts::of(now, SourceName::new("front_door"), Uid::new("b-1"), details);
    loop {
        match set.evaluate(&facts) {
            Evaluation::Needs(needs) => needs.into_iter().for_each(|need| meet(&mut facts, need)),
            Evaluation::Decided(verdict) => {
                assert!(verdict.failed.is_empty(), "{:?}", verdict.failed);
                return facts;
            }
        }
    }
}

fn meet(facts: &mut Facts, need: Need) {
    match need {
        Need::Account => {
            let unit = "CREDIT".try_into().expect("a code");
            let balance = Balance {
                posted: 1_000,
                held: 100,
                available: 900,
                limit: 0,
            };
            facts.account = Loaded::Known(Some(AccountFacts {
                status: AccountStatus::Open,
                created_at: facts.now,
                balances: BTreeMap::from([(unit, balance)]),
            }));
        }
        Need::Tags => facts.tags = Loaded::Known(["member".to_owned()].into()),
        Need::Others(wanted) => facts.know_others(wanted, Loaded::Known(Vec::new())),
        Need::CodeUses(code) => facts.know_uses(code, Loaded::Known(0)),
        // No criterion of this policy asks a server.
        Need::Callout(to) => facts.know_reply(to, Loaded::Not),
    }
}
