//! Child processes: started, watched for their processor time, and ended with this one.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;

/// How long a server may take to begin.
const START_MAX: Duration = Duration::from_secs(30);
/// How long one may take to end when it is asked to.
const STOP_MAX: Duration = Duration::from_secs(30);
/// Between two looks.
pub(crate) const LOOK: Duration = Duration::from_millis(10);
/// The same, at a server that starts.
const LOOK_START: Duration = Duration::from_millis(2);
/// Clock ticks a second in `/proc`: fixed for user space on Linux.
const TICKS_PER_SECOND: u64 = 100;
/// Where a process's line in `/proc` has user's and system's time, counted from behind its name.
const OWN: [usize; 2] = [11, 12];
const OF_ENDED_CHILDREN: [usize; 2] = [13, 14];

/// A server that is ended when this is dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// How long it took until it listened, as exactly as it was looked at ([`LOOK_START`]).
    pub(crate) started_in: Duration,
}

impl Server {
    /// Starts it, its output going to `log`, and waits until it takes connections.
    pub(crate) fn start(mut command: Command, address: SocketAddr, log: &Path) -> Result<Self> {
        let output = fs::File::create(log)?;
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        let begun = Instant::now();
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let mut server = Self {
            child,
            address,
            started_in: Duration::ZERO,
        };
        while TcpStream::connect(address).is_err() {
            if let Some(status) = server.child.try_wait()? {
                let said = fs::read_to_string(log).unwrap_or_default();
                bail!("a server ended at once ({status}):\n{said}");
            }
            ensure!(
                begun.elapsed() < START_MAX,
                "a server does not listen; see {}",
                log.display()
            );
            std::thread::sleep(LOOK_START);
        }
        server.started_in = begun.elapsed();
        Ok(server)
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Processor time it has taken so far, user's and system's.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        cpu_of(self.id())
    }

    /// The most memory it has had so far, in MiB.
    pub(crate) fn resident_mib(&self) -> Result<f64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
        let peak: f64 = peak.context("no VmHWM in /proc")?.parse()?;
        Ok(peak / 1_024.0)
    }

    /// Asks it to end by a signal, and waits until it has.
    pub(crate) fn stop(mut self, signal: Signal) -> Result<()> {
        let id = i32::try_from(self.child.id()).ok();
        let id = id.and_then(rustix::process::Pid::from_raw);
        let id = id.context("a process without an id")?;
        rustix::process::kill_process(id, signal)?;
        let begun = Instant::now();
        while self.child.try_wait()?.is_none() {
            ensure!(begun.elapsed() < STOP_MAX, "a server does not end");
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address on loopback that was free a moment ago.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Processor time of a process with all its threads.
pub(crate) fn cpu_of(id: u32) -> Result<Duration> {
    cpu_in(&format!("/proc/{id}/stat"))
}

/// Processor time of the thread that asks.
pub(crate) fn cpu_of_this_thread() -> Result<Duration> {
    cpu_in("/proc/thread-self/stat")
}

/// Processor time of a process and all its children, ended or not: a database's backends.
pub(crate) fn cpu_of_family(parent: u32) -> Result<Duration> {
    let own = stat(&format!("/proc/{parent}/stat"))?;
    let mut total = time(&own, OWN)? + time(&own, OF_ENDED_CHILDREN)?;
    for entry in fs::read_dir("/proc")? {
        let Ok(id) = entry?.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        // It may have ended meanwhile.
        let Ok(fields) = stat(&format!("/proc/{id}/stat")) else {
            continue;
        };
        if fields.get(1).and_then(|text| text.parse().ok()) == Some(parent) {
            total += time(&fields, OWN)?;
        }
    }
    Ok(total)
}

fn cpu_in(path: &str) -> Result<Duration> {
    time(&stat(path)?, OWN)
}

/// The fields after the name, which may itself have blanks in it: state, parent, …
fn stat(path: &str) -> Result<Vec<String>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    let (_, rest) = text.rsplit_once(')').context("a process without a name")?;
    Ok(rest.split_whitespace().map(str::to_owned).collect())
}

/// Adds up the fields at these places, in ticks.
fn time(fields: &[String], places: [usize; 2]) -> Result<Duration> {
    let ticks = |index: usize| -> Result<u64> {
        let field = fields.get(index).context("a short line in /proc")?;
        Ok(field.parse()?)
    };
    let ticks = ticks(places[0])? + ticks(places[1])?;
    Ok(Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND))
}

/// Watches how much of the machine is taken by others than the measurement.
pub(crate) struct Watch {
    begun: Instant,
    busy: Duration,
    own: Duration,
}

impl Watch {
    /// Begins.
    pub(crate) fn begin() -> Result<Self> {
        Ok(Self {
            begun: Instant::now(),
            busy: busy()?,
            own: cpu_in("/proc/self/stat")?,
        })
    }

    /// The share, 0 to 1, that was neither idle, nor ours, nor the servers', who took `servers`.
    pub(crate) fn others(&self, servers: Duration) -> Result<f64> {
        let cores = std::thread::available_parallelism()?.get();
        let own = cpu_in("/proc/self/stat")?.saturating_sub(self.own);
        let busy = busy()?.saturating_sub(self.busy);
        let others = busy.saturating_sub(own + servers);
        let whole = self.begun.elapsed().as_secs_f64() * cores as f64;
        Ok(others.as_secs_f64() / whole)
    }
}

/// Time that the machine's processors were not idle, including what its host took from it.
fn busy() -> Result<Duration> {
    let text = fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().unwrap_or_default();
    let fields = line.split_whitespace().skip(1).map(str::parse);
    let fields: Vec<u64> = fields.collect::<Result<_, _>>()?;
    // user nice system idle iowait irq softirq steal; guests' time is in user's already.
    let idle = |place: &usize| matches!(place, 3 | 4);
    let busy = fields.iter().take(8).enumerate();
    let ticks: u64 = busy
        .filter(|(place, _)| !idle(place))
        .map(|(_, ticks)| ticks)
        .sum();
    Ok(Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND))
}
