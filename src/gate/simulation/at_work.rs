//! What a worker of a simulation is at: the gate's own code, behind a turnstile.

use std::pin::Pin;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::gate::crew::{self, Leased};
use crate::gate::{Inner, filing, give_way, worker};
use crate::storage::simulated::Turnstile;

/// Work that stands before its next step, or is at it.
pub(super) struct InHand {
    pub(super) turnstile: Arc<Turnstile>,
    /// When it last wrote and read, in turns of the history.
    pub(super) wrote_at: u64,
    pub(super) read_at: u64,
    pub(super) work: Pin<Box<dyn Future<Output = ()>>>,
}

impl InHand {
    fn new(work: impl Future<Output = ()> + 'static) -> Self {
        let turnstile = Arc::new(Turnstile::default());
        let work = Box::pin(turnstile.around(work));
        Self {
            turnstile,
            wrote_at: 0,
            read_at: 0,
            work,
        }
    }

    /// Leases a chain that is due, and works on it.
    pub(super) fn due(gate: &Arc<Inner>) -> Self {
        let gate = Arc::clone(gate);
        Self::new(async move {
            for lease in crew::claim(&gate, true).await.unwrap().leases {
                let leased = Leased { lease, first: None };
                worker::work(&gate, leased, &CancellationToken::new()).await;
            }
        })
    }

    /// Files what was stored and takes the first step of a chain that is due then, with one commit, and goes
    /// on with that.
    pub(super) fn filing(gate: &Arc<Inner>) -> Self {
        let gate = Arc::clone(gate);
        Self::new(async move {
            let filed =
                filing::file_and_begin(&gate, Arc::default(), give_way::Turn::FREE, true).await;
            for leased in filed.unwrap().begun {
                worker::work(&gate, leased, &CancellationToken::new()).await;
            }
        })
    }
}
