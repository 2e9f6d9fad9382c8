//! What this machine alone tells: settings, secrets, policies, disk.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::Findings;
use crate::app::{LastGood, check_policies_and_secrets};
use crate::cli::Context;
use crate::cli::text::second;
use crate::settings::{Database, Secret, Settings, Verification, effective};

/// A secret that is shorter can be guessed, in bytes.
const SECRET_BYTES_MIN: usize = 16;
/// Beneath this a disk is full for us, in bytes.
const FREE_BYTES_MIN: u64 = 64 << 20;
/// Beneath this somebody should look, in bytes.
const FREE_BYTES_LOW: u64 = 1 << 30;
/// What others may do with a file: anything at all.
const OTHERS: u32 = 0o077;
/// What those may do with it who are not even of its group.
const EVERYBODY: u32 = 0o007;

/// Reads the settings as far as they can be read.
pub(super) fn settings(context: &Context<'_>, found: &mut Findings) -> Option<Settings> {
    let (settings, wrong) = Settings::load_what_is_right(&context.options);
    match (&settings, wrong) {
        (Some(settings), Ok(())) if settings.sources.is_empty() => found.failed(
            "settings",
            "there is no source: nothing could send a webhook",
            "`bookgate init` writes a whole settings file to start from",
        ),
        (Some(settings), Ok(())) => {
            let names: Vec<_> = settings.sources.keys().map(ToString::to_string).collect();
            let sources = names.join(", ");
            found.ok("settings", format!("complete; sources: {sources}"));
            if settings.admin.tokens.is_empty() {
                found.warning(
                    "settings",
                    "there is no token: nobody can use the admin endpoint",
                    "write [admin.tokens.ops] with role = \"admin\" and a secret",
                );
            }
        }
        (known, Err(error)) => {
            let help = match known {
                Some(_) => "put this right first; what follows goes by the rest of the settings",
                None => "put this right first; nothing else can be looked at without",
            };
            found.failed("settings", error.to_string(), help);
        }
        (None, Ok(())) => {}
    }
    settings
}

/// Looks at the secrets that were found; those that were not are wrong settings.
pub(super) fn secrets(settings: &Settings, context: &Context<'_>, found: &mut Findings) {
    let short = |secret: &Secret| secret.expose().len() < SECRET_BYTES_MIN;
    let tokens = settings.admin.tokens.iter();
    let tokens = tokens.filter(|(_, token)| short(&token.secret));
    let mut weak: Vec<_> = tokens
        .map(|(name, _)| format!("admin.tokens.{name}.secret"))
        .collect();
    let mut well = true;
    for (name, source) in &settings.sources {
        match &source.verification {
            Verification::Signed(secrets) if secrets.iter().any(short) => {
                weak.push(format!("sources.{name}.signing_secrets"));
            }
            Verification::Signed(_) => {}
            Verification::None => {
                well = false;
                found.warning(
                    "secrets",
                    format!("webhooks of `{name}` are taken from anybody, unchecked"),
                    format!("remove sources.{name}.verification, and write signing_secrets"),
                );
            }
        }
    }
    if !weak.is_empty() {
        well = false;
        found.warning(
            "secrets",
            format!("short enough to be guessed: {}", weak.join(", ")),
            "`openssl rand -hex 32` makes a better one",
        );
    }
    let open = open_files(context);
    if !open.is_empty() {
        well = false;
        found.warning(
            "secrets",
            format!("other users may read {}", open.join(", ")),
            format!("chmod 600 {}", open.join(" ")),
        );
    }
    if well {
        found.ok("secrets", "long enough, and nobody else's to read");
    }
}

/// Files with secrets that others may look into.
fn open_files(context: &Context<'_>) -> Vec<String> {
    let settings = effective(&context.options).map_or_else(|_| Vec::new(), |(all, _)| all);
    let secrets = settings.iter().filter(|one| !one.secrets_set.is_empty());
    let texts = secrets.flat_map(|one| match &one.value {
        toml::Value::Array(all) => all.iter().filter_map(toml::Value::as_str).collect(),
        value => value.as_str().into_iter().collect::<Vec<_>>(),
    });
    let folder = &context.options.working_dir;
    let files = texts.filter_map(|text| text.strip_prefix("file:"));
    let is_open = |file: &&str| {
        let seen = fs::metadata(folder.join(file));
        seen.is_ok_and(|seen| seen.permissions().mode() & OTHERS != 0)
    };
    files.filter(is_open).map(str::to_owned).collect()
}

