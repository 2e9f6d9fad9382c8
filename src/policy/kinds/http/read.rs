//! The keys of `http`.

use serde_json::{Map, Value};

use super::question::{Ask, Kept};
use super::{Asker, Http};
use crate::domain::callout::{Auth, Limits, Method, is_reserved_header, may_say_who_we_are};
use crate::domain::secret::Secret;
use crate::policy::address::{Askable, read_url};
use crate::policy::cel::{Field, Program, Setting};
use crate::policy::codes::Code;
use crate::policy::criterion::Scope;
use crate::policy::keys::{self, Key, Shape};
use crate::policy::kinds::expr;
use crate::policy::reader::{At, Table};
use crate::policy::text::{nearest, quote, quote_all};

/// The longest that one attempt may take, in ms.
const TIMEOUT_MS_MAX: i64 = 30_000;
/// The longest that all attempts may take, in ms.
const DEADLINE_MS_MAX: i64 = 60_000;
/// One attempt and all, in ms, where the author does not say.
const TIMEOUT_MS: i64 = 2_000;
const DEADLINE_MS: i64 = 8_000;
/// The most attempts, and as many as are made where the author does not say.
const ATTEMPTS_MAX: i64 = 5;
const ATTEMPTS: i64 = 3;
/// The longest answer that is read, in KiB, and where the author does not say.
const BODY_KIB_MAX: usize = 1024;
const BODY_KIB: usize = 64;
/// The longest that an answer is remembered, in ms: a day.
const TTL_MS_MAX: i64 = 24 * 60 * 60 * 1_000;
/// The most fields that are sent, or that tell cached answers apart.
const FIELDS_MAX: usize = 64;
/// The most further headers.
const HEADERS_MAX: usize = 16;
/// The longest name or value of one, in bytes.
const HEADER_BYTES_MAX: usize = 1_024;

/// The shape of a secret that is named.
const SECRET: Shape = Shape::Table(keys::SECRET);

pub(super) const KEYS: &[Key] = &[
    Key::new("url", Shape::Text, "The address that is asked").required(),
    Key::new(
        "method",
        Shape::Word(&["POST", "GET"]),
        "How: with a body of JSON, which is the default, or in the address",
    ),
    Key::new(
        "send",
        Shape::Many(&Shape::Text),
        "What is told of the booking, by the names that expressions know; nothing else is",
    )
    .required(),
    Key::new(
        "pass_if",
        Shape::Text,
        "An expression in CEL about `response`; what the answer's `result` says if left out",
    ),
    Key::new(
        "timeout",
        Shape::Duration,
        "How long one attempt may take; 2s if left out",
    ),
    Key::new(
        "attempts",
        Shape::Whole(1, ATTEMPTS_MAX),
        "How often it is tried; 3 if left out",
    ),
    Key::new(
        "deadline",
        Shape::Duration,
        "How long all attempts may take; 8s if left out",
    ),
    Key::new(
        "max_body",
        Shape::Text,
        "The longest answer that is read; 64KiB if left out",
    ),
    Key::new(
        "headers",
        Shape::Named(&Shape::Text),
        "Further headers, without secrets",
    ),
    Key::new(
        "auth",
        Shape::Table(&[
            Key::new("bearer", SECRET, "A token"),
            Key::new(
                "basic",
                Shape::Table(&[
                    Key::new("user", Shape::Text, "The name").required(),
                    Key::new("password", SECRET, "The password").required(),
                ]),
                "A name and a password",
            ),
            Key::new(
                "header",
                Shape::Table(&[
                    Key::new("name", Shape::Text, "The header, such as X-Api-Key").required(),
                    Key::new("value", SECRET, "What stands in it").required(),
                ]),
                "A header of its own",
            ),
        ]),
        "How we say who we are: one of these",
    ),
    Key::new(
        "sign",
        Shape::Table(&[Key::new("hmac_sha256", SECRET, "The key").required()]),
        "How the server knows that it is us who ask",
    ),
    Key::new(
        "cache",
        Shape::Table(&[
            Key::new("ttl", Shape::Duration, "How long an answer serves").required(),
            Key::new(
                "key",
                Shape::Many(&Shape::Text),
                "It serves all bookings in which these are the same; what is sent if left out",
            ),
            Key::new(
                "only",
                Shape::Word(&["pass", "any"]),
                "Which answers are kept; those that meet the criterion if left out",
            ),
        ]),
        "Whether an answer serves other bookings, too",
    ),
    keys::ALLOW_HTTP_KEY,
];

