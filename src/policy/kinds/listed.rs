//! `allow-list` and `deny-list`: somebody is on a list, or is not. Neither offers a fact for
//! messages, so that no message can tell what is on a list.

use std::collections::HashSet;

use crate::domain::owner::Owner;
use crate::policy::codes::Code;
use crate::policy::criterion::{Criterion, CriterionKind, Finding, PolicyContext, Scope};
use crate::policy::facts::Facts;
use crate::policy::keys::{Key, Shape};
use crate::policy::lists::{Listing, fold_name};
use crate::policy::reader::{At, Table};

/// What cannot be compared.
const NO_EMAIL: &str = "the booking names no e-mail address";
const NO_PHONE: &str = "the booking names no phone number with its country code";

/// Those on the list may book.
pub(super) const ALLOW: Kind = Kind { listed_may: true };
/// Those on the list may not.
pub(super) const DENY: Kind = Kind { listed_may: false };

pub(super) struct Kind {
    listed_may: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum On {
    Email,
    Domain,
    Name,
    Phone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Normalize {
    PlusTag,
    Dots,
}

#[derive(Debug)]
struct Listed {
    listed_may: bool,
    on: Vec<On>,
    list: Listing,
    normalize: Vec<Normalize>,
    /// The list's addresses, normalised, where normalising is asked for.
    normalized: HashSet<Box<str>>,
}

impl CriterionKind for Kind {
    fn name(&self) -> &'static str {
        if self.listed_may {
            "allow-list"
        } else {
            "deny-list"
        }
    }

    fn placeholders(&self) -> &'static [&'static str] {
        &[]
    }

    fn default_message(&self) -> &'static str {
        "We cannot accept this booking."
    }

    fn example(&self) -> &'static str {
        "on = [\"email\"]\nlist = { emails = [\"ada@example.org\"] }\nnormalize = [\"plus-tag\"]"
    }

    fn keys(&self) -> &'static [Key] {
        const KEYS: &[Key] = &[
            Key::new("list", Shape::List, "Who is on it").required(),
            Key::new(
                "on",
                Shape::Many(&Shape::Word(&["email", "domain", "name", "phone"])),
                "What is looked up; email and domain if left out",
            ),
            Key::new(
                "normalize",
                Shape::Many(&Shape::Word(&["plus-tag", "dots"])),
                "Spellings of an address that are one",
            ),
        ];
        KEYS
    }

    fn parse(&self, table: &Table<'_>, scope: &Scope<'_>) -> Option<Box<dyn Criterion>> {
        const ON: [(&str, On); 4] = [
            ("email", On::Email),
            ("domain", On::Domain),
            ("name", On::Name),
            ("phone", On::Phone),
        ];
        const NORMALIZE: [(&str, Normalize); 2] =
            [("plus-tag", Normalize::PlusTag), ("dots", Normalize::Dots)];
        let on = match refuse_ip(table) {
            true => None,
            false => table.choices("on", &ON),
        };
        let normalize = table
            .choices("normalize", &NORMALIZE)
            .map_or(Vec::new(), |at| at.value);
        let list = table.required("list", |table, key| scope.lists.list(table, key))?;
        let on = on.map_or_else(|| vec![On::Email, On::Domain], |at| at.value);
        self.report_empty(table, &on, &list);
        let normalized = if normalize.is_empty() {
            HashSet::new()
        } else {
            let emails = list.value.known().into_iter();
            emails
                .flat_map(|list| &list.emails)
                .map(|email| simplify(email, &normalize).into())
                .collect()
        };
        Some(Box::new(Listed {
            listed_may: self.listed_may,
            on,
            list: list.value,
            normalize,
            normalized,
        }))
    }
}

