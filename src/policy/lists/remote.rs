//! Lists that web servers keep. Nobody is asked here: the daemon keeps copies, and what is read is the copy.

use std::ops::RangeInclusive;

use crate::domain::secret::Secret;
use crate::policy::address::{Askable, read_url};
use crate::policy::codes::Code;
use crate::policy::reader::{At, Table};
use crate::policy::vault::Vault;

/// The most lists of servers that all policies together may name.
pub const REMOTE_LISTS_MAX: usize = 64;
/// The longest address of one, in bytes.
const URL_BYTES_MAX: usize = 2_048;
/// How often the server is asked where the author does not say, in ms: a quarter of an hour.
const REFRESH_MS: i64 = 15 * 60_000;
/// How seldom and how often it may be asked, in ms: from a minute to a week.
const REFRESH_MS_RANGE: RangeInclusive<i64> = 60_000..=7 * 24 * 60 * 60_000;

/// A list that a web server keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteList {
    /// Its address, as the policy has it.
    pub url: String,
    /// Whether that may be `http`.
    pub allow_http: bool,
    /// Sent as `Authorization: Bearer …`.
    pub token: Option<Secret>,
    /// How often the server is asked whether it has changed, in ms.
    pub refresh_ms: i64,
}

/// Reads the copy of a server's list that is at hand: the policy file's name, and the list. `None` where there
/// is none and it has to be done without, as where policies are only checked.
///
/// The error says why there is none where there has to be one.
pub type ReadCopy<'a> = dyn Fn(&str, &RemoteList) -> Result<Option<String>, String> + 'a;

/// Does without all copies.
pub(in crate::policy) const NO_COPIES: &ReadCopy<'static> = &|_, _| Ok(None);

/// Reads `url` and what belongs to it; mistakes are reported.
pub(super) fn read(
    table: &Table<'_>,
    url: &At<&str>,
    vault: &Vault<'_>,
    hosts: Option<&[String]>,
) -> Option<RemoteList> {
    let allow_http = table.boolean("allow_http").is_some_and(|at| at.value);
    let askable = Askable {
        hosts,
        allow_http,
        example: "such as \"https://crm.example.org/blocked.txt\"",
        who: "write `token = { secret = \"env:NAME\" }`",
    };
    let right = read_url(table, url, &askable);
    let token = match table.contains("token") {
        true => Some(vault.secret(table, "token")),
        false => None,
    };
    let refresh_ms = match table.duration("refresh") {
        Some(refresh) => {
            if !REFRESH_MS_RANGE.contains(&refresh.value.ms) {
                let help = "from \"1m\" to \"7d\"";
                table.report(
                    Code::OutOfRange,
                    refresh.span,
                    "`refresh` is out of range",
                    help,
                );
            }
            refresh.value.ms
        }
        None => REFRESH_MS,
    };
    if url.value.len() > URL_BYTES_MAX {
        let help = format!("at most {URL_BYTES_MAX} bytes");
        table.report(
            Code::TooMany,
            url.span.clone(),
            "the address is very long",
            help,
        );
    }
    right?;
    let token = match token {
        // One that is not at hand is done without, as all secrets are.
        Some(named) => named?.value.secret,
        None => None,
    };
    Some(RemoteList {
        url: url.value.to_owned(),
        allow_http,
        token,
        refresh_ms,
    })
}
