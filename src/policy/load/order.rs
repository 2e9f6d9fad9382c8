//! In which order the criteria of a policy are asked: each behind those that it rests on, by `when`
//! or because the price may be waived.

use super::super::codes::Code;
use super::super::compiled::Rule;
use super::super::diagnostic::Span;
use super::super::facts::Stage;
use super::super::reader::Table;
use super::super::require::Node;
use super::super::text::quote_all;
use super::criteria::Conditions;

/// The conditions to be put in order, and where their names stand.
pub(super) struct Rests<'c> {
    pub(super) conditions: &'c mut Conditions,
    /// Where each criterion's `when` stands.
    pub(super) whens: &'c [Option<Span>],
    /// Where `waive_if` stands.
    pub(super) waive_if: Option<Span>,
}

/// The search for an order.
struct Search {
    rests: Vec<Vec<usize>>,
    /// The criteria on the way, the first that was asked for first.
    way: Vec<usize>,
    order: Vec<usize>,
    /// The first ring found.
    ring: Option<Vec<usize>>,
}

/// Finds the order, and moves criteria to the stage at which all that they rest on is answered.
/// Reports rings.
pub(super) fn settle(rests: Rests<'_>, file: &Table<'_>) {
    let conditions = rests.conditions;
    let mut search = Search {
        rests: conditions
            .rules
            .iter()
            .map(|rule| rule.rests_on(conditions.waive_if.as_ref()))
            .collect(),
        way: Vec::new(),
        order: Vec::new(),
        ring: None,
    };
    for index in 0..conditions.rules.len() {
        search.visit(index);
    }
    if let Some(ring) = search.ring {
        let names = ring.iter().map(|index| &*conditions.rules[*index].id);
        let help = format!("one rests on the next: {}", quote_all(names));
        let span = ring.iter().find_map(|index| rests.whens[*index].clone());
        let span = span.or(rests.waive_if).unwrap_or(0..0);
        let message = "this criterion would have to be answered before itself";
        file.report(Code::Cycle, span, message, help);
        return;
    }
    conditions.order = search.order;
    let waive_if = conditions.waive_if.as_ref();
    settle_stages(&mut conditions.rules, &conditions.order, waive_if);
}

/// Moves each criterion to the stage at which its facts are there, and all that it rests on is
/// answered.
pub(super) fn settle_stages(rules: &mut [Rule], order: &[usize], waive_if: Option<&Node>) {
    for index in order {
        let own = rules[*index].criterion.stage();
        let before = rules[*index].rests_on(waive_if);
        let before = before.into_iter().map(|before| rules[before].stage);
        rules[*index].stage = before.fold(own, Stage::max);
    }
}

impl Search {
    /// Puts a criterion into the order, behind what it rests on. The way is never longer than there
    /// are criteria.
    fn visit(&mut self, index: usize) {
        if self.ring.is_some() || self.order.contains(&index) {
            return;
        }
        if let Some(at) = self.way.iter().position(|on_way| *on_way == index) {
            let mut ring = self.way[at..].to_vec();
            ring.push(index);
            self.ring = Some(ring);
            return;
        }
        self.way.push(index);
        for before in self.rests[index].clone() {
            self.visit(before);
        }
        self.way.pop();
        self.order.push(index);
    }
}
