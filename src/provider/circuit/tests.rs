//! One source's provider in trouble, in manual time.

use super::Effect::{Change, Read};
use super::*;
use crate::domain::clock::ManualClock;

const SETTINGS: CircuitSettings = CircuitSettings {
    failures_max: 3,
    wait_ms: 1_000,
    wait_ms_max: 4_000,
};

fn circuit() -> (Circuit, Arc<ManualClock>) {
    let start = "2027-03-01T10:00:00Z".parse().unwrap();
    let clock = Arc::new(ManualClock::new(start));
    (Circuit::new(SETTINGS, clock.clone()), clock)
}

fn failure(effect: Effect) -> Result<(), CallError> {
    let (http_status, detail) = (Some(503), String::new());
    Err(match effect {
        Read => CallError::Transient {
            http_status,
            detail,
        },
        Change => CallError::Unknown {
            http_status,
            detail,
        },
    })
}

fn refusal() -> Result<(), CallError> {
    Err(CallError::Rejected {
        http_status: 422,
        detail: String::new(),
    })
}

impl Circuit {
    #[track_caller]
    fn call(&self, effect: Effect, outcome: &Result<(), CallError>) {
        self.begin(effect, 1).expect("it may go").end(outcome);
    }

    fn wait_ms(&self, effect: Effect) -> Option<i64> {
        match self.look(effect) {
            Err(CallError::Away { wait_ms }) => Some(wait_ms),
            other => other.err().map(|error| panic!("{error}")),
        }
    }

    fn number(&self) -> u64 {
        self.health.borrow().number
    }
}

#[test]
fn failures_in_a_row_open_it_and_an_answer_closes_it() {
    let (circuit, clock) = circuit();
    for outcome in [
        failure(Read),
        failure(Read),
        refusal(),
        failure(Read),
        failure(Read),
    ] {
        circuit.call(Read, &outcome);
    }
    assert_eq!(circuit.wait_ms(Read), None, "a refusal is an answer");
    let since = clock.now();
    clock.advance_ms(10);
    circuit.call(Read, &failure(Read));
    let wait_ms = circuit.wait_ms(Read).unwrap();
    assert!((800..=1_200).contains(&wait_ms), "{wait_ms}");
    let expected = Health {
        number: 2,
        failing_since: Some(since),
        http_status: Some(503),
    };
    assert_eq!(*circuit.health().borrow(), expected);
    assert_eq!(circuit.next_call_at(), Some(plus_ms(clock.now(), wait_ms)));

    clock.advance_ms(wait_ms - 1);
    assert_eq!(circuit.wait_ms(Read), Some(1));
    clock.advance_ms(1);
    circuit.call(Read, &Ok(()));
    assert_eq!(
        (circuit.wait_ms(Read), circuit.next_call_at()),
        (None, None)
    );
    assert_eq!(
        (circuit.number(), circuit.health.borrow().failing_since),
        (3, None)
    );
}

#[test]
fn one_call_at_a_time_looks_whether_it_is_back_and_ever_more_rarely() {
    let (circuit, clock) = circuit();
    for _ in 0..3 {
        circuit.call(Read, &failure(Read));
    }
    for base in [2_000, 4_000, 4_000] {
        clock.advance_ms(circuit.wait_ms(Read).unwrap());
        let probe = circuit.begin(Read, 1).ok().unwrap();
        assert_eq!(circuit.wait_ms(Read), Some(PROBE_LOOK_MS));
        assert!(circuit.begin(Read, 1).is_err());
        probe.end(&failure(Read));
        let wait_ms = circuit.wait_ms(Read).unwrap();
        assert!(
            (base * 8 / 10..=base * 12 / 10).contains(&wait_ms),
            "{wait_ms}"
        );
    }
    clock.advance_ms(circuit.wait_ms(Read).unwrap());
    for gives_up in [true, false] {
        let probe = circuit.begin(Read, 1).ok().unwrap();
        if !gives_up {
            probe.end::<()>(&Err(CallError::Limited { wait_ms: 5 }));
        }
    }
    assert_eq!(
        circuit.wait_ms(Read),
        None,
        "nothing was learned: the next may look"
    );
}

#[test]
fn what_began_before_it_opened_makes_no_wait_longer() {
    let (circuit, _) = circuit();
    let late: Vec<_> = (0..5)
        .map(|_| circuit.begin(Read, 1).ok().unwrap())
        .collect();
    let mut late = late.into_iter();
    for _ in 0..3 {
        late.next().unwrap().end(&failure(Read));
    }
    let (wait_ms, number) = (circuit.wait_ms(Read), circuit.number());
    late.next().unwrap().end(&failure(Read));
    assert_eq!((circuit.wait_ms(Read), circuit.number()), (wait_ms, number));
    late.next().unwrap().end(&Ok(()));
    assert_eq!(circuit.wait_ms(Read), None);
}

#[test]
fn changes_that_fail_keep_no_reads_away() {
    let (circuit, clock) = circuit();
    for _ in 0..3 {
        circuit.call(Read, &Ok(()));
        circuit.call(Change, &failure(Change));
    }
    assert_eq!(circuit.wait_ms(Read), None);
    let wait_ms = circuit.wait_ms(Change).unwrap();
    assert!(circuit.next_call_at().is_some());
    circuit.call(Read, &Ok(()));
    assert!(circuit.health.borrow().failing_since.is_some());
    assert!(circuit.take_attempt().is_some());
    clock.advance_ms(wait_ms);
    assert_eq!(circuit.take_attempt(), None);
    let other = circuit.take_attempt();
    assert_eq!(
        other,
        Some(plus_ms(clock.now(), PROBE_LOOK_MS)),
        "one at a time"
    );
    circuit.call(Change, &refusal());
    assert_eq!(circuit.take_attempt(), None);
    assert_eq!(circuit.health.borrow().failing_since, None);
}

#[test]
fn what_one_booking_alone_meets_says_nothing_of_the_provider() {
    let internal_error = || {
        Err::<(), _>(CallError::Unknown {
            http_status: Some(500),
            detail: String::new(),
        })
    };
    let (circuit, clock) = circuit();
    for _ in 0..10 {
        circuit.call(Change, &internal_error());
    }
    assert_eq!(circuit.wait_ms(Change), None);
    let other = circuit.begin(Change, 2).ok().unwrap();
    other.end(&internal_error());
    assert!(
        circuit.wait_ms(Change).is_some(),
        "another one meets it, too"
    );
    clock.advance_ms(circuit.wait_ms(Change).unwrap());
    circuit.call(Change, &Ok(()));

    for _ in 0..10 {
        circuit.call(Change, &internal_error());
    }
    circuit.call(Change, &failure(Change));
    assert!(circuit.wait_ms(Change).is_some(), "a gateway tells of it");
}

#[test]
fn a_clock_put_back_keeps_nobody_away() {
    let (circuit, clock) = circuit();
    for _ in 0..3 {
        circuit.call(Read, &failure(Read));
    }
    clock.advance_ms(-3_600_000);
    assert_eq!(circuit.wait_ms(Read), None);
}

#[test]
fn it_never_opens_where_nobody_wants_it() {
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let circuit = Circuit::new(CircuitSettings::NEVER, clock);
    for _ in 0..100 {
        circuit.call(Read, &failure(Read));
    }
    assert_eq!(circuit.wait_ms(Read), None);
}
