//! The ledger against a model so small that it is plainly right: any operations in any order, and
//! after each one the same balances, sound books, and nothing changed by what was refused.

use proptest::prelude::*;

use super::*;
use crate::domain::ids::HoldId;

const NAMES: [&str; 3] = ["ada", "bob", "cyd"];

#[derive(Debug, Clone)]
enum Step {
    TopUp {
        who: usize,
        minor: i64,
    },
    Hold {
        who: usize,
        minor: i64,
    },
    Capture {
        hold: usize,
    },
    Release {
        hold: usize,
    },
    Refund {
        hold: usize,
        minor: i64,
    },
    Deduct {
        who: usize,
        minor: i64,
    },
    ChargeAgain {
        hold: usize,
        minor: i64,
    },
    Carry {
        from: Vec<usize>,
        who: usize,
        minor: i64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let (who, hold, minor) = (0..3_usize, 0..8_usize, 0..40_i64);
    let pair = (who.clone(), minor.clone());
    prop_oneof![
        pair.clone()
            .prop_map(|(who, minor)| Step::TopUp { who, minor }),
        pair.clone()
            .prop_map(|(who, minor)| Step::Deduct { who, minor }),
        pair.prop_map(|(who, minor)| Step::Hold { who, minor }),
        hold.clone().prop_map(|hold| Step::Capture { hold }),
        hold.clone().prop_map(|hold| Step::Release { hold }),
        (hold.clone(), minor.clone()).prop_map(|(hold, minor)| Step::Refund { hold, minor }),
        (hold.clone(), minor.clone()).prop_map(|(hold, minor)| Step::ChargeAgain { hold, minor }),
        (prop::collection::vec(hold, 0..3), who, minor)
            .prop_map(|(from, who, minor)| Step::Carry { from, who, minor }),
    ]
}

/// A hold as the model sees it: what is open of it, what is kept, and what came back.
#[derive(Debug, Clone, Copy)]
struct ModelHold {
    who: usize,
    open: i64,
    kept: i64,
    back: i64,
}

#[derive(Debug, Clone, Default)]
struct Model {
    /// Posted and held; `None` while there is no account.
    accounts: [Option<(i64, i64)>; 3],
    holds: Vec<ModelHold>,
}

impl Model {
    /// The hold that a step means: numbers beyond the last one go round.
    fn pick(&self, hold: usize) -> Option<usize> {
        (!self.holds.is_empty()).then(|| hold % self.holds.len())
    }

    fn unwind(&mut self, hold: usize) {
        let ModelHold {
            who, open, kept, ..
        } = self.holds[hold];
        let account = self.accounts[who].as_mut().unwrap();
        account.0 += kept;
        account.1 -= open;
        self.holds[hold] = ModelHold {
            who,
            open: 0,
            kept: 0,
            // What has nothing left to give stays as it is.
            back: match open + kept {
                0 => self.holds[hold].back,
                _ => 0,
            },
        };
    }

    /// Takes the step; `false`, and nothing changed, if it is to be refused.
    fn take(&mut self, step: &Step) -> bool {
        let mut next = self.clone();
        let taken = next.try_take(step);
        if taken {
            *self = next;
        }
        taken
    }

    fn try_take(&mut self, step: &Step) -> bool {
        match *step {
            Step::TopUp { who, minor } => {
                self.accounts[who].get_or_insert_default().0 += minor;
                minor > 0
            }
            Step::Deduct { who, minor } => {
                let Some(account) = &mut self.accounts[who] else {
                    return false;
                };
                account.0 -= minor;
                minor > 0 && account.0 >= account.1
            }
            Step::Hold { who, minor } => self.hold(who, minor),
            Step::Carry {
                ref from,
                who,
                minor,
            } => {
                for hold in from
                    .iter()
                    .filter_map(|&hold| self.pick(hold))
                    .collect::<Vec<_>>()
                {
                    self.unwind(hold);
                }
                self.hold(who, minor)
            }
            Step::Capture { hold } => {
                let hold = &mut self.holds[hold];
                let account = self.accounts[hold.who].as_mut().unwrap();
                account.0 -= hold.open;
                account.1 -= hold.open;
                hold.kept += std::mem::take(&mut hold.open);
                true
            }
            Step::Release { hold } => {
                let hold = &mut self.holds[hold];
                self.accounts[hold.who].as_mut().unwrap().1 -= std::mem::take(&mut hold.open);
                true
            }
            Step::Refund { hold, minor } => {
                let hold = &mut self.holds[hold];
                if hold.kept == 0 {
                    return true;
                }
                hold.kept -= minor;
                hold.back += minor;
                self.accounts[hold.who].as_mut().unwrap().0 += minor;
                hold.kept >= 0
            }
            Step::ChargeAgain { hold, minor } => {
                let hold = &mut self.holds[hold];
                if hold.back < minor {
                    return true;
                }
                hold.back -= minor;
                hold.kept += minor;
                let (posted, held) = self.accounts[hold.who].as_mut().unwrap();
                *posted -= minor;
                minor == 0 || *posted >= *held
            }
        }
    }

