//! Fetches the lists that web servers keep, and fetches them again. What policies read is a copy: while a server
//! is down, or sends what is no list, the last copy goes on, over restarts too.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use sha2::{Digest, Sha256};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::copies::{Copies, Label};
use super::in_background;
use crate::domain::clock::{Clock, Timestamp, ms_between, plus_ms};
use crate::gate::{ListMeter, Refreshed};
use crate::policy::lists::{List, RemoteList};
use crate::provider::callout::{Caller, Download, Downloaded, Version};

/// Lists that are fetched at the same time: questions about bookings come first.
const AT_ONCE_MAX: usize = 4;
/// The longest sleep without looking at the clock, in ms.
const LOOK_MS_MAX: i64 = 1_000;
/// How long a list rests after its first failure, in ms; it doubles with each that follows, up to how often
/// the list is refreshed.
const RETRY_MS: i64 = 60_000;

/// Lists of servers, by their addresses.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted(BTreeMap<String, RemoteList>);

impl Wanted {
    /// Adds a list. Of one that is named twice the more impatient word holds, and the first token.
    pub(super) fn add(&mut self, list: &RemoteList) {
        let known = self.0.entry(list.url.clone()).or_insert(list.clone());
        known.refresh_ms = known.refresh_ms.min(list.refresh_ms);
        known.allow_http |= list.allow_http;
        if known.token.is_none() {
            known.token.clone_from(&list.token);
        }
    }

    /// These and others.
    pub(super) fn and(&self, others: &Self) -> Self {
        let mut all = self.clone();
        others.0.values().for_each(|list| all.add(list));
        all
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Keeps copies of lists as they are at their servers.
pub(super) struct Mirror {
    pub(super) copies: Copies,
    caller: Arc<Caller>,
    clock: Arc<dyn Clock>,
    meter: ListMeter,
    known: Mutex<Known>,
    /// Rung when a copy has become another.
    pub(super) news: Notify,
}

#[derive(Default)]
struct Known {
    /// Those that the policies name that were found good last.
    good: Wanted,
    /// Those that policies name which were refused since, maybe for want of a list.
    refused: Wanted,
    states: BTreeMap<String, State>,
}

/// How it stands with one list.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// When the copy was said to be the list; `None` if there is no copy.
    checked_at: Option<Timestamp>,
    /// When the last try failed, and how many have in a row.
    failed: Option<(Timestamp, u32)>,
}

impl Known {
    fn wanted(&self) -> Wanted {
        self.good.and(&self.refused)
    }

    fn rest_ms(&self, list: &RemoteList, now: Timestamp) -> i64 {
        let state = self.states.get(&list.url).copied().unwrap_or_default();
        state.rest_ms(list.refresh_ms, now)
    }
}

impl State {
    /// How long it may rest, in ms: not longer than its interval, wherever the clock was set.
    fn rest_ms(&self, refresh_ms: i64, now: Timestamp) -> i64 {
        let (since, wait_ms) = match (self.failed, self.checked_at) {
            (Some((at, times)), _) => {
                let doubled = RETRY_MS << times.saturating_sub(1).min(16);
                (at, doubled.min(refresh_ms))
            }
            (None, Some(at)) => (at, refresh_ms),
            (None, None) => return 0,
        };
        ms_between(now, plus_ms(since, wait_ms)).clamp(0, wait_ms)
    }
}

impl Mirror {
    pub(super) fn new(
        copies: Copies,
        caller: Arc<Caller>,
        clock: Arc<dyn Clock>,
        meter: ListMeter,
    ) -> Self {
        Self {
            copies,
            caller,
            clock,
            meter,
            known: Mutex::default(),
            news: Notify::new(),
        }
    }

    /// From now on these are fetched whenever they are due, and no others: good policies name them.
    pub(super) fn want(&self, lists: Wanted) {
        let mut known = self.known();
        (known.good, known.refused) = (lists, Wanted::default());
        self.reckon(&mut known);
    }

    /// Beside the lists of good policies these are fetched, too: policies name them that were refused, maybe for
    /// want of a list.
    pub(super) fn want_beside(&self, lists: Wanted) {
        let mut known = self.known();
        known.refused = lists;
        self.reckon(&mut known);
    }

    /// As [`Mirror::want`], of policies that were good before those that were refused.
    pub(super) fn want_before(&self, lists: Wanted) {
        let mut known = self.known();
        known.good = lists;
        self.reckon(&mut known);
    }

