//! Lists page by page: `count`, `page_token`, and the envelope that tells where to go on.

use std::collections::HashMap;

use serde_json::{Value, json};
use url::Url;

use super::owners::Owners;
use super::refusal::Refusal;
use crate::domain::clock::Timestamp;

/// Items on a page that does not say.
const COUNT_DEFAULT: usize = 20;
/// Most items on a page.
const COUNT_MAX: usize = 100;

/// What a token begins with; behind it, how many items come before the page. Callers have no business
/// to know.
const TOKEN_PREFIX: &str = "pg";

/// A call's query. What it has that nobody asks for is ignored.
pub(super) struct Parameters(pub(super) HashMap<String, String>);

impl Parameters {
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whose things are asked for.
    pub(super) fn owners(&self) -> Result<Owners, Refusal> {
        Owners::read(|name| Ok(self.text(name).map(str::to_owned)))
    }

    pub(super) fn time(&self, name: &'static str) -> Result<Option<Timestamp>, Refusal> {
        let wrong = |_| Refusal::invalid(name, "is not a valid time");
        let time = |text: &str| text.parse().map_err(wrong);
        self.text(name).map(time).transpose()
    }

    /// Whether `sort=<key>:desc`. Without a word on it, upwards.
    pub(super) fn descending(&self, key: &str) -> Result<bool, Refusal> {
        match self.text("sort").map(|sort| sort.split_once(':')) {
            None => Ok(false),
            Some(Some((by, "asc"))) if by == key => Ok(false),
            Some(Some((by, "desc"))) if by == key => Ok(true),
            Some(_) => Err(Refusal::invalid("sort", "is invalid")),
        }
    }

    /// One of a few words.
    pub(super) fn one_of(
        &self,
        name: &'static str,
        words: &[&str],
    ) -> Result<Option<&str>, Refusal> {
        match self.text(name) {
            Some(word) if !words.contains(&word) => Err(Refusal::invalid(name, "is invalid")),
            word => Ok(word),
        }
    }

    /// The page of `items` that is asked for; `path` is where the list is found.
    pub(super) fn page(&self, path: &str, items: &[Value]) -> Result<Value, Refusal> {
        let count = match self.text("count").map(str::parse) {
            None => COUNT_DEFAULT,
            Some(Ok(count)) if (1..=COUNT_MAX).contains(&count) => count,
            Some(_) => return Err(Refusal::invalid("count", "must be between 1 and 100")),
        };
        let wrong = || Refusal::invalid("page_token", "is invalid");
        let skip = match self.text("page_token") {
            None => 0,
            Some(token) => {
                let skip = token.strip_prefix(TOKEN_PREFIX).ok_or_else(wrong)?;
                usize::from_str_radix(skip, 16).map_err(|_| wrong())?
            }
        };
        let shown: Vec<_> = items.iter().skip(skip).take(count).collect();
        let end = skip.saturating_add(shown.len());
        let next = (end < items.len()).then(|| token(end));
        let previous = (skip > 0).then(|| token(skip.saturating_sub(count)));
        let address =
            |token: &Option<String>| token.as_ref().map(|token| self.address(path, count, token));
        Ok(json!({
            "collection": shown,
            "pagination": {
                "count": shown.len(),
                "next_page": address(&next),
                "previous_page": address(&previous),
                "next_page_token": next,
                "previous_page_token": previous,
            },
        }))
    }

    /// The same call for another page, under the host that Calendly has.
    fn address(&self, path: &str, count: usize, token: &str) -> Option<String> {
        let mut url = Url::parse(path).ok()?;
        let mut kept: Vec<_> = self.0.iter().collect();
        kept.retain(|(name, _)| !["count", "page_token"].contains(&name.as_str()));
        kept.sort();
        url.query_pairs_mut()
            .extend_pairs(kept)
            .append_pair("count", &count.to_string())
            .append_pair("page_token", token);
        Some(url.into())
    }
}

fn token(skip: usize) -> String {
    format!("{TOKEN_PREFIX}{skip:030x}")
}
