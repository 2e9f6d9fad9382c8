//! Settings: embedded commented defaults, the user's file, the environment, in this order. They are
//! read once, at start, and everything that is wrong with them is reported at once, each problem at
//! its file, line and column, or at its environment variable. Nothing here reads the process: the
//! environment and the working directory are given.
//!
//! The way of a value: `file` and `environment` hold what is written against the key tree
//! (`keys`) and keep what is right; `document` lays it over the defaults; `resolve` looks
//! secrets up and joins paths; what comes out are the plain structs of `sections`.

mod callouts;
mod document;
mod effective;
mod environment;
mod file;
mod keys;
mod kind;
mod report;
mod resolve;
mod secret;
mod sections;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use callouts::{AddressBlock, CalloutsSettings};
pub use document::DEFAULTS;
pub use effective::{EffectiveSetting, Origin, effective};
pub use environment::Environment;
pub use report::SettingsError;
pub use secret::{Secret, SecretError, SecretRef};
pub use sections::*;

use crate::domain::amount::{Unit, UnitCode};
use crate::domain::ids::SourceName;
use document::Document;
use report::Report;

/// The settings file that is read if none is named.
pub const FILE_NAME: &str = "bookgate.toml";

/// The file beside the settings file that `bookgate init` writes secrets into, for a shell to read.
pub const SECRETS_NAME: &str = "bookgate.env";

/// The variable that names the settings file, if the command line does not.
pub const FILE_VARIABLE: &str = "BOOKGATE_CONFIG";

/// The largest settings file; anything larger is the wrong file.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// All settings, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The two listeners and how webhooks are taken.
    pub server: ServerSettings,
    /// The database.
    pub storage: StorageSettings,
    /// The journal.
    pub journal: JournalSettings,
    /// Where the policies are.
    pub policies: PoliciesSettings,
    /// Which servers policies may have asked.
    pub callouts: CalloutsSettings,
    /// Units of account.
    pub units: BTreeMap<UnitCode, Unit>,
    /// Who may use the admin endpoint.
    pub admin: AdminSettings,
    /// Where webhooks come from.
    pub sources: BTreeMap<SourceName, SourceSettings>,
    /// Who is told what happens.
    pub notices: BTreeMap<String, ReceiverSettings>,
    /// What is low for an account, in minor units of its unit.
    pub low_balance: BTreeMap<UnitCode, i64>,
    /// How stored webhooks become decisions and calls.
    pub worker: WorkerSettings,
    /// Comparing what the provider has with what is known here.
    pub reconcile: ReconcileSettings,
    /// What is removed once it is old.
    pub retention: RetentionSettings,
    /// Where traces go.
    pub telemetry: TelemetrySettings,
    /// What goes to stderr.
    pub log: LogSettings,
}

/// How much of the settings is asked for. A section beyond it is left empty and its secrets are not
/// looked up, so that a command fails only for want of what it uses. Whatever is asked for, every key
/// and value that is written is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// What needs no secret: no tokens, no sources, no receivers of notices.
    Offline,
    /// The tokens of the admin endpoint as well.
    Tokens,
    /// Everything, as a daemon needs it.
    Everything,
}

/// Where settings come from.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// The settings file. Without it: what `BOOKGATE_CONFIG` names, else `bookgate.toml` in the
    /// working directory, if there is one.
    pub file: Option<PathBuf>,
    /// Where relative paths on the command line, and without a file all relative paths, start.
    pub working_dir: PathBuf,
    /// The environment.
    pub env: Environment,
}

impl LoadOptions {
    /// What this process was given: its environment and its working directory.
    ///
    /// # Errors
    /// There is no working directory (any more).
    pub fn of_process(file: Option<PathBuf>) -> std::io::Result<Self> {
        Ok(Self {
            file,
            working_dir: std::env::current_dir()?,
            env: Environment::of_process(),
        })
    }

    /// Whether there is a settings file, or one is named.
    pub fn has_file(&self) -> bool {
        self.path().is_some()
    }

    /// The file to read, as the admin wrote it.
    fn path(&self) -> Option<PathBuf> {
        let named = || Some(PathBuf::from(self.env.get(FILE_VARIABLE)?));
        let usual = || {
            let path = PathBuf::from(FILE_NAME);
            self.working_dir.join(&path).exists().then_some(path)
        };
        self.file.clone().or_else(named).or_else(usual)
    }
}

