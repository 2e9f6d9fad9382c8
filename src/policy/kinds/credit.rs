//! `credit`: the booker can pay. Only a look: the hold itself is made by the ledger, in the
//! transaction that stores the decision.

use jiff::tz::TimeZone;

use crate::domain::amount::Unit;
use crate::policy::codes::Code;
use crate::policy::criterion::{Criterion, CriterionKind, Finding, PolicyContext, Scope};
use crate::policy::facts::{AccountStatus, Facts, Loaded, Need, Stage};
use crate::policy::keys::{Key, Shape};
use crate::policy::load::credits::read_unit;
use crate::policy::reader::Table;

pub(super) struct Kind;

#[derive(Debug)]
struct Credit {
    unit: Unit,
    /// Own price in minor units, instead of the policy's.
    cost: Option<i64>,
    /// Whether the account's credit limit counts.
    allow_limit: bool,
}

impl CriterionKind for Kind {
    fn name(&self) -> &'static str {
        "credit"
    }

    fn placeholders(&self) -> &'static [&'static str] {
        &["cost", "available", "held", "missing"]
    }

    fn default_message(&self) -> &'static str {
        "This booking costs {cost} and you have {available}."
    }

    fn example(&self) -> &'static str {
        "unit = \"CREDIT\"\ncost = \"2.5\""
    }

    fn keys(&self) -> &'static [Key] {
        const KEYS: &[Key] = &[
            Key::new(
                "cost",
                Shape::Amount,
                "What is needed; the policy's price if left out",
            ),
            Key::new("unit", Shape::Text, "Its unit; the policy's if left out"),
            Key::new(
                "allow_limit",
                Shape::Switch,
                "Whether the account's credit limit counts (true if left out)",
            ),
        ];
        KEYS
    }

    fn parse(&self, table: &Table<'_>, scope: &Scope<'_>) -> Option<Box<dyn Criterion>> {
        let allow_limit = table.boolean("allow_limit");
        let own_unit = read_unit(table, scope.units);
        let unit = if table.contains("unit") {
            own_unit
        } else {
            scope.unit
        };
        let Some(unit) = unit else {
            table.value("cost");
            if !table.contains("unit") {
                let help = "add `[credits]` with `unit` and `cost`, or give the criterion both";
                table.report(
                    Code::NoPrice,
                    table.span(),
                    "the policy names no unit of credits",
                    help,
                );
            }
            return None;
        };
        let cost = table.amount("cost", unit);
        let policy_has_one = scope.priced && scope.unit == Some(unit);
        if !policy_has_one && !table.contains("cost") {
            let help = "add `cost` to `[credits]`, or to this criterion";
            table.report(
                Code::NoPrice,
                table.span(),
                format!("there is no price in {}", unit.code),
                help,
            );
        }
        Some(Box::new(Credit {
            unit: unit.clone(),
            allow_limit: allow_limit.is_none_or(|at| at.value),
            cost: cost.map(|at| at.value),
        }))
    }
}

impl Criterion for Credit {
    fn looks_at_price(&self) -> bool {
        self.cost.is_none()
    }

    fn stage(&self) -> Stage {
        Stage::LocalRead
    }

    fn needs(&self, _facts: &Facts, _zone: &TimeZone) -> Vec<Need> {
        vec![Need::Account]
    }

    fn evaluate(&self, facts: &Facts, context: &PolicyContext<'_>) -> Finding {
        let account = match &facts.account {
            Loaded::Known(account) => account.as_ref(),
            Loaded::Not => return Finding::error("the account was not loaded"),
            Loaded::Failed(why) => return Finding::error(why),
        };
        let Some(cost) = self.cost.or(context.cost) else {
            return Finding::error("the booking has no price");
        };
        let balance = account.and_then(|account| account.balances.get(&self.unit.code));
        let balance = balance.copied().unwrap_or_default();
        let available = match self.allow_limit {
            true => balance.available,
            false => balance.available.saturating_sub(balance.limit),
        };
        // The ledger refuses holds on an account that is not open, whatever is on it.
        let usable = account.is_some_and(|account| account.status == AccountStatus::Open);
        let met = cost == 0 || (usable && available >= cost);
        let missing = cost.saturating_sub(available).max(0);
        Finding::of(met)
            .with("cost", self.unit.decimal(cost))
            .with("available", self.unit.decimal(available))
            .with("held", self.unit.decimal(balance.held))
            .with("missing", self.unit.decimal(missing))
    }
}
