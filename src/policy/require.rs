//! A tree of conditions: which criteria have to be met, and which of them explain a result. There is
//! one under `[require]`, one for each group, and one behind each `when` and `waive_if`.

use super::messages::Messages;
use super::truth::{Bounds, Truth};

/// The deepest a tree may nest.
pub const TREE_DEPTH_MAX: usize = 16;

/// A condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it asks for.
    pub shape: Shape,
    /// What the booker is told if it is not met, instead of what its parts would say.
    pub message: Option<Messages>,
}

/// What a condition asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// One criterion, by its place in the file.
    Criterion(usize),
    /// Every part.
    All(Vec<Node>),
    /// At least one part.
    Any(Vec<Node>),
    /// The opposite.
    Not(Box<Node>),
}

/// Why a tree came out as it did.
#[derive(Debug, Default)]
pub struct Reasons<'n> {
    /// The criteria the result rests on, in the order of the tree, each once.
    pub criteria: Vec<usize>,
    /// What to tell the booker, in the order of the tree.
    pub texts: Vec<ReasonText<'n>>,
}

/// Where a text for the booker comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReasonText<'n> {
    /// The message of a node.
    Node(&'n Messages),
    /// The message of a criterion.
    Criterion(usize),
    /// A criterion that must not be met is met, and nobody wrote a message for that.
    Negated,
}

impl From<Shape> for Node {
    fn from(shape: Shape) -> Self {
        Self {
            shape,
            message: None,
        }
    }
}

impl Node {
    /// What the tree may still become; `answers` by place in the file, `None` is not answered yet.
    pub fn bounds(&self, answers: &[Option<Truth>]) -> Bounds {
        match &self.shape {
            Shape::Criterion(index) => {
                let answer = answers.get(*index).copied().flatten();
                answer.map_or(Bounds::OPEN, Bounds::exactly)
            }
            Shape::All(parts) => Bounds::all(parts.iter().map(|part| part.bounds(answers))),
            Shape::Any(parts) => Bounds::any(parts.iter().map(|part| part.bounds(answers))),
            Shape::Not(part) => part.bounds(answers).not(),
        }
    }

    /// Marks the criteria that could still change the result: those without an answer, outside
    /// parts that are settled.
    pub fn mark_open(&self, answers: &[Option<Truth>], open: &mut [bool]) {
        if self.bounds(answers).settled().is_some() {
            return;
        }
        match &self.shape {
            Shape::Criterion(index) => open[*index] = true,
            Shape::All(parts) | Shape::Any(parts) => {
                for part in parts {
                    part.mark_open(answers, open);
                }
            }
            Shape::Not(part) => part.mark_open(answers, open),
        }
    }