/// Reads all keys for the criterion of that id, which sends these parameters, too; mistakes are reported.
pub(super) fn read(
    table: &Table<'_>,
    scope: &Scope<'_>,
    id: &str,
    params: Map<String, Value>,
) -> Option<Http> {
    let words = [("POST", Method::Post), ("GET", Method::Get)];
    let method = table
        .choice("method", &words)
        .map_or(Method::Post, |at| at.value);
    let allow_http = table.boolean("allow_http").is_some_and(|at| at.value);
    let url = table.required("url", Table::text);
    let askable = Askable {
        hosts: scope.hosts,
        allow_http,
        example: "such as \"https://crm.example.org/v1/booking-check\"",
        who: "write `auth = { basic = { user = \"…\", password = { secret = \"env:NAME\" } } }`",
    };
    let url = url.and_then(|text| read_url(table, &text, &askable));
    let send = table.required("send", fields);
    let pass_if = read_pass_if(table, scope);
    let limits = read_limits(table, allow_http);
    let headers = table.table("headers", read_headers).unwrap_or_default();
    let auth = table.table("auth", |auth| read_auth(auth, scope));
    let sign = table.table("sign", |sign| {
        sign.required("hmac_sha256", |sign, key| secret(sign, key, scope))
    });
    let cache = table.table("cache", read_cache);
    let send = send?;
    let asker = Asker {
        policy: scope.policy.to_owned(),
        // What is wrong with it was reported before.
        criterion: id.to_owned(),
    };
    Some(Http {
        asker,
        limits: limits?,
        pass_if: pass_if?,
        ask: Ask {
            method,
            url: url?,
            headers,
            auth: auth.flatten(),
            sign: sign.flatten(),
            cache: cache.flatten().map(|(ttl_ms, key, only_pass)| Kept {
                ttl_ms,
                key: key.unwrap_or_else(|| send.clone()),
                only_pass,
            }),
            send,
            params,
            units: scope.units.keys().cloned().collect(),
        },
    })
}

fn fields(table: &Table<'_>, key: &'static str) -> Option<Vec<Field>> {
    let names = table.texts(key)?;
    if names.value.len() > FIELDS_MAX {
        let message = format!("`{key}` has {} fields", names.value.len());
        table.report(
            Code::TooMany,
            names.span,
            message,
            format!("at most {FIELDS_MAX}"),
        );
        return None;
    }
    let fields = names.value.iter().map(|name| {
        let field = Field::find(name.value);
        if field.is_none() {
            let message = format!("{} is nothing that can be sent", quote(name.value));
            let help = format!("known: {}", quote_all(Field::names()));
            let sink = table.sink();
            let mut diagnostic = sink
                .at(Code::UnknownName, name.span.clone(), message)
                .help(help);
            if let Some(meant) = nearest(name.value, Field::names()) {
                let text = format!("did you mean `{meant}`?");
                diagnostic = diagnostic.suggest(name.span.clone(), text, format!("\"{meant}\""));
            }
            sink.add(diagnostic);
        }
        field
    });
    // All of them are looked at, so that all mistakes are told at once.
    let fields: Vec<Option<Field>> = fields.collect();
    fields.into_iter().collect()
}

/// `None` if it is wrong, `Some(None)` if it is left out.
fn read_pass_if(table: &Table<'_>, scope: &Scope<'_>) -> Option<Option<Program>> {
    let Some(value) = table.value("pass_if") else {
        return Some(None);
    };
    let cel = table.text_of("pass_if", value)?;
    let setting = Setting {
        units: scope.units,
        priced: scope.priced,
        of_reply: true,
        zone: scope.zone,
    };
    match Program::compile(cel.value, &setting) {
        Ok(program) => Some(Some(program)),
        Err(faults) => {
            expr::report(table, &cel, faults);
            None
        }
    }
}

fn read_limits(table: &Table<'_>, allow_http: bool) -> Option<Limits> {
    let timeout = span(table, "timeout", TIMEOUT_MS_MAX);
    let deadline = span(table, "deadline", DEADLINE_MS_MAX);
    let attempts = table.integer("attempts", 1..=ATTEMPTS_MAX);
    let attempts = attempts.map_or(ATTEMPTS, |at| at.value);
    let max_body = table.text("max_body");
    let body_bytes_max = match &max_body {
        Some(text) => read_size(table, text)?,
        None => BODY_KIB * 1024,
    };
    let timeout_ms = timeout.as_ref().map_or(TIMEOUT_MS, |at| at.value);
    let deadline_ms = deadline
        .as_ref()
        .map_or(DEADLINE_MS.max(timeout_ms), |at| at.value);
    if timeout_ms > deadline_ms {
        let at = timeout.or(deadline)?;
        let help = "`deadline` is for all attempts together, `timeout` for each of them";
        let message = "one attempt may take longer than all together";
        table.report(Code::MinAboveMax, at.span, message, help);
    }
    Some(Limits {
        timeout_ms,
        attempts: u32::try_from(attempts).unwrap_or(1),
        deadline_ms,
        body_bytes_max,
        allow_http,
    })
}

