//! Which booking a command is about: in two words, or in one as lists print it.

use clap::Args;

use crate::cli::{Context, NotFound, UsageError};
use crate::settings::Settings;

/// A booking, as a person names it.
#[derive(Debug, Args)]
pub(in crate::cli) struct BookingArgs {
    /// The source, as it is called in the settings; or the whole in one word, as lists print it:
    /// SOURCE/REFERENCE
    source: String,
    /// The booking's uid or number at the provider
    reference: Option<String>,
}

/// What the words name.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct Named<'a> {
    pub(in crate::cli) source: &'a str,
    /// The uid or the number.
    pub(in crate::cli) uid: &'a str,
    /// The seat, which only a list says in the same word.
    pub(in crate::cli) seat: Option<&'a str>,
}

impl BookingArgs {
    /// Takes the words apart.
    pub(in crate::cli) fn named(&self) -> Result<Named<'_>, UsageError> {
        let one = self.source.as_str();
        let two = self.reference.as_deref().map(|reference| (one, reference));
        let (source, reference) = two.or_else(|| one.split_once('/')).ok_or_else(|| {
            UsageError(format!(
                "which booking of `{one}`? Write `{one} REFERENCE` or `{one}/REFERENCE`, with its uid or its \
                 number at the provider"
            ))
        })?;
        let (uid, seat) = match reference.split_once('/') {
            Some((uid, seat)) => (uid, Some(seat)),
            None => (reference, None),
        };
        Ok(Named { source, uid, seat })
    }
}

/// What says that there is no such booking, and which sources there are where that may be why.
pub(in crate::cli) fn with_sources(
    error: anyhow::Error,
    source: &str,
    context: &Context<'_>,
) -> anyhow::Error {
    if !error.is::<NotFound>() {
        return error;
    }
    // Settings that cannot be read have no part in what was not found.
    let known = Settings::source_names(&context.options).unwrap_or_default();
    if known.is_empty() || known.iter().any(|name| name.as_str() == source) {
        return error;
    }
    let known: Vec<_> = known.iter().map(|name| name.as_str()).collect();
    let known = known.join(", ");
    NotFound(format!(
        "the settings have no source `{source}`, but {known}; {error:#}"
    ))
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_booking_is_named_in_two_words_or_in_one() {
        let named = |source: &str, reference: Option<&str>| {
            let args = BookingArgs {
                source: source.to_owned(),
                reference: reference.map(str::to_owned),
            };
            let named = args.named();
            named
                .map(|it| format!("{} {} {:?}", it.source, it.uid, it.seat))
                .map_err(|error| error.to_string())
        };
        assert_eq!(named("calcom", Some("4711")).unwrap(), "calcom 4711 None");
        assert_eq!(named("calcom/4711", None).unwrap(), "calcom 4711 None");
        assert_eq!(
            named("calcom/u1/s1", None).unwrap(),
            "calcom u1 Some(\"s1\")"
        );
        let error = named("calcom", None).unwrap_err();
        assert!(error.contains("`calcom/REFERENCE`"), "{error}");
    }
}
