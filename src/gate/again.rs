//! Work that other work got in the way of is done again: the store says when
//! ([`StorageError::Conflict`]), and its own waits space the tries.

use super::error::GateError;
use crate::storage::StorageError;

/// Tries before a person is told that the store is busy.
const TRIES_MAX: usize = 5;

/// Does `work` until nothing gets in its way.
pub(super) async fn again<T, W>(work: impl Fn() -> W) -> Result<T, GateError>
where
    W: Future<Output = Result<T, GateError>>,
{
    for _ in 1..TRIES_MAX {
        match work().await {
            Err(GateError::Storage(StorageError::Conflict(_))) => {}
            done => return done,
        }
    }
    work().await
}