    fn hold(&mut self, who: usize, minor: i64) -> bool {
        self.holds.push(ModelHold {
            who,
            open: minor,
            kept: 0,
            back: 0,
        });
        let Some((posted, held)) = self.accounts[who].as_mut() else {
            return false;
        };
        *held += minor;
        minor > 0 && *posted >= *held
    }
}

/// The step as the store knows it, with its own ids; `Ok(false)` if it was refused. The transaction
/// is committed even then, so that a refusal that changed something shows.
async fn take(
    place: &Place,
    holds: &mut Vec<HoldId>,
    step: Step,
    number: usize,
) -> Result<bool, LedgerError> {
    let known = holds.clone();
    let made = post!(place.storage, tx => {
        let now = at(i64::try_from(number).unwrap());
        let uid = format!("b{number}");
        let result = match step {
            Step::TopUp { who, minor } => {
                tx.top_up(&top_up(NAMES[who], minor), now).await.map(|_| None)
            }
            Step::Deduct { who, minor } => {
                tx.deduct(&top_up(NAMES[who], minor), now).await.map(|_| None)
            }
            Step::Hold { who, minor } => {
                let mut request = tx.request(NAMES[who], &uid, 1).await?;
                request.amount = credits(minor);
                tx.hold(&request, now).await.map(Some)
            }
            Step::Carry { from, who, minor } => {
                let mut request = tx.request(NAMES[who], &uid, 1).await?;
                request.amount = credits(minor);
                let old: Vec<HoldId> = match known.len() {
                    0 => Vec::new(),
                    length => from.iter().map(|hold| known[hold % length]).collect(),
                };
                tx.carry(&old, &request, now).await.map(Some)
            }
            Step::Capture { hold } => nothing(tx.capture(known[hold], now).await),
            Step::Release { hold } => nothing(tx.release_hold(known[hold], now).await),
            Step::Refund { hold, minor } => {
                nothing(tx.refund(known[hold], minor, "test", now).await)
            }
            Step::ChargeAgain { hold, minor } => {
                tx.charge_again(known[hold], minor, "test", now).await.map(|_| None)
            }
        };
        match result {
            Ok(hold) => Some(hold),
            Err(LedgerError::Storage(error)) if !is_refusal(&error) => return Err(error.into()),
            Err(_) => None,
        }
    })?;
    let taken = made.is_some();
    holds.extend(made.flatten());
    Ok(taken)
}

fn nothing(result: Result<Posted<()>, StorageError>) -> Result<Option<HoldId>, LedgerError> {
    Ok(result.map(|_| None)?)
}

fn is_refusal(error: &StorageError) -> bool {
    matches!(error, StorageError::RefundTooLarge { .. })
}

/// Every row of the books, as text.
async fn books(place: &Place) -> String {
    let rows = Sql::same(
        "SELECT 'account' AS what, json_array(id, posted, held, version) AS told FROM account
         UNION ALL SELECT 'hold', json_array(id, state, captured, released, refunded) FROM hold
         UNION ALL SELECT 'txn', json_array(id, kind) FROM txn
         UNION ALL SELECT 'entry', json_array(txn_id, line, amount) FROM entry",
    );
    let rows = read!(place.storage, tx => tx.query(rows).all().await?).unwrap();
    let lines = rows.iter().map(|row| {
        let what: String = row.get("what").unwrap();
        format!("{what} {}", row.get::<String>("told").unwrap())
    });
    lines.collect::<Vec<_>>().join("\n")
}

async fn run(steps: Vec<Step>) {
    let place = Place::new().await;
    let (mut model, mut holds) = (Model::default(), Vec::new());
    for (number, mut step) in steps.into_iter().enumerate() {
        if let Step::Capture { hold }
        | Step::Release { hold }
        | Step::Refund { hold, .. }
        | Step::ChargeAgain { hold, .. } = &mut step
        {
            let Some(picked) = model.pick(*hold) else {
                continue;
            };
            *hold = picked;
        }
        let before = books(&place).await;
        let expected = model.take(&step);
        let taken = take(&place, &mut holds, step.clone(), number)
            .await
            .unwrap();
        assert_eq!(taken, expected, "{step:?}");
        if !taken {
            assert_eq!(books(&place).await, before, "{step:?} was refused");
        }
        for (name, expected) in NAMES.iter().zip(model.accounts) {
            let owner = owner(name);
            let found = read!(place.storage, tx => tx.balances(&owner).await?).unwrap();
            let found = found.map(|balances| (balances[0].posted, balances[0].held));
            assert_eq!(found, expected, "{name} after {step:?}");
        }
        assert_eq!(place.violations().await, [], "after {step:?}");
    }
    place.storage.close().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_store_and_the_model_agree(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(steps));
    }
}
