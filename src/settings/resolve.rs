//! From what is written to what the other rooms are given: secrets looked up, paths made whole, and
//! the rules that join several keys.

mod notices;
mod telemetry;

use std::collections::BTreeMap;
use std::path::Path;

use url::Url;

use super::Settings;
use super::callouts::{self, CalloutsSettings};
use super::document::{
    ApiTable, CalloutsTable, Document, SourceTable, StorageTable, SubscriptionTable, TokenTable,
    UnitTable,
};
use super::environment::Environment;
use super::keys;
use super::kind::StorageUrl;
use super::report::Report;
use super::secret::{Secret, SecretError, SecretRef};
use super::sections::{
    AdminSettings, AdminToken, ApiSettings, Database, ProviderKind, SourceSettings,
    StorageSettings, SubscriptionScope, SubscriptionSettings, Verification,
};
use crate::domain::amount::{Unit, UnitCode};
use crate::domain::ids::SourceName;

/// Resolves a document. What is wrong is in the report, and left out as far as the rest can do without;
/// `None` where it cannot.
pub(super) fn resolve(
    document: Document,
    base_dir: &Path,
    env: &Environment,
    report: &mut Report,
) -> Option<Settings> {
    across_keys(&document, report);
    let mut resolver = Resolver {
        base_dir,
        env,
        report,
    };
    let storage = resolver.storage(document.storage);
    let units = resolver.units(document.units);
    let receivers = resolver.receivers(document.notices);
    let tokens = resolver.tokens(document.admin.tokens);
    let sources = resolver.sources(document.sources);
    let telemetry = resolver.telemetry(document.telemetry);
    let (mut journal, mut policies) = (document.journal, document.policies);
    journal.dir = base_dir.join(journal.dir);
    policies.dir = base_dir.join(policies.dir);
    Some(Settings {
        server: document.server,
        storage: storage?,
        journal,
        policies,
        callouts: callouts_of(&document.callouts),
        low_balance: units.values().filter_map(|(_, low)| low.clone()).collect(),
        units: units
            .into_iter()
            .map(|(code, (unit, _))| (code, unit))
            .collect(),
        admin: AdminSettings {
            failed_log_ins_max: document.admin.failed_log_ins_max,
            failed_log_in_delay_ms: document.admin.failed_log_in_delay_ms,
            session_ms: document.admin.session_ms,
            tokens,
        },
        sources,
        notices: receivers,
        worker: document.worker,
        reconcile: document.reconcile,
        retention: document.retention,
        telemetry: telemetry?,
        log: document.log,
    })
}

/// Rules that join several keys.
fn across_keys(document: &Document, report: &mut Report) {
    let (server, journal) = (&document.server, &document.journal);
    if server.listen == server.admin_listen && server.listen.port() != 0 {
        report.with_key(
            "server.admin_listen",
            "the admin endpoint cannot listen where webhooks come in".to_owned(),
            format!("`server.listen` is {} too", server.listen),
            None,
        );
    }
    if journal.segment_bytes_max < server.body_bytes_max {
        report.with_key(
            "journal.segment_bytes_max",
            "a journal segment must hold the largest body".to_owned(),
            format!(
                "at least `server.body_bytes_max`, {}",
                server.body_bytes_max
            ),
            None,
        );
    }
    if journal.bytes_max < journal.segment_bytes_max {
        report.with_key(
            "journal.bytes_max",
            "the journal must hold one segment at least".to_owned(),
            format!(
                "at least `journal.segment_bytes_max`, {}",
                journal.segment_bytes_max
            ),
            None,
        );
    }
    for (name, source) in &document.sources {
        if let (Some(connect), Some(call)) =
            (source.api.connect_timeout_ms, source.api.call_timeout_ms)
            && connect > call
        {
            report.with_key(
                &format!("sources.{name}.api.connect_timeout_ms"),
                "connecting cannot take longer than the whole call".to_owned(),
                format!("at most `call_timeout_ms`, {call}"),
                None,
            );
        }
        foreign_keys(name, source, report);
    }
}

