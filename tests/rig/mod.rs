//! A whole installation that is treated badly: daemons as real processes on either store, a relay that
//! remembers what they acknowledged, people who never stop, and faults everywhere. In the end nothing
//! that was acknowledged is missing, everything was decided once, and the credits add up.
//!
//! The tests use it for some seconds with one fault each; `benches/soak.rs` for as long as one likes
//! with all of them. What happens is drawn from a seed, which is printed: the same seed makes the same
//! choices, at about the same times.

#![allow(
    dead_code,
    reason = "each crate that includes this folder uses a part of it"
)]

pub(crate) mod audit;
pub(crate) mod conductor;
pub(crate) mod daemon;
pub(crate) mod disk;
pub(crate) mod hoard;
pub(crate) mod people;
pub(crate) mod postgres;
pub(crate) mod proxy;
pub(crate) mod relay;
pub(crate) mod run;
pub(crate) mod store;
pub(crate) mod world;

use std::time::Duration;

/// Between two looks at something that another process is about to do.
pub(crate) const POLL: Duration = Duration::from_millis(25);

/// An HTTP client to be made. Somebody has to choose the cryptography for the process, and whoever comes first
/// does.
pub(crate) fn http() -> reqwest::ClientBuilder {
    let _already_chosen = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
}

/// A client as it comes.
pub(crate) fn client() -> reqwest::Client {
    http().build().unwrap()
}

/// SplitMix64, by Steele, Lea and Flood: the same numbers for the same seed, for ever.
#[derive(Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number below `limit`, which must not be 0.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    /// A place in a list of this length, which must not be empty.
    pub(crate) fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("below a length")
    }

    /// Milliseconds up to a limit.
    pub(crate) fn up_to_ms(&mut self, limit: u64) -> Duration {
        Duration::from_millis(self.below(limit.max(1)))
    }

    /// Another generator that goes its own way.
    pub(crate) fn fork(&mut self) -> Self {
        Self(self.below(u64::MAX))
    }
}

/// From `BOOKGATE_TEST_SEED`, to see a failure again; else another each time. Printed.
pub(crate) fn seed() -> u64 {
    let seed = match std::env::var("BOOKGATE_TEST_SEED") {
        Ok(seed) => seed.parse().expect("BOOKGATE_TEST_SEED is a number"),
        Err(_) => uuid::Uuid::now_v7().as_u64_pair().1,
    };
    eprintln!("BOOKGATE_TEST_SEED={seed}");
    seed
}
