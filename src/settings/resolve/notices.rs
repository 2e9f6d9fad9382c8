//! Who is told what happens: `[notices.NAME]`, and `low_balance` of the units.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use url::{Host, Url};

use super::{Resolver, all, suggested};
use crate::domain::amount::{Unit, UnitCode};
use crate::domain::notice::Topic;
use crate::settings::document::ReceiverTable;
use crate::settings::keys;
use crate::settings::secret::Secret;
use crate::settings::sections::ReceiverSettings;

/// How long the key in a secret may be, in bytes, as the Standard Webhooks scheme has it.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

impl Resolver<'_> {
    pub(super) fn receivers(
        &mut self,
        tables: BTreeMap<String, ReceiverTable>,
    ) -> BTreeMap<String, ReceiverSettings> {
        all(tables, |name, table| {
            let path = format!("notices.{name}");
            let url = self.receiver_url(&keys::join(&path, "url"), &table);
            let secrets = self.receiver_secrets(&path, &name, &table.secrets);
            let events = self.events(&keys::join(&path, "events"), table.events);
            let receiver = ReceiverSettings {
                url: url?,
                secrets: secrets?,
                events: events?,
                timeout_ms: table.timeout_ms,
            };
            Some((name, receiver))
        })
    }

    /// What `low_balance` says, in minor units.
    pub(super) fn low_balance(
        &mut self,
        unit: &Unit,
        text: Option<String>,
    ) -> Option<Option<(UnitCode, i64)>> {
        let Some(text) = text else {
            return Some(None);
        };
        let key = format!("units.{}.low_balance", unit.code);
        match unit.parse(&text) {
            Ok(amount) => Some(Some((amount.unit, amount.minor))),
            Err(error) => {
                let title = format!("`{key}` is no amount of this unit");
                self.report.with_key(&key, title, error.to_string(), None);
                None
            }
        }
    }

    fn receiver_url(&mut self, key: &str, table: &ReceiverTable) -> Option<Url> {
        let example = "url = \"https://hooks.example.org/bookgate\"";
        let text = self.needed(key, table.url.as_ref(), example)?;
        let url = self.url(key, text)?;
        if !table.allow_http && !is_private(&url) {
            let title = format!("`{key}` would be sent to without encryption");
            let label = "write https, or set `allow_http = true` beside it".to_owned();
            self.report.with_key(key, title, label, None);
            return None;
        }
        Some(url)
    }

    fn receiver_secrets(
        &mut self,
        path: &str,
        name: &str,
        references: &[String],
    ) -> Option<Vec<Secret>> {
        let key = keys::join(path, "secrets");
        if references.is_empty() {
            let what = format!("{name}_NOTICES");
            let example = format!("secrets = [\"{}\"]", suggested(&what, "SECRET"));
            self.report.missing(&key, &example);
            return None;
        }
        let secrets: Vec<_> = references
            .iter()
            .enumerate()
            .filter_map(|(index, text)| {
                let key = format!("{key}[{index}]");
                let secret = self.secret(&key, text)?;
                if is_standard(&secret) {
                    return Some(secret);
                }
                let title = format!("the secret for `{key}` is none of Standard Webhooks");
                let label = format!(
                    "`whsec_` and then {} to {} random bytes in base64",
                    KEY_BYTES.start(),
                    KEY_BYTES.end()
                );
                let help = "make one: echo \"whsec_$(openssl rand -base64 32)\"".to_owned();
                self.report.with_key(&key, title, label, Some(help));
                None
            })
            .collect();
        (secrets.len() == references.len()).then_some(secrets)
    }

    fn events(&mut self, key: &str, events: Option<Vec<Topic>>) -> Option<Vec<Topic>> {
        let events = events.unwrap_or_else(|| Topic::ALL.to_vec());
        if events.is_empty() {
            let title = format!("`{key}` is empty: nothing would ever be sent");
            let label = "name some, or leave it out for all".to_owned();
            self.report.with_key(key, title, label, None);
            return None;
        }
        Some(events)
    }
}

/// Whether what is sent to this address cannot be read on the way: it goes through TLS, or does not leave
/// this machine.
fn is_private(url: &Url) -> bool {
    url.scheme() == "https"
        || match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        }
}

fn is_standard(secret: &Secret) -> bool {
    let key = secret.expose().strip_prefix("whsec_");
    let key = key.and_then(|text| STANDARD.decode(text).ok());
    key.is_some_and(|bytes| KEY_BYTES.contains(&bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tls_and_this_machine_are_private() {
        let private = |url: &str| is_private(&Url::parse(url).unwrap());
        assert!(private("https://hooks.example.org/"));
        assert!(private("http://localhost:8000/"));
        assert!(private("http://127.0.0.1/"));
        assert!(private("http://[::1]:1/"));
        assert!(!private("http://hooks.example.org/"));
        assert!(!private("http://10.0.0.1/"));
    }
}
