//! Addresses of other people's servers, as policies write them.

use url::Url;

use super::codes::Code;
use super::reader::{At, Table};
use super::text::quote;

/// What an address may be, and what to say of one that is not.
pub(super) struct Askable<'a> {
    /// The hosts that the settings let policies ask; `None` if they are not known here.
    pub(super) hosts: Option<&'a [String]>,
    /// Whether it may be `http`.
    pub(super) allow_http: bool,
    /// What would be right.
    pub(super) example: &'a str,
    /// How one says who one is, which does not belong into the address.
    pub(super) who: &'a str,
}

/// Reads an address; mistakes are reported.
pub(super) fn read_url(table: &Table<'_>, text: &At<&str>, askable: &Askable<'_>) -> Option<Url> {
    let wrong = |message: String, help: &str| {
        table.report(Code::NotACalloutUrl, text.span.clone(), message, help);
        None
    };
    let Some(url) = Url::parse(text.value).ok().filter(Url::has_host) else {
        return wrong(
            format!("{} is no address", quote(text.value)),
            askable.example,
        );
    };
    match url.scheme() {
        "https" => {}
        "http" if askable.allow_http => {}
        "http" => {
            let help = "write `https`; or `allow_http = true`, if everybody on the way may read and change it";
            return wrong("this address is not encrypted".to_owned(), help);
        }
        scheme => {
            let message = format!("{} is not asked over HTTP", quote(scheme));
            return wrong(message, askable.example);
        }
    }
    if !url.username().is_empty() || url.password().is_some() {
        let message = "an address holds no user and no password";
        return wrong(message.to_owned(), askable.who);
    }
    if url.fragment().is_some() {
        return wrong(
            "what is behind `#` is never sent".to_owned(),
            "leave it out",
        );
    }
    let host = url.host_str().unwrap_or_default();
    if askable.hosts.is_some_and(|hosts| !is_allowed(host, hosts)) {
        let message = format!("the settings do not let policies ask {}", quote(host));
        let help = format!(
            "whoever runs bookgate adds it to the settings: `[callouts]` with `hosts = [\"{host}\"]`"
        );
        table.report(Code::HostNotAllowed, text.span.clone(), message, help);
        return None;
    }
    Some(url)
}

/// Whether the settings allow a host: by its name, or with `*.` by all below a name.
fn is_allowed(host: &str, hosts: &[String]) -> bool {
    hosts
        .iter()
        .any(|allowed| match allowed.strip_prefix("*.") {
            Some(above) => host
                .strip_suffix(above)
                .is_some_and(|rest| rest.ends_with('.')),
            None => host == allowed,
        })
}
