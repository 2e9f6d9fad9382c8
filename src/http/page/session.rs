//! Who is logged in: a signed cookie and nothing kept here, so that any daemon behind one address knows it,
//! also after a restart. It holds the token's name, not the token; the key is made of the token, so that
//! whoever changes or removes a token ends its sessions, and one's role is always that of the settings.

use axum::http::{HeaderMap, header};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use uuid::Uuid;

use crate::domain::clock::{Timestamp, plus_ms};
use crate::http::auth::{Holder, Token};

/// The cookie's name over https, where the browser lets nobody else set it.
const SECURE_NAME: &str = "__Host-bookgate";
/// The cookie's name over plain http: to a listener on this machine, or through a tunnel.
const PLAIN_NAME: &str = "bookgate";
/// What is signed with a token's digest is for one purpose.
const FOR_SESSIONS: &[u8] = b"bookgate session\0";
const FOR_FORMS: &[u8] = b"bookgate form\0";

/// Somebody who is logged in.
#[derive(Debug, Clone)]
pub(super) struct Session {
    /// Who.
    pub(super) holder: Holder,
    /// What each form of this session carries: another site cannot know it.
    pub(super) form_token: String,
}

/// A cookie that logs the holder of a token in.
pub(super) fn begin(token: &Token, now: Timestamp, lasts_ms: i64, secure: bool) -> String {
    let until_s = plus_ms(now, lasts_ms).as_second();
    let nonce = Uuid::now_v7().simple();
    let body = format!("{}.{until_s}.{nonce}", token.name());
    let mark = hex::encode(mac(token, FOR_SESSIONS, &body).finalize().into_bytes());
    cookie(&format!("{body}.{mark}"), lasts_ms / 1_000, secure)
}

/// A cookie that logs out.
pub(super) fn end(secure: bool) -> String {
    cookie("", 0, secure)
}

fn cookie(value: &str, lasts_s: i64, secure: bool) -> String {
    let (name, also) = match secure {
        true => (SECURE_NAME, "; Secure"),
        false => (PLAIN_NAME, ""),
    };
    format!("{name}={value}; Path=/; Max-Age={lasts_s}; HttpOnly; SameSite=Strict{also}")
}

/// Whose session a request belongs to.
pub(super) fn of(headers: &HeaderMap, tokens: &[Token], now: Timestamp) -> Option<Session> {
    let sent = headers.get_all(header::COOKIE).iter();
    let sent = sent.filter_map(|value| value.to_str().ok());
    let pairs: Vec<(&str, &str)> = sent
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .collect();
    let named = |wanted| move |(name, _): &&(&str, &str)| *name == wanted;
    let secure = pairs.iter().filter(named(SECURE_NAME));
    let mut all = secure.chain(pairs.iter().filter(named(PLAIN_NAME)));
    all.find_map(|(_, value)| open(value, tokens, now))
}

fn open(value: &str, tokens: &[Token], now: Timestamp) -> Option<Session> {
    let (body, mark) = value.rsplit_once('.')?;
    let mut parts = body.split('.');
    let (name, until_s) = (parts.next()?, parts.next()?);
    let until_s: i64 = until_s.parse().ok()?;
    let token = tokens.iter().find(|token| token.name() == name)?;
    let mark = hex::decode(mark).ok()?;
    mac(token, FOR_SESSIONS, body).verify_slice(&mark).ok()?;
    (now.as_second() < until_s).then(|| Session {
        holder: token.holder(),
        form_token: hex::encode(mac(token, FOR_FORMS, body).finalize().into_bytes()),
    })
}

fn mac(token: &Token, purpose: &[u8], body: &str) -> Hmac<Sha256> {
    // HMAC takes a key of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(token.digest()).expect("any key will do");
    mac.update(purpose);
    mac.update(body.as_bytes());
    mac
}

/// Whether the browser is at an https address. It says so itself in the `Origin` of every form; a proxy may
/// say it, too.
pub(super) fn is_https(headers: &HeaderMap) -> bool {
    let says = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let origin = says("origin").is_some_and(|origin| origin.starts_with("https://"));
    origin || says("x-forwarded-proto").is_some_and(|proto| proto.eq_ignore_ascii_case("https"))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;
    use crate::http::auth::Role;

    const HOUR_MS: i64 = 3_600_000;

    fn now() -> Timestamp {
        "2027-03-01T12:00:00Z".parse().unwrap()
    }

    fn token(secret: &str) -> Token {
        Token::new("ops", Role::Admin, secret)
    }

    fn opened(cookie: &str, tokens: &[Token], now: Timestamp) -> Option<Session> {
        let pair = cookie.split(';').next().unwrap();
        let mut headers = HeaderMap::new();
        let line = format!("other=1; {pair}");
        headers.insert(header::COOKIE, HeaderValue::from_str(&line).unwrap());
        of(&headers, tokens, now)
    }

    #[test]
    fn a_session_ends_with_its_time_and_with_its_token() {
        let tokens = [token("right")];
        for secure in [true, false] {
            let cookie = begin(&tokens[0], now(), HOUR_MS, secure);
            let session = opened(&cookie, &tokens, plus_ms(now(), HOUR_MS - 1_000)).unwrap();
            assert_eq!(session.holder.token, "ops");
            assert!(opened(&cookie, &tokens, plus_ms(now(), HOUR_MS)).is_none());
            assert!(opened(&cookie, &[token("changed")], now()).is_none());
            assert!(opened(&cookie, &[], now()).is_none());
        }
    }

    #[test]
    fn what_was_tampered_with_is_no_session() {
        let tokens = [token("right"), Token::new("eve", Role::Read, "another")];
        let cookie = begin(&tokens[1], now(), HOUR_MS, false);
        let value = cookie.split(['=', ';']).nth(1).unwrap();
        for forged in [
            value.replace("eve", "ops"),
            value.replacen(".18", ".28", 1),
            value[..value.len() - 2].to_owned(),
            format!("{value}00"),
            "eve".to_owned(),
            "eve...".to_owned(),
            String::new(),
        ] {
            assert_ne!(forged, value);
            assert!(opened(&format!("bookgate={forged}"), &tokens, now()).is_none());
        }
    }

    #[test]
    fn each_session_has_forms_of_its_own() {
        let tokens = [token("right")];
        let form_token = || {
            let cookie = begin(&tokens[0], now(), HOUR_MS, false);
            opened(&cookie, &tokens, now()).unwrap().form_token
        };
        assert_ne!(form_token(), form_token());
    }

    #[test]
    fn cookies_are_for_the_browser_alone() {
        let plain = begin(&token("right"), now(), HOUR_MS, false);
        let flags = "; Path=/; Max-Age=3600; HttpOnly; SameSite=Strict";
        assert!(
            plain.starts_with("bookgate=ops.") && plain.ends_with(flags),
            "{plain}"
        );
        let secure = begin(&token("right"), now(), HOUR_MS, true);
        let ends = format!("{flags}; Secure");
        assert!(
            secure.starts_with("__Host-bookgate=ops.") && secure.ends_with(&ends),
            "{secure}"
        );
        assert!(!secure.contains("right"));
    }
}