impl Kind {
    /// A list without a single entry that could match always says the same: an error for an allow
    /// list, which would shut everybody out, but normal for a deny list's file that is still empty.
    fn report_empty(&self, table: &Table<'_>, on: &[On], at: &At<Listing>) {
        let Some(list) = at.value.known() else { return };
        let usable = on.iter().any(|on| match on {
            On::Email => !list.emails.is_empty(),
            On::Domain => !list.domains.is_empty(),
            On::Name => !list.names.is_empty(),
            On::Phone => !list.phones.is_empty(),
        });
        if on.is_empty() || (self.listed_may && !usable) {
            let help = "`on` names what is compared: \"email\", \"domain\", \"name\", \"phone\"; the list needs entries of that sort";
            table.report(
                Code::EmptyList,
                at.span.clone(),
                "nobody can be on this list",
                help,
            );
        }
    }
}

impl Listed {
    /// Whether the booker is on the list.
    ///
    /// # Errors
    /// What is to be compared is not known.
    fn is_listed(&self, facts: &Facts) -> Result<bool, &'static str> {
        let (booker, list) = (&facts.details.booker, self.list.of(facts));
        let mut unknown = None;
        for on in &self.on {
            let (found, missing) = match on {
                On::Email => {
                    let found = booker
                        .email
                        .as_ref()
                        .map(|email| self.has_email(email, facts));
                    (found, NO_EMAIL)
                }
                On::Domain => {
                    let domain = booker.email.as_ref().map(Owner::domain);
                    (domain.map(|domain| list.domains.contains(domain)), NO_EMAIL)
                }
                On::Name => {
                    let name = fold_name(&booker.name);
                    (Some(list.names.contains(name.as_str())), "")
                }
                On::Phone => {
                    let phone = booker.phone.as_ref();
                    (
                        phone.map(|phone| list.phones.contains(phone.as_str())),
                        NO_PHONE,
                    )
                }
            };
            if found == Some(true) {
                return Ok(true);
            }
            if found.is_none() {
                unknown.get_or_insert(missing);
            }
        }
        unknown.map_or(Ok(false), Err)
    }

    fn has_email(&self, email: &Owner, facts: &Facts) -> bool {
        if self.normalize.is_empty() {
            return self.list.of(facts).emails.contains(email.as_str());
        }
        let simple = |email: &str| simplify(email, &self.normalize);
        let wanted = simple(email.as_str());
        match self.list.given(facts) {
            Some(given) => given.emails.iter().any(|email| simple(email) == wanted),
            None => self.normalized.contains(wanted.as_str()),
        }
    }
}

impl Criterion for Listed {
    fn evaluate(&self, facts: &Facts, _context: &PolicyContext<'_>) -> Finding {
        match self.is_listed(facts) {
            Ok(listed) => Finding::of(listed == self.listed_may),
            Err(why) => Finding::error(why),
        }
    }
}

/// Reports `on = ["ip"]`: no provider's webhook or API says it. Returns whether it is there.
fn refuse_ip(table: &Table<'_>) -> bool {
    let Some(on) = table.value("on") else {
        return false;
    };
    let mut words = on.get_ref().as_array().into_iter().flat_map(|on| on.iter());
    let ip = words.find(|word| word.get_ref().as_str() == Some("ip"));
    if let Some(ip) = ip {
        let help = "no provider tells from which address somebody books; `on` takes \"email\", \"domain\", \"name\" and \"phone\"";
        let message = "nobody's IP address is known here";
        table.report(Code::NotAllowed, ip.span(), message, help);
    }
    ip.is_some()
}

/// An address without what some mail services ignore: `a.d.a+club@x.org` is `ada@x.org`.
fn simplify(email: &str, normalize: &[Normalize]) -> String {
    let (local, domain) = email.rsplit_once('@').unwrap_or((email, ""));
    let mut local = local.to_owned();
    if normalize.contains(&Normalize::PlusTag)
        && let Some(plus) = local.find('+').filter(|plus| *plus > 0)
    {
        local.truncate(plus);
    }
    if normalize.contains(&Normalize::Dots) {
        local.retain(|letter| letter != '.');
    }
    format!("{local}@{domain}")
}
