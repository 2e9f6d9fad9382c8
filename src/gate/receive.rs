//! The front door: verify the raw bytes, put them on stable storage, then let them be answered.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::metrics::STORED;
use super::{Acknowledge, Gate, Inner, spans};
use crate::domain::ids::DeliveryId;
use crate::journal::{JournalError, Position, Queued, Record};
use crate::provider::signature::Refusal;
use crate::storage::StorageError;

/// How often to look whether another instance has filed what is waited for.
const FILED_ELSEWHERE: Duration = Duration::from_millis(20);

/// A look at what is not filed yet.
#[derive(Debug)]
pub(super) struct Unfiled {
    at: Instant,
    /// What this instance had filed by then.
    filed: u64,
    first: Option<DeliveryId>,
}

/// A delivery is on stable storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received;

/// Why a delivery was not taken. Nothing of it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// No source of this name is configured.
    UnknownSource,
    /// The signature is missing or wrong.
    Signature(Refusal),
    /// It could be stored nowhere; it should be sent again.
    Unavailable,
}

impl Gate {
    /// Takes one webhook. `header` looks a header up by its lower-case name.
    ///
    /// A sender that hangs up cannot cancel it half-way: the write goes on without it.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn receive<'h>(
        &self,
        source: &str,
        header: &(dyn Fn(&str) -> Option<&'h [u8]> + Sync),
        body: Bytes,
    ) -> Result<Received, Refused> {
        let source = self.0.sources.get(source).ok_or(Refused::UnknownSource)?;
        let (now, began) = (self.0.now(), Instant::now());
        if let Some(verifier) = &source.verifier {
            verifier.verify(header, &body, now).map_err(|refusal| {
                let result = match refusal {
                    // The sender knows the secret: a clock is wrong, or it is an old webhook again.
                    Refusal::Stale => "stale_signature",
                    Refusal::Missing | Refusal::Malformed | Refusal::Mismatch => "bad_signature",
                };
                self.0.metrics.received(&source.name, result, 0.0);
                Refused::Signature(refusal)
            })?;
        }
        let content_type = header("content-type")
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .map(str::to_owned);
        let record = Record {
            source: source.name.clone(),
            received_at: now,
            content_type,
            body,
        };
        let traced = self.0.tracer.is_on().then(|| record.body.clone());
        let stored = self.store(record).await;
        let result = match &stored {
            Ok(_) => STORED,
            Err(_) => "not_stored",
        };
        let seconds = began.elapsed().as_secs_f64();
        self.0.metrics.received(&source.name, result, seconds);
        if let Some(body) = traced {
            spans::webhook(&self.0, (&source.name, &body), now, result);
        }
        stored
    }

    async fn store(&self, record: Record) -> Result<Received, Refused> {
        let gate = &self.0;
        let _waiting = gate.give_way.wait();
        let record = match gate.settings.acknowledge {
            Acknowledge::Journal => match gate.queue_it(record) {
                Ok(queued) => return gate.acknowledged(queued.written().await),
                Err(record) => *record,
            },
            Acknowledge::Database => record,
        };
        // What has to wait first is a task of its own, which goes on if nobody waits for it any more.
        let inner = Arc::clone(gate);
        let storing = tokio::spawn(async move {
            match inner.settings.acknowledge {
                Acknowledge::Journal => inner.journal_it(record).await,
                Acknowledge::Database => inner.commit_it(record).await,
            }
        });
        storing.await.unwrap_or(Err(Refused::Unavailable))
    }

    /// Whether a source of this name is configured.
    pub fn has_source(&self, name: &str) -> bool {
        self.0.sources.contains_key(name)
    }
}

impl Inner {
    /// Has the journal write it, if there is a place in its queue.
    fn queue_it(&self, record: Record) -> Result<Queued, Box<Record>> {
        if self.journal_is_too_old() {
            return Err(Box::new(record));
        }
        self.journal.queue(record)
    }

    async fn journal_it(&self, record: Record) -> Result<Received, Refused> {
        if self.journal_is_too_old() {
            tracing::error!(
                "delivery refused: what waits in the journal waits for too long (journal.age_max_ms)"
            );
            return Err(Refused::Unavailable);
        }
        self.acknowledged(self.journal.append(record).await)
    }

