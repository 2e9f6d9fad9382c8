//! The ceiling: the same web framework, answering 200 without doing anything. This very program, run
//! again with an argument.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use axum::serve::ListenerExt;

use crate::process::{Server, free_address};

/// The argument that makes this program such a server.
pub(crate) const ARGUMENT: &str = "serve-bare";

/// Starts one.
pub(crate) fn start(folder: &Path) -> Result<Server> {
    let address = free_address()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(ARGUMENT).arg(address.to_string());
    Server::start(command, address, &folder.join("bare.log"))
}

/// Is one, for ever.
pub(crate) fn serve(address: SocketAddr) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(address).await?;
        let listener = listener.tap_io(|stream| {
            // Without it the figures are worse, no more.
            let _ = stream.set_nodelay(true);
        });
        let router = Router::new().route("/webhooks/calcom", post(|_body: Bytes| async { "ok" }));
        Ok(axum::serve(listener, router).await?)
    })
}
