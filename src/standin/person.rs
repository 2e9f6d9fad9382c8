//! People, whatever the provider.

/// Someone with a calendar or an appointment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Name as typed.
    pub name: String,
    /// Address as typed: its case is not normalised.
    pub email: String,
    /// IANA time zone; an unknown one counts as UTC.
    pub time_zone: String,
    /// Language tag.
    pub locale: String,
}

impl Person {
    /// An English speaker in UTC.
    pub fn new(name: impl Into<String>, email: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            email: email.into(),
            time_zone: "UTC".to_owned(),
            locale: "en".to_owned(),
        }
    }
}