    /// What the journal has said of a record.
    fn acknowledged(&self, written: Result<Position, JournalError>) -> Result<Received, Refused> {
        match written {
            Ok(_) => {
                // Others read it all the time; it is seldom anything else.
                if self.journal_refused_at.load(Ordering::Relaxed) != 0 {
                    self.journal_refused_at.store(0, Ordering::Relaxed);
                }
                Ok(Received)
            }
            Err(error) => {
                let now = self.now().as_microsecond();
                self.journal_refused_at.store(now, Ordering::Relaxed);
                tracing::error!(error = %error, "delivery refused: the journal cannot store it");
                Err(Refused::Unavailable)
            }
        }
    }

    /// Has the store take it, or the journal where the store does not answer. A store that is known to
    /// be down, because one delivery has waited in vain, is not waited for by others: it is well again
    /// once it has served the drain, which is now at that delivery, or anybody else.
    async fn commit_it(&self, record: Record) -> Result<Received, Refused> {
        let journal_may = self.settings.journal_when_store_is_down;
        if journal_may && !self.storage.seems_well() {
            self.metrics.taken_over(&record.source, "down");
            return self.journal_it(record).await;
        }
        let (sender, stored) = oneshot::channel();
        let patience = Duration::from_millis(self.settings.store_patience_ms);
        let storing = async {
            let sent = self.intake.send((record.clone(), sender)).await;
            sent.map_err(|_| StorageError::Closed)?;
            stored.await.unwrap_or(Err(StorageError::Closed))
        };
        let (why, error) = match tokio::time::timeout(patience, storing).await {
            Ok(Ok(())) => return Ok(Received),
            Ok(Err(error)) => ("failed", error),
            Err(_) => {
                let waited = patience.as_millis();
                let slow = format!("it did not store a webhook within {waited} ms");
                let slow = StorageError::Unavailable(slow);
                self.storage.doubt(&slow);
                ("late", slow)
            }
        };
        // Should the slow commit come through after all, the inbox knows the copy by its digest.
        if journal_may {
            tracing::debug!(error = %error, "the journal takes over a delivery");
            self.metrics.taken_over(&record.source, why);
            self.journal_it(record).await
        } else {
            tracing::error!(error = %error, "delivery refused: the store did not take it");
            Err(Refused::Unavailable)
        }
    }

    /// Waits until everything that was acknowledged before this moment, here or by another instance's
    /// store, is filed, so that a cancel that is already on disk is seen before a booking is confirmed.
    /// False if that takes longer than `patience`.
    pub(super) async fn caught_up(&self, patience: Duration) -> bool {
        let mut activity = self.idle.subscribe();
        let catching_up = async {
            if !self.drained(patience).await {
                return false;
            }
            let read = self
                .storage
                .read(|tx| Box::pin(async { tx.last_unfiled().await }));
            let goal = match read.await {
                Ok(None) => return true,
                Ok(Some(goal)) => goal,
                Err(_) => return false,
            };
            let since = Instant::now();
            loop {
                activity.mark_unchanged();
                match self.first_unfiled(since).await {
                    Ok(first) if first.is_none_or(|first| first > goal) => return true,
                    Ok(_) => {}
                    Err(_) => return false,
                }
                // Another instance may be filing it, and rings no bell here.
                let _ = tokio::time::timeout(FILED_ELSEWHERE, activity.changed()).await;
            }
        };
        let caught_up = tokio::time::timeout(patience, catching_up).await;
        matches!(caught_up, Ok(true))
    }

    /// Waits until everything that the journal had acknowledged before this moment is stored. False if that
    /// takes longer than `patience`.
    pub(super) async fn drained(&self, patience: Duration) -> bool {
        let goal = self.journal.last_record();
        let mut activity = self.idle.subscribe();
        let drained = activity.wait_for(|_| self.journal.has_drained(goal));
        let drained = tokio::time::timeout(patience, drained).await;
        matches!(drained, Ok(Ok(_)))
    }

    /// The oldest delivery that is not filed, as it was at some moment after `since`. All who wait for
    /// deliveries to be filed share one look at the store.
    async fn first_unfiled(&self, since: Instant) -> Result<Option<DeliveryId>, StorageError> {
        let mut last = self.unfiled.lock().await;
        let filed = self.idle.borrow().filed;
        if let Some(look) = &*last
            && look.at >= since
            && look.filed == filed
            && look.at.elapsed() < FILED_ELSEWHERE
        {
            return Ok(look.first);
        }
        let at = Instant::now();
        let read = self
            .storage
            .read(|tx| Box::pin(async { tx.first_unfiled().await }));
        let first = read.await?;
        *last = Some(Unfiled { at, filed, first });
        Ok(first)
    }
}
