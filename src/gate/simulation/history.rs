//! A history as plain data: what people, the network, the machines and the clock do, one action after
//! the other. A history alone determines everything that happens, so it can be printed, shortened and
//! told again.

use serde::{Deserialize, Serialize};

use crate::domain::booking::Party;

/// Actions in one history.
const LENGTH: usize = 64;
/// Bookings made in one history at most, so that what is left can be read.
const BOOKINGS_MAX: usize = 4;

/// One thing that happens. Numbers choose among what there is at that time, whatever its count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Action {
    /// Somebody books.
    Book { kind: Kind, who: Who },
    /// Somebody chooses another time for a booking.
    Move { booking: u8, by: Party },
    /// Somebody calls a booking off; the row may lag behind the webhook.
    Cancel {
        booking: u8,
        by: Party,
        lagging: bool,
    },
    /// The host confirms by hand.
    Confirm { booking: u8 },
    /// The host declines by hand.
    Decline { booking: u8 },
    /// A person decides what was left to one.
    Decide { booking: u8, word: Word },
    /// A person has all webhooks that are stored read again.
    Replay,
    /// A webhook arrives; if `again`, a copy of it is still on its way.
    Deliver { webhook: u8, again: bool },
    /// A webhook is lost.
    Lose { webhook: u8 },
    /// The provider is asked for the list of all its bookings, and what it says is followed one by one.
    Survey,
    /// One of those who could take a step takes it.
    Go(u8),
    /// Time passes.
    Pass { seconds: u8 },
    /// A worker dies with all it has in hand.
    Crash { worker: u8 },
    /// The next call to the provider goes wrong.
    Trouble(Trouble),
}

/// What is booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    /// It waits for an answer.
    Asking,
    /// It stands at once.
    Open,
    /// It waits for an answer, and is one of a series that nobody names: a person decides.
    Unnamed,
}

/// What a person says of a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Word {
    /// Yes, for its price.
    Yes,
    /// Yes, for nothing.
    YesForNothing,
    /// No.
    No,
}

/// Who books.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Who {
    /// Has credit for everything.
    Rich,
    /// Has credit for one booking.
    Poor,
}

/// How a call goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Trouble {
    /// Refused for no reason that a look at the booking would show.
    Refused,
    /// 429.
    Limited,
    /// No connection: nothing was done.
    Down,
    /// No answer, and nothing was done.
    LostBefore,
    /// No answer, but it was done.
    LostAfter,
    /// No answer yet, and it will be done, as late as can be.
    Late,
}

/// A small generator (splitmix64): the same numbers for the same seed, for ever.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    fn byte(&mut self) -> u8 {
        self.roll(256) as u8
    }

    fn one_in(&mut self, times: u64) -> bool {
        self.roll(times) == 0
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.roll(choices.len() as u64) as usize]
    }
}

/// The history of a seed.
pub(super) fn of_seed(seed: u64) -> Vec<Action> {
    let mut dice = Dice(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
    let mut history = vec![book(&mut dice)];
    let mut booked = 1;
    while history.len() < LENGTH {
        let action = any(&mut dice);
        booked += usize::from(matches!(action, Action::Book { .. } | Action::Move { .. }));
        if booked <= BOOKINGS_MAX || !matches!(action, Action::Book { .. } | Action::Move { .. }) {
            history.push(action);
        }
    }
    history
}

fn book(dice: &mut Dice) -> Action {
    Action::Book {
        kind: dice.of(&[Kind::Asking, Kind::Asking, Kind::Open, Kind::Unnamed]),
        who: dice.of(&[Who::Rich, Who::Rich, Who::Poor]),
    }
}

fn any(dice: &mut Dice) -> Action {
    let booking = dice.byte();
    let by = dice.of(&[Party::Booker, Party::Host]);
    match dice.roll(100) {
        0..=4 => book(dice),
        5..=8 => Action::Move { booking, by },
        9..=13 => Action::Cancel {
            booking,
            by,
            lagging: dice.one_in(3),
        },
        14..=16 => Action::Confirm { booking },
        17..=18 => Action::Decline { booking },
        19..=36 => Action::Deliver {
            webhook: dice.byte(),
            again: dice.one_in(5),
        },
        37..=42 => Action::Trouble(dice.of(&[
            Trouble::Refused,
            Trouble::Limited,
            Trouble::Down,
            Trouble::LostBefore,
            Trouble::LostAfter,
            Trouble::Late,
        ])),
        43..=46 => Action::Crash {
            worker: dice.byte(),
        },
        47..=52 => Action::Pass {
            seconds: dice.of(&[1, 3, 10, 40, 120]),
        },
        53..=56 => Action::Decide {
            booking,
            word: dice.of(&[Word::Yes, Word::YesForNothing, Word::No]),
        },
        57..=58 => Action::Replay,
        59..=60 => Action::Lose {
            webhook: dice.byte(),
        },
        61..=62 => Action::Survey,
        _ => Action::Go(dice.byte()),
    }
}
