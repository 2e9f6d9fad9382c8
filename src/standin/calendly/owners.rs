//! Whose things a call is about: the organization's, the user's, or the group's.

use super::refusal::Refusal;
use super::state::State;
use super::subscriptions::Scope;
use super::uris::id_in;
use crate::domain::ids::Uid;

/// Ids of those a call names.
pub(super) struct Owners {
    organization: Option<Uid>,
    user: Option<Uid>,
    group: Option<Uid>,
}

impl Owners {
    /// Reads the addresses; `text` gives what stands in a parameter.
    pub(super) fn read(
        text: impl Fn(&'static str) -> Result<Option<String>, Refusal>,
    ) -> Result<Self, Refusal> {
        let id = |name, collection| {
            let wrong = || Refusal::invalid(name, "is not a valid URI");
            let id = |text: String| id_in(&text, collection).ok_or_else(wrong);
            text(name)?.map(id).transpose()
        };
        Ok(Self {
            organization: id("organization", "organizations")?,
            user: id("user", "users")?,
            group: id("group", "groups")?,
        })
    }

    /// For what may be anybody's: refuses when nobody is named, or somebody else.
    pub(super) fn require_any(&self, state: &State) -> Result<(), Refusal> {
        let named = [&self.organization, &self.user, &self.group];
        if named.iter().all(|id| id.is_none()) {
            return Err(Refusal::invalid("user", "or organization must be given"));
        }
        self.require_own(state)
    }

    /// For subscriptions: the organization always, the user or the group where the scope is theirs.
    pub(super) fn require(&self, scope: Scope, state: &State) -> Result<(), Refusal> {
        let given = |name, id: &Option<Uid>| match id {
            Some(_) => Ok(()),
            None => Err(Refusal::invalid(name, "is missing")),
        };
        given("organization", &self.organization)?;
        match scope {
            Scope::Organization => {}
            Scope::User => given("user", &self.user)?,
            Scope::Group => given("group", &self.group)?,
        }
        self.require_own(state)
    }

    fn require_own(&self, state: &State) -> Result<(), Refusal> {
        let own = |named: &Option<Uid>, own| named.as_ref().is_none_or(|named| named == own);
        let all_own = own(&self.organization, &state.organization)
            && own(&self.user, &state.user)
            && own(&self.group, &state.group);
        all_own.then_some(()).ok_or_else(Refusal::permission)
    }
}