/// A length of time in ms, from one second on.
fn span(table: &Table<'_>, key: &'static str, ms_max: i64) -> Option<At<i64>> {
    let duration = table.duration(key)?;
    let ms = duration.value.ms;
    if !(1_000..=ms_max).contains(&ms) {
        let message = format!("`{key}` is out of range");
        let help = format!("from \"1s\" to \"{}s\"", ms_max / 1_000);
        table.report(Code::OutOfRange, duration.span.clone(), message, help);
    }
    Some(At {
        value: ms,
        span: duration.span,
    })
}

/// Such as `64KiB`, in bytes.
fn read_size(table: &Table<'_>, text: &At<&str>) -> Option<usize> {
    let number = |text: &str| text.trim_end().parse::<usize>().ok();
    let kib = match (
        text.value.strip_suffix("KiB"),
        text.value.strip_suffix("MiB"),
    ) {
        (Some(kib), _) => number(kib),
        (None, Some(mib)) => number(mib).and_then(|mib| mib.checked_mul(1024)),
        (None, None) => None,
    };
    let kib = kib.filter(|kib| (1..=BODY_KIB_MAX).contains(kib));
    if kib.is_none() {
        let message = format!("{} is no size of an answer", quote(text.value));
        let help = "from \"1KiB\" to \"1MiB\"";
        table.report(Code::OutOfRange, text.span.clone(), message, help);
    }
    Some(kib? * 1024)
}

fn read_headers(table: &Table<'_>) -> Vec<(String, String)> {
    let entries = table.entries();
    if entries.len() > HEADERS_MAX {
        let message = format!("there are {} headers", entries.len());
        table.report(
            Code::TooMany,
            table.span(),
            message,
            format!("at most {HEADERS_MAX}"),
        );
    }
    let mut headers = Vec::new();
    for (name, value) in entries {
        let Some(text) = table.text_of(name.value, value) else {
            continue;
        };
        let visible = |byte: u8| (b' '..=b'~').contains(&byte);
        let right = is_header(name.value)
            && text.value.len() <= HEADER_BYTES_MAX
            && text.value.bytes().all(visible);
        if is_reserved_header(name.value) {
            let message = format!(
                "the header {} is not for policies to write",
                quote(name.value)
            );
            let help = "who we are is said with `auth`, and the rest is bookgate's";
            table.report(Code::NotAllowed, name.span, message, help);
        } else if !right {
            let message = format!("{} is no header as it can be sent", quote(name.value));
            let help = "a name such as `X-Tenant`, and a text of plain letters, digits and signs";
            table.report(Code::NotAllowed, name.span, message, help);
        }
        headers.push((name.value.to_owned(), text.value.to_owned()));
    }
    headers
}

/// Whether a text is the name of a header (RFC 9110 §5.6.2).
fn is_header(name: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (1..=HEADER_BYTES_MAX).contains(&name.len()) && name.bytes().all(token)
}

fn read_auth(table: &Table<'_>, scope: &Scope<'_>) -> Option<Auth> {
    let bearer = secret(table, "bearer", scope).map(Auth::Bearer);
    let basic = table.table("basic", |basic| {
        let user = basic.required("user", Table::text);
        let password = basic.required("password", |basic, key| secret(basic, key, scope));
        Some(Auth::Basic {
            user: user?.value.to_owned(),
            password: password?,
        })
    });
    let header = table.table("header", |header| {
        let name = header.required("name", Table::text);
        let value = header.required("value", |header, key| secret(header, key, scope));
        let name = name?;
        if !is_header(name.value) || !may_say_who_we_are(name.value) {
            let message = format!("{} is no header for a secret", quote(name.value));
            header.report(
                Code::NotAllowed,
                name.span,
                message,
                "a name such as `X-Api-Key`",
            );
        }
        Some(Auth::Header {
            name: name.value.to_owned(),
            value: value?,
        })
    });
    let ways = ["bearer", "basic", "header"];
    if ways.iter().filter(|way| table.contains(way)).count() != 1 {
        let help = "one of `bearer`, `basic` and `header`";
        table.report(Code::NotAllowed, table.span(), "`auth` says one way", help);
    }
    bearer.or(basic.flatten()).or(header.flatten())
}

/// How long answers serve in ms, whom, and whether only those that meet the criterion.
fn read_cache(table: &Table<'_>) -> Option<(i64, Option<Vec<Field>>, bool)> {
    let ttl = table.required("ttl", |table, key| span(table, key, TTL_MS_MAX));
    let key = fields(table, "key");
    let only = table.choice("only", &[("pass", true), ("any", false)]);
    Some((ttl?.value, key, only.is_none_or(|at| at.value)))
}

/// A secret, which is only named here. Who only checks policies may do without it, and asks nobody.
fn secret(table: &Table<'_>, key: &'static str, scope: &Scope<'_>) -> Option<Secret> {
    let named = scope.vault.secret(table, key)?.value;
    Some(named.secret.unwrap_or_else(|| Secret::new("")))
}
