//! Asks other people's servers on behalf of policies, and downloads lists from them. What a policy may write is far less trusted than the
//! settings, so the settings say which hosts may be called at all, and nothing leads elsewhere: no redirect,
//! no proxy of the environment, and no name to an address inside (`address`, `names`).
//!
//! A question is asked again only where it met no answer (no connection, a timeout, 502, 503, 504), within
//! its deadline, under the same `Idempotency-Key`. Every other status is an answer: what to make of it is
//! the policy's.
//!
//! A host that is failing is left alone until it answers again, as a provider is
//! ([`circuit`](super::circuit)), and only so many questions are asked at the same time.

mod address;
mod answer;
mod download;
mod names;
mod request;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::dns::Resolve;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

pub use self::address::Network;
use self::answer::Received;
pub use self::download::{DOWNLOAD_BYTES_MAX, Download, Downloaded, Version};
use self::names::{CheckedNames, SystemNames};
use self::request::Asked;
use super::CallError;
use super::circuit::{Circuit, CircuitSettings, spread};
use super::client::{ClientError, Effect, HttpClient};
use super::traced::CallSpan;
use crate::domain::callout::{Limits, Question, Reply};
use crate::domain::clock::Clock;

/// How long a connection may take, in ms, shared by all addresses of a name.
const CONNECT_TIMEOUT_MS: u32 = 3_000;
/// The wait before the second attempt, in ms; it doubles with each that follows.
const WAIT_MS: i64 = 100;
/// What that wait doubles up to, in ms.
const WAIT_MS_MAX: i64 = 2_000;
/// How many hosts are remembered: policies that make up host names must not fill the memory.
const HOSTS_MAX: usize = 1_024;

/// Who may be called, and how much at the same time.
#[derive(Debug, Clone)]
pub struct CalloutSettings {
    /// The hosts that may be called, as addresses name them (lower case, `xn--`): `crm.example.org`, or
    /// `*.corp.example` for all below it. Without any, nothing is called.
    pub hosts: Vec<String>,
    /// Addresses that may be connected to although they are not of the open internet.
    pub allow_private: Vec<Network>,
    /// Questions at the same time, at the most.
    pub concurrency: usize,
    /// Of those, to one host.
    pub concurrency_per_host: usize,
    /// When a host counts as failing.
    pub circuit: CircuitSettings,
}

/// Asks questions. One for the whole daemon.
pub struct Caller {
    settings: CalloutSettings,
    clock: Arc<dyn Clock>,
    client: HttpClient,
    places: Semaphore,
    hosts: Mutex<HashMap<String, Arc<Callee>>>,
}

/// A host that was asked.
struct Callee {
    circuit: Circuit,
    places: Semaphore,
}

impl Caller {
    /// A caller that finds hosts as this machine does.
    ///
    /// # Errors
    /// The system has no root certificates to check others' against.
    pub fn new(settings: CalloutSettings, clock: Arc<dyn Clock>) -> Result<Self, ClientError> {
        Self::with_names(settings, clock, Arc::new(SystemNames))
    }

    fn with_names(
        settings: CalloutSettings,
        clock: Arc<dyn Clock>,
        names: Arc<dyn Resolve>,
    ) -> Result<Self, ClientError> {
        let names = CheckedNames {
            names,
            allowed: settings.allow_private.clone().into(),
        };
        Ok(Self {
            client: HttpClient::finding(names, CONNECT_TIMEOUT_MS)?,
            places: Semaphore::new(settings.concurrency),
            hosts: Mutex::default(),
            settings,
            clock,
        })
    }

    /// Asks, with attempts inside the deadline.
    ///
    /// # Errors
    /// Why there is no answer, for admins: with no secret, no person and no query of the address in it.
    pub async fn ask(&self, question: &Question) -> Result<Reply, String> {
        self.tried(question).await?.reply()
    }

    /// Downloads a text, unless it is still the one that is known.
    ///
    /// # Errors
    /// Why there is none, as [`Caller::ask`] says it.
    pub async fn download(&self, wanted: &Download) -> Result<Downloaded, String> {
        download::read(self.tried(&wanted.question()).await?)
    }

    /// Asks until there is an answer, or no time.
    async fn tried(&self, question: &Question) -> Result<Received, String> {
        let limits = &question.limits;
        let deadline = Instant::now() + millis(limits.deadline_ms);
        let asked = Asked::new(question, &self.settings)?;
        let callee = self.callee(asked.host());
        let _places = tokio::time::timeout_at(deadline, self.places(&callee))
            .await
            .map_err(|_| {
                "not asked: too many questions are being asked; `callouts.concurrency` limits them"
            })?;
        let mut attempt = 1;
        loop {
            let error = match self.attempt(&asked, &callee, limits, deadline).await {
                Ok(received) => return Ok(received),
                Err(error) => error,
            };
            let wait = millis(self.wait_ms(attempt));
            let again = matches!(error, CallError::Transient { .. })
                && attempt < limits.attempts
                && Instant::now() + wait < deadline;
            if !again {
                return Err(told(&error, asked.host(), attempt));
            }
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    async fn attempt(
        &self,
        asked: &Asked,
        callee: &Callee,
        limits: &Limits,
        deadline: Instant,
    ) -> Result<Received, CallError> {
        let now = self.clock.now();
        let request = asked.request(&self.client, now);
        let (request, subject) = HttpClient::subject(request, Effect::Read)?;
        let permit = callee.circuit.begin(Effect::Read, subject)?;
        let (request, span) = CallSpan::begin(request, now);
        let left = deadline.saturating_duration_since(Instant::now());
        let request = request.timeout(millis(limits.timeout_ms).min(left));
        let outcome = answer::receive(request.send().await, limits.body_bytes_max).await;
        permit.end(&outcome);
        if let Some(span) = span {
            let status = outcome.as_ref().map(|received| received.status);
            span.end(status, self.clock.now());
        }
        outcome
    }

    /// The wait after an attempt: longer each time, and never quite the same.
    fn wait_ms(&self, attempt: u32) -> i64 {
        let doubled = WAIT_MS << (attempt - 1).min(10);
        spread(doubled.min(WAIT_MS_MAX), self.clock.now())
    }

    /// A place among all questions, and one at the host. That at the host first: who waits for a slow host
    /// takes no place from others.
    async fn places<'c>(
        &'c self,
        callee: &'c Callee,
    ) -> (Option<SemaphorePermit<'c>>, Option<SemaphorePermit<'c>>) {
        // They are never closed.
        let at_host = callee.places.acquire().await.ok();
        (at_host, self.places.acquire().await.ok())
    }

    fn callee(&self, host: &str) -> Arc<Callee> {
        // A map, whole after each change: a panic elsewhere cannot have broken it.
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() >= HOSTS_MAX && !hosts.contains_key(host) {
            hosts.retain(|_, callee| Arc::strong_count(callee) > 1);
        }
        let callee = hosts.entry(host.to_owned()).or_insert_with(|| {
            Arc::new(Callee {
                circuit: Circuit::new(self.settings.circuit, Arc::clone(&self.clock)),
                places: Semaphore::new(self.settings.concurrency_per_host),
            })
        });
        Arc::clone(callee)
    }
}

fn told(error: &CallError, host: &str, attempt: u32) -> String {
    match (error, attempt) {
        (CallError::Away { wait_ms }, _) => {
            format!("not asked: `{host}` has been failing; the next look is in {wait_ms} ms")
        }
        (error, 1) => error.to_string(),
        (error, attempts) => format!("{error} (after {attempts} attempts)"),
    }
}

fn millis(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}
