//! A real HTTP server on loopback for tests: it records each request and answers the next step of
//! its script, byte by byte where the test is about broken answers.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use url::Url;

/// What to do with one request.
pub(crate) enum Step {
    /// Send these bytes and close.
    Bytes(Vec<u8>),
    /// Say nothing and keep the connection.
    Stall,
}

impl Step {
    /// A JSON answer.
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        let body = body.to_string();
        Self::with(status, &["content-type: application/json"], &body)
    }

    /// An answer with these header lines.
    pub(crate) fn with(status: u16, headers: &[&str], body: &str) -> Self {
        let mut head = format!("HTTP/1.1 {status} Test\r\nconnection: close\r\n");
        for line in headers {
            head.push_str(line);
            head.push_str("\r\n");
        }
        let length = body.len();
        Self::Bytes(format!("{head}content-length: {length}\r\n\r\n{body}").into_bytes())
    }

    /// An answer that breaks off in the middle of its body.
    pub(crate) fn broken(status: u16) -> Self {
        let head = format!("HTTP/1.1 {status} Test\r\ncontent-length: 1000\r\n\r\n");
        Self::Bytes(format!("{head}{{\"status\":").into_bytes())
    }
}

/// One request as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Method and path with query, as in the request line.
    pub(crate) line: String,
    /// Header names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    /// The body; null if there was none.
    pub(crate) body: Value,
}

/// The server; it ends with the test.
pub(crate) struct ScriptedServer {
    pub(crate) url: Url,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<io::Result<()>>,
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl ScriptedServer {
    /// Starts a server that answers with these steps, in order.
    pub(crate) async fn start(steps: impl IntoIterator<Item = Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let steps: VecDeque<Step> = steps.into_iter().collect();
        Self {
            url: Url::parse(&format!("http://{address}")).unwrap(),
            seen: seen.clone(),
            task: tokio::spawn(serve(listener, steps, seen)),
        }
    }

    /// What has been asked so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(
    listener: TcpListener,
    mut steps: VecDeque<Step>,
    seen: Arc<Mutex<Vec<Seen>>>,
) -> io::Result<()> {
    let mut stalled = Vec::new();
    while let Some(step) = steps.pop_front() {
        let (mut stream, _) = listener.accept().await?;
        let request = receive(&mut stream).await?;
        seen.lock().unwrap().push(request);
        match step {
            Step::Bytes(bytes) => {
                stream.write_all(&bytes).await?;
                stream.shutdown().await?;
            }
            Step::Stall => stalled.push(stream),
        }
    }
    std::future::pending().await
}

async fn receive(stream: &mut TcpStream) -> io::Result<Seen> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).await?;
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length");
    let length: usize = length.map_or(0, |text| text.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await?;
    Ok(Seen {
        line: first.trim_end().trim_end_matches(" HTTP/1.1").to_owned(),
        headers,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    })
}
