//! From names to addresses that were checked. The one look-up whose addresses are checked is the one that
//! is connected to, so a name cannot lead elsewhere in between (DNS rebinding).

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::{self, Closed, Network};

/// Looks names up as this machine does.
pub(super) struct SystemNames;

impl Resolve for SystemNames {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<SocketAddr> = found.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Hands on no address that may not be connected to: if one of a name's is closed, the name is not used
/// at all.
pub(super) struct CheckedNames {
    pub(super) names: Arc<dyn Resolve>,
    pub(super) allowed: Arc<[Network]>,
}

impl Resolve for CheckedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let found = self.names.resolve(name);
        let allowed = Arc::clone(&self.allowed);
        Box::pin(async move {
            let found: Vec<SocketAddr> = found.await?.collect();
            for at in &found {
                address::check(at.ip(), &allowed)?;
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// The closed address that a request was kept from, if that is why it failed.
pub(super) fn kept_from(error: &reqwest::Error) -> Option<Closed> {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(closed) = inner.downcast_ref::<Closed>() {
            return Some(*closed);
        }
        source = inner.source();
    }
    None
}