impl Settings {
    /// Reads the defaults, the settings file and the environment, and looks up every secret.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn load(options: &LoadOptions) -> Result<Self, SettingsError> {
        Self::load_extent(options, Extent::Everything)
    }

    /// As [`Settings::load`], as far as `extent` goes.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn load_extent(options: &LoadOptions, extent: Extent) -> Result<Self, SettingsError> {
        let mut layers = Layers::load(options)?;
        if extent < Extent::Everything {
            layers.document.sources.clear();
            layers.document.notices.clear();
        }
        if extent < Extent::Everything {
            layers.document.telemetry = Default::default();
        }
        if extent < Extent::Tokens {
            layers.document.admin.tokens.clear();
        }
        layers.resolve(&options.env)
    }

    /// The names of the sources, also where their secrets cannot be had.
    ///
    /// # Errors
    /// The file cannot be read, or nothing can be had of it.
    pub fn source_names(options: &LoadOptions) -> Result<Vec<SourceName>, SettingsError> {
        let sources = Layers::load(options)?.document.sources;
        Ok(sources.into_keys().map(SourceName::new).collect())
    }

    /// As [`Settings::load`], for whoever looks at the rest where a part is wrong: what is right, with the
    /// default in the place of a value that is not, and everything that is wrong. `None` where nothing can
    /// be had of them.
    pub fn load_what_is_right(options: &LoadOptions) -> (Option<Self>, Result<(), SettingsError>) {
        let mut layers = match Layers::load(options) {
            Ok(layers) => layers,
            Err(error) => return (None, Err(error)),
        };
        let (document, base_dir) = (layers.document, layers.base_dir);
        let settings = resolve::resolve(document, &base_dir, &options.env, &mut layers.report);
        let wrong = match layers.report.is_clean() {
            true => Ok(()),
            false => Err(layers
                .report
                .into_error(layers.path.as_deref(), &layers.text)),
        };
        (settings, wrong)
    }

    /// As [`Settings::load`], with the text of a settings file that would lie in `base_dir`.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn from_toml_str(
        text: &str,
        base_dir: &Path,
        env: &Environment,
    ) -> Result<Self, SettingsError> {
        let path = Some(FILE_NAME.to_owned());
        Layers::read(path, text.to_owned(), base_dir.to_owned(), env)?.resolve(env)
    }

    /// A daemon without a source has nothing to do, so `serve` asks for one.
    ///
    /// # Errors
    /// There is no source.
    pub fn require_source(&self) -> Result<(), SettingsError> {
        if !self.sources.is_empty() {
            return Ok(());
        }
        Err(SettingsError::plain(
            "there is no source: nothing could send a webhook".to_owned(),
            "write these sections, or let `bookgate init` write a whole settings file:\n\
             [sources.calcom]\n\
             provider = \"calcom\"\n\
             signing_secrets = [\"env:BOOKGATE_CALCOM_SECRET\"]\n\
             [sources.calcom.api]\n\
             key = \"env:BOOKGATE_CALCOM_API_KEY\""
                .to_owned(),
        ))
    }
}

/// The layers laid over each other, and what was found while doing so.
struct Layers {
    path: Option<String>,
    text: String,
    base_dir: PathBuf,
    document: Document,
    report: Report,
}

impl Layers {
    fn load(options: &LoadOptions) -> Result<Self, SettingsError> {
        let Some(path) = options.path() else {
            let base_dir = options.working_dir.clone();
            return Self::read(None, String::new(), base_dir, &options.env);
        };
        let shown = path.display().to_string();
        let path = options.working_dir.join(path);
        let text = read_file(&path).map_err(|reason| {
            SettingsError::plain(format!("cannot read the settings file {shown}"), reason)
        })?;
        let base_dir = path.parent().unwrap_or(&options.working_dir).to_owned();
        Self::read(Some(shown), text, base_dir, &options.env)
    }

    fn read(
        path: Option<String>,
        text: String,
        base_dir: PathBuf,
        env: &Environment,
    ) -> Result<Self, SettingsError> {
        let mut report = Report::default();
        report.beside(variables_file(path.as_deref(), &base_dir));
        let Some(from_file) = file::read(&text, &mut report) else {
            return Err(report.into_error(path.as_deref(), &text));
        };
        let from_env = environment::read(env, &from_file, &mut report);
        // Every value was checked, so this only fails if the key tree and the document disagree.
        let document = Document::layered(&[&from_file, &from_env]).map_err(|error| {
            SettingsError::plain(
                "the settings do not fit together".to_owned(),
                error.to_string(),
            )
        })?;
        Ok(Self {
            path,
            text,
            base_dir,
            document,
            report,
        })
    }

    fn resolve(mut self, env: &Environment) -> Result<Settings, SettingsError> {
        let settings = resolve::resolve(self.document, &self.base_dir, env, &mut self.report);
        match settings {
            Some(settings) if self.report.is_clean() => Ok(settings),
            _ => Err(self.report.into_error(self.path.as_deref(), &self.text)),
        }
    }

    fn origin(&self, key: &str) -> Origin {
        if let Some(variable) = self.report.variable_of(key) {
            return Origin::Variable(variable.to_owned());
        }
        match (self.report.span_of(key), &self.path) {
            (Some(span), Some(path)) => Origin::File {
                path: path.clone(),
                line: self.text[..span.start].matches('\n').count() + 1,
            },
            _ => Origin::Default,
        }
    }
}

/// The file of variables that `init` writes beside the settings file, if it is there: as a shell finds it from
/// where the settings file was named.
fn variables_file(settings_file: Option<&str>, base_dir: &Path) -> Option<String> {
    if !base_dir.join(SECRETS_NAME).exists() {
        return None;
    }
    let beside = Path::new(settings_file.unwrap_or(FILE_NAME)).with_file_name(SECRETS_NAME);
    let shown = beside.display().to_string();
    // Without a slash, `.` looks the file up in PATH.
    Some(match shown.contains('/') {
        true => shown,
        false => format!("./{shown}"),
    })
}

fn read_file(path: &Path) -> Result<String, String> {
    let size = std::fs::metadata(path).map_err(|e| e.to_string())?.len();
    if size > FILE_BYTES_MAX {
        return Err(format!(
            "it has {size} bytes, a settings file at most {FILE_BYTES_MAX}"
        ));
    }
    std::fs::read_to_string(path).map_err(|e| e.to_string())
}
