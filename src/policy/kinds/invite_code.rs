//! `invite-code`: the booker has written down a code that was given to them, which may be used only so many
//! times. A use is counted in the transaction that stores the decision, and is free again when the booking
//! goes.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use crate::domain::booking::Answer;
use crate::policy::criterion::{Criterion, CriterionKind, Finding, PolicyContext, Scope};
use crate::policy::facts::{Facts, Loaded, Need, Stage};
use crate::policy::keys::{Key, SECRET, Shape};
use crate::policy::reader::Table;
use crate::policy::vault::{Named, Vault};

/// The most that one code can be used.
const USES_MAX: i64 = 1_000_000;
/// The longest code, in characters.
const CODE_CHARS_MAX: usize = 200;

pub(super) struct Kind;

#[derive(Debug)]
struct InviteCode {
    field: Box<str>,
    /// As [`code_key`] writes them, so that no code is shown by accident.
    codes: BTreeSet<String>,
    /// Whether only the daemon knows them.
    is_secret: bool,
    policy: Box<str>,
    /// How often one may be used; as often as one likes if there is none.
    uses: Option<i64>,
    /// The last day on which they count.
    expires: Option<Date>,
}

impl CriterionKind for Kind {
    fn name(&self) -> &'static str {
        "invite-code"
    }

    fn placeholders(&self) -> &'static [&'static str] {
        &[]
    }

    fn default_message(&self) -> &'static str {
        "This invitation code is not valid, or was used already."
    }

    fn example(&self) -> &'static str {
        "field = \"invite\"\ncodes = [\"spring-tea\"]\nuses = 1\nexpires = 2027-05-31"
    }

    fn keys(&self) -> &'static [Key] {
        const KEYS: &[Key] = &[
            Key::new(
                "field",
                Shape::Text,
                "The question of the booking form that asks for the code",
            )
            .required(),
            Key::new(
                "codes",
                Shape::Either(&[
                    Shape::Many(&Shape::Text),
                    Shape::Table(&[
                        Key::new("file", Shape::Text, "A file with one code a line").required()
                    ]),
                    Shape::Table(SECRET),
                ]),
                "The codes, a file or a secret with one a line; upper and lower case do not matter",
            )
            .required(),
            Key::new(
                "uses",
                Shape::Whole(1, USES_MAX),
                "How many bookings may use one code; any number if left out",
            ),
            Key::new("expires", Shape::Date, "The last day on which they count"),
        ];
        KEYS
    }

    fn parse(&self, table: &Table<'_>, scope: &Scope<'_>) -> Option<Box<dyn Criterion>> {
        let field = table.required("field", Table::text);
        let codes = table.required("codes", |table, key| codes(table, key, scope));
        let uses = table.integer("uses", 1..=USES_MAX);
        let expires = table.date("expires");
        Some(Box::new(InviteCode {
            field: field?.value.into(),
            codes: codes?,
            is_secret: Vault::is_named(table, "codes"),
            policy: scope.policy.into(),
            uses: uses.map(|at| at.value),
            expires: expires.map(|at| at.value),
        }))
    }
}

/// The codes, as [`code_key`] writes them. Of secret ones nothing else is kept with the policy.
fn codes(table: &Table<'_>, key: &'static str, scope: &Scope<'_>) -> Option<BTreeSet<String>> {
    let of_policy = |code: &str| code_key(scope.policy, code);
    if !Vault::is_named(table, key) {
        let codes = scope.lists.lines(table, key)?;
        return Some(codes.iter().map(|code| of_policy(code)).collect());
    }
    let Named { reference, secret } = scope.vault.secret(table, key)?.value;
    let codes: BTreeSet<String> = match secret {
        Some(secret) => {
            let codes = secret.expose().split(['\n', ',']).map(str::trim);
            codes
                .filter(|code| !code.is_empty())
                .map(of_policy)
                .collect()
        }
        None => scope.lists.kept(reference).into_iter().collect(),
    };
    scope.lists.keep(reference, &codes);
    Some(codes)
}

/// A code of a policy as it is stored and compared: by its digest, without regard to upper and lower case.
pub(in crate::policy) fn code_key(policy: &str, code: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(policy);
    hasher.update([0]);
    hasher.update(code.trim().to_lowercase());
    hex::encode(hasher.finalize())
}

impl InviteCode {
    /// What the booker wrote, if it is one of the codes.
    fn code(&self, facts: &Facts) -> Option<String> {
        let written = match facts.details.answers.get(&*self.field)? {
            Answer::Text(text) => text,
            Answer::Many(texts) => texts.first()?,
        };
        if written.chars().count() > CODE_CHARS_MAX {
            return None;
        }
        let code = code_key(&self.policy, written);
        self.codes.contains(&code).then_some(code)
    }
}

impl Criterion for InviteCode {
    fn stage(&self) -> Stage {
        match self.uses {
            Some(_) => Stage::LocalRead,
            None => Stage::Pure,
        }
    }

    fn is_answered(&self) -> bool {
        !self.is_secret
    }

    fn counts(&self) -> bool {
        self.uses.is_some()
    }

    fn needs(&self, facts: &Facts, _zone: &TimeZone) -> Vec<Need> {
        let code = self.uses.and_then(|_| self.code(facts));
        code.into_iter().map(Need::CodeUses).collect()
    }

    fn uses_codes(&self, facts: &Facts) -> Vec<String> {
        let code = self.uses.and_then(|_| self.code(facts));
        code.into_iter().collect()
    }

    fn evaluate(&self, facts: &Facts, context: &PolicyContext<'_>) -> Finding {
        let today = context.zone.to_datetime(facts.now).date();
        let in_time = self.expires.is_none_or(|expires| today <= expires);
        let Some(code) = self.code(facts).filter(|_| in_time) else {
            return Finding::of(false);
        };
        let Some(uses) = self.uses else {
            return Finding::of(true);
        };
        match facts.code_uses.get(&code) {
            Some(Loaded::Known(used)) => Finding::of(*used < uses),
            Some(Loaded::Failed(why)) => Finding::error(why),
            Some(Loaded::Not) | None => Finding::error("the uses of the code were not counted"),
        }
    }
}
