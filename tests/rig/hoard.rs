//! Sessions that do nothing but be there: what a pool of connections looks like from outside when it is
//! exhausted.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Version 3.0 of PostgreSQL's protocol.
const PROTOCOL: i32 = 196_608;
/// The first byte of the message with which a server ends the start of a session, and of one with which
/// it refuses it.
const READY: u8 = b'Z';
const REFUSED: u8 = b'E';
/// More than any cluster of the tests takes.
const SESSIONS_MAX: usize = 200;

/// Sessions that are held; they end when dropped.
pub(crate) struct Hoard(Vec<TcpStream>);

impl Hoard {
    /// Takes nothing yet.
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    /// Opens sessions until the server refuses one. Gives how many are held.
    pub(crate) fn fill(&mut self, server: SocketAddr, user: &str, database: &str) -> usize {
        while self.0.len() < SESSIONS_MAX {
            match session(server, user, database) {
                Ok(Some(session)) => self.0.push(session),
                Ok(None) | Err(_) => break,
            }
        }
        self.0.len()
    }
}

/// A session that is ready, or `None` if it is refused.
fn session(server: SocketAddr, user: &str, database: &str) -> io::Result<Option<TcpStream>> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let words = [
        "user",
        user,
        "database",
        database,
        "application_name",
        "hoard",
    ];
    let mut body = PROTOCOL.to_be_bytes().to_vec();
    for word in words {
        body.extend_from_slice(word.as_bytes());
        body.push(0);
    }
    body.push(0);
    let length = i32::try_from(body.len() + 4).expect("a short message");
    stream.write_all(&length.to_be_bytes())?;
    stream.write_all(&body)?;
    loop {
        let mut head = [0; 5];
        stream.read_exact(&mut head)?;
        let [kind, length @ ..] = head;
        let rest = u64::from(u32::from_be_bytes(length)).saturating_sub(4);
        io::copy(&mut (&stream).take(rest), &mut io::sink())?;
        match kind {
            READY => return Ok(Some(stream)),
            REFUSED => return Ok(None),
            _ => {}
        }
    }
}
