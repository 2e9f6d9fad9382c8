//! The load: keep-alive connections driven by one thread, so that making load costs the machine
//! little. It never parses a body and never retries: an answer other than expected ends a run's claim.
//!
//! A request has a time at which it is *due*, and its latency is counted from then. In a closed loop
//! that is the moment a connection is free; at a constant rate it is the timetable's, so that a stall
//! counts for everybody who had to wait for it.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Connections kept open.
pub(crate) const CONNECTIONS: usize = 64;
/// The longest answer read, head and body, in bytes.
const ANSWER_BYTES_MAX: usize = 32 * 1024;
/// How long nothing at all may be answered before a run is given up.
const SILENCE_MAX: Duration = Duration::from_secs(20);

/// How fast, and for how long.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    /// Requests a second; `None`: each connection sends again as soon as it is answered.
    pub(crate) per_second: Option<f64>,
    /// Requests at most.
    pub(crate) count_max: u64,
    /// When the last one is sent, at the latest.
    pub(crate) time_max: Duration,
}

/// What came of it.
#[derive(Default)]
pub(crate) struct Outcome {
    /// From due to answered, of each answer, in the order of the answers.
    pub(crate) latencies: Vec<Duration>,
    /// Answers other than 2xx: the status of each.
    pub(crate) refused: Vec<u16>,
    /// When the first request was due.
    pub(crate) begun: Option<Instant>,
    /// From the first request to the last answer.
    pub(crate) elapsed: Duration,
    /// The processor's time that making this load took.
    pub(crate) own_cpu: Duration,
}

impl Outcome {
    /// Answers a second.
    pub(crate) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }
}

/// Sends requests `first..` as `write` spells them, until the load's end, and waits for every answer.
pub(crate) fn drive(
    address: SocketAddr,
    load: Load,
    first: u64,
    write: &mut dyn FnMut(u64, &mut Vec<u8>),
) -> Result<Outcome> {
    let mut connections = (0..CONNECTIONS)
        .map(|_| Connection::open(address))
        .collect::<Result<Vec<_>>>()?;
    let cpu_before = crate::process::cpu_of_this_thread()?;
    let timetable = Timetable {
        begun: Instant::now(),
        load,
    };
    let mut outcome = Outcome::default();
    let mut heard = Instant::now();
    let mut sent = 0;
    loop {
        let now = Instant::now();
        let next = timetable.due(sent, now);
        for connection in connections.iter_mut().filter(|one| one.due.is_none()) {
            let Some(due) = timetable.due(sent, now).filter(|due| *due <= now) else {
                break;
            };
            connection.out.clear();
            write(first + sent, &mut connection.out);
            connection.send(due)?;
            sent += 1;
        }
        let waiting = connections.iter().any(|one| one.due.is_some());
        if !waiting && next.is_none() {
            break;
        }
        wait(
            &mut connections,
            timetable.due(sent, now),
            &mut outcome,
            &mut heard,
        )?;
        ensure!(
            heard.elapsed() < SILENCE_MAX,
            "no answer for {SILENCE_MAX:?}"
        );
    }
    outcome.begun = Some(timetable.begun);
    outcome.elapsed = timetable.begun.elapsed();
    outcome.own_cpu = crate::process::cpu_of_this_thread()?.saturating_sub(cpu_before);
    Ok(outcome)
}

struct Timetable {
    begun: Instant,
    load: Load,
}

impl Timetable {
    /// When the request after `sent` others is due; `None` if there is to be none.
    fn due(&self, sent: u64, now: Instant) -> Option<Instant> {
        let due = match self.load.per_second {
            None => now,
            Some(rate) => self.begun + Duration::from_secs_f64(sent as f64 / rate),
        };
        let within = due < self.begun + self.load.time_max;
        (within && sent < self.load.count_max).then_some(due)
    }
}

/// Waits until something is answered or the next request is due, and takes what was answered.
fn wait(
    connections: &mut [Connection],
    next: Option<Instant>,
    outcome: &mut Outcome,
    heard: &mut Instant,
) -> Result<()> {
    let all_busy = connections.iter().all(|one| one.due.is_some());
    let patience = match next {
        Some(due) if !all_busy => due.saturating_duration_since(Instant::now()),
        _ => Duration::from_secs(1),
    };
    let timeout = Timespec::try_from(patience).context("a wait that is too long")?;
    let ready: Vec<bool> = {
        let mut asked: Vec<PollFd<'_>> = connections
            .iter()
            .map(|one| PollFd::new(&one.stream, one.interest()))
            .collect();
        match poll(&mut asked, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("cannot wait for answers"),
        }
        asked.iter().map(|one| !one.revents().is_empty()).collect()
    };
    for (connection, _) in connections
        .iter_mut()
        .zip(ready)
        .filter(|(_, ready)| *ready)
    {
        connection.flush()?;
        let Some((status, due)) = connection.receive()? else {
            continue;
        };
        *heard = Instant::now();
        outcome.latencies.push(heard.duration_since(due));
        if !(200..300).contains(&status) {
            outcome.refused.push(status);
        }
    }
    if connections.iter().all(|one| one.due.is_none()) {
        *heard = Instant::now();
    }
    Ok(())
}

struct Connection {
    stream: TcpStream,
    /// When the request under way was due; `None`: none is.
    due: Option<Instant>,
    out: Vec<u8>,
    written: usize,
    answer: Vec<u8>,
    filled: usize,
}

impl Connection {
    fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).context("cannot connect")?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            due: None,
            out: Vec::new(),
            written: 0,
            answer: vec![0; ANSWER_BYTES_MAX],
            filled: 0,
        })
    }

    fn interest(&self) -> PollFlags {
        match self.due {
            None => PollFlags::empty(),
            Some(_) if self.written < self.out.len() => PollFlags::IN | PollFlags::OUT,
            Some(_) => PollFlags::IN,
        }
    }

    fn send(&mut self, due: Instant) -> Result<()> {
        self.due = Some(due);
        self.written = 0;
        self.filled = 0;
        self.flush()
    }

    fn flush(&mut self) -> Result<()> {
        while self.written < self.out.len() {
            match self.stream.write(&self.out[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).context("a request could not be sent"),
            }
        }
        Ok(())
    }

    /// Reads what is there: the status and the time the request was due, once the answer is whole.
    fn receive(&mut self) -> Result<Option<(u16, Instant)>> {
        match self.stream.read(&mut self.answer[self.filled..]) {
            Ok(0) => bail!(
                "the server closed a connection, or answered more than {ANSWER_BYTES_MAX} bytes"
            ),
            Ok(count) => self.filled += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error).context("an answer could not be read"),
        }
        let Some((status, length)) = parse(&self.answer[..self.filled])? else {
            return Ok(None);
        };
        ensure!(self.filled <= length, "more was answered than asked");
        if self.filled < length {
            return Ok(None);
        }
        Ok(self.due.take().map(|due| (status, due)))
    }
}

/// The status of an answer and its whole length; `None` while its head is not complete.
fn parse(answer: &[u8]) -> Result<Option<(u16, usize)>> {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&answer[..end]).context("an answer's head is not text")?;
    let status = head.get(9..12).and_then(|digits| digits.parse().ok());
    let status = status.with_context(|| format!("not an answer: {head}"))?;
    let mut length = 0;
    for line in head.split("\r\n").skip(1) {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value
                .trim()
                .parse()
                .context("a content-length that is none")?;
        }
        ensure!(
            !name.eq_ignore_ascii_case("transfer-encoding"),
            "chunked answers are not understood here"
        );
    }
    Ok(Some((status, end + 4 + length)))
}