    /// Why the tree is settled as it is: the parts that have the same truth as the whole.
    pub fn explain<'n>(&'n self, answers: &[Option<Truth>], reasons: &mut Reasons<'n>) {
        if let Some(truth) = self.bounds(answers).settled() {
            self.explain_as(truth, false, answers, reasons);
        }
    }

    fn explain_as<'n>(
        &'n self,
        truth: Truth,
        told: bool,
        answers: &[Option<Truth>],
        reasons: &mut Reasons<'n>,
    ) {
        if let (Some(message), false) = (&self.message, told) {
            reasons.texts.push(ReasonText::Node(message));
        }
        let told = told || self.message.is_some();
        match &self.shape {
            Shape::Criterion(index) => {
                if !reasons.criteria.contains(index) {
                    reasons.criteria.push(*index);
                }
                let text = ReasonText::Criterion(*index);
                if !told && !reasons.texts.contains(&text) {
                    reasons.texts.push(text);
                }
            }
            Shape::All(parts) | Shape::Any(parts) => {
                for part in parts {
                    if part.bounds(answers).settled() == Some(truth) {
                        part.explain_as(truth, told, answers, reasons);
                    }
                }
            }
            Shape::Not(part) => {
                if !told {
                    reasons.texts.push(ReasonText::Negated);
                }
                part.explain_as(truth.not(), true, answers, reasons);
            }
        }
    }

    /// The tree without some of its criteria, as if they had never been named: a part that asks for
    /// nothing else is gone, too. `None` if nothing is left.
    pub fn without(self, gone: &[bool]) -> Option<Self> {
        let left = |parts: Vec<Self>| -> Option<Vec<Self>> {
            let was_empty = parts.is_empty();
            let parts: Vec<Self> = parts
                .into_iter()
                .filter_map(|part| part.without(gone))
                .collect();
            (was_empty || !parts.is_empty()).then_some(parts)
        };
        let shape = match self.shape {
            Shape::Criterion(index) if gone.get(index) == Some(&true) => return None,
            Shape::Criterion(index) => Shape::Criterion(index),
            Shape::All(parts) => Shape::All(left(parts)?),
            Shape::Any(parts) => Shape::Any(left(parts)?),
            Shape::Not(part) => Shape::Not(Box::new(part.without(gone)?)),
        };
        let message = self.message;
        Some(Self { shape, message })
    }

    /// How many conditions the tree has, and how deep they nest.
    pub fn extent(&self) -> (usize, usize) {
        let parts: &[Self] = match &self.shape {
            Shape::Criterion(_) => &[],
            Shape::All(parts) | Shape::Any(parts) => parts,
            Shape::Not(part) => std::slice::from_ref(part),
        };
        parts.iter().fold((1, 1), |(count, depth), part| {
            let (inner_count, inner_depth) = part.extent();
            (
                count.saturating_add(inner_count),
                depth.max(inner_depth + 1),
            )
        })
    }

    /// The criteria that are named, in the order of the tree, as often as they are.
    pub fn criteria(&self) -> Vec<usize> {
        match &self.shape {
            Shape::Criterion(index) => vec![*index],
            Shape::All(parts) | Shape::Any(parts) => {
                parts.iter().flat_map(Self::criteria).collect()
            }
            Shape::Not(part) => part.criteria(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CRITERIA: usize = 5;

    fn node() -> impl Strategy<Value = Node> {
        let leaf = (0..CRITERIA).prop_map(|index| Node::from(Shape::Criterion(index)));
        leaf.prop_recursive(4, 24, 4, |inner| {
            let parts = prop::collection::vec(inner.clone(), 0..4);
            prop_oneof![
                parts.clone().prop_map(|parts| Shape::All(parts).into()),
                parts.prop_map(|parts| Shape::Any(parts).into()),
                inner.prop_map(|part| Shape::Not(Box::new(part)).into()),
            ]
        })
    }

    fn answers() -> impl Strategy<Value = Vec<Option<Truth>>> {
        let truth = prop::sample::select(vec![Truth::Fail, Truth::Unknown, Truth::Pass]);
        prop::collection::vec(prop::option::of(truth), CRITERIA)
    }

    proptest! {
        #[test]
        fn more_answers_only_narrow(node in node(), some in answers(), rest in answers()) {
            let more: Vec<_> = some.iter().zip(&rest).map(|(some, rest)| some.or(*rest)).collect();
            let (before, after) = (node.bounds(&some), node.bounds(&more));
            prop_assert!(before.low <= after.low && after.high <= before.high);
        }

        #[test]
        fn criteria_that_are_not_open_do_not_matter(node in node(), some in answers(), rest in answers()) {
            let mut open = [false; CRITERIA];
            node.mark_open(&some, &mut open);
            let fill = |only_open: bool| -> Vec<_> {
                (0..CRITERIA)
                    .map(|i| some[i].or(if open[i] || !only_open { rest[i] } else { None }))
                    .collect()
            };
            let (only_open, all) = (node.bounds(&fill(true)), node.bounds(&fill(false)));
            if let Some(settled) = only_open.settled() {
                prop_assert_eq!(all.settled(), Some(settled));
            }
        }

        #[test]
        fn a_part_that_is_left_out_is_as_if_never_written(node in node(), answers in answers(), gone in prop::collection::vec(any::<bool>(), CRITERIA)) {
            let Some(left) = node.clone().without(&gone) else {
                prop_assert!(node.criteria().iter().all(|index| gone[*index]));
                return Ok(());
            };
            prop_assert!(left.criteria().iter().all(|index| !gone[*index]));
            let kept: Vec<_> = node.criteria().into_iter().filter(|index| !gone[*index]).collect();
            prop_assert_eq!(left.criteria(), kept);
            if !gone.contains(&true) {
                prop_assert_eq!(left.bounds(&answers), node.bounds(&answers));
            }
            prop_assert!(left.extent() <= node.extent());
        }

        #[test]
        fn the_explanation_alone_gives_the_same_result(node in node(), answers in answers()) {
            if let Some(truth) = node.bounds(&answers).settled() {
                let mut reasons = Reasons::default();
                node.explain(&answers, &mut reasons);
                prop_assert!(reasons.criteria.iter().all(|index| answers[*index].is_some()));
                // An unknown rests on what is unknown, and on nothing better or worse being there.
                if truth != Truth::Unknown {
                    let explained: Vec<_> = (0..CRITERIA)
                        .map(|index| answers[index].filter(|_| reasons.criteria.contains(&index)))
                        .collect();
                    prop_assert_eq!(node.bounds(&explained).settled(), Some(truth));
                }
            }
        }
    }
}
