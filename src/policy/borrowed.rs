//! A group of one policy as a criterion of another. It is asked as it would be at home: with the
//! criteria, the time zone and the price of the policy that it belongs to.

use std::sync::Arc;

use super::compiled::{Policy, Rule};
use super::criterion::Finding;
use super::evaluate::ask;
use super::facts::{Facts, Need, Stage};
use super::reader::At;
use super::require::Node;

/// A group of another policy, first by name and then joined to it.
#[derive(Debug)]
pub struct Borrowed {
    /// The other policy's id.
    pub policy: At<String>,
    /// The group's name there.
    pub group: At<String>,
    lender: Option<Arc<Policy>>,
    node: Option<Node>,
}

impl Borrowed {
    /// A group by name.
    pub fn new(policy: At<String>, group: At<String>) -> Self {
        Self {
            policy,
            group,
            lender: None,
            node: None,
        }
    }

    /// Joins it to its policy; returns whether the policy has such a group.
    pub fn join(&mut self, lender: &Arc<Policy>) -> bool {
        let Some(node) = lender.groups.get(&self.group.value) else {
            return false;
        };
        self.node = Some(node.clone());
        self.lender = Some(Arc::clone(lender));
        true
    }

    /// When the last of the group's criteria can be answered.
    pub fn stage(&self) -> Stage {
        let stage = self.joined().and_then(|(lender, node)| {
            let stages = lender.rules_of(node).map(|rule| rule.stage);
            stages.max()
        });
        stage.unwrap_or(Stage::Pure)
    }

    /// The facts that the group's criteria cannot do without for this booking.
    pub fn needs(&self, facts: &Facts) -> Vec<Need> {
        let Some((lender, node)) = self.joined() else {
            return Vec::new();
        };
        let needs = lender
            .rules_of(node)
            .flat_map(|rule| rule.criterion.needs(facts, &lender.zone));
        needs.collect()
    }

    /// The codes that a booking uses up which meets the group: those of all its criteria that ask for one.
    pub fn uses_codes(&self, facts: &Facts) -> Vec<String> {
        let Some((lender, node)) = self.joined() else {
            return Vec::new();
        };
        let rules = lender.rules_of(node);
        rules
            .flat_map(|rule| rule.criterion.uses_codes(facts))
            .collect()
    }

    /// The ids of those of the group's criteria that ask another server.
    pub fn askers(&self) -> Vec<&str> {
        self.joined()
            .map_or_else(Vec::new, |(lender, node)| askers(lender.rules_of(node)))
    }

    /// What the group says.
    pub fn ask(&self, facts: &Facts) -> Finding {
        match self.joined() {
            Some((lender, node)) => ask(lender, node, facts),
            None => Finding::error("the group was never joined to its policy"),
        }
    }

    fn joined(&self) -> Option<(&Policy, &Node)> {
        Some((self.lender.as_deref()?, self.node.as_ref()?))
    }
}

/// The ids of the criteria that ask another server: of these, or of the groups that they stand for.
pub(super) fn askers<'p>(rules: impl IntoIterator<Item = &'p Rule>) -> Vec<&'p str> {
    let mut ids = Vec::new();
    for rule in rules {
        match rule.criterion.borrows() {
            Some(borrowed) => ids.extend(borrowed.askers()),
            None if rule.criterion.stage() == Stage::External => ids.push(&*rule.id),
            None => {}
        }
    }
    ids
}
