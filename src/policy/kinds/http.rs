//! `http`: another server is asked about the booking, before it is decided and with no transaction open. The
//! answer is a fact like any other: stored with the decision, which it explains without a second call.

mod answer;
mod preset;
mod question;
mod read;

use jiff::tz::TimeZone;
use serde_json::{Map, Value};

pub(in crate::policy) use self::preset::Preset;
use self::question::Ask;
use crate::domain::callout::{Limits, Reply};
use crate::policy::cel::Program;
use crate::policy::criterion::{Call, Criterion, CriterionKind, Finding, PolicyContext, Scope};
use crate::policy::facts::{Asker, Facts, Loaded, Need, Stage};
use crate::policy::keys::Key;
use crate::policy::reader::Table;
use crate::policy::truth::Truth;

pub(in crate::policy) struct Kind;

#[derive(Debug)]
struct Http {
    asker: Asker,
    ask: Ask,
    limits: Limits,
    /// What an answer has to be; the contract's `result` has the word if there is none.
    pass_if: Option<Program>,
}

impl CriterionKind for Kind {
    fn name(&self) -> &'static str {
        "http"
    }

    fn placeholders(&self) -> &'static [&'static str] {
        &["response.reason", "response.status"]
    }

    fn default_message(&self) -> &'static str {
        "{response.reason|This booking was not approved.}"
    }

    fn example(&self) -> &'static str {
        "url = \"https://crm.example.org/v1/booking-check\"\nsend = [\"booking.uid\", \"booking.start\", \"booker.email\"]"
    }

    fn keys(&self) -> &'static [Key] {
        read::KEYS
    }

    fn on_error(&self) -> Truth {
        Truth::Fail
    }

    fn parse(&self, table: &Table<'_>, scope: &Scope<'_>) -> Option<Box<dyn Criterion>> {
        let id = table.peek("id").unwrap_or_default();
        Some(Box::new(read::read(table, scope, id, Map::new())?))
    }
}

impl Http {
    fn looks_at_account(&self) -> bool {
        let tested = self.pass_if.as_ref();
        self.ask.looks_at_account() || tested.is_some_and(Program::looks_at_account)
    }

    fn judge(&self, reply: &Reply, facts: &Facts, context: &PolicyContext<'_>) -> Finding {
        let Some(pass_if) = &self.pass_if else {
            return answer::by_contract(reply);
        };
        if let Err(why) = answer::can_be_judged(reply) {
            return Finding::error(why);
        }
        match pass_if.run(facts, context, Some(reply)) {
            Ok(met) => answer::told(Finding::of(met), reply),
            Err(why) => Finding::error(why),
        }
    }
}

impl Criterion for Http {
    fn stage(&self) -> Stage {
        Stage::External
    }

    fn needs(&self, facts: &Facts, zone: &TimeZone) -> Vec<Need> {
        if self.looks_at_account() && !facts.has(&Need::Account) {
            return vec![Need::Account];
        }
        let asks = self.ask.fields(facts, zone).is_ok();
        let callout = asks.then(|| Need::Callout(self.asker.clone()));
        callout.into_iter().collect()
    }

    fn looks_at_price(&self) -> bool {
        self.pass_if.as_ref().is_some_and(Program::looks_at_price)
    }

    fn call(&self, facts: &Facts, zone: &TimeZone) -> Option<Call> {
        self.ask.call(&self.asker, self.limits, facts, zone).ok()
    }

    fn evaluate(&self, facts: &Facts, context: &PolicyContext<'_>) -> Finding {
        match facts.reply(&self.asker) {
            Some(Loaded::Known(reply)) => self.judge(reply, facts, context),
            Some(Loaded::Failed(why)) => Finding::error(why),
            // Who only wants to know what would be decided asks nobody.
            Some(Loaded::Not) => Finding {
                truth: Truth::Unknown,
                ..Finding::of(false).with("response", "there is no stored answer")
            },
            None => {
                let asked: Result<Value, String> = self.ask.fields(facts, context.zone);
                let why = asked.err();
                Finding::error(why.unwrap_or_else(|| "the server was not asked".to_owned()))
            }
        }
    }
}
