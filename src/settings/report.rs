//! Collects everything that is wrong with the settings and shows it in one go, each problem at its
//! place. Nothing that could be a secret is shown: refused values are blanked before a line of the
//! file is printed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::keys;

/// How many problems are shown; the others are counted. One slip can cause hundreds.
const SHOWN_MAX: usize = 20;

/// Where a problem is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// In the settings file, by bytes.
    File { start: usize, end: usize },
    /// In an environment variable.
    Variable(String),
    /// In an option of the command line, which stands in a variable's place.
    Option(String),
    /// Nowhere in particular: something is missing altogether.
    Nowhere,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Problem {
    title: String,
    place: Place,
    label: String,
    help: Option<String>,
}

/// A settings file as it may be shown.
#[derive(Debug, Clone)]
struct Shown {
    path: String,
    text: String,
}

/// Everything that is wrong with the settings. Its `Display` is the whole report, several lines
/// long, meant for stderr as it is.
#[derive(Debug, Clone)]
pub struct SettingsError {
    shown: Option<Shown>,
    problems: Vec<Problem>,
    /// What would mend several of them.
    help: Option<String>,
}

/// What was found while the settings were read: where each key was set, and what is wrong.
#[derive(Debug, Default)]
pub(super) struct Report {
    problems: Vec<Problem>,
    /// Where the file sets a key or opens a table; items of a list as `key[0]`.
    spans: BTreeMap<String, Range<usize>>,
    /// Which variable sets a key.
    variables: BTreeMap<String, String>,
    /// Keys that were given, but wrongly: they are not called missing as well.
    faulty: BTreeSet<String>,
    /// What may not be shown.
    blanks: Vec<Range<usize>>,
    /// The file of variables beside the settings file, as a shell has to be given it.
    variables_file: Option<String>,
    /// Whether a variable with a secret is not set.
    variable_is_missing: bool,
}

impl Report {
    /// The file sets `key` (or opens the table) at `span`.
    pub(super) fn set_in_file(&mut self, key: &str, span: Range<usize>) {
        self.spans.insert(key.to_owned(), span);
    }

    /// `variable` sets `key`.
    pub(super) fn set_by_variable(&mut self, key: &str, variable: &str) {
        self.variables.insert(key.to_owned(), variable.to_owned());
    }

    /// Which variable sets `key`.
    pub(super) fn variable_of(&self, key: &str) -> Option<&str> {
        self.variables.get(key).map(String::as_str)
    }

    /// Where the file sets `key`.
    pub(super) fn span_of(&self, key: &str) -> Option<&Range<usize>> {
        self.spans.get(key)
    }

    /// Marks a key as given wrongly, so that it is not called missing as well.
    pub(super) fn mark_faulty(&mut self, key: &str) {
        self.faulty.insert(key.to_owned());
    }

    /// Keeps a part of the file from being shown.
    pub(super) fn blank(&mut self, span: Range<usize>) {
        self.blanks.push(span);
    }

    /// A problem at a place in the file.
    pub(super) fn in_file(
        &mut self,
        span: Range<usize>,
        title: String,
        label: String,
        help: Option<String>,
    ) {
        let place = Place::File {
            start: span.start,
            end: span.end,
        };
        self.push(place, title, label, help);
    }

    /// A problem with an environment variable.
    pub(super) fn in_variable(
        &mut self,
        variable: &str,
        title: String,
        label: String,
        help: Option<String>,
    ) {
        self.push(Place::Variable(variable.to_owned()), title, label, help);
    }

    /// A problem with what `key` is in the end, wherever it was set.
    pub(super) fn with_key(
        &mut self,
        key: &str,
        title: String,
        label: String,
        help: Option<String>,
    ) {
        self.push(self.locate(key), title, label, help);
    }

    /// A problem without a place.
    pub(super) fn nowhere(&mut self, title: String, label: String, help: Option<String>) {
        self.push(Place::Nowhere, title, label, help);
    }

    /// `key` is needed and was not given. `example` is what could be written in its table.
    pub(super) fn missing(&mut self, key: &str, example: &str) {
        if self.faulty.contains(key) {
            return;
        }
        let table = key.rsplit_once('.').map_or("", |(table, _)| table);
        let label = format!("write {example} under [{table}]");
        self.with_key(key, format!("`{key}` is missing"), label, None);
    }

    /// Notes the file of variables beside the settings file, as a shell has to be given it.
    pub(super) fn beside(&mut self, variables_file: Option<String>) {
        self.variables_file = variables_file;
    }

