//! Three-valued logic. Truths are ordered, fail < unknown < pass, so that "all" is the smallest,
//! "any" the largest, and the order in which criteria are answered can never matter.

use serde::{Deserialize, Serialize};

/// The answer to a criterion, or to a whole tree of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Truth {
    /// Not met.
    Fail,
    /// Could not be answered.
    Unknown,
    /// Met.
    Pass,
}

impl Truth {
    /// Fails if any fails, else unknown if any is; nothing at all passes.
    pub fn all(truths: impl IntoIterator<Item = Self>) -> Self {
        truths.into_iter().min().unwrap_or(Self::Pass)
    }

    /// Passes if any passes, else unknown if any is; nothing at all fails.
    pub fn any(truths: impl IntoIterator<Item = Self>) -> Self {
        truths.into_iter().max().unwrap_or(Self::Fail)
    }

    /// The opposite; unknown stays unknown.
    #[expect(
        clippy::should_implement_trait,
        reason = "read beside `all` and `any`; `!` would hide the third value"
    )]
    pub fn not(self) -> Self {
        match self {
            Self::Fail => Self::Pass,
            Self::Unknown => Self::Unknown,
            Self::Pass => Self::Fail,
        }
    }

    /// The truth of a yes-or-no question.
    pub fn of(met: bool) -> Self {
        if met { Self::Pass } else { Self::Fail }
    }
}

/// What a truth may still become while some criteria have not been answered. As `all`, `any` and
/// `not` are monotone, evaluating both ends gives exactly the truths that are still possible, and a
/// result is settled as soon as both ends meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The worst it may become.
    pub low: Truth,
    /// The best it may become.
    pub high: Truth,
}

impl Bounds {
    /// Nothing is known yet.
    pub const OPEN: Self = Self {
        low: Truth::Fail,
        high: Truth::Pass,
    };

    /// An answer that stands.
    pub fn exactly(truth: Truth) -> Self {
        Self {
            low: truth,
            high: truth,
        }
    }

    /// The truth, if no further answer can change it.
    pub fn settled(self) -> Option<Truth> {
        (self.low == self.high).then_some(self.low)
    }

    /// As [`Truth::all`], on both ends.
    pub fn all(bounds: impl IntoIterator<Item = Self>) -> Self {
        let start = Self::exactly(Truth::Pass);
        bounds.into_iter().fold(start, |all, next| Self {
            low: all.low.min(next.low),
            high: all.high.min(next.high),
        })
    }

    /// As [`Truth::any`], on both ends.
    pub fn any(bounds: impl IntoIterator<Item = Self>) -> Self {
        let start = Self::exactly(Truth::Fail);
        bounds.into_iter().fold(start, |any, next| Self {
            low: any.low.max(next.low),
            high: any.high.max(next.high),
        })
    }

    /// As [`Truth::not`]: the ends change places.
    #[expect(clippy::should_implement_trait, reason = "see `Truth::not`")]
    pub fn not(self) -> Self {
        Self {
            low: self.high.not(),
            high: self.low.not(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn truths() -> impl Strategy<Value = Vec<Truth>> {
        let one = prop::sample::select(vec![Truth::Fail, Truth::Unknown, Truth::Pass]);
        prop::collection::vec(one, 0..8)
    }

    #[test]
    fn nothing_at_all_passes_all_and_fails_any() {
        assert_eq!(Truth::all([]), Truth::Pass);
        assert_eq!(Truth::any([]), Truth::Fail);
        assert_eq!(Bounds::all([]), Bounds::exactly(Truth::Pass));
        assert_eq!(Bounds::any([]), Bounds::exactly(Truth::Fail));
    }

    proptest! {
        #[test]
        fn order_does_not_matter(mut list in truths(), seed in any::<usize>()) {
            let (all, any) = (Truth::all(list.clone()), Truth::any(list.clone()));
            list.reverse();
            let by = if list.is_empty() { 0 } else { seed % list.len() };
            list.rotate_left(by);
            prop_assert_eq!(Truth::all(list.clone()), all);
            prop_assert_eq!(Truth::any(list), any);
        }

        #[test]
        fn de_morgan(list in truths()) {
            let negated: Vec<Truth> = list.iter().map(|truth| truth.not()).collect();
            prop_assert_eq!(Truth::all(list.clone()).not(), Truth::any(negated.clone()));
            prop_assert_eq!(Truth::any(list).not(), Truth::all(negated));
        }

        #[test]
        fn grouping_does_not_matter(left in truths(), right in truths()) {
            let nested = Truth::all([Truth::all(left.clone()), Truth::all(right.clone())]);
            let flat = Truth::all(left.into_iter().chain(right));
            prop_assert_eq!(nested, flat);
        }

        #[test]
        fn a_settled_result_cannot_change(known in truths(), later in truths()) {
            let open = later.iter().map(|_| Bounds::OPEN);
            let bounds = Bounds::all(known.iter().map(|t| Bounds::exactly(*t)).chain(open));
            let finally = Truth::all(known.into_iter().chain(later));
            prop_assert!(bounds.low <= finally && finally <= bounds.high);
            if let Some(settled) = bounds.settled() {
                prop_assert_eq!(settled, finally);
            }
        }
    }
}
