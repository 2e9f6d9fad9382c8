//! `routing`: whose calendar it is. One of the hosts has to be one of those named.

use crate::domain::booking::Host;
use crate::domain::owner::Owner;
use crate::policy::criterion::{Criterion, CriterionKind, Finding, PolicyContext, Scope};
use crate::policy::facts::Facts;
use crate::policy::keys::{Key, Shape};
use crate::policy::reader::{Table, Value};
use crate::policy::text::shown;

use super::wording::fold;

pub(super) struct Kind;

#[derive(Debug)]
struct Routing {
    hosts: Vec<Wanted>,
}

/// A host as the author names one.
#[derive(Debug)]
enum Wanted {
    Email(Owner),
    /// A user name or an id.
    Name(String),
}

impl CriterionKind for Kind {
    fn name(&self) -> &'static str {
        "routing"
    }

    fn placeholders(&self) -> &'static [&'static str] {
        &["host"]
    }

    fn default_message(&self) -> &'static str {
        "This cannot be booked with {host}."
    }

    fn example(&self) -> &'static str {
        "host = [\"ada@example.org\", \"ada\", 12]"
    }

    fn keys(&self) -> &'static [Key] {
        const HOST: Shape = Shape::Either(&[Shape::Text, Shape::Whole(0, i64::MAX)]);
        const KEYS: &[Key] = &[Key::new(
            "host",
            Shape::Either(&[HOST, Shape::Many(&HOST)]),
            "The hosts that will do, by address, user name or id",
        )
        .required()];
        KEYS
    }

    fn parse(&self, table: &Table<'_>, _scope: &Scope<'_>) -> Option<Box<dyn Criterion>> {
        let hosts = table.required("host", |table, key| match table.value(key)? {
            value if value.get_ref().is_array() => {
                Some(table.list(key, |table, item| wanted(table, item))?.value)
            }
            value => Some(vec![wanted(table, value)?]),
        });
        table.refuse_empty("host", "nobody would pass");
        Some(Box::new(Routing { hosts: hosts? }))
    }
}

fn wanted(table: &Table<'_>, value: Value<'_>) -> Option<Wanted> {
    if let toml::de::DeValue::Integer(id) = value.get_ref() {
        return Some(Wanted::Name(id.as_str().to_owned()));
    }
    let text = table.text_of("host", value)?.value;
    Some(match Owner::parse(text) {
        Ok(email) => Wanted::Email(email),
        Err(_) => Wanted::Name(fold(text)),
    })
}

impl Wanted {
    fn is(&self, host: &Host) -> bool {
        let named = |name: &String| {
            let same =
                |known: &Option<String>| known.as_ref().is_some_and(|one| fold(one) == *name);
            same(&host.username) || same(&host.id)
        };
        match self {
            Self::Email(email) => host.email.as_ref() == Some(email),
            Self::Name(name) => named(name),
        }
    }
}

impl Criterion for Routing {
    fn evaluate(&self, facts: &Facts, _context: &PolicyContext<'_>) -> Finding {
        let hosts = &facts.details.hosts;
        let Some(first) = hosts.first() else {
            return Finding::error("the provider does not say whose calendar it is");
        };
        let meant = |host: &&Host| self.hosts.iter().any(|wanted| wanted.is(host));
        let found = hosts.iter().find(meant);
        // No address: what the booker reads is the name in the host's link.
        let host = found.unwrap_or(first);
        let name = host.username.as_deref().or(host.id.as_deref());
        Finding::of(found.is_some()).with("host", shown(name.unwrap_or("this host")))
    }
}
