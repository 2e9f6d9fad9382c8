//! Rows of notices on their way out.

use crate::domain::clock::Timestamp;
use crate::domain::notice::Topic;

/// A notice to be written.
#[derive(Debug, Clone)]
pub struct NewNotice {
    /// To whom: the name in `[notices.NAME]`.
    pub receiver: String,
    /// What the receiver knows a repeated one by.
    pub message: String,
    /// What it is about.
    pub topic: Topic,
    /// What is sent, as JSON.
    pub body: String,
}

/// A notice that is being sent.
#[derive(Debug, Clone)]
pub struct WaitingNotice {
    /// Its place in the queue.
    pub id: i64,
    /// What the receiver knows a repeated one by.
    pub message: String,
    /// What it is about.
    pub topic: Topic,
    /// What is sent, as JSON.
    pub body: String,
    /// Which try this is, from 1.
    pub tries: i64,
}

/// Which notices are wanted; `None` is any.
#[derive(Debug, Clone, Default)]
pub struct NoticeFilter {
    /// To this receiver.
    pub receiver: Option<String>,
    /// Given up, or still waiting.
    pub given_up: Option<bool>,
}

/// A notice that was not taken yet.
#[derive(Debug, Clone)]
pub struct NoticeRow {
    /// Its place in the queue.
    pub id: i64,
    /// To whom.
    pub receiver: String,
    /// What the receiver knows a repeated one by.
    pub message: String,
    /// What it is about.
    pub topic: Topic,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it is sent next; `None` once it was given up.
    pub due_at: Option<Timestamp>,
    /// How often it was tried.
    pub tries: i64,
    /// What came of the last try.
    pub detail: Option<String>,
}
