//! The decisions on a booking, told from what was kept with them as `policy explain` tells what would be
//! decided; and whether they come out the same today.

use std::collections::BTreeMap;
use std::io::Write;

use super::show;
use crate::cli::policy::explain::print::{Subject, print};
use crate::cli::text::{field, plain};
use crate::domain::amount::{Unit, UnitCode};
use crate::gate::{DecisionExplained, ExplanationView, Recomputed};

/// Writes all decisions, oldest first.
pub(super) fn write(
    view: &ExplanationView,
    units: &BTreeMap<UnitCode, Unit>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    if view.decisions.is_empty() {
        let line = &view.line;
        let title = format!("{}/{} was never decided", line.source, line.uid);
        return Ok(writeln!(out, "{}", plain(&title))?);
    }
    for (number, decision) in view.decisions.iter().enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        one(decision, units, out)?;
    }
    Ok(())
}

fn one(
    explained: &DecisionExplained,
    units: &BTreeMap<UnitCode, Unit>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    show::print_decision(&explained.decision, explained.explained.is_none(), out)?;
    if let Some(told) = &explained.explained {
        writeln!(out)?;
        let subject = Subject {
            happened: None,
            time_from: "as it was looked at",
            account_from: "as it was then",
            asked: &explained.policies,
            set: explained.set.as_deref(),
        };
        print(&subject, told, units, out)?;
    }
    let remade = &explained.remade;
    let engine = remade.engine;
    let again = match remade.result {
        Recomputed::Same => format!("the same, bit for bit (bookgate {engine})"),
        Recomputed::Differs => format!("NOT the same (bookgate {engine})"),
        Recomputed::Impossible => format!("not possible (bookgate {engine})"),
        Recomputed::NotByPolicy => return Ok(()),
    };
    writeln!(out, "\nMade again from what was kept: {again}")?;
    for why in &remade.why {
        field(out, 2, "", why)?;
    }
    Ok(())
}
