//! From a question to what is sent: whom, with which headers, signed over what.

use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, InvalidHeaderName,
};
use url::{Host, Position, Url};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::CalloutSettings;
use super::address;
use crate::domain::callout::{Auth, Method, Question, is_reserved_header, may_say_who_we_are};
use crate::domain::clock::Timestamp;
use crate::provider::client::{HttpClient, RequestBuilder};
use crate::provider::signature::{Scheme, Verifier};

/// Signing asks for a tolerance as checking does, and has no use for it.
const SIGNED: Scheme = Scheme::TimestampedHmac {
    header: "signature",
    mark: "v1=",
    tolerance_ms: 0,
};

/// A question that may be asked, made ready for any number of attempts.
pub(super) struct Asked {
    url: Url,
    method: reqwest::Method,
    headers: HeaderMap,
    body: Option<String>,
    signer: Option<Verifier>,
}

impl Asked {
    /// # Errors
    /// It may not be asked, or cannot be: why, without secrets and without the address's query.
    pub(super) fn new(question: &Question, settings: &CalloutSettings) -> Result<Self, String> {
        let signer = question.sign.as_ref();
        let signer = signer.map(|key| Verifier::new(vec![SIGNED], std::slice::from_ref(key)));
        Ok(Self {
            url: checked(question, settings)?,
            method: match question.method {
                Method::Get => reqwest::Method::GET,
                Method::Post => reqwest::Method::POST,
            },
            headers: headers(question)?,
            body: question.body.clone(),
            signer: signer.transpose().map_err(|error| error.to_string())?,
        })
    }

    /// The host, as the address names it.
    pub(super) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// The request of one attempt, signed for the time it is sent at.
    pub(super) fn request(&self, client: &HttpClient, now: Timestamp) -> RequestBuilder {
        let request = client.request(self.method.clone(), self.url.clone());
        let request = request.headers(self.headers.clone());
        let target = || self.url[Position::BeforePath..Position::AfterQuery].as_bytes();
        let signed = self.body.as_ref().map_or_else(target, String::as_bytes);
        let signature = self.signer.iter().flat_map(|it| it.sign("", signed, now));
        let request = signature.fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        match &self.body {
            Some(body) => request.body(body.clone()),
            None => request,
        }
    }
}

/// The address, if it is one that may be called.
fn checked(question: &Question, settings: &CalloutSettings) -> Result<Url, String> {
    let url = Url::parse(&question.url).map_err(|error| format!("the address is none: {error}"))?;
    match url.scheme() {
        "https" => {}
        "http" if question.limits.allow_http => {}
        "http" => {
            return Err("the address is http; write https, or set `allow_http = true`".to_owned());
        }
        other => return Err(format!("the address is neither https nor http: {other}")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "the address carries a user or a password; these belong into `auth`".to_owned(),
        );
    }
    let host = url.host_str().unwrap_or_default();
    if !settings.hosts.iter().any(|pattern| is_host(pattern, host)) {
        return Err(format!(
            "`{host}` is not among the hosts that may be called: `callouts.hosts`"
        ));
    }
    // What is no name is not looked up, so nobody else checks it.
    let literal = match url.host() {
        Some(Host::Ipv4(ip)) => Some(ip.into()),
        Some(Host::Ipv6(ip)) => Some(ip.into()),
        Some(Host::Domain(_)) | None => None,
    };
    if let Some(ip) = literal {
        address::check(ip, &settings.allow_private).map_err(|closed| closed.to_string())?;
    }
    Ok(url)
}

/// Whether a pattern means a host: the very same, or `*.` and what it ends in.
fn is_host(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(end) => host.len() > end.len() && host.ends_with(end),
        None => host == pattern,
    }
}

fn headers(question: &Question) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    for (name, value) in &question.headers {
        if is_reserved_header(name) {
            return Err(not_to_set(name));
        }
        let (known, value) = (header_name(name)?, HeaderValue::from_str(value));
        let value = value.map_err(|_| format!("what stands in header `{name}` cannot be sent"))?;
        headers.insert(known, value);
    }
    if question.body.is_some() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if !question.key.is_empty() {
        let key = HeaderValue::from_str(&question.key).map_err(|_| "the key cannot be sent")?;
        headers.insert("idempotency-key", key);
    }
    let (name, secret) = match &question.auth {
        None => return Ok(headers),
        Some(Auth::Bearer(token)) => (AUTHORIZATION, format!("Bearer {}", token.expose())),
        Some(Auth::Basic { user, password }) => {
            let both = STANDARD.encode(format!("{user}:{}", password.expose()));
            (AUTHORIZATION, format!("Basic {both}"))
        }
        Some(Auth::Header { name, .. }) if !may_say_who_we_are(name) => {
            return Err(not_to_set(name));
        }
        Some(Auth::Header { name, value }) => (header_name(name)?, value.expose().to_owned()),
    };
    let mut value = HeaderValue::from_str(&secret)
        .map_err(|_| "the secret has characters that cannot be sent, maybe a line break")?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(headers)
}

fn not_to_set(name: &str) -> String {
    format!("header `{name}` is not for a question to set")
}

fn header_name(name: &str) -> Result<HeaderName, String> {
    let parsed: Result<HeaderName, InvalidHeaderName> = name.parse();
    parsed.map_err(|_| format!("`{name}` is no name of a header"))
}
