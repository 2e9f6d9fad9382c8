//! Stateful stand-ins of the providers for `bookgate demo` and for the tests: bookings, people who act on
//! them, signed webhooks, and the API over real HTTP. A room for each provider, as weak as the real one
//! was seen to be; what all share is here: connections, the log of calls, the outbox, and faults, pauses
//! and held webhooks, by which a test chooses the moment in which things go wrong.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::domain::ids::Uid;

mod api;
pub mod calcom;
pub mod calendly;
mod calls;
mod connection;
mod faults;
mod ids;
mod person;
mod sender;
mod world;

pub use calls::ApiCall;
pub use faults::{Fault, Matcher, Pause, When};
pub use person::Person;
pub use sender::BadSubscriber;
pub use world::World;

use world::Shared;

/// Whether webhooks are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// At once; what caused them waits for the subscribers' answers.
    Live,
    /// Into an outbox, for a test to deliver in whatever order; nothing waits.
    Held,
}

/// A running stand-in of one provider. Copies are handles to the same one; the last to go stops it.
pub struct StandIn<W: World> {
    shared: Arc<Shared<W>>,
    address: SocketAddr,
    stop: Arc<DropGuard>,
}

impl<W: World> Clone for StandIn<W> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            address: self.address,
            stop: Arc::clone(&self.stop),
        }
    }
}

impl<W: World> StandIn<W> {
    /// Serves on `listener` until stopped.
    fn serve(
        listener: TcpListener,
        shared: Shared<W>,
        router: impl FnOnce(Arc<Shared<W>>) -> Router,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let shared = Arc::new(shared);
        let stop = CancellationToken::new();
        let service = router(Arc::clone(&shared))
            .into_make_service_with_connect_info::<connection::Severance>();
        let server = axum::serve(connection::SeverableListener(listener), service)
            .with_graceful_shutdown(stop.clone().cancelled_owned());
        tokio::spawn(async move {
            if let Err(error) = server.await {
                tracing::error!(%error, "the stand-in stopped serving");
            }
        });
        Ok(Self {
            shared,
            address,
            stop: Arc::new(stop.drop_guard()),
        })
    }

    /// One that serves nobody.
    #[cfg(test)]
    fn detached(shared: Shared<W>) -> Self {
        Self {
            shared: Arc::new(shared),
            address: SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, 0)),
            stop: Arc::new(CancellationToken::new().drop_guard()),
        }
    }

    /// What the API's paths are relative to: `http://127.0.0.1:4321`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Takes no more connections; calls that run are still answered. People can go on acting.
    pub fn shutdown(&self) {
        self.stop.token().cancel();
    }

    /// The API calls so far, in the order in which they came in.
    pub fn calls(&self) -> Vec<ApiCall<W::Operation>> {
        self.shared.desk().calls.kept.iter().cloned().collect()
    }

    /// The API calls that changed this booking by name (not through its series), whatever was answered.
    pub fn effective_calls(&self, uid: &Uid) -> Vec<ApiCall<W::Operation>> {
        let mut calls = self.calls();
        calls.retain(|call| call.effective && call.uid.as_ref() == Some(uid));
        calls
    }

    /// Whether webhooks are sent or held from now on. What is held already stays held.
    pub fn set_delivery(&self, delivery: Delivery) {
        self.shared.desk().delivery = delivery;
    }

    /// Takes what was held, oldest first.
    pub fn take_outbox(&self) -> Vec<W::Webhook> {
        self.shared.desk().outbox.drain(..).collect()
    }
}
