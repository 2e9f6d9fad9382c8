//! What the kernel says of this process, under the names that Prometheus' own libraries use. Nothing where
//! there is no `/proc`.

use std::fmt::Write;
use std::fs;

/// Ticks a second in `/proc`: the kernel's interface has had this value since 2.6 on every machine.
const TICKS_PER_SECOND: f64 = 100.0;

/// One look at the process.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Process {
    cpu_seconds: f64,
    resident_bytes: u64,
    virtual_bytes: u64,
    open_fds: u64,
    max_fds: u64,
    start_time_seconds: f64,
}

/// Adds what is known now.
pub(super) fn write(text: &mut String) {
    let Some(now) = look() else {
        return;
    };
    let mut add = |name: &str, kind: &str, suffix: &str, unit: &str, help: &str, value: f64| {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}.\n# TYPE {name} {kind}");
        if !unit.is_empty() {
            let _ = writeln!(text, "# UNIT {name} {unit}");
        }
        let _ = writeln!(text, "{name}{suffix} {value}");
    };
    let (gauge, seconds, bytes) = ("gauge", "seconds", "bytes");
    let help = "Processor time used, of user and system";
    add(
        "process_cpu_seconds",
        "counter",
        "_total",
        seconds,
        help,
        now.cpu_seconds,
    );
    let help = "Memory that is resident";
    add(
        "process_resident_memory_bytes",
        gauge,
        "",
        bytes,
        help,
        now.resident_bytes as f64,
    );
    let help = "Memory that is mapped";
    add(
        "process_virtual_memory_bytes",
        gauge,
        "",
        bytes,
        help,
        now.virtual_bytes as f64,
    );
    let help = "Files and sockets that are open";
    add("process_open_fds", gauge, "", "", help, now.open_fds as f64);
    let help = "How many may be open";
    add("process_max_fds", gauge, "", "", help, now.max_fds as f64);
    let help = "When the process was started, in seconds since 1970";
    add(
        "process_start_time_seconds",
        gauge,
        "",
        seconds,
        help,
        now.start_time_seconds,
    );
}

fn look() -> Option<Process> {
    let read = |path: &str| fs::read_to_string(path).ok();
    let (stat, status) = (read("/proc/self/stat")?, read("/proc/self/status")?);
    // The name in parentheses may have blanks and parentheses in it.
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    // As proc(5) counts them, from 3 on.
    let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
    let kib = |name: &str| {
        let mut lines = status.lines();
        let line = lines.find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    let machine = read("/proc/stat")?;
    let booted = machine
        .lines()
        .find_map(|line| line.strip_prefix("btime "))?;
    let limits = read("/proc/self/limits")?;
    let files = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    Some(Process {
        cpu_seconds: (field(14)? + field(15)?) / TICKS_PER_SECOND,
        resident_bytes: kib("VmRSS:")? * 1024,
        virtual_bytes: kib("VmSize:")? * 1024,
        open_fds: fs::read_dir("/proc/self/fd").ok()?.count() as u64,
        max_fds: files.split_whitespace().next()?.parse().unwrap_or(u64::MAX),
        start_time_seconds: booted.trim().parse::<f64>().ok()? + field(22)? / TICKS_PER_SECOND,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::{Clock, SystemClock};

    #[test]
    fn a_process_has_used_something() {
        let now = look().unwrap();
        assert!(
            now.resident_bytes > 1 << 20 && now.virtual_bytes >= now.resident_bytes,
            "{now:?}"
        );
        assert!(now.open_fds >= 3 && now.max_fds >= now.open_fds, "{now:?}");
        let now_seconds = SystemClock.now().as_second() as f64;
        let age = now_seconds - now.start_time_seconds;
        assert!((-2.0..86_400.0).contains(&age), "{now:?}");
        let mut text = String::new();
        write(&mut text);
        assert_eq!(text.matches("# TYPE ").count(), 6, "{text}");
    }
}