/// Checks the policies as the daemon does, with their secrets.
pub(super) fn policies(settings: &Settings, found: &mut Findings) {
    let dir = &settings.policies.dir;
    let (set, hints) = match check_policies_and_secrets(settings) {
        Ok(checked) => checked,
        Err(error) => {
            let mut help =
                "`bookgate policy check` says the same; policies/README.md is the guide".to_owned();
            if let Ok(Some(kept)) = LastGood::read(&LastGood::path(&settings.journal.dir)) {
                let at = second(kept.kept_at);
                help.push_str(&format!(
                    "\na daemon here goes on with the policies of {at}"
                ));
                if !settings.policies.start_with_last_good {
                    help.push_str(", and is not started (policies.start_with_last_good)");
                }
            }
            return found.failed("policies", error.to_string(), help);
        }
    };
    let count = set.policies().count();
    if count == 0 {
        let what = format!(
            "none in {}: every booking is left to a person",
            dir.display()
        );
        let help = "write one: policies/README.md is the guide";
        return found.warning("policies", what, help);
    }
    let what = format!(
        "{count} in {}, sound, and pass their own tests",
        dir.display()
    );
    match hints.iter().count() {
        0 => found.ok("policies", what),
        hints => found.warning(
            "policies",
            match hints {
                1 => format!("{what}; 1 hint"),
                hints => format!("{what}; {hints} hints"),
            },
            "`bookgate policy check` shows them",
        ),
    }
}

/// Looks at the folders that are written to.
pub(super) fn disk(settings: &Settings, found: &mut Findings) {
    let journal = &settings.journal;
    folder("journal.dir", &journal.dir, journal.bytes_max, found);
    if let Database::Sqlite(path) = &settings.storage.database {
        let beside = path.parent().unwrap_or(Path::new("."));
        folder("storage.url", beside, 0, found);
    }
}

/// Looks whether anybody on this machine may read who has booked what.
pub(super) fn privacy(settings: &Settings, found: &mut Findings) {
    let mut open = Vec::new();
    if let Database::Sqlite(file) = &settings.storage.database
        && everybody_may(file)
        && file.parent().is_none_or(everybody_may)
    {
        open.push(file.display().to_string());
    }
    let journal = &settings.journal.dir;
    let entries = fs::read_dir(journal).into_iter().flatten().flatten();
    if everybody_may(journal)
        && entries
            .map(|entry| entry.path())
            .any(|file| everybody_may(&file))
    {
        open.push(journal.display().to_string());
    }
    if !open.is_empty() {
        found.warning(
            "disk",
            format!("every user of this machine may read {}", open.join(" and ")),
            format!("it says who booked what: chmod -R o= {}", open.join(" ")),
        );
    }
}

/// Whether users that neither own it nor are of its group may do anything with a file or folder.
fn everybody_may(path: &Path) -> bool {
    let seen = fs::metadata(path);
    seen.is_ok_and(|seen| seen.permissions().mode() & EVERYBODY != 0)
}

/// One folder: whether it can be written, and how much room there is. It may grow by `growth` bytes.
fn folder(key: &str, dir: &Path, growth: u64, found: &mut Findings) {
    // What is not there yet is made in what is there.
    let Some(there) = nearest(dir) else {
        let what = format!("{key}: there is no folder `{}`", dir.display());
        return found.failed("disk", what, "make it, or name another");
    };
    let shown = dir.display();
    if let Err(error) = tempfile::tempfile_in(&there) {
        return found.failed(
            "disk",
            format!("{key}: `{shown}` cannot be written: {error}"),
            "let the user that bookgate runs as write there",
        );
    }
    let free = match rustix::fs::statvfs(&there) {
        Ok(disk) => disk.f_bavail.saturating_mul(disk.f_frsize),
        Err(error) => {
            let what = format!("{key}: how full `{shown}` is cannot be told: {error}");
            return found.warning("disk", what, "look yourself, with df");
        }
    };
    let what = format!("{key}: `{shown}` can be written, {} free", size(free));
    if free < FREE_BYTES_MIN {
        let help = "make room: what cannot be stored is answered 503, and Cal.com sends once";
        return found.failed("disk", what, help);
    }
    if free < growth {
        let help = format!(
            "while the database is down the journal may take {} (journal.bytes_max)",
            size(growth)
        );
        return found.warning("disk", what, help);
    }
    match free < FREE_BYTES_LOW {
        true => found.warning("disk", what, "make room before it is full"),
        false => found.ok("disk", what),
    }
}

fn nearest(dir: &Path) -> Option<PathBuf> {
    let mut candidates = dir.ancestors().filter(|path| !path.as_os_str().is_empty());
    let found = candidates.find(|path| path.is_dir());
    found.map(Path::to_owned)
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    match bytes {
        0..0x4000_0000 => format!("{} MiB", bytes >> 20),
        0x4000_0000.. => format!("{} GiB", bytes >> 30),
    }
}
