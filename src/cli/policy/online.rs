//! `policy check --online`: what only the providers know.

use std::sync::Arc;

use anyhow::{Context as _, anyhow};

use crate::app::open_provider;
use crate::cli::{Context, wait_for};
use crate::policy::EventTypes;
use crate::provider::registry::Calling;
use crate::settings::{Extent, Settings};

/// The event types of every source, as far as its API tells them.
///
/// # Errors
/// The settings, or a secret, are wrong; or a provider does not answer.
pub(super) fn event_types(context: &Context<'_>) -> anyhow::Result<EventTypes> {
    let settings = Settings::load_extent(&context.options, Extent::Everything)?;
    wait_for(async {
        let mut known = EventTypes::new();
        for (name, source) in &settings.sources {
            let calling = Calling::whatever_comes(Arc::clone(&context.clock));
            let provider =
                open_provider(source, calling).with_context(|| format!("sources.{name}.api"))?;
            let all = provider.event_types().await.map_err(|error| {
                anyhow!("{name}: the event types cannot be asked for: {error}; `bookgate doctor` looks at the API")
            })?;
            let all = all.map(|all| all.into_iter().map(|one| (one.id, one.slug)).collect());
            known.insert(name.to_string(), all);
        }
        Ok(known)
    })
}
