//! `init`: a folder to start from. Writes settings, freshly made secrets and a first policy, and
//! says step by step what to enter at Cal.com. Nothing is written if a file is in the way.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use serde_json::json;
use url::Url;

use super::{Context, UsageError};
use crate::provider::registry;
use crate::settings::{FILE_NAME, SECRETS_NAME};

/// The settings file that is written.
const SETTINGS: &str = include_str!("init/bookgate.toml");

/// The first policy: its name and text, which is one of the examples.
const POLICY_NAME: &str = "policies/executive-book-club.toml";
const POLICY: &str = include_str!("../../policies/executive-book-club.toml");

/// Who may read the file with the secrets: the owner.
const SECRETS_MODE: u32 = 0o600;
const OTHERS_MODE: u32 = 0o644;

/// Random bytes in a secret; written as hex, twice as many characters.
const SECRET_BYTES: usize = 32;

/// Whose webhooks come in at first, by its name in the registry.
const PROVIDER: &str = "calcom";

/// What `init` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bookgate init
  bookgate init /etc/bookgate --public-url https://bookgate.example.org

Writes bookgate.toml, bookgate.env (secrets, readable by you alone) and
policies/executive-book-club.toml. With --force these three are written anew, and the secrets are others than before.")]
pub(super) struct InitArgs {
    /// The folder to write to; it is made if need be
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Write over files that are there
    #[arg(long)]
    force: bool,
    /// Where Cal.com reaches bookgate's webhook listener from outside
    #[arg(
        long,
        value_name = "URL",
        default_value = "https://bookgate.example.org"
    )]
    public_url: Url,
}

/// One file to write.
struct NewFile {
    path: PathBuf,
    text: String,
    mode: u32,
}

/// Writes the files and prints the steps.
pub(super) fn run(args: &InitArgs, json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let subscriber_url = subscriber_url(&args.public_url)?;
    let triggers = registry::find(PROVIDER)?.events;
    // Component by component, so that `.` leaves no trace.
    let dir: PathBuf = context
        .options
        .working_dir
        .join(&args.dir)
        .components()
        .collect();
    let files = files(&dir)?;
    if !args.force {
        refuse_to_overwrite(&files)?;
    }
    for file in &files {
        write(file, args.force).with_context(|| format!("cannot write {}", file.path.display()))?;
    }
    if json {
        let paths: Vec<_> = files
            .iter()
            .map(|file| file.path.display().to_string())
            .collect();
        let answer = json!({
            "files": paths,
            "subscriber_url": subscriber_url.as_str(),
            "triggers": triggers,
            "signing_secret": "env:BOOKGATE_CALCOM_SECRET",
            "api_key": "env:BOOKGATE_CALCOM_API_KEY",
        });
        serde_json::to_writer_pretty(&mut *context.out, &answer)?;
        return Ok(writeln!(context.out)?);
    }
    for file in &files {
        writeln!(context.out, "wrote {}", file.path.display())?;
    }
    Ok(write!(
        context.out,
        "{}",
        steps(&dir, &subscriber_url, triggers)
    )?)
}

fn files(dir: &Path) -> anyhow::Result<[NewFile; 3]> {
    let secrets = format!(
        "# Secrets of bookgate, for `set -a; . ./{SECRETS_NAME}; set +a` or systemd's EnvironmentFile=.\n\
         # Keep this file out of version control and backups that others read.\n\
         \n\
         # The token for the admin endpoint.\n\
         BOOKGATE_ADMIN_TOKEN={}\n\
         # The secret of the webhook at Cal.com.\n\
         BOOKGATE_CALCOM_SECRET={}\n\
         # The API key from Cal.com, which begins with cal_\n\
         BOOKGATE_CALCOM_API_KEY=\n",
        new_secret()?,
        new_secret()?,
    );
    let file = |name: &str, text: &str, mode| NewFile {
        path: dir.join(name),
        text: text.to_owned(),
        mode,
    };
    Ok([
        file(FILE_NAME, SETTINGS, OTHERS_MODE),
        file(SECRETS_NAME, &secrets, SECRETS_MODE),
        file(POLICY_NAME, POLICY, OTHERS_MODE),
    ])
}

/// A fresh secret, in hex.
pub(super) fn new_secret() -> anyhow::Result<String> {
    let mut random = [0; SECRET_BYTES];
    getrandom::fill(&mut random).context("the system gives no random numbers")?;
    Ok(hex::encode(random))
}

fn refuse_to_overwrite(files: &[NewFile]) -> Result<(), UsageError> {
    let in_the_way: Vec<_> = files
        .iter()
        .filter(|file| file.path.symlink_metadata().is_ok())
        .map(|file| file.path.display().to_string())
        .collect();
    if in_the_way.is_empty() {
        return Ok(());
    }
    Err(UsageError(format!(
        "nothing was written, because there is already {} (--force writes over it)",
        in_the_way.join(", ")
    )))
}

fn write(file: &NewFile, force: bool) -> std::io::Result<()> {
    if let Some(folder) = file.path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).mode(file.mode);
    if force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    let mut open = options.open(&file.path)?;
    // The mode above only counts for a file that is made; one that is written over keeps its own.
    open.set_permissions(fs::Permissions::from_mode(file.mode))?;
    open.write_all(file.text.as_bytes())?;
    open.sync_all()
}

fn subscriber_url(public_url: &Url) -> anyhow::Result<Url> {
    let is_plain = matches!(public_url.scheme(), "http" | "https")
        && public_url.query().is_none()
        && public_url.fragment().is_none();
    if !is_plain {
        let message = "--public-url must be an http or https URL without ? and #";
        return Err(UsageError(message.to_owned()).into());
    }
    let base = public_url.as_str().trim_end_matches('/');
    Ok(Url::parse(&format!("{base}/webhooks/calcom"))?)
}

fn steps(dir: &Path, subscriber_url: &Url, triggers: &[&str]) -> String {
    let dir = dir.display();
    let triggers = triggers.join("\n          ");
    format!(
        "
At Cal.com:
  1. Event type > Advanced: switch on \"Requires confirmation\", so that a booking waits for an
     answer. Its slug belongs under [match] in
     {POLICY_NAME}.
  2. Settings > Developer > Webhooks > New webhook:
       Subscriber URL
          {subscriber_url}
       Event triggers, these and no others
          {triggers}
       Secret
          the value of BOOKGATE_CALCOM_SECRET in {SECRETS_NAME}
       Payload template
          leave it switched off
  3. Settings > Developer > API keys > New: the key must belong to a host of the event type.
     Put it behind BOOKGATE_CALCOM_API_KEY= in {SECRETS_NAME}.

Here:
  4. cd {dir}
     set -a; . ./{SECRETS_NAME}; set +a
     bookgate settings show
     bookgate policy check
  5. bookgate serve
     A proxy with TLS passes {subscriber_url}
     on to `server.listen` in {FILE_NAME}.
"
    )
}
