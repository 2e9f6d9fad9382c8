//! The threads of the public door.

use std::io;
use std::num::NonZero;
use std::thread::available_parallelism;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio_util::sync::CancellationToken;

use super::serve::serve;

/// Threads that serve one door and nothing else. A commit wakes all the tasks that waited for it at once; in
/// one queue with them a webhook would wait until each has had its turn, for some milliseconds. Half as
/// many as the machine has cores: they verify, and hand over to the journal.
#[derive(Debug)]
pub struct OwnThreads {
    handle: Handle,
    /// `None` once they are to end.
    runtime: Option<Runtime>,
}

impl OwnThreads {
    /// Starts them. They end when this is dropped, and whatever still runs on them is cut off.
    ///
    /// # Errors
    /// The system gives no more threads.
    pub fn start() -> io::Result<Self> {
        let cores = available_parallelism().map_or(1, NonZero::get);
        let runtime = Builder::new_multi_thread()
            .worker_threads((cores / 2).max(1))
            .thread_name("public-door")
            .enable_all()
            .build()?;
        Ok(Self {
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
        })
    }

    /// As [`serve`], on these threads.
    ///
    /// # Errors
    /// The listener cannot be handed over, or serving panicked.
    pub async fn serve(
        &self,
        listener: TcpListener,
        door: Router,
        shutdown: CancellationToken,
        grace: Duration,
    ) -> io::Result<()> {
        let listener = listener.into_std()?;
        let serving = self.handle.spawn(async move {
            // A listener is woken by the runtime it was made in.
            serve(TcpListener::from_std(listener)?, door, shutdown, grace).await;
            Ok(())
        });
        serving.await?
    }
}

impl Drop for OwnThreads {
    fn drop(&mut self) {
        // Waiting for them is not allowed where this may be dropped: in a task.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
