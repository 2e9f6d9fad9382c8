//! Sets of domains.

use std::collections::HashSet;

use crate::domain::owner::Owner;

/// Domains, some with everything below them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Domains {
    pub(super) exact: HashSet<Box<str>>,
    pub(super) below: HashSet<Box<str>>,
}

impl Domains {
    /// Adds `example.org` or `*.example.org`; the latter means every sub-domain but not
    /// `example.org` itself. Returns whether the text is a domain.
    pub fn add(&mut self, text: &str) -> bool {
        let (bare, set) = match text.trim().strip_prefix("*.") {
            Some(bare) => (bare, &mut self.below),
            None => (text.trim(), &mut self.exact),
        };
        let odd = bare.contains(['@', '*', '/']) || !bare.contains('.');
        match Owner::parse(&format!("x@{bare}")) {
            Ok(owner) if !odd && has_domain(&owner) => {
                set.insert(owner.domain().into());
                true
            }
            _ => false,
        }
    }

    /// Whether a domain (in ASCII, lower case) is in the set.
    pub fn contains(&self, domain: &str) -> bool {
        if self.exact.contains(domain) {
            return true;
        }
        let mut rest = domain;
        while let Some((_, parent)) = rest.split_once('.') {
            if self.below.contains(parent) {
                return true;
            }
            rest = parent;
        }
        false
    }

    /// Whether nothing is in the set.
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.below.is_empty()
    }
}

/// Whether an address has a domain that can stand in a file: some signs become others in a domain, which
/// mean something else there.
pub(super) fn has_domain(owner: &Owner) -> bool {
    !owner.domain().contains(['#', '*', '/', '+'])
}
