//! How a command reaches the data. It reads from the store itself, also beside a running daemon. It
//! writes on the store only while no daemon has it, else through the daemon's admin endpoint. Who has
//! the store is told by the store's own lock, not by what happens to listen on a port.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use clap::{Arg, Args};
use url::Url;

use super::admin_endpoint::AdminEndpoint;
use super::{Context, NotFound, UsageError, refused, wait_for};
use crate::app::storage_settings;
use crate::gate::{Actor, Desk, GateError};
use crate::settings::{Extent, Role, Secret, SecretRef, Settings};
use crate::storage::{Database, Storage, StorageError};

/// Who acts, where no token of the settings does.
const NAMELESS_ACTOR: &str = "cli";

/// Which admin endpoint, and with which token.
#[derive(Debug, Args)]
pub(super) struct WriteArgs {
    /// The admin endpoint of a daemon, wherever it runs [default: if a daemon has the database, what
    /// server.admin_listen says; else the database is written without one]
    #[arg(long, value_name = "URL")]
    admin_url: Option<Url>,
    /// The token for it: env:NAME or file:PATH [default: the first of [admin.tokens] with the role
    /// admin]
    #[arg(long, value_name = "REFERENCE")]
    token: Option<String>,
}

/// What `--admin-url` is for a command that only a daemon carries out.
pub(super) fn only_a_daemon(admin_url: Arg) -> Arg {
    admin_url.help(
        "The admin endpoint of the daemon that does it, wherever it runs [default: what \
         server.admin_listen says]",
    )
}

/// Where to write.
pub(super) enum Reached {
    /// Nobody has the store, so the command does.
    Store(OwnStore),
    /// A daemon has it.
    Daemon(AdminEndpoint),
}

/// The store, opened for writing.
pub(super) struct OwnStore {
    /// What writes.
    pub(super) desk: Desk,
    /// Who acts: the token's name where there is one, so that a top-up repeated with its key is the
    /// same top-up whether a daemon runs or not.
    pub(super) actor: Actor,
    /// Whether daemons may be at work on it all the same.
    pub(super) shared: bool,
    storage: Storage,
}

impl OwnStore {
    /// Gives the store free again.
    pub(super) async fn close(self) {
        self.storage.close().await;
    }
}

/// Asks the store something.
pub(super) fn read<T>(
    context: &Context<'_>,
    ask: impl AsyncFnOnce(&Desk) -> Result<T, GateError>,
) -> anyhow::Result<T> {
    let settings = Settings::load_extent(&context.options, Extent::Offline)?;
    let store = storage_settings(&settings);
    is_there(&store.database, context)?;
    wait_for(async {
        let storage = Storage::open_read_only(&store).await?;
        let desk = Desk::new(storage.clone(), store.units, Arc::clone(&context.clock));
        let answer = ask(&desk).await;
        storage.close().await;
        answer.map_err(refused)
    })
}

/// Refuses a file that is not there: a command that is given in the wrong folder must not make a database of
/// its own there, and say that all went well.
///
/// # Errors
/// [`NotFound`].
pub(super) fn is_there(database: &Database, context: &Context<'_>) -> Result<(), NotFound> {
    let Database::Sqlite { path, .. } = database else {
        return Ok(());
    };
    if path.exists() {
        return Ok(());
    }
    let file = path.display();
    let text = match context.options.has_file() {
        true => format!(
            "there is no database `{file}` (storage.url): `bookgate serve` makes it when it starts, and \
             `bookgate migrate` without starting"
        ),
        false => format!(
            "there is no database `{file}`, nor a bookgate.toml in `{}`: go where it is, or name it with \
             --config",
            context.options.working_dir.display()
        ),
    };
    Err(NotFound(text))
}

