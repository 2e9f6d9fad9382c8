//! Many pieces of work on one connection. Each has a [`Seat`], writes what it asks on a slip, and waits.
//! Once all of them wait, the slips are sorted: those that ask the same become one statement
//! ([`sets`]), and everybody gets his part of the answer.
//!
//! They share one transaction, and so see what the others write. Whoever must not be disturbed says with
//! what it wants to be alone ([`Tx::alone_with`]) before it reads.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::{Query, Row, Sql, Tx, Value, sets};
use crate::domain::ids::{AccountId, ChainId};
use crate::domain::owner::Owner;
use crate::storage::error::StorageError;

/// With what one piece of work wants to be alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::storage) enum Key {
    /// A chain, and all that belongs to it.
    Chain(ChainId),
    /// What an owner can pay.
    Owner(Owner),
    /// An account's running balance.
    Account(AccountId),
    /// What is counted, by a word for it.
    Count(String),
}

/// Where slips are handed in.
#[derive(Debug, Default)]
pub(in crate::storage) struct Desk(Mutex<Tray>);

#[derive(Debug, Default)]
struct Tray {
    slips: Vec<Slip>,
    waiting: Vec<Waiting>,
    taken: HashMap<Key, usize>,
    /// Why nobody is served any more.
    closed: Option<StorageError>,
}

#[derive(Debug)]
struct Slip {
    sql: Sql,
    values: Vec<Value>,
    wants: Wants,
}

/// What is wanted of an answer, and by whom.
#[derive(Debug)]
enum Wants {
    Rows(oneshot::Sender<Result<Vec<Row>, StorageError>>),
    Count(oneshot::Sender<Result<u64, StorageError>>),
}

#[derive(Debug)]
struct Waiting {
    key: Key,
    seat: usize,
    caller: oneshot::Sender<Result<(), StorageError>>,
}

/// The place of one piece of work. What it was alone with is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    desk: Arc<Desk>,
    number: usize,
}

impl Tx {
    /// A transaction that is shared: it cannot be ended here.
    pub(in crate::storage) fn at_desk(desk: &Arc<Desk>, number: usize) -> Self {
        let desk = Arc::clone(desk);
        Self::on(super::Connection::Shared(Seat { desk, number }))
    }
}

impl Seat {
    pub(super) async fn all(&self, sql: Sql, values: Vec<Value>) -> Result<Vec<Row>, StorageError> {
        let (caller, answer) = oneshot::channel();
        self.desk.hand_in(sql, values, Wants::Rows(caller));
        answer.await.unwrap_or(Err(StorageError::Closed))
    }

    pub(super) async fn run(&self, sql: Sql, values: Vec<Value>) -> Result<u64, StorageError> {
        let (caller, answer) = oneshot::channel();
        self.desk.hand_in(sql, values, Wants::Count(caller));
        answer.await.unwrap_or(Err(StorageError::Closed))
    }

    pub(super) async fn alone_with(&self, key: Key) -> Result<(), StorageError> {
        let answer = {
            let mut tray = self.desk.tray();
            if let Some(why) = &tray.closed {
                return Err(why.clone());
            }
            match tray.taken.get(&key) {
                Some(&seat) if seat == self.number => return Ok(()),
                None => {
                    tray.taken.insert(key, self.number);
                    return Ok(());
                }
                Some(_) => {}
            }
            let (caller, answer) = oneshot::channel();
            tray.waiting.push(Waiting {
                key,
                seat: self.number,
                caller,
            });
            answer
        };
        answer.await.unwrap_or(Err(StorageError::Closed))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let number = self.number;
        self.desk.tray().taken.retain(|_, seat| *seat != number);
    }
}

impl Desk {
    /// A panic elsewhere leaves the tray usable: every change of it is complete.
    fn tray(&self) -> MutexGuard<'_, Tray> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hand_in(&self, sql: Sql, values: Vec<Value>, wants: Wants) {
        let mut tray = self.tray();
        match &tray.closed {
            Some(why) => wants.tell(why.clone()),
            None => tray.slips.push(Slip { sql, values, wants }),
        }
    }

    /// How many wait for an answer.
    pub(in crate::storage) fn waiting(&self) -> usize {
        let tray = self.tray();
        tray.slips.len() + tray.waiting.len()
    }

    /// Serves those who wait, on this transaction. What one has to wait for who wants to be alone goes
    /// before, so that its next statement is asked together with the others'.
    ///
    /// # Errors
    /// Whatever stands in the way: then nothing of the transaction may be kept. If all wait for each other,
    /// a [`StorageError::Conflict`].
    pub(in crate::storage) async fn serve(&self, tx: &mut Tx) -> Result<(), StorageError> {
        if self.let_in() {
            return Ok(());
        }
        let mut slips = std::mem::take(&mut self.tray().slips).into_iter();
        if slips.len() == 0 {
            return Err(StorageError::Conflict(
                "done together, some wait for each other".to_owned(),
            ));
        }
        let mut piles: Vec<Vec<Slip>> = Vec::new();
        for slip in slips.by_ref() {
            let same = |pile: &&mut Vec<Slip>| pile[0].fits(&slip);
            match piles.iter_mut().find(same) {
                Some(pile) => pile.push(slip),
                None => piles.push(vec![slip]),
            }
        }
        for pile in piles {
            answer(tx, pile).await?;
        }
        Ok(())
    }

    /// Lets those in whose turn it is; whether there were any.
    fn let_in(&self) -> bool {
        let mut tray = self.tray();
        let tray = &mut *tray;
        let mut some = false;
        let mut left = Vec::new();
        for waiting in std::mem::take(&mut tray.waiting) {
            if tray.taken.contains_key(&waiting.key) {
                left.push(waiting);
                continue;
            }
            tray.taken.insert(waiting.key, waiting.seat);
            some |= waiting.caller.send(Ok(())).is_ok();
        }
        tray.waiting = left;
        some
    }

    /// Serves nobody any more: all who wait, and who come from now on, are told why.
    pub(in crate::storage) fn turn_away(&self, why: &StorageError) {
        let mut tray = self.tray();
        tray.closed = Some(why.clone());
        for slip in std::mem::take(&mut tray.slips) {
            slip.wants.tell(why.clone());
        }
        for waiting in std::mem::take(&mut tray.waiting) {
            // Whoever has gone away needs no answer.
            let _ = waiting.caller.send(Err(why.clone()));
        }
    }
}

