//! `account`: what kind of account the booker has, if any.

use jiff::tz::TimeZone;

use crate::domain::clock::ms_between;
use crate::policy::codes::Code;
use crate::policy::criterion::{Criterion, CriterionKind, Finding, PolicyContext, Scope};
use crate::policy::duration::Duration;
use crate::policy::facts::{AccountStatus, Facts, Loaded, Need, Stage};
use crate::policy::keys::{Key, Shape};
use crate::policy::measured::Measure;
use crate::policy::reader::Table;

pub(super) struct Kind;

#[derive(Debug)]
struct Account {
    /// `false` asks for somebody who has no account.
    exists: bool,
    status: Vec<AccountStatus>,
    age_min: Option<Duration>,
}

impl CriterionKind for Kind {
    fn name(&self) -> &'static str {
        "account"
    }

    fn placeholders(&self) -> &'static [&'static str] {
        &["status", "since"]
    }

    fn default_message(&self) -> &'static str {
        "This booking needs an account in good standing."
    }

    fn example(&self) -> &'static str {
        "status = [\"open\"]\nage_min = \"30d\""
    }

    fn keys(&self) -> &'static [Key] {
        const KEYS: &[Key] = &[
            Key::new(
                "status",
                Shape::Many(&Shape::Word(&["open", "frozen", "closed"])),
                "Any of these; open if left out",
            ),
            Key::new(
                "exists",
                Shape::Switch,
                "Whether there has to be one; true if left out",
            ),
            Key::new("age_min", Shape::Duration, "How old it has to be"),
        ];
        KEYS
    }

    fn parse(&self, table: &Table<'_>, _scope: &Scope<'_>) -> Option<Box<dyn Criterion>> {
        const STATUS: [(&str, AccountStatus); 3] = [
            ("open", AccountStatus::Open),
            ("frozen", AccountStatus::Frozen),
            ("closed", AccountStatus::Closed),
        ];
        let exists = table.boolean("exists").is_none_or(|exists| exists.value);
        let status = table.choices("status", &STATUS);
        let age_min = table.duration("age_min");
        let conditions = status
            .as_ref()
            .map(|at| &at.span)
            .or(age_min.as_ref().map(|at| &at.span));
        if let (false, Some(span)) = (exists, conditions) {
            let help = "leave `status` and `age_min` out, or `exists`";
            table.report(
                Code::NotAllowed,
                span.clone(),
                "an account that must not exist has no status and no age",
                help,
            );
        }
        table.refuse_empty("status", "nobody would pass");
        Some(Box::new(Account {
            exists,
            status: status.map_or_else(|| vec![AccountStatus::Open], |at| at.value),
            age_min: age_min.map(|at| at.value),
        }))
    }
}

impl Criterion for Account {
    fn stage(&self) -> Stage {
        Stage::LocalRead
    }

    fn needs(&self, _facts: &Facts, _zone: &TimeZone) -> Vec<Need> {
        vec![Need::Account]
    }

    fn evaluate(&self, facts: &Facts, context: &PolicyContext<'_>) -> Finding {
        let account = match &facts.account {
            Loaded::Known(Some(account)) => account,
            Loaded::Known(None) => return Finding::of(!self.exists).with("status", "none"),
            Loaded::Not => return Finding::error("the account was not loaded"),
            Loaded::Failed(why) => return Finding::error(why),
        };
        let old_enough = self
            .age_min
            .as_ref()
            .is_none_or(|age_min| ms_between(account.created_at, facts.now) >= age_min.ms);
        let met = self.exists && old_enough && self.status.contains(&account.status);
        let since = context.zone.to_datetime(account.created_at).date();
        Finding::of(met)
            .with("status", account.status.as_str())
            .with("since", Measure::Day(since))
    }
}
