//! Histories that went wrong when they were first told, as short as they could be made.

use super::history::Action::{self, Book, Cancel, Confirm, Deliver, Go, Move, Pass};
use super::history::Kind::{Asking, Open};
use super::history::Who::{Poor, Rich};
use crate::domain::booking::Party::{Booker, Host};

/// What went wrong, and the history.
pub(super) fn histories() -> Vec<(&'static str, Vec<Action>)> {
    vec![
        (
            "a confirm that was heard after a reading was never read",
            vec![
                books(Asking, Poor),
                ARRIVES,
                Go(2),
                cancels(Host),
                Go(2),
                Pass { seconds: 10 },
                Go(2),
                Confirm { booking: 0 },
            ],
        ),
        (
            "an answer that was written down late counted as seen late",
            vec![
                books(Asking, Rich),
                cancels(Booker),
                Confirm { booking: 0 },
                ARRIVES,
                ARRIVES,
                ARRIVES,
                Pass { seconds: 120 },
                Go(0),
                Go(0),
                Go(0),
                cancels(Booker),
                ARRIVES,
                Pass { seconds: 120 },
            ],
        ),
        (
            "a worker that had lost its lease reopened what its successor had done",
            vec![
                books(Asking, Rich),
                ARRIVES,
                Go(2),
                Go(2),
                Pass { seconds: 40 },
            ],
        ),
        (
            "what the host moved, cancelled and brought back was free",
            vec![
                books(Open, Rich),
                MOVED_BY_HOST,
                MOVED_BY_HOST,
                Cancel {
                    booking: 2,
                    by: Host,
                    lagging: false,
                },
                Confirm { booking: 2 },
            ],
        ),
        (
            "a move by the host whose credit another move had carried off was tried for ever",
            vec![
                books(Asking, Poor),
                ARRIVES,
                MOVED_BY_HOST,
                Go(0),
                Go(0),
                MOVED_BY_HOST,
                Go(0),
                Go(0),
                Deliver {
                    webhook: 1,
                    again: false,
                },
                Go(0),
                Go(0),
            ],
        ),
    ]
}

const ARRIVES: Action = Deliver {
    webhook: 0,
    again: false,
};
const MOVED_BY_HOST: Action = Move {
    booking: 0,
    by: Host,
};

fn books(kind: super::history::Kind, who: super::history::Who) -> Action {
    Book { kind, who }
}

fn cancels(by: crate::domain::booking::Party) -> Action {
    Cancel {
        booking: 0,
        by,
        lagging: false,
    }
}
