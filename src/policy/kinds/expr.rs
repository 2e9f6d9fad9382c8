//! `expr`: whatever can be said in one expression about the booking, in CEL.

use jiff::tz::TimeZone;

use crate::policy::cel::{Fault, Program, Setting};
use crate::policy::criterion::{Criterion, CriterionKind, Finding, PolicyContext, Scope};
use crate::policy::facts::{Facts, Need, Stage};
use crate::policy::keys::{Key, Shape};
use crate::policy::reader::{At, Table};

pub(super) struct Kind;

#[derive(Debug)]
struct Expression {
    program: Program,
    /// Whether it is true whatever is booked.
    always: bool,
}

impl CriterionKind for Kind {
    fn name(&self) -> &'static str {
        "expr"
    }

    fn placeholders(&self) -> &'static [&'static str] {
        &[]
    }

    fn default_message(&self) -> &'static str {
        "This booking does not meet the conditions of this event."
    }

    fn example(&self) -> &'static str {
        "cel = \"size(booking.notes) >= 20\""
    }

    fn keys(&self) -> &'static [Key] {
        const KEYS: &[Key] = &[Key::new(
            "cel",
            Shape::Text,
            "An expression in CEL that says true or false",
        )
        .required()];
        KEYS
    }

    fn parse(&self, table: &Table<'_>, scope: &Scope<'_>) -> Option<Box<dyn Criterion>> {
        let cel = table.required("cel", Table::text)?;
        let setting = Setting {
            units: scope.units,
            priced: scope.priced,
            of_reply: false,
            zone: scope.zone,
        };
        match Program::compile(cel.value, &setting) {
            Ok(program) => Some(Box::new(Expression {
                always: program.is_always_true(scope.zone),
                program,
            })),
            Err(faults) => {
                report(table, &cel, faults);
                None
            }
        }
    }
}

/// Reports what is wrong with an expression, where it stands.
pub(super) fn report(table: &Table<'_>, cel: &At<&str>, faults: Vec<Fault>) {
    let sink = table.sink();
    for fault in faults {
        let place = fault.place.and_then(|place| table.within(cel, place));
        let span = place.clone().unwrap_or_else(|| cel.span.clone());
        let mut diagnostic = sink.at(fault.code, span, fault.message).help(fault.help);
        if let (Some(meant), Some(place)) = (fault.meant, place) {
            diagnostic = diagnostic.suggest(place, format!("did you mean `{meant}`?"), meant);
        }
        sink.add(diagnostic);
    }
}

impl Criterion for Expression {
    fn stage(&self) -> Stage {
        match self.program.looks_at_account() {
            true => Stage::LocalRead,
            false => Stage::Pure,
        }
    }

    fn needs(&self, _facts: &Facts, _zone: &TimeZone) -> Vec<Need> {
        let account = self.program.looks_at_account();
        account.then_some(Need::Account).into_iter().collect()
    }

    fn looks_at_price(&self) -> bool {
        self.program.looks_at_price()
    }

    fn is_always_met(&self) -> bool {
        self.always
    }

    fn evaluate(&self, facts: &Facts, context: &PolicyContext<'_>) -> Finding {
        match self.program.run(facts, context, None) {
            Ok(met) => Finding::of(met),
            Err(why) => Finding::error(why),
        }
    }
}
