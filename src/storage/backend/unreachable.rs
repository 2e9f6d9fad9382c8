//! Why a server lets nobody in, in words that say what to do; and whether waiting helps.

use std::fmt::Display;
use std::io;

use rustls::CertificateError;
use sqlx::postgres::{PgConnectOptions, PgDatabaseError, PgSslMode};

use super::postgres::sorted;
use crate::storage::error::StorageError;

/// What [`PgDatabaseError`] says of a user, an address or a kind of connection that is not let in.
const NOT_LET_IN: &str = "28000";

/// Sorts what came of a connection that was not to be had: [`StorageError::Unreachable`] may pass,
/// [`StorageError::Open`] is for a person.
pub(super) fn why(error: &sqlx::Error, options: &PgConnectOptions, place: &str) -> StorageError {
    let place = place.to_owned();
    let at = address(options);
    let passing = |cause: &dyn Display| StorageError::Unreachable {
        place: place.clone(),
        cause: format!("{at}: {cause}"),
    };
    let lasting = |cause: &dyn Display| StorageError::Open {
        place: place.clone(),
        cause: format!("{at}: {cause}"),
    };
    match error {
        sqlx::Error::Io(error) => match of_tls(error) {
            Some(refused) => lasting(&certificate(refused, options)),
            None => passing(error),
        },
        sqlx::Error::Database(error) => {
            let Some(error) = error.try_downcast_ref::<PgDatabaseError>() else {
                return passing(error);
            };
            match sorted(error.code(), error.message()) {
                error @ (StorageError::Unavailable(_) | StorageError::Conflict(_)) => {
                    passing(&error.cause())
                }
                _ => lasting(&refusal(error, options)),
            }
        }
        sqlx::Error::Tls(error) => lasting(&encryption(&error.to_string())),
        sqlx::Error::Configuration(_) => lasting(error),
        // Something in between that is no PostgreSQL may stand in for it while it is away.
        error => passing(error),
    }
}

/// Where the server is looked for.
pub(super) fn address(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(folder) => format!("socket in {}", folder.display()),
        None => format!("{} port {}", options.get_host(), options.get_port()),
    }
}

/// The driver hands what goes wrong with encryption over as a failure of the network.
fn of_tls(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

fn certificate(refused: &rustls::Error, options: &PgConnectOptions) -> String {
    let host = options.get_host();
    let rustls::Error::InvalidCertificate(why) = refused else {
        return format!("the encryption could not be agreed on: {refused}");
    };
    match why {
        // The latter: an authority of the same name has another key.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "the server's certificate is signed by nobody who is trusted here: name the \
             authority's certificate in storage.tls_root_certificate"
                .to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            let names = match why {
                CertificateError::NotValidForNameContext { presented, .. } => presented.join(", "),
                _ => String::new(),
            };
            format!(
                "the server's certificate is not for {host} (it is for: {names}): write the \
                 server's name into storage.url as the certificate has it, or set storage.tls = \
                 \"verify-ca\" if any server of that authority will do"
            )
        }
        other => format!("the server's certificate is not good: {other}"),
    }
}

fn encryption(text: &str) -> String {
    if text.contains("does not support TLS") {
        return "the server does not encrypt, and storage.tls asks for it: set `ssl = on` in its \
                postgresql.conf, or storage.tls = \"disable\" on a network of your own"
            .to_owned();
    }
    format!(
        "the encryption could not be set up: {text} (storage.tls, storage.tls_root_certificate)"
    )
}

fn refusal(error: &PgDatabaseError, options: &PgConnectOptions) -> String {
    let said = format!("{} (PostgreSQL code {})", error.message(), error.code());
    let plain = matches!(
        options.get_ssl_mode(),
        PgSslMode::Disable | PgSslMode::Allow
    );
    match error.code() {
        NOT_LET_IN if plain => format!(
            "{said}: if the server only takes encrypted connections, set storage.tls = \
             \"verify-full\""
        ),
        _ => said,
    }
}