impl Slip {
    fn fits(&self, other: &Self) -> bool {
        let both_rows =
            matches!(self.wants, Wants::Rows(_)) == matches!(other.wants, Wants::Rows(_));
        self.sql.in_sets && both_rows && self.sql.postgres == other.sql.postgres
    }

    /// For rows that are locked: in one order by all, so that nobody waits in a circle.
    fn first(&self) -> (i64, &str) {
        match self.values.first() {
            Some(Value::Integer(Some(value))) => (*value, ""),
            Some(Value::Text(Some(value))) => (0, value),
            _ => (0, ""),
        }
    }
}

impl Wants {
    fn tell(self, why: StorageError) {
        // As in `turn_away`.
        let _ = match self {
            Self::Rows(caller) => caller.send(Err(why)).is_ok(),
            Self::Count(caller) => caller.send(Err(why)).is_ok(),
        };
    }
}

async fn answer(tx: &mut Tx, mut pile: Vec<Slip>) -> Result<(), StorageError> {
    if pile.len() == 1
        && let Some(slip) = pile.pop()
    {
        return answer_one(tx, slip).await;
    }
    pile.sort_by(|one, other| one.first().cmp(&other.first()));
    let text = sets::for_many(pile[0].sql.postgres, &pile[0].values);
    let own_rows: Vec<Option<usize>> = pile
        .iter()
        .map(|slip| slip.values.iter().find_map(Value::rows))
        .collect();
    let (callers, values): (Vec<_>, Vec<_>) = pile
        .into_iter()
        .map(|slip| (slip.wants, slip.values))
        .unzip();
    let values = sets::columns(values)
        .ok_or_else(|| StorageError::Corrupt(format!("no columns for `{text}`")))?;
    let query = Query {
        tx,
        sql: Sql::same(text),
        values,
    };
    if text.contains(sets::ASKER) {
        return hand_out(query.all().await?, callers);
    }
    let each = own_rows.into_iter().map(|rows| rows.unwrap_or(1) as u64);
    let each: Vec<u64> = each.collect();
    let done = query.run().await?;
    let all: u64 = each.iter().sum();
    if done != all && done != 0 {
        return Err(StorageError::Conflict(
            "done together, it cannot be told whose row was there already".to_owned(),
        ));
    }
    for (caller, rows) in callers.into_iter().zip(each) {
        caller.give_count(if done == 0 { 0 } else { rows })?;
    }
    Ok(())
}

async fn answer_one(tx: &mut Tx, slip: Slip) -> Result<(), StorageError> {
    let query = Query {
        tx,
        sql: slip.sql,
        values: slip.values,
    };
    match slip.wants {
        Wants::Rows(caller) => tell(caller, query.all().await),
        Wants::Count(caller) => tell(caller, query.run().await),
    }
}

/// Whose fault a failure is, is known here: it is told as it is.
fn tell<T>(
    caller: oneshot::Sender<Result<T, StorageError>>,
    done: Result<T, StorageError>,
) -> Result<(), StorageError> {
    let failed = done.as_ref().err().cloned();
    let _ = caller.send(done);
    failed.map_or(Ok(()), Err)
}

/// Gives everybody his rows.
fn hand_out(rows: Vec<Row>, callers: Vec<Wants>) -> Result<(), StorageError> {
    let mut parts: Vec<Vec<Row>> = callers.iter().map(|_| Vec::new()).collect();
    for row in rows {
        let asker: i64 = row.get(sets::ASKER)?;
        let part = usize::try_from(asker - 1).ok();
        let part = part.and_then(|part| parts.get_mut(part));
        part.ok_or_else(|| StorageError::Corrupt(format!("an answer for asker {asker}")))?
            .push(row);
    }
    for (caller, rows) in callers.into_iter().zip(parts) {
        match caller {
            Wants::Rows(caller) => tell(caller, Ok(rows))?,
            count @ Wants::Count(_) => count.give_count(rows.len() as u64)?,
        }
    }
    Ok(())
}

impl Wants {
    fn give_count(self, count: u64) -> Result<(), StorageError> {
        match self {
            Self::Count(caller) => tell(caller, Ok(count)),
            Self::Rows(_) => Err(StorageError::Corrupt("rows were asked for".to_owned())),
        }
    }
}