    /// Removes all copies but those of these lists.
    pub(super) fn remove_others<'u>(&self, urls: impl Iterator<Item = &'u String>) {
        if let Err(error) = self.copies.remove_others(urls) {
            tracing::warn!(%error, "copies of lists that no policy names any more cannot be removed");
        }
    }

    /// Puts the states right once other lists are wanted.
    fn reckon(&self, known: &mut Known) {
        let all = known.wanted();
        let before = std::mem::take(&mut known.states);
        for list in all.0.values() {
            let on_disk = || State {
                checked_at: self.copies.label(&list.url).map(|label| label.checked_at),
                failed: None,
            };
            let state = before.get(&list.url).copied().unwrap_or_else(on_disk);
            self.meter.expect(&shown(&list.url), state.checked_at);
            known.states.insert(list.url.clone(), state);
        }
        for gone in before.keys().filter(|url| !all.0.contains_key(*url)) {
            self.meter.forget(&shown(gone));
        }
    }

    /// Those that are due, of the ones that are wanted.
    pub(super) fn due(&self) -> Wanted {
        let (known, now) = (self.known(), self.clock.now());
        let mut due = known.wanted();
        due.0.retain(|_, list| known.rest_ms(list, now) == 0);
        due
    }

    /// Until the next one is due, or until the clock should be looked at.
    fn rest(&self) -> Duration {
        let (known, now) = (self.known(), self.clock.now());
        let lists = known.wanted().0;
        let rests = lists.values().map(|list| known.rest_ms(list, now));
        let rest_ms = rests.min().unwrap_or(LOOK_MS_MAX).min(LOOK_MS_MAX);
        Duration::from_millis(u64::try_from(rest_ms).unwrap_or(0))
    }

    /// Fetches these. Gives why some could not be had, by their addresses; their copies stay as they are.
    pub(super) async fn fetch(&self, lists: Wanted) -> BTreeMap<String, String> {
        let fetching = stream::iter(lists.0).map(async |(url, list)| {
            let fetched = self.fetch_one(&list).await;
            self.note(&url, &fetched);
            (url, fetched)
        });
        let fetched: Vec<_> = fetching.buffer_unordered(AT_ONCE_MAX).collect().await;
        if fetched.iter().any(|(_, fetched)| *fetched == Ok(true)) {
            self.news.notify_one();
        }
        let failed = fetched.into_iter();
        failed
            .filter_map(|(url, fetched)| Some((url, fetched.err()?)))
            .collect()
    }

    /// Whether there is another copy now.
    async fn fetch_one(&self, list: &RemoteList) -> Result<bool, String> {
        let label = self.copies.label(&list.url);
        let known = label.as_ref().map(Label::version).unwrap_or_default();
        let download = Download {
            url: list.url.clone(),
            allow_http: list.allow_http,
            token: list.token.clone(),
            known: known.clone(),
        };
        let downloaded = self.caller.download(&download).await?;
        let (copies, url, now) = (self.copies.clone(), list.url.clone(), self.clock.now());
        let keeping = move || match downloaded {
            Downloaded::Same if label.is_some() => {
                let kept = copies.relabel(&Label::new(&url, known, now));
                kept.map(|()| false).map_err(|error| unkept(&error))
            }
            Downloaded::Same => Err("HTTP 304, although no version was known".to_owned()),
            Downloaded::Text(text, version) => keep(&copies, &url, version, &text, now),
        };
        // A list may be long.
        in_background(keeping).await
    }

    /// Takes note of what came of a fetch, and says so where that is something new.
    fn note(&self, url: &str, fetched: &Result<bool, String>) {
        let (now, name) = (self.clock.now(), shown(url));
        let mut known = self.known();
        let state = known.states.entry(url.to_owned()).or_default();
        let failed_before = state.failed.map_or(0, |(_, times)| times);
        match fetched {
            Ok(changed) => {
                *state = State {
                    checked_at: Some(now),
                    failed: None,
                };
                let result = match changed {
                    true => Refreshed::Changed,
                    false => Refreshed::Same,
                };
                self.meter.refreshed(&name, result, now);
                if failed_before > 0 {
                    tracing::info!(list.url = %name, "a list of a server can be had again");
                }
            }
            Err(why) => {
                state.failed = Some((now, failed_before.saturating_add(1)));
                self.meter.refreshed(&name, Refreshed::Failed, now);
                if failed_before == 0 {
                    tracing::warn!(
                        list.url = %name,
                        list.checked_at = ?state.checked_at.map(|at| at.to_string()),
                        error = %why,
                        "a list of a server cannot be had; a copy goes on as long as there is one"
                    );
                }
            }
        }
    }