/// Keys that this source's provider has no use for: whoever wrote one expects something of it.
fn foreign_keys(name: &str, source: &SourceTable, report: &mut Report) {
    let Some(provider) = source.provider else {
        return;
    };
    let of = |owner: ProviderKind, key: &'static str, written: bool| {
        (written && owner != provider).then_some((owner, key))
    };
    let (api, calendly) = (&source.api, ProviderKind::Calendly);
    let kept = source.subscription.as_ref();
    let whose = |asked: fn(&SubscriptionTable) -> bool| kept.is_some_and(asked);
    let foreign = [
        of(ProviderKind::Calcom, "api.dialect", api.dialect.is_some()),
        of(
            ProviderKind::Calcom,
            "api.version_header",
            api.version_header.is_some(),
        ),
        of(
            calendly,
            "signature_tolerance_ms",
            source.signature_tolerance_ms.is_some(),
        ),
        of(
            calendly,
            "legacy_signatures",
            source.legacy_signatures.is_some(),
        ),
        of(
            calendly,
            "subscription.scope",
            whose(|kept| kept.scope.is_some()),
        ),
        of(
            calendly,
            "subscription.user",
            whose(|kept| kept.user.is_some()),
        ),
        of(
            calendly,
            "subscription.group",
            whose(|kept| kept.group.is_some()),
        ),
    ];
    for (owner, key) in foreign.into_iter().flatten() {
        report.with_key(
            &format!("sources.{name}.{key}"),
            format!(
                "`{key}` means nothing to a source of `{}`",
                provider.as_str()
            ),
            format!("only sources of `{}` have it", owner.as_str()),
            None,
        );
    }
}

/// Every value was checked when it was read.
fn callouts_of(table: &CalloutsTable) -> CalloutsSettings {
    let hosts = table.hosts.iter();
    let private = table.allow_private.iter();
    CalloutsSettings {
        hosts: hosts.filter_map(|text| callouts::host(text).ok()).collect(),
        allow_private: private
            .filter_map(|text| callouts::address_block(text).ok())
            .collect(),
        concurrency: table.concurrency,
        concurrency_per_host: table.concurrency_per_host,
    }
}

type Units = BTreeMap<UnitCode, (Unit, Option<(UnitCode, i64)>)>;

struct Resolver<'a> {
    base_dir: &'a Path,
    env: &'a Environment,
    report: &'a mut Report,
}

