//! Shows a person at a terminal that something goes on, and how far it has got. On stderr, and only there
//! where a person looks: never with `--json`, never into a pipe or a file.

use std::io::{IsTerminal as _, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often the sign of life moves.
const TICK: Duration = Duration::from_millis(120);

/// What is shown while something takes its time; gone once it is dropped.
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Begins, with what is done: `checking every entry`.
    pub(super) fn begin(json: bool, what: &str) -> Self {
        let bar = ProgressBar::no_length().with_message(what.to_owned());
        if json || !stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
            return Self { bar };
        }
        let style = ProgressStyle::with_template("{spinner} {elapsed:>4} {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.enable_steady_tick(TICK);
        Self { bar }
    }

    /// Whether anybody sees it.
    pub(super) fn is_shown(&self) -> bool {
        !self.bar.is_hidden()
    }

    /// Says how far it has got.
    pub(super) fn tell(&self, how_far: String) {
        self.bar.set_message(how_far);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
