//! What others can be told of.

use serde::{Deserialize, Serialize};

/// What a notice is about. The words are those of the settings and of the notices' `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Topic {
    /// A booking was accepted or refused.
    #[serde(rename = "booking.decided")]
    BookingDecided,
    /// A booking was left to a person.
    #[serde(rename = "booking.deferred")]
    BookingDeferred,
    /// The provider could not be told, and a person must look.
    #[serde(rename = "dead_letter.added")]
    DeadLetterAdded,
    /// A provider does not answer any more.
    #[serde(rename = "source.failing")]
    SourceFailing,
    /// It answers again.
    #[serde(rename = "source.recovered")]
    SourceRecovered,
    /// An account fell below what its unit's `low_balance` says.
    #[serde(rename = "balance.low")]
    BalanceLow,
}

impl Topic {
    /// Every word.
    pub const WORDS: &'static [&'static str] = &[
        "booking.decided",
        "booking.deferred",
        "dead_letter.added",
        "source.failing",
        "source.recovered",
        "balance.low",
    ];
    /// Every topic.
    pub const ALL: [Self; 6] = [
        Self::BookingDecided,
        Self::BookingDeferred,
        Self::DeadLetterAdded,
        Self::SourceFailing,
        Self::SourceRecovered,
        Self::BalanceLow,
    ];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BookingDecided => "booking.decided",
            Self::BookingDeferred => "booking.deferred",
            Self::DeadLetterAdded => "dead_letter.added",
            Self::SourceFailing => "source.failing",
            Self::SourceRecovered => "source.recovered",
            Self::BalanceLow => "balance.low",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_notices_and_store_use_the_same_words() {
        let words: Vec<_> = Topic::ALL.iter().map(|topic| topic.as_str()).collect();
        assert_eq!(words, Topic::WORDS);
        assert_eq!(
            serde_json::to_value(Topic::ALL).unwrap(),
            serde_json::json!(Topic::WORDS)
        );
    }
}