/// Finds out where to write.
pub(super) async fn to_write(args: &WriteArgs, context: &Context<'_>) -> anyhow::Result<Reached> {
    let given = args.token.as_deref();
    let given = given.map(|text| resolve(text, context)).transpose()?;
    if args.admin_url.is_some() {
        return to_daemon(args, context).map(Reached::Daemon);
    }
    let settings = Settings::load_extent(&context.options, Extent::Tokens)?;
    let token = Token::choose(given, &settings);
    let store = storage_settings(&settings);
    let shared = !matches!(store.database, Database::Sqlite { .. });
    is_there(&store.database, context)?;
    if shared {
        // Nor are tables made in whatever database the URL happens to name.
        Storage::open_read_only(&store).await?.close().await;
    }
    match Storage::open(&store).await {
        Ok(storage) => {
            let units = settings.units.into_values();
            Ok(Reached::Store(OwnStore {
                desk: Desk::new(storage.clone(), units, Arc::clone(&context.clock)),
                actor: Actor::new(token.actor()),
                shared,
                storage,
            }))
        }
        Err(StorageError::Locked { .. }) => {
            let url = url_of(settings.server.admin_listen)?;
            Ok(Reached::Daemon(AdminEndpoint::new(url, token.needed()?)?))
        }
        Err(error) => Err(error.into()),
    }
}

/// The admin endpoint of a daemon, for what only a daemon can do.
pub(super) fn to_daemon(args: &WriteArgs, context: &Context<'_>) -> anyhow::Result<AdminEndpoint> {
    let given = args.token.as_deref();
    let given = given.map(|text| resolve(text, context)).transpose()?;
    if let (Some(url), Some(token)) = (&args.admin_url, &given) {
        return AdminEndpoint::new(url.clone(), token.clone());
    }
    let settings = Settings::load_extent(&context.options, Extent::Tokens)?;
    let url = match &args.admin_url {
        Some(url) => url.clone(),
        None => url_of(settings.server.admin_listen)?,
    };
    AdminEndpoint::new(url, Token::choose(given, &settings).needed()?)
}

/// The token that a command acts with.
struct Token {
    name: Option<String>,
    secret: Option<Secret>,
}

impl Token {
    fn choose(given: Option<Secret>, settings: &Settings) -> Self {
        let mut tokens = settings.admin.tokens.iter();
        let chosen = tokens.find(|(_, token)| match &given {
            Some(given) => *given == token.secret,
            None => token.role == Role::Admin,
        });
        Self {
            name: chosen.map(|(name, _)| name.clone()),
            secret: given.or_else(|| chosen.map(|(_, token)| token.secret.clone())),
        }
    }

    fn actor(&self) -> String {
        match &self.name {
            Some(name) => format!("token:{name}"),
            None => NAMELESS_ACTOR.to_owned(),
        }
    }

    fn needed(self) -> Result<Secret, UsageError> {
        self.secret.ok_or_else(|| {
            UsageError(
                "the admin endpoint wants a token: write [admin.tokens.NAME] with role = \"admin\" \
                 into the settings, or give --token env:NAME"
                    .to_owned(),
            )
        })
    }
}

fn resolve(reference: &str, context: &Context<'_>) -> Result<Secret, UsageError> {
    SecretRef::parse(reference)
        .and_then(|at| at.resolve(&context.options.working_dir, &context.options.env))
        .map_err(|error| UsageError(format!("--token: {error}")))
}

/// Where a listener on this machine is reached from this machine.
pub(super) fn url_of(listen: SocketAddr) -> Result<Url, url::ParseError> {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    Url::parse(&format!("http://{}", SocketAddr::new(ip, listen.port())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_every_address_is_reached_on_loopback() {
        for (listen, url) in [
            ("127.0.0.1:8081", "http://127.0.0.1:8081/"),
            ("0.0.0.0:8081", "http://127.0.0.1:8081/"),
            ("[::]:8081", "http://[::1]:8081/"),
            ("10.1.2.3:80", "http://10.1.2.3/"),
        ] {
            assert_eq!(url_of(listen.parse().unwrap()).unwrap().as_str(), url);
        }
    }
}
