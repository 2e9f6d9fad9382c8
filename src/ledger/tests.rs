//! The laws that every operation keeps, whatever the amounts.

use proptest::prelude::*;

use super::*;

fn sums(lines: &[Line]) -> (i128, i128) {
    let of = |layer| {
        let lines = lines.iter().filter(|line| line.layer == layer);
        lines.map(|line| i128::from(line.amount)).sum()
    };
    (of(Layer::Posted), of(Layer::Held))
}

fn amounts() -> impl Strategy<Value = i64> {
    1..=BALANCE_MINOR_MAX
}

proptest! {
    #[test]
    fn every_operation_sums_to_zero_in_each_layer(a in amounts(), b in amounts()) {
        let left = Remainder { open: a, kept: b };
        for lines in [top_up(a), deduct(a), hold(a), capture(a), release(a), refund(a), charge_again(a), unwind(left)] {
            prop_assert_eq!(sums(&lines), (0, 0));
            prop_assert!(lines.iter().all(|line| line.amount != 0));
        }
    }

    #[test]
    fn a_hold_that_is_released_leaves_nothing(a in amounts()) {
        let lines = [hold(a), release(a)].concat();
        prop_assert_eq!(change(&lines), Some(Change::default()));
    }

    #[test]
    fn a_deduction_undoes_a_top_up(a in amounts()) {
        let lines = [top_up(a), deduct(a)].concat();
        prop_assert_eq!(change(&lines), Some(Change::default()));
    }

    #[test]
    fn a_capture_that_is_refunded_leaves_nothing(a in amounts()) {
        let lines = [hold(a), capture(a), refund(a)].concat();
        prop_assert_eq!(change(&lines), Some(Change::default()));
    }

    #[test]
    fn what_came_back_and_is_charged_again_was_spent_once(a in amounts()) {
        let lines = [hold(a), capture(a), refund(a), charge_again(a)].concat();
        prop_assert_eq!(change(&lines), Some(Change { posted: -a, held: 0 }));
    }

    #[test]
    fn a_capture_leaves_what_is_available_as_it_is(a in amounts()) {
        let change = change(&capture(a)).unwrap();
        prop_assert_eq!(change, Change { posted: -a, held: -a });
    }

    #[test]
    fn a_carry_of_the_same_amount_costs_nothing(a in amounts()) {
        let open = Remainder { open: a, kept: 0 };
        let from_open = [unwind(open), hold(a)].concat();
        prop_assert_eq!(change(&from_open), Some(Change::default()));
        let kept = Remainder { open: 0, kept: a };
        let from_kept = [unwind(kept), hold(a)].concat();
        prop_assert_eq!(change(&from_kept), Some(Change { posted: a, held: a }));
    }
}

#[test]
fn nothing_moves_nothing() {
    assert!(unwind(Remainder::default()).is_empty());
    assert!(hold(0).is_empty());
    assert!(refund(-5).is_empty());
}

#[test]
fn sums_beyond_64_bits_are_noticed() {
    let line = Line {
        role: Role::Booker,
        layer: Layer::Posted,
        amount: i64::MAX,
    };
    assert_eq!(change(&[line, line]), None);
}

#[test]
fn only_amounts_above_zero_and_below_the_limit_are_postable() {
    assert!(is_postable(1) && is_postable(BALANCE_MINOR_MAX));
    assert!(!is_postable(0) && !is_postable(-1) && !is_postable(BALANCE_MINOR_MAX + 1));
}
