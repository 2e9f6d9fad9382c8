//! Histories that went wrong when they were first told, as short as they could be made.

use super::history::Action::{self, Book, Cancel, Confirm, Decline, Deliver, Go, Lose, Move, Pass};
use super::history::Kind::{self, Asking, Open};
use super::history::Trouble;
use super::history::Who::{self, Poor, Rich};
use crate::domain::booking::Party::{self, Booker, Host};

/// What went wrong, and the history.
pub(super) fn histories() -> Vec<(&'static str, Vec<Action>)> {
    vec![
        ("a slow look hid a confirm by hand", slow_look()),
        (
            "an answer that was written down late counted as seen late",
            late_answer(),
        ),
        (
            "a worker that had lost its lease reopened what its successor had done",
            vec![
                books(Asking, Rich),
                ARRIVES,
                Go(0),
                Go(2),
                Go(2),
                Pass { seconds: 40 },
            ],
        ),
        (
            "a worker that had been stopped called beside its successor",
            stopped(),
        ),
        (
            "what the host moved, cancelled and brought back was free",
            vec![
                books(Open, Rich),
                MOVED_BY_HOST,
                MOVED_BY_HOST,
                cancels(2, Host),
                Confirm { booking: 2 },
            ],
        ),
        (
            "a move by the host whose credit another move had carried off was tried for ever",
            moved_twice(),
        ),
        (
            "a confirm by hand was not seen once we had taken ours back",
            cancelled_after(5),
        ),
        (
            "a look in the moment of our confirm did not count, and hid a confirm by hand",
            cancelled_after(6),
        ),
        (
            "what was brought back stood undecided where only its cancel had been heard of",
            vec![
                books(Asking, Poor),
                cancels(0, Booker),
                Lose { webhook: 0 },
                Confirm { booking: 0 },
                Lose { webhook: 1 },
            ],
        ),
        (
            "a late confirm of ours came after the look that was to take it back",
            late_confirm(),
        ),
        (
            "a call of ours that had come to nothing hid a confirm by hand",
            came_to_nothing(),
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

fn books(kind: Kind, who: Who) -> Action {
    Book { kind, who }
}

fn cancels(booking: u8, by: Party) -> Action {
    Cancel {
        booking,
        by,
        lagging: false,
    }
}

fn slow_look() -> Vec<Action> {
    vec![
        books(Asking, Poor),
        ARRIVES,
        Go(0),
        Go(0),
        Go(0),
        cancels(0, Booker),
        Go(0),
        Go(1),
        Go(0),
        Go(0),
        Confirm { booking: 0 },
        Pass { seconds: 40 },
        Go(0),
    ]
}

/// A cancel after so many steps: before our confirm, or right after it.
fn cancelled_after(steps: usize) -> Vec<Action> {
    let mut history = vec![books(Asking, Rich), ARRIVES];
    history.extend(vec![Go(0); steps]);
    history.extend([cancels(0, Booker), Go(0), ARRIVES, ARRIVES, Go(3)]);
    history.extend([Go(0); 10]);
    history.extend([Pass { seconds: 120 }, Go(0), Go(0), Go(0)]);
    history.push(Confirm { booking: 0 });
    history
}

fn late_answer() -> Vec<Action> {
    vec![
        books(Asking, Rich),
        cancels(0, Booker),
        Confirm { booking: 0 },
        ARRIVES,
        ARRIVES,
        ARRIVES,
        Pass { seconds: 120 },
        Go(3),
        Go(0),
        Go(0),
        Go(0),
        cancels(0, Booker),
        ARRIVES,
        Pass { seconds: 120 },
    ]
}

fn stopped() -> Vec<Action> {
    vec![
        books(Asking, Rich),
        Pass { seconds: 40 },
        Go(3),
        Go(1),
        Go(1),
        Go(1),
        Pass { seconds: 120 },
        Go(1),
        Go(1),
    ]
}

fn moved_twice() -> Vec<Action> {
    vec![
        books(Asking, Poor),
        ARRIVES,
        Go(0),
        MOVED_BY_HOST,
        Go(0),
        Go(0),
        MOVED_BY_HOST,
        Go(0),
        Go(0),
        Go(0),
        Deliver {
            webhook: 1,
            again: false,
        },
        Go(3),
        Go(0),
        Go(0),
        Go(0),
    ]
}

fn came_to_nothing() -> Vec<Action> {
    let mut history = vec![books(Asking, Rich), ARRIVES, Go(0), Go(2), Go(2)];
    history.extend([Decline { booking: 0 }, Pass { seconds: 40 }]);
    // The first worker takes the chain over, up to its last look at the store before a call.
    history.extend([Go(0), Go(3), Go(2), Go(0), Go(0), Go(0)]);
    history.extend([Confirm { booking: 0 }, Go(0)]);
    history
}

fn late_confirm() -> Vec<Action> {
    let mut history = vec![books(Asking, Rich), ARRIVES, Go(0), Go(46)];
    history.extend([books(Asking, Poor), Go(79), Go(0), Go(0), Go(217)]);
    history.extend([Action::Trouble(Trouble::Late), Go(235), ARRIVES, Go(115)]);
    history.extend([Pass { seconds: 1 }, cancels(0, Booker)]);
    history
}
