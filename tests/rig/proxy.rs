//! Stands between the daemons and the provider's API and does to requests what networks and overloaded
//! servers do. One request a connection, so that a fault strikes every request from when it is set.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::postgres::own_free_address;

/// The longest head of a request or an answer, and the longest body.
const BYTES_MAX: usize = 1 << 20;
/// How long a stalled connection is kept, if the other side does not give up before.
const STALL: Duration = Duration::from_secs(30);
/// Longer than the daemons wait for an answer.
pub(crate) const LATE: Duration = Duration::from_millis(1_500);

/// What the provider's side of the network does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    /// Passes on.
    Fair,
    /// Takes no connection.
    Refused,
    /// Passes the request on, and resets the connection in the middle of the answer.
    ResetMidAnswer,
    /// Takes the request, and neither passes it on nor answers.
    Stalled,
    /// Answers with this status; nothing is passed on.
    Status(u16),
    /// Answers 429, with or without `Retry-After: 1`.
    Limited { tells_when: bool },
    /// Answers 200 with a page for people.
    Html,
    /// Passes the request on; the answer comes when nobody waits for it any more.
    TooLate,
}

impl Weather {
    /// All that is not fair.
    pub(crate) const BAD: [Self; 9] = [
        Self::Refused,
        Self::ResetMidAnswer,
        Self::Stalled,
        Self::Status(500),
        Self::Status(503),
        Self::Limited { tells_when: true },
        Self::Limited { tells_when: false },
        Self::Html,
        Self::TooLate,
    ];
}

/// A running proxy; it ends with its handle.
pub(crate) struct Proxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
}

impl Proxy {
    /// Starts one in front of `upstream`, given as `http://host:port`.
    pub(crate) fn start(upstream: &str) -> Self {
        let upstream = upstream.trim_start_matches("http://").to_owned();
        let address = own_free_address();
        let (weather, watched) = watch::channel(Weather::Fair);
        tokio::spawn(serve(address, watched, Arc::new(upstream)));
        Self { address, weather }
    }

    /// Where the daemons find the API.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on.
    pub(crate) fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }
}

/// Listens, except while connections are to be refused, until the handle is gone.
async fn serve(address: SocketAddr, mut weather: watch::Receiver<Weather>, upstream: Arc<String>) {
    let refused = |weather: &Weather| *weather == Weather::Refused;
    let now = weather.clone();
    loop {
        if weather.wait_for(|weather| !refused(weather)).await.is_err() {
            return;
        }
        let listener = TcpListener::bind(address).await.unwrap();
        loop {
            tokio::select! {
                changed = weather.wait_for(refused) => match changed {
                    Ok(_) => break,
                    Err(_) => return,
                },
                accepted = listener.accept() => {
                    let Ok((stream, _)) = accepted else { continue };
                    let (weather, upstream) = (*now.borrow(), Arc::clone(&upstream));
                    tokio::spawn(async move {
                        // Whoever hangs up knows what he is doing.
                        let _ = exchange(stream, weather, &upstream).await;
                    });
                }
            }
        }
    }
}

async fn exchange(mut client: TcpStream, weather: Weather, upstream: &str) -> io::Result<()> {
    let request = read_request(&mut client).await?;
    match weather {
        Weather::Stalled => {
            let mut nothing = [0];
            let _ = tokio::time::timeout(STALL, client.read(&mut nothing)).await;
        }
        Weather::Status(status) => say(&mut client, status, "", "{}").await?,
        Weather::Limited { tells_when } => {
            let header = if tells_when { "retry-after: 1\r\n" } else { "" };
            say(&mut client, 429, header, "{}").await?;
        }
        Weather::Html => {
            let page = "<!doctype html><title>Back in a moment</title>";
            say(&mut client, 200, "content-type: text/html\r\n", page).await?;
        }
        Weather::Refused => client.set_zero_linger()?,
        Weather::ResetMidAnswer => {
            let answer = pass_on(upstream, &request).await?;
            client.write_all(&answer[..answer.len() / 2]).await?;
            client.set_zero_linger()?;
        }
        Weather::TooLate => {
            let answer = pass_on(upstream, &request).await?;
            tokio::time::sleep(LATE).await; // longer than anybody waits
            client.write_all(&answer).await?;
        }
        Weather::Fair => {
            let answer = pass_on(upstream, &request).await?;
            client.write_all(&answer).await?;
            client.shutdown().await?;
        }
    }
    Ok(())
}

async fn say(client: &mut TcpStream, status: u16, header: &str, body: &str) -> io::Result<()> {
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status} As Told\r\n{header}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    client.write_all(text.as_bytes()).await?;
    client.shutdown().await
}

/// The whole request, told to end its connection.
async fn read_request(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let head_ends = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if client.read_buf(&mut bytes).await? == 0 || bytes.len() > BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
    };
    let head = String::from_utf8_lossy(&bytes[..head_ends]).into_owned();
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0_usize);
    while bytes.len() < head_ends + 4 + length {
        if client.read_buf(&mut bytes).await? == 0 || bytes.len() > BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    let mut request = format!("{head}\r\nconnection: close\r\n\r\n").into_bytes();
    request.extend_from_slice(&bytes[head_ends + 4..]);
    Ok(request)
}

/// Hands a request over and gives the whole answer. It is carried out even if nobody waits for it.
async fn pass_on(upstream: &str, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut server = TcpStream::connect(upstream).await?;
    server.write_all(request).await?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await?;
    Ok(answer)
}
