//! What copying a store tells.

use serde::Serialize;

use super::Violation;

/// A copy that was made and looked through.
#[derive(Debug, Clone, Serialize)]
pub struct Backup {
    /// Its size.
    pub bytes: u64,
    /// Its schema.
    pub schema: i64,
    /// Rows of the tables that only ever grow.
    pub rows: Vec<(&'static str, i64)>,
    /// What is wrong with the books in it, and so in the store; empty if they are right.
    pub violations: Vec<Violation>,
}

/// A table that was moved to another database.
#[derive(Debug, Clone, Serialize)]
pub struct Imported {
    /// The table.
    pub table: &'static str,
    /// Its rows.
    pub rows: i64,
    /// Bytes of its texts and bodies.
    pub bytes: i64,
}