impl Resolver<'_> {
    fn storage(&mut self, table: StorageTable) -> Option<StorageSettings> {
        const KEY: &str = "storage.url";
        let url = match SecretRef::parse(&table.url) {
            Ok(_) => self.secret(KEY, &table.url)?,
            Err(_) => Secret::new(table.url),
        };
        let database = match StorageUrl::parse(url.expose()) {
            Ok(StorageUrl::Sqlite { path }) => Database::Sqlite(self.base_dir.join(path)),
            Ok(StorageUrl::Postgres { .. }) => Database::Postgres(url),
            // Only of what was looked up: what is written here was checked when it was read.
            Err(found) => {
                let title = format!("what `{KEY}` refers to is no database");
                self.report.with_key(KEY, title, found.to_owned(), None);
                return None;
            }
        };
        let certificate = table.tls_root_certificate;
        Some(StorageSettings {
            database,
            busy_timeout_ms: table.busy_timeout_ms,
            read_connections: table.read_connections,
            connections_max: table.connections_max,
            statement_timeout_ms: table.statement_timeout_ms,
            tls: table.tls,
            tls_root_certificate: certificate.map(|file| self.base_dir.join(file)),
        })
    }

    /// Each unit, and what is low for an account in it.
    fn units(&mut self, tables: BTreeMap<UnitCode, UnitTable>) -> Units {
        all(tables, |code, table| {
            let scale = self.needed(&format!("units.{code}.scale"), table.scale, "scale = 2")?;
            let unit = Unit {
                code: code.clone(),
                scale,
            };
            let low = self.low_balance(&unit, table.low_balance)?;
            Some((code, (unit, low)))
        })
    }

    fn tokens(&mut self, tables: BTreeMap<String, TokenTable>) -> BTreeMap<String, AdminToken> {
        all(tables, |name, table| {
            let path = format!("admin.tokens.{name}");
            let role_key = keys::join(&path, "role");
            let role = self.needed(
                &role_key,
                table.role,
                "role = \"read\", \"credits\" or \"admin\"",
            );
            let secret = self.needed_secret(&path, "secret", table.secret, &name);
            Some((
                name,
                AdminToken {
                    role: role?,
                    secret: secret?,
                },
            ))
        })
    }

    fn sources(
        &mut self,
        tables: BTreeMap<String, SourceTable>,
    ) -> BTreeMap<SourceName, SourceSettings> {
        all(tables, |name, table| {
            let path = format!("sources.{name}");
            let provider_key = keys::join(&path, "provider");
            let provider = self.needed(
                &provider_key,
                table.provider,
                "provider = \"calcom\" or \"calendly\"",
            );
            let verification = self.verification(&path, &name, &table);
            let api = self.api(&keys::join(&path, "api"), &name, table.api);
            let subscription = table
                .subscription
                .map(|table| self.subscription(&keys::join(&path, "subscription"), table));
            let source = SourceSettings {
                provider: provider?,
                verification: verification?,
                created: table.created,
                host_confirm: table.host_confirm,
                unknown_canceller: table.unknown_canceller,
                settle_ms: table.settle_ms,
                series_settle_ms: table.series_settle_ms,
                shared_refusal: table.shared_refusal,
                signature_tolerance_ms: table.signature_tolerance_ms,
                legacy_signatures: table.legacy_signatures.unwrap_or_default(),
                api: api?,
                subscription: match subscription {
                    Some(subscription) => Some(subscription?),
                    None => None,
                },
            };
            Some((SourceName::new(name), source))
        })
    }

    fn verification(
        &mut self,
        path: &str,
        name: &str,
        table: &SourceTable,
    ) -> Option<Verification> {
        let key = keys::join(path, "signing_secrets");
        match (table.verification, table.signing_secrets.as_slice()) {
            (Some(_), []) => Some(Verification::None),
            (Some(_), _) => {
                self.report.with_key(
                    &keys::join(path, "verification"),
                    format!("source `{name}` has signing secrets and no verification"),
                    "remove this, and webhooks are checked".to_owned(),
                    None,
                );
                None
            }
            (None, []) => {
                let example = format!("signing_secrets = [\"{}\"]", suggested(name, "SECRET"));
                self.report.missing(&key, &example);
                None
            }
            (None, references) => {
                let secrets: Vec<_> = references
                    .iter()
                    .enumerate()
                    .filter_map(|(index, text)| self.secret(&format!("{key}[{index}]"), text))
                    .collect();
                (secrets.len() == references.len()).then_some(Verification::Signed(secrets))
            }
        }
    }

    /// `None` without a word if the provider is missing: that is said elsewhere, and hides the rest.
    fn api(&mut self, path: &str, name: &str, table: ApiTable) -> Option<ApiSettings> {
        let key = self.needed_secret(path, "key", table.key, &format!("{name}_API"));
        let base_url = self.url(&keys::join(path, "base_url"), &table.base_url?);
        Some(ApiSettings {
            base_url: base_url?,
            dialect: table.dialect,
            key: key?,
            version_header: table.version_header,
            requests_per_minute: table.requests_per_minute?,
            connect_timeout_ms: table.connect_timeout_ms?,
            call_timeout_ms: table.call_timeout_ms?,
        })
    }

    fn subscription(
        &mut self,
        path: &str,
        table: SubscriptionTable,
    ) -> Option<SubscriptionSettings> {
        let url_key = keys::join(path, "url");
        let example = "url = \"https://gate.example.org/webhooks/NAME\"";
        let url = self.needed(&url_key, table.url, example);
        let url = url.and_then(|text| self.url(&url_key, &text));
        // Where nothing else can be asked for, it is the key's own user.
        let scope = table.scope.unwrap_or(SubscriptionScope::User);
        if scope == SubscriptionScope::Group && table.group.is_none() {
            let example = "group = \"https://api.calendly.com/groups/ID\"";
            self.report.missing(&keys::join(path, "group"), example);
            return None;
        }
        Some(SubscriptionSettings {
            url: url?,
            ensure: table.ensure,
            scope,
            user: table.user,
            group: table.group,
        })
    }

    fn url(&mut self, key: &str, text: &str) -> Option<Url> {
        Url::parse(text)
            .inspect_err(|error| {
                let title = format!("`{key}` is not a URL");
                self.report.with_key(key, title, error.to_string(), None);
            })
            .ok()
    }

    fn needed<T>(&mut self, key: &str, value: Option<T>, example: &str) -> Option<T> {
        if value.is_none() {
            self.report.missing(key, example);
        }
        value
    }

    fn needed_secret(
        &mut self,
        path: &str,
        last: &str,
        text: Option<String>,
        name: &str,
    ) -> Option<Secret> {
        let key = keys::join(path, last);
        let example = format!(
            "{last} = \"{}\"",
            suggested(name, &last.to_ascii_uppercase())
        );
        let text = self.needed(&key, text, &example)?;
        self.secret(&key, &text)
    }

    fn secret(&mut self, key: &str, text: &str) -> Option<Secret> {
        let found = SecretRef::parse(text).and_then(|at| at.resolve(self.base_dir, self.env));
        match found {
            Ok(secret) => Some(secret),
            Err(error) => {
                if matches!(error, SecretError::NotSet(_)) {
                    self.report.variable_is_missing();
                }
                let title = format!("the secret for `{key}` cannot be had");
                self.report.with_key(key, title, error.to_string(), None);
                None
            }
        }
    }
}

/// A name for a variable that could hold a secret.
fn suggested(name: &str, what: &str) -> String {
    format!("env:BOOKGATE_{}_{what}", name.to_ascii_uppercase())
}

/// Converts every entry, so that every problem is reported; what could not be converted is left out.
fn all<K, T, L: Ord, U>(
    entries: BTreeMap<K, T>,
    mut convert: impl FnMut(K, T) -> Option<(L, U)>,
) -> BTreeMap<L, U> {
    entries
        .into_iter()
        .filter_map(|(key, value)| convert(key, value))
        .collect()
}
