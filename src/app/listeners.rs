//! The addresses that are listened on.

use std::net::SocketAddr;

use anyhow::Context;
use tokio::net::TcpListener;

use crate::settings::Settings;

/// The two doors, bound.
pub struct Listeners {
    /// For providers.
    pub public: TcpListener,
    /// For admins.
    pub admin: TcpListener,
}

impl Listeners {
    /// Binds both.
    ///
    /// # Errors
    /// An address is taken or not this machine's.
    pub async fn bind(settings: &Settings) -> anyhow::Result<Self> {
        Ok(Self {
            public: bind(settings.server.listen, "server.listen").await?,
            admin: bind(settings.server.admin_listen, "server.admin_listen").await?,
        })
    }
}

async fn bind(address: SocketAddr, key: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address} ({key})"))
}
