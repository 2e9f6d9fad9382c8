//! Which entries an operation posts. Pure: the store writes them, and the law is here.
//!
//! Every account has two layers. *Posted* is what is there; *held* is how much of it is set aside.
//! Every operation sums to zero in each layer: what a booker gains, a house account loses. House
//! accounts only count, and may go below zero; a booker's may not.
//!
//! | operation | posted | held |
//! |---|---|---|
//! | top-up | issued → booker | |
//! | hold | | spent → booker |
//! | capture | booker → spent | booker → spent |
//! | release | | booker → spent |
//! | refund | spent → booker | |
//! | carry | as a refund of what the old hold kept | as a release of what it had open; then a hold |

use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// No balance and no single amount may pass this, so that sums never come near 64 bits.
pub const BALANCE_MINOR_MAX: i64 = 1_000_000_000_000_000_000;

/// Whose account an entry is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The booker's.
    Booker,
    /// The house's: where credit comes from.
    Issued,
    /// The house's: where credit goes.
    Spent,
}

/// What an entry changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// What is there.
    Posted,
    /// What of it is set aside.
    Held,
}

impl Layer {
    /// The layer as it is written in answers and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Posted => "posted",
            Self::Held => "held",
        }
    }
}

/// One entry to be posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// On whose account.
    pub role: Role,
    /// In which layer.
    pub layer: Layer,
    /// By how many minor units, signed, never zero.
    pub amount: i64,
}

/// What is left of a hold, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Remainder {
    /// Set aside and not yet resolved.
    pub open: i64,
    /// Captured and not refunded.
    pub kept: i64,
}

/// What an operation changes on the booker's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Change {
    /// The sum of its posted entries.
    pub posted: i64,
    /// The sum of its held entries.
    pub held: i64,
}

/// Whether an amount may be posted at all.
pub fn is_postable(minor: i64) -> bool {
    (1..=BALANCE_MINOR_MAX).contains(&minor)
}

/// Credit is put in.
pub fn top_up(amount: i64) -> Vec<Line> {
    moved(Layer::Posted, Role::Issued, Role::Booker, amount)
}

/// Credit is taken off again that was put in: a top-up, reversed.
pub fn deduct(amount: i64) -> Vec<Line> {
    moved(Layer::Posted, Role::Booker, Role::Issued, amount)
}

/// Credit is set aside.
pub fn hold(amount: i64) -> Vec<Line> {
    moved(Layer::Held, Role::Spent, Role::Booker, amount)
}

/// Credit that was set aside is spent.
pub fn capture(amount: i64) -> Vec<Line> {
    let mut lines = moved(Layer::Posted, Role::Booker, Role::Spent, amount);
    lines.extend(release(amount));
    lines
}

/// Credit that was set aside is free again.
pub fn release(amount: i64) -> Vec<Line> {
    moved(Layer::Held, Role::Booker, Role::Spent, amount)
}

/// Credit that was spent comes back.
pub fn refund(amount: i64) -> Vec<Line> {
    moved(Layer::Posted, Role::Spent, Role::Booker, amount)
}

/// Credit that came back is spent again: a refund, reversed.
pub fn charge_again(amount: i64) -> Vec<Line> {
    moved(Layer::Posted, Role::Booker, Role::Spent, amount)
}

/// All that is left of a hold goes on to another: the half of a carry that frees it.
pub fn unwind(left: Remainder) -> Vec<Line> {
    let mut lines = release(left.open);
    lines.extend(refund(left.kept));
    lines
}

/// What lines change on the booker's account. `None` if it does not fit in 64 bits.
pub fn change<'a>(lines: impl IntoIterator<Item = &'a Line>) -> Option<Change> {
    let mut change = Change::default();
    for line in lines {
        let sum = match (line.role, line.layer) {
            (Role::Booker, Layer::Posted) => &mut change.posted,
            (Role::Booker, Layer::Held) => &mut change.held,
            (Role::Issued | Role::Spent, _) => continue,
        };
        *sum = sum.checked_add(line.amount)?;
    }
    Some(change)
}

/// Nothing moves no credit and needs no lines. Amounts are never negative.
fn moved(layer: Layer, from: Role, to: Role, amount: i64) -> Vec<Line> {
    if amount <= 0 {
        return Vec::new();
    }
    let line = |role, amount| Line {
        role,
        layer,
        amount,
    };
    vec![line(from, -amount), line(to, amount)]
}
