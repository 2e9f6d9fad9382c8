//! Connections: taken, given a limit, and let go in order.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// How long a client may take to send a request's head, and how long it may stay without a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long no connections are taken after the system ran out of something it needs for one.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// Who is at the other end of a request's connection: a client, or a proxy for many.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(IpAddr);

impl Peer {
    /// The address of a request's peer.
    pub(super) fn of(request: &Request) -> IpAddr {
        let peer = request.extensions().get::<Self>();
        peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0)
    }
}

/// Serves one door until `shutdown` is cancelled; requests that run then have `grace` to end.
pub async fn serve(
    listener: TcpListener,
    door: Router,
    shutdown: CancellationToken,
    grace: Duration,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, from)) => {
                let peer = Peer(from.ip());
                // Its own token: connections that look at one and the same wait for each other.
                let shutdown = shutdown.child_token();
                connections.spawn(converse(stream, peer, door.clone(), shutdown));
            }
            Err(error) if is_the_clients(&error) => {}
            Err(error) => {
                tracing::error!(error = %error, "no connection can be taken");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(grace, all).await.is_err() {
        tracing::warn!("requests did not end in time; they are cut off");
    }
}

/// One connection, from its first request to its last.
///
/// A client that has sent a whole request and then closes its side is still served: whoever gave up
/// waiting for a slow machine must not have its webhook thrown away unread.
async fn converse(stream: TcpStream, peer: Peer, door: Router, shutdown: CancellationToken) {
    let door = door.map_request(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request
    });
    // Answers are small; without it they wait for an acknowledgement of what went before.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .half_close(true)
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(door));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %error, "a connection broke off");
    }
}

/// Whether only this one client is concerned.
fn is_the_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}
