//! Logs: to stderr, as text or JSON, with RFC 3339 times in UTC. What may stand in them is decided
//! where they are written: never bodies, addresses, names, tokens or signatures.

pub mod otlp;

use std::io;

use tracing::subscriber::set_global_default;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Layer, registry};

use crate::settings::{LogFormat, LogLevel, LogSettings};

/// The variable with a finer filter than `log.level`, in the notation of [`EnvFilter`].
pub const FILTER_VARIABLE: &str = "BOOKGATE_LOG";

/// What logs URLs and headers, which may carry keys, when asked for details. No filter lets these
/// through below `info`.
const KEEPERS_OF_KEYS: [&str; 4] = ["h2", "hyper", "hyper_util", "reqwest"];

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be read.
    #[error("{FILTER_VARIABLE}: {0}; write something like `warn,bookgate::gate=debug`")]
    Filter(String),
    /// Something else set up logging before.
    #[error("logging is already set up")]
    Taken,
}

/// Sends the logs of this process to stderr. `filter` is the value of `BOOKGATE_LOG`, if it is set;
/// it replaces `log.level`.
///
/// # Errors
/// The filter cannot be read, or logging was set up before.
pub fn init(settings: LogSettings, filter: Option<&str>) -> Result<(), TelemetryError> {
    let subscriber = subscriber(settings, filter, io::stderr)?;
    set_global_default(subscriber).map_err(|_| TelemetryError::Taken)
}

fn subscriber<W>(
    settings: LogSettings,
    filter: Option<&str>,
    writer: W,
) -> Result<Box<dyn Subscriber + Send + Sync>, TelemetryError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = env_filter(settings.level, filter)?.and(filter_fn(keeps_keys));
    let lines = fmt::layer().with_ansi(false).with_writer(writer);
    Ok(match settings.format {
        LogFormat::Text => Box::new(registry().with(lines.with_filter(filter))),
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true);
            Box::new(registry().with(lines.with_filter(filter)))
        }
    })
}

fn env_filter(level: LogLevel, filter: Option<&str>) -> Result<EnvFilter, TelemetryError> {
    let directives = match filter.map(str::trim) {
        // A pool warns of each connection that a stopped server has left behind. That it is gone is said
        // once, by the store.
        None | Some("") => format!(
            "{},sqlx_core::pool=error,bookgate={}",
            level_of_others(level),
            level.as_str()
        ),
        Some(filter) => filter.to_owned(),
    };
    EnvFilter::builder()
        .parse(directives)
        .map_err(|error| TelemetryError::Filter(error.to_string()))
}

/// Whether a line may be written, whatever the filter says.
fn keeps_keys(line: &Metadata<'_>) -> bool {
    let source = line.target().split("::").next().unwrap_or_default();
    *line.level() <= Level::INFO || !KEEPERS_OF_KEYS.contains(&source)
}

/// What bookgate is built on is quiet: its warnings matter, its daily business does not.
fn level_of_others(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "error",
        LogLevel::Warn | LogLevel::Info | LogLevel::Debug | LogLevel::Trace => "warn",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    use tracing::subscriber::with_default;

    /// What a subscriber writes.
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, level: LogLevel, filter: Option<&str>) -> String {
        let written = Written::default();
        let writer = written.clone();
        let settings = LogSettings { format, level };
        let subscriber = subscriber(settings, filter, move || writer.clone()).unwrap();
        with_default(subscriber, || {
            tracing::info!(target: "bookgate::gate", { "booking.ref" = "calcom/91" }, "booking decided");
            tracing::debug!(target: "bookgate::gate", "details");
            tracing::info!(target: "sqlx::query", "daily business");
            tracing::warn!(target: "sqlx::query", "slow");
            tracing::debug!(target: "reqwest::connect", "https://api.cal.com/?apiKey=key");
        });
        String::from_utf8(written.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn others_are_quiet() {
        let text = logged(LogFormat::Text, LogLevel::Debug, None);
        assert!(text.contains("booking decided") && text.contains("details"));
        assert!(text.contains("slow") && !text.contains("daily business"));
        let text = logged(LogFormat::Text, LogLevel::Error, None);
        assert_eq!(text, "");
    }

    #[test]
    fn the_filter_replaces_the_level_but_shows_no_keys() {
        let text = logged(LogFormat::Text, LogLevel::Error, Some("trace"));
        assert!(text.contains("details") && text.contains("daily business"));
        for filter in ["trace", "reqwest=trace", "reqwest::connect=trace"] {
            let text = logged(LogFormat::Text, LogLevel::Info, Some(filter));
            assert!(!text.contains("apiKey"), "{filter}: {text}");
        }
    }

    #[test]
    fn a_line_of_json_is_flat_and_has_a_utc_time() {
        let text = logged(LogFormat::Json, LogLevel::Info, Some("bookgate=info"));
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["message"], "booking decided");
        assert_eq!(line["booking.ref"], "calcom/91");
        assert_eq!(line["level"], "INFO");
        let time = line["timestamp"].as_str().unwrap();
        assert!(time.ends_with('Z') && time.parse::<jiff::Timestamp>().is_ok());
    }

    #[test]
    fn a_wrong_filter_is_an_error() {
        let error = env_filter(LogLevel::Info, Some("bookgate=loud")).unwrap_err();
        assert!(error.to_string().starts_with("BOOKGATE_LOG: "), "{error}");
    }
}
