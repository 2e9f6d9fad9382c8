//! Secrets that policies name and never hold: `{ secret = "env:NAME" }` or `{ secret = "file:PATH" }`.

use toml::de::DeValue;

use super::codes::Code;
use super::reader::{At, Table};
use super::text::quote;
use crate::domain::secret::Secret;

/// Looks up a secret: the policy file's name, and what is written there. `None` where it is not at hand and
/// has to be done without, as where policies are only checked. Errors never hold the secret.
pub type ReadSecret<'a> = dyn Fn(&str, &str) -> Result<Option<Secret>, String> + 'a;

/// Does without all secrets.
pub(super) const EMPTY: &ReadSecret<'static> = &|_, _| Ok(None);

/// The secrets of one policy file.
pub struct Vault<'a> {
    read: &'a ReadSecret<'a>,
}

/// A secret, and how a policy names it.
#[derive(Debug)]
pub struct Named<'a> {
    /// Where it is: `env:NAME` or `file:PATH`.
    pub reference: &'a str,
    /// The secret, if it is at hand.
    pub secret: Option<Secret>,
}

impl std::fmt::Debug for Vault<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").finish_non_exhaustive()
    }
}

impl<'a> Vault<'a> {
    /// A vault that is opened by this.
    pub fn new(read: &'a ReadSecret<'a>) -> Self {
        Self { read }
    }

    /// Whether a key's value names a secret.
    pub fn is_named(table: &Table<'_>, key: &'static str) -> bool {
        let value = table.value(key).map(|value| value.get_ref());
        matches!(value, Some(DeValue::Table(entries)) if entries.contains_key("secret"))
    }

    /// Reads `key = { secret = "env:NAME" }`. That it cannot be looked up is reported.
    pub fn secret<'t>(&self, table: &Table<'t>, key: &'static str) -> Option<At<Named<'t>>> {
        let value = table.value(key)?;
        let written = |inner: &Table<'t>| inner.required("secret", Table::text);
        let At { value, span } = table.table_of(key, value, written)??;
        match (self.read)(&table.sink().source().name, value) {
            Ok(secret) => Some(At {
                value: Named {
                    reference: value,
                    secret,
                },
                span,
            }),
            Err(why) => {
                let message = format!("the secret {} cannot be had: {why}", quote(value));
                let help = "\"env:NAME\" is a variable of the daemon's environment, \"file:PATH\" a file, from the policy's folder on";
                table.report(Code::UnreadableSecret, span, message, help);
                None
            }
        }
    }
}
