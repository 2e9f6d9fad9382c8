//! A group of one policy as a criterion of another. It is asked as it would be at home: with the
//! criteria, the time zone and the price of the policy that it belongs to.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::compiled::Policy;
use super::criterion::Finding;
use super::evaluate::ask;
use super::facts::{Facts, Need};
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
    needs: Vec<Need>,
}

impl Borrowed {
    /// A group by name.
    pub fn new(policy: At<String>, group: At<String>) -> Self {
        Self {
            policy,
            group,
            lender: None,
            node: None,
            needs: Vec::new(),
        }
    }

    /// Joins it to its policy; returns whether the policy has such a group.
    pub fn join(&mut self, lender: &Arc<Policy>) -> bool {
        let Some(node) = lender.groups.get(&self.group.value) else {
            return false;
        };
        let needs: BTreeSet<Need> = lender.needs_of(node).collect();
        self.needs = needs.into_iter().collect();
        self.node = Some(node.clone());
        self.lender = Some(Arc::clone(lender));
        true
    }

    /// The facts that the group's criteria cannot do without.
    pub fn needs(&self) -> &[Need] {
        &self.needs
    }

    /// What the group says.
    pub fn ask(&self, facts: &Facts) -> Finding {
        match (&self.lender, &self.node) {
            (Some(lender), Some(node)) => ask(lender, node, facts),
            _ => Finding::error("the group was never joined to its policy"),
        }
    }
}
