//! Tags: words that admins put to people, such as `vip`, for policies to ask for. Who has none needs no
//! account to get one.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::again::again;
use super::{Actor, Desk, GateError};
use crate::domain::clock::Timestamp;
use crate::domain::owner::Owner;
use crate::policy::text::is_id;

/// The most tags of one person.
const TAGS_MAX: usize = 50;

/// The tags of somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagsView {
    /// Whose.
    pub owner: Owner,
    /// In the order of the alphabet.
    pub tags: Vec<String>,
    /// When each was added for the last time.
    pub added_at: BTreeMap<String, Timestamp>,
}

impl TagsView {
    fn new(owner: Owner, added_at: BTreeMap<String, Timestamp>) -> Self {
        Self {
            owner,
            tags: added_at.keys().cloned().collect(),
            added_at,
        }
    }
}

/// A change of somebody's tags. What is there already is added anew: its age begins again.
#[derive(Debug, Clone)]
pub struct TagsChange {
    /// Whose.
    pub owner: String,
    /// To be added.
    pub add: Vec<String>,
    /// To be removed.
    pub remove: Vec<String>,
    /// Who asks.
    pub actor: Actor,
}

impl Desk {
    /// The tags of somebody; none of who is not known.
    ///
    /// # Errors
    /// [`GateError::Owner`] if that is no address.
    pub async fn tags(&self, owner: &str) -> Result<TagsView, GateError> {
        let owner = Owner::parse(owner)?;
        self.storage
            .read(move |tx| {
                Box::pin(async move {
                    let tags = tx.tags(&owner).await?;
                    Ok(TagsView::new(owner, tags))
                })
            })
            .await
    }

    /// Adds and removes tags.
    ///
    /// # Errors
    /// [`GateError::Invalid`] for a word that is no tag, for one that is to be added and removed, and for too
    /// many; [`GateError::Owner`] if that is no address.
    pub async fn change_tags(&self, change: TagsChange) -> Result<TagsView, GateError> {
        let owner = Owner::parse(&change.owner)?;
        let add = understood(&change.add, "add")?;
        let remove = understood(&change.remove, "remove")?;
        if let Some(both) = add.intersection(&remove).next() {
            let text = format!("`{both}` is to be added and removed");
            return Err(GateError::Invalid(text));
        }
        if add.is_empty() && remove.is_empty() {
            let text = "add, remove: name at least one tag";
            return Err(GateError::Invalid(text.to_owned()));
        }
        again(|| {
            let (desk, owner) = (self.clone(), owner.clone());
            let (add, remove, actor) = (add.clone(), remove.clone(), change.actor.clone());
            self.storage.write(move |tx| {
                Box::pin(async move {
                    let now = desk.clock.now();
                    let mut changed = Vec::new();
                    for tag in &add {
                        let is_new = tx.add_tag(&owner, tag, now).await?;
                        changed.push(match is_new {
                            true => format!("+{tag}"),
                            false => format!("={tag}"),
                        });
                    }
                    for tag in &remove {
                        if tx.remove_tag(&owner, tag).await? {
                            changed.push(format!("-{tag}"));
                        }
                    }
                    let tags = tx.tags(&owner).await?;
                    if tags.len() > TAGS_MAX {
                        let text = format!("add: somebody has at most {TAGS_MAX} tags");
                        return Err(GateError::Invalid(text));
                    }
                    if !changed.is_empty() {
                        let detail = Some(changed.join(" "));
                        let change = actor.change("account.tags", owner.as_str(), detail);
                        tx.note_change(&change, now).await?;
                    }
                    Ok(TagsView::new(owner, tags))
                })
            })
        })
        .await
    }
}

fn understood(tags: &[String], key: &str) -> Result<BTreeSet<String>, GateError> {
    if let Some(wrong) = tags.iter().find(|tag| !is_id(tag)) {
        let text = format!(
            "{key}: `{}` is no tag: lower-case letters, digits and hyphens, at most 64",
            crate::policy::text::clean(wrong, 64)
        );
        return Err(GateError::Invalid(text));
    }
    Ok(tags.iter().cloned().collect())
}
