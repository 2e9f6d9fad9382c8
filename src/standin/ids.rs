//! The making of ids: the same for the same seed and the same order of actions.

use sha2::{Digest, Sha256};

/// Draws bytes that look random.
pub(super) struct Ids {
    seed: u64,
    drawn: u64,
}

impl Ids {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, drawn: 0 }
    }

    /// The next 32 bytes: the same for the same seed and the same number of draws before.
    pub(super) fn draw(&mut self) -> [u8; 32] {
        self.drawn += 1;
        let mut digest = Sha256::new();
        digest.update(self.seed.to_be_bytes());
        digest.update(self.drawn.to_be_bytes());
        digest.finalize().into()
    }

    /// The next UUID.
    pub(super) fn uuid(&mut self) -> String {
        let drawn = self.draw();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&drawn[..16]);
        uuid::Builder::from_random_bytes(bytes)
            .into_uuid()
            .to_string()
    }
}
