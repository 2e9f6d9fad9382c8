//! `email-domain`: where the addresses of booker and guests belong.

use crate::domain::owner::Owner;
use crate::policy::criterion::{Criterion, CriterionKind, Finding, PolicyContext, Scope};
use crate::policy::facts::Facts;
use crate::policy::keys::{Key, Shape};
use crate::policy::lists::Listing;
use crate::policy::reader::{At, Table};

/// Well-known services that give an address to anybody.
const FREE_MAIL: [&str; 36] = [
    "aol.com",
    "bluewin.ch",
    "fastmail.com",
    "free.fr",
    "freenet.de",
    "gmail.com",
    "gmx.at",
    "gmx.ch",
    "gmx.com",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "hey.com",
    "hotmail.com",
    "hotmail.co.uk",
    "icloud.com",
    "laposte.net",
    "libero.it",
    "live.com",
    "mac.com",
    "mail.com",
    "mail.ru",
    "me.com",
    "msn.com",
    "naver.com",
    "orange.fr",
    "outlook.com",
    "pm.me",
    "proton.me",
    "protonmail.com",
    "qq.com",
    "t-online.de",
    "web.de",
    "yahoo.com",
    "yandex.ru",
    "zoho.com",
];

pub(super) struct Kind;

#[derive(Debug, Clone, Copy)]
enum Who {
    Booker,
    EveryAttendee,
}

#[derive(Debug)]
struct EmailDomain {
    allow: Option<Listing>,
    deny: Option<Listing>,
    free_mail: bool,
    who: Who,
}

impl CriterionKind for Kind {
    fn name(&self) -> &'static str {
        "email-domain"
    }

    fn placeholders(&self) -> &'static [&'static str] {
        &["domain"]
    }

    fn default_message(&self) -> &'static str {
        "Please book with another e-mail address."
    }

    fn example(&self) -> &'static str {
        "allow = { domains = [\"example.org\", \"*.example.org\"] }\nwho = \"booker\""
    }

    fn keys(&self) -> &'static [Key] {
        const KEYS: &[Key] = &[
            Key::new("allow", Shape::List, "Only these domains"),
            Key::new("deny", Shape::List, "Not these domains"),
            Key::new(
                "free_mail",
                Shape::Word(&["allow", "deny"]),
                "Whether addresses that anybody can get will do",
            ),
            Key::new(
                "who",
                Shape::Word(&["booker", "every-attendee"]),
                "Whose address is asked for",
            ),
        ];
        KEYS
    }

    fn parse(&self, table: &Table<'_>, scope: &Scope<'_>) -> Option<Box<dyn Criterion>> {
        let allow = scope.lists.some_domains(table, "allow");
        let deny = scope.lists.list(table, "deny");
        let free_mail = table.choice("free_mail", &[("allow", true), ("deny", false)]);
        let who = [
            ("booker", Who::Booker),
            ("every-attendee", Who::EveryAttendee),
        ];
        let who = table.choice("who", &who).map_or(Who::Booker, |at| at.value);
        let free_mail = free_mail.is_none_or(|at| at.value);
        if free_mail {
            let help = "add `allow`, `deny` or `free_mail = \"deny\"`";
            table.refuse_nothing(&["allow", "deny"], help);
        }
        let list = |at: Option<At<Listing>>| at.map(|at| at.value);
        Some(Box::new(EmailDomain {
            allow: list(allow),
            deny: list(deny),
            free_mail,
            who,
        }))
    }
}

impl EmailDomain {
    fn accepts(&self, domain: &str, facts: &Facts) -> bool {
        let allowed = self
            .allow
            .as_ref()
            .is_none_or(|list| list.of(facts).domains.contains(domain));
        let denied = self
            .deny
            .as_ref()
            .is_some_and(|list| list.of(facts).domains.contains(domain));
        allowed && !denied && (self.free_mail || !FREE_MAIL.contains(&domain))
    }
}

impl Criterion for EmailDomain {
    fn evaluate(&self, facts: &Facts, _context: &PolicyContext<'_>) -> Finding {
        let details = &facts.details;
        let Some(booker) = &details.booker.email else {
            return Finding::error("the booking names no e-mail address");
        };
        let guests: &[Owner] = match self.who {
            Who::Booker => &[],
            Who::EveryAttendee => &details.guests,
        };
        let mut domains = std::iter::once(booker).chain(guests).map(Owner::domain);
        match domains.find(|domain| !self.accepts(domain, facts)) {
            Some(domain) => Finding::of(false).with("domain", domain),
            None => Finding::of(true).with("domain", booker.domain()),
        }
    }
}
