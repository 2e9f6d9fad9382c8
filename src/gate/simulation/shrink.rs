//! Makes a failing history short: leaves out what it fails without, and makes what is left plain.

use super::history::Action;
use super::stage::Stage;
use super::tell;

/// Histories told at most to make one shorter.
const TRIES_MAX: usize = 2_000;

/// A history that still fails, and does not if any one action is left out (or the tries ran out).
pub(super) async fn shortened(stage: &Stage, history: Vec<Action>) -> Vec<Action> {
    let mut history = history;
    let mut tries = 0;
    let mut chunk = history.len() / 2;
    while chunk > 0 {
        let before = history.len();
        let mut at = 0;
        while at < history.len() && tries < TRIES_MAX {
            let end = history.len().min(at + chunk);
            let shorter = [&history[..at], &history[end..]].concat();
            tries += 1;
            if tell(stage, &shorter).await.is_err() {
                history = shorter;
            } else {
                at = end;
            }
        }
        if history.len() == before {
            chunk /= 2;
        }
    }
    for at in 0..history.len() {
        let mut plainer = history.clone();
        plainer[at] = plain(history[at]);
        if tell(stage, &plainer).await.is_err() {
            history = plainer;
        }
    }
    history
}

/// The same with the smallest numbers.
fn plain(action: Action) -> Action {
    match action {
        Action::Go(_) => Action::Go(0),
        Action::Move { by, .. } => Action::Move { booking: 0, by },
        Action::Cancel { by, .. } => Action::Cancel {
            booking: 0,
            by,
            lagging: false,
        },
        Action::Confirm { .. } => Action::Confirm { booking: 0 },
        Action::Decline { .. } => Action::Decline { booking: 0 },
        Action::Deliver { .. } => Action::Deliver {
            webhook: 0,
            again: false,
        },
        Action::Pass { .. } => Action::Pass { seconds: 1 },
        Action::Crash { .. } => Action::Crash { worker: 0 },
        other => other,
    }
}
