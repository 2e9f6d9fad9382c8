//! What a flush to this disk costs. All figures of what is stored hang on it.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;

use crate::figures::{Percentiles, short};

const FLUSHES: usize = 2_000;
const BLOCK: [u8; 2_048] = [7; 2_048];

/// Measures and prints it: blocks of 2 KiB appended, each flushed as the journal does it.
pub(crate) fn print(folder: &Path) -> Result<()> {
    let path = folder.join("flushes");
    let mut file = File::create(&path)?;
    let mut latencies = Vec::with_capacity(FLUSHES);
    for _ in 0..FLUSHES {
        file.write_all(&BLOCK)?;
        let begun = Instant::now();
        file.sync_data()?;
        latencies.push(begun.elapsed());
    }
    std::fs::remove_file(&path)?;
    let of = Percentiles::of(&latencies);
    println!(
        "disk: fdatasync p50 {} ms, p99 {} ms, max {} ms",
        short(of.p50),
        short(of.p99),
        short(of.max)
    );
    Ok(())
}