    /// A panic elsewhere leaves it usable: what is lost is noted anew by the next fetch.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a text if it is a list with somebody on it.
fn keep(
    copies: &Copies,
    url: &str,
    version: Version,
    text: &str,
    now: Timestamp,
) -> Result<bool, String> {
    // A page, or JSON: most of its lines would pass for names.
    if text.trim_start().starts_with(['<', '{', '[']) {
        return Err("what it sends is no list, but looks like HTML or JSON".to_owned());
    }
    let list = List::parse(text).map_err(|unfit| format!("what it sends is no list: {unfit}"))?;
    if list.is_empty() {
        return Err("it sends a list with nobody on it".to_owned());
    }
    let label = Label::new(url, version, now);
    let same = copies
        .read(url)
        .is_ok_and(|kept| kept.as_deref() == Some(text));
    let kept = match same {
        true => copies.relabel(&label),
        false => copies.keep(&label, text),
    };
    kept.map(|()| !same).map_err(|error| unkept(&error))
}

fn unkept(error: &std::io::Error) -> String {
    format!("its copy cannot be kept: {error}")
}

/// An address as logs and metrics tell of it: what is behind the ? may be a secret, and still tells lists apart.
fn shown(url: &str) -> String {
    match url.split_once('?') {
        None => url.to_owned(),
        Some((path, query)) => {
            let digest = hex::encode(Sha256::digest(query));
            format!("{path}?#{}", &digest[..8])
        }
    }
}

/// Fetches lists again whenever they are due, until `shutdown` is cancelled.
pub(super) async fn refresh(mirror: &Mirror, shutdown: &CancellationToken) {
    let refreshing = async {
        loop {
            tokio::time::sleep(mirror.rest()).await;
            // Why some could not be had was noted, and their copies go on.
            let _failed = mirror.fetch(mirror.due()).await;
        }
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = refreshing => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::from_us;

    const HOUR_MS: i64 = 60 * 60_000;

    fn at(ms: i64) -> Timestamp {
        plus_ms(from_us(1_800_000_000_000_000), ms)
    }

    #[test]
    fn a_list_is_due_after_its_interval_and_sooner_after_a_failure() {
        let of = |checked: Option<i64>, failed: Option<(i64, u32)>| State {
            checked_at: checked.map(at),
            failed: failed.map(|(ms, times)| (at(ms), times)),
        };
        let minute = 60_000;
        for (state, now, expected) in [
            (of(None, None), 0, 0),
            (of(Some(0), None), minute, HOUR_MS - minute),
            (of(Some(0), None), HOUR_MS, 0),
            (of(Some(0), None), 9 * HOUR_MS, 0),
            // The clock was put back.
            (of(Some(9 * HOUR_MS), None), 0, HOUR_MS),
            (of(None, Some((0, 1))), 0, minute),
            (of(Some(0), Some((0, 3))), minute, 3 * minute),
            (of(Some(0), Some((0, u32::MAX))), 0, HOUR_MS),
        ] {
            assert_eq!(state.rest_ms(HOUR_MS, at(now)), expected, "{state:?} {now}");
        }
    }

    #[test]
    fn an_address_is_shown_without_what_may_be_a_secret() {
        let plain = "https://crm.example.org/blocked.txt";
        assert_eq!(shown(plain), plain);
        let (one, two) = (
            shown(&format!("{plain}?key=1")),
            shown(&format!("{plain}?key=2")),
        );
        assert!(one.starts_with(plain) && !one.contains("key"), "{one}");
        assert_ne!(one, two);
    }

    #[test]
    fn of_a_list_that_is_named_twice_the_more_impatient_word_holds() {
        let list = |refresh_ms, token: Option<&str>| RemoteList {
            url: "https://crm.example.org/blocked.txt".to_owned(),
            allow_http: false,
            token: token.map(crate::domain::secret::Secret::new),
            refresh_ms,
        };
        let mut wanted = Wanted::default();
        wanted.add(&list(HOUR_MS, None));
        wanted.add(&list(60_000, Some("one")));
        wanted.add(&list(HOUR_MS, Some("two")));
        let all: Vec<_> = wanted.0.into_values().collect();
        assert_eq!(all, [list(60_000, Some("one"))]);
    }
}
