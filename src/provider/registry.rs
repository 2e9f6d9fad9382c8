//! Which providers there are. Adding one is its folder and one line in [`PROVIDERS`].

use std::sync::Arc;

use url::Url;

use super::circuit::CircuitSettings;
use super::client::{ClientError, Effect};
use super::signature::Scheme;
use super::{Provider, calcom, calendly};
use crate::domain::clock::Clock;
use crate::domain::secret::Secret;

/// All providers, one line each.
pub const PROVIDERS: &[Entry] = &[calcom::ENTRY, calendly::ENTRY];

/// What the rest of the crate has to know of a provider before it has a source of it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The value of `provider` in a source's settings.
    pub name: &'static str,
    /// The table within a source's settings that `build` takes.
    pub settings_section: &'static str,
    /// How it signs.
    pub signature: Scheme,
    /// Older forms of its signature, by the word with which a source's settings ask for them.
    pub legacy_signatures: &'static [(&'static str, Scheme)],
    /// What its webhooks have to tell of, in its words.
    pub events: &'static [&'static str],
    /// Makes the provider of one source.
    pub build: Build,
}

/// What a provider is made from.
pub struct Setup {
    /// Its settings table, in which references to secrets are resolved.
    pub api: toml::Table,
    /// The webhook subscription that it is to keep, if any.
    pub subscription: Option<SubscriptionSetup>,
    /// What its calls go by.
    pub calling: Calling,
}

/// What all calls of a source go by, beside the limits in its settings.
#[derive(Clone)]
pub struct Calling {
    /// When the provider counts as failing.
    pub circuit: CircuitSettings,
    /// Who is told how each call ended.
    pub told: CallTold,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Takes what a call did, how it ended in a word ([`CallError::word`](super::CallError::word), or `ok`), and how long it took in
/// seconds.
pub type CallTold = Arc<dyn Fn(Effect, &'static str, f64) + Send + Sync>;

impl Calling {
    /// Calls that nothing keeps away from a provider that is failing, and that nobody counts.
    pub fn whatever_comes(clock: Arc<dyn Clock>) -> Self {
        Self {
            circuit: CircuitSettings::NEVER,
            told: Arc::new(|_, _, _| {}),
            clock,
        }
    }
}

/// The webhook subscription that a source asks for.
#[derive(Debug, Clone)]
pub struct SubscriptionSetup {
    /// Where the provider reaches the source from outside.
    pub url: Url,
    /// Whose bookings it tells of: `organization`, `user` or `group`.
    pub scope: String,
    /// The user's address at the provider; the key's own user without it.
    pub user: Option<String>,
    /// The group's address at the provider.
    pub group: Option<String>,
    /// What webhooks are to be signed with.
    pub signing_key: Secret,
}

/// Makes a provider.
pub type Build = fn(Setup) -> Result<Arc<dyn Provider>, BuildError>;

/// A provider could not be made from its settings.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// No provider of this name.
    #[error("no provider `{name}`: known are {known}")]
    UnknownProvider {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A setting is missing, unknown or out of its bounds; the text names its key.
    #[error("{0}")]
    Settings(String),
    /// See [`ClientError`].
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// The provider of this name.
///
/// # Errors
/// There is none.
pub fn find(name: &str) -> Result<&'static Entry, BuildError> {
    let found = PROVIDERS.iter().find(|entry| entry.name == name);
    found.ok_or_else(|| BuildError::UnknownProvider {
        name: name.to_owned(),
        known: PROVIDERS
            .iter()
            .map(|entry| format!("`{}`", entry.name))
            .collect::<Vec<_>>()
            .join(", "),
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::domain::clock::SystemClock;

    fn check(api: &str, expected: &Expect) {
        let api = toml::from_str(api).unwrap();
        let setup = Setup {
            api,
            subscription: None,
            calling: Calling::whatever_comes(Arc::new(SystemClock)),
        };
        let told = match (find("calcom").unwrap().build)(setup) {
            Ok(provider) => format!("ok, {} ms", provider.call_timeout_ms()),
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&told);
    }

    #[test]
    fn names_are_unique_and_unknown_ones_are_told() {
        for entry in PROVIDERS {
            assert_eq!(find(entry.name).unwrap().name, entry.name);
            let same = PROVIDERS.iter().filter(|other| other.name == entry.name);
            assert_eq!(same.count(), 1);
        }
        let error = find("calcum").unwrap_err().to_string();
        expect!["no provider `calcum`: known are `calcom`, `calendly`"].assert_eq(&error);
    }

    #[test]
    fn settings_are_checked_and_never_quote_the_key() {
        check("key = 'cal_x'", &expect!["ok, 30000 ms"]);
        check("", &expect!["missing field `key`"]);
        check(
            "key = \"cal\\nx\"",
            &expect!["key is empty or has line breaks or control characters"],
        );
        check(
            "key = 'cal_x'\nkee = 1",
            &expect![
                "unknown field `kee`, expected one of `base_url`, `dialect`, `key`, `version_header`, `requests_per_minute`, `connect_timeout_ms`, `call_timeout_ms`"
            ],
        );
        check(
            "key = 'cal_x'\ndialect = 'v3'",
            &expect!["unknown variant `v3`, expected `v1` or `v2`"],
        );
        check(
            "key = 'cal_x'\nbase_url = 'mailto:a@example.org'",
            &expect!["base_url is not an http(s) address such as https://api.cal.com/v2"],
        );
        check(
            "key = 'cal_x'\nconnect_timeout_ms = 9\ncall_timeout_ms = 5",
            &expect!["connect_timeout_ms must be between 1 and call_timeout_ms"],
        );
        check(
            "key = 'cal_x'\nversion_header = ''",
            &expect!["version_header must be a date such as 2024-08-13"],
        );
    }
}
