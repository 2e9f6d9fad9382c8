//! How things are named on the wire: by addresses under a host of Calendly's, wherever the stand-in
//! itself listens.

use url::Url;

use super::rows::Invitee;
use crate::domain::ids::Uid;

/// Makes addresses, and reads them.
#[derive(Debug, Clone)]
pub(super) struct Uris(pub(super) String);

impl Uris {
    /// `https://api.calendly.com/users/{uuid}` and the like.
    pub(super) fn of(&self, collection: &str, uuid: &Uid) -> String {
        format!("{}/{collection}/{uuid}", self.0)
    }

    pub(super) fn event(&self, uuid: &Uid) -> String {
        self.of("scheduled_events", uuid)
    }

    pub(super) fn invitee(&self, invitee: &Invitee) -> String {
        format!("{}/invitees/{}", self.event(&invitee.event), invitee.uuid)
    }
}

/// The id at the end of `text`, if that is an address of something in `collection`. The host and what
/// stands before the collection may be any: real ones vary.
pub(super) fn id_in(text: &str, collection: &str) -> Option<Uid> {
    let url = Url::parse(text).ok()?;
    let mut parts = url.path_segments()?.rev();
    let id = parts.next().filter(|id| !id.is_empty())?;
    let named = parts.next()? == collection;
    named.then(|| Uid::new(id))
}