    /// A variable with a secret is not set: the file of variables may have it.
    pub(super) fn variable_is_missing(&mut self) {
        self.variable_is_missing = true;
    }

    /// Whether nothing is wrong.
    pub(super) fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    /// All problems, in the order of the file. `path` and `text` are the settings file's.
    pub(super) fn into_error(mut self, path: Option<&str>, text: &str) -> SettingsError {
        self.problems.sort_by(|a, b| a.place.cmp(&b.place));
        self.problems.dedup();
        let file = self.variables_file.filter(|_| self.variable_is_missing);
        SettingsError {
            help: file.map(|file| {
                format!("`set -a; . {file}; set +a` sets the variables that are in {file}")
            }),
            shown: path.map(|path| Shown {
                path: path.to_owned(),
                text: blanked(text, &self.blanks),
            }),
            problems: self.problems,
        }
    }

    fn push(&mut self, place: Place, title: String, label: String, help: Option<String>) {
        self.problems.push(Problem {
            title,
            place,
            label,
            help,
        });
    }

    /// Where `key` was set, else the nearest table around it.
    fn locate(&self, key: &str) -> Place {
        let mut around = key;
        loop {
            let plain = around.split('[').next().unwrap_or(around);
            if let Some(variable) = self.variables.get(plain) {
                return Place::Variable(variable.clone());
            }
            if let Some(span) = self.spans.get(around) {
                return Place::File {
                    start: span.start,
                    end: span.end,
                };
            }
            let below = keys::join(around, "");
            let sibling = self.variables.range(below.clone()..).next();
            if let Some((_, variable)) = sibling.filter(|(other, _)| other.starts_with(&below)) {
                return Place::Variable(variable.clone());
            }
            match around.rfind(['.', '[']) {
                Some(end) => around = &around[..end],
                None => return Place::Nowhere,
            }
        }
    }
}

impl SettingsError {
    /// An error that has nothing to do with the text of a file: `title` says what, `label` how to
    /// mend it.
    pub(super) fn plain(title: String, label: String) -> Self {
        let mut report = Report::default();
        report.nowhere(title, label, None);
        Self {
            shown: None,
            problems: report.problems,
            help: None,
        }
    }

    /// Says that what stands in `variable` was written behind an option of the command line.
    pub(crate) fn given_by(mut self, variable: &str, option: &str) -> Self {
        for problem in &mut self.problems {
            if problem.place == Place::Variable(variable.to_owned()) {
                problem.place = Place::Option(option.to_owned());
                problem.title = problem
                    .title
                    .replace("`storage.url`", &format!("`{option}`"));
            }
        }
        self
    }

    /// How many problems there are; at least one.
    pub fn count(&self) -> usize {
        self.problems.len()
    }

    fn group<'a>(&'a self, problem: &'a Problem) -> Group<'a> {
        let title = Level::ERROR.primary_title(problem.title.as_str());
        let group = match (&problem.place, &self.shown) {
            (Place::File { start, end }, Some(shown)) => title.element(
                Snippet::source(shown.text.as_str())
                    .path(shown.path.as_str())
                    .annotation(
                        AnnotationKind::Primary
                            .span(*start..*end)
                            .label(problem.label.as_str()),
                    ),
            ),
            (Place::Variable(name), _) => title
                .element(Origin::path(format!("environment variable {name}")))
                .element(Level::NOTE.message(problem.label.as_str())),
            (Place::Option(name), _) => title
                .element(Origin::path(format!("option {name}")))
                .element(Level::NOTE.message(problem.label.as_str())),
            _ => title.element(Level::NOTE.message(problem.label.as_str())),
        };
        match &problem.help {
            Some(help) => group.element(Level::HELP.message(help.as_str())),
            None => group,
        }
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let renderer = Renderer::plain();
        for (index, problem) in self.problems.iter().take(SHOWN_MAX).enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            f.write_str(&renderer.render(&[self.group(problem)]))?;
        }
        let count = self.problems.len();
        if count > SHOWN_MAX {
            write!(
                f,
                "\n\nerror: {count} problems in the settings, the first {SHOWN_MAX} are shown"
            )?;
        } else if count > 1 {
            write!(f, "\n\nerror: {count} problems in the settings")?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n\nhelp: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SettingsError {}

/// The text with everything in `spans` starred out, except what shows where values begin and end.
/// Byte positions stay the same.
fn blanked(text: &str, spans: &[Range<usize>]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for span in spans {
        let end = span.end.min(bytes.len());
        for byte in &mut bytes[span.start.min(end)..end] {
            if !b" \t\r\n\"'[]{},=".contains(byte) {
                *byte = b'*';
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
