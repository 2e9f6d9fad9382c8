//! A list as a criterion holds it.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use super::List;
use crate::policy::diagnostic::Span;
use crate::policy::facts::Facts;

/// What a test says is on the lists of servers, by their addresses. On all others is nobody.
pub type GivenLists = BTreeMap<String, List>;

/// A list. What is on a server's changes from one day to the next, so in a policy's tests it is what the test
/// says, and criteria ask for it with a booking's facts in hand.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    pub(super) list: Arc<List>,
    pub(super) server: Option<Server>,
}

/// Where a server's list is from.
#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) url: Arc<str>,
    /// Where that stands in the policy.
    pub(super) span: Span,
    /// Whether there is no copy here, so that it has to be done without.
    pub(super) absent: bool,
}

/// For a list that no test speaks of.
static NOBODY: LazyLock<List> = LazyLock::new(List::default);

impl Listing {
    /// What is on it, for this booking.
    pub fn of<'l>(&'l self, facts: &'l Facts) -> &'l List {
        self.given(facts).unwrap_or(&self.list)
    }

    /// What the test that the booking is from says is on it; `None` if that does not matter.
    pub fn given<'l>(&self, facts: &'l Facts) -> Option<&'l List> {
        let (lists, server) = (facts.given_lists.as_ref()?, self.server.as_ref()?);
        Some(lists.get(&*server.url).unwrap_or(&NOBODY))
    }

    /// What is on it while the policy is read; `None` if that is not known here.
    pub fn known(&self) -> Option<&List> {
        let absent = self.server.as_ref().is_some_and(|server| server.absent);
        (!absent).then_some(&self.list)
    }
}

impl From<List> for Listing {
    fn from(list: List) -> Self {
        Self {
            list: Arc::new(list),
            server: None,
        }
    }
}
