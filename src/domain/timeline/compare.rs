//! A reading beside what is known.
//!
//! What counts as a difference is asked of the fold itself: does it come out another way with this
//! reading than without it? So a reading that is older than what was heard since, or too close to it to
//! be believed, is none, and neither is one that nothing follows from.

use super::{Rules, Standing, Timeline, Unit, with_final_names};
use crate::domain::booking::Reading;
use crate::domain::chain::{ChainRecord, Fact, FactBody};
use crate::domain::clock::Timestamp;
use crate::domain::ids::Uid;

/// What a reading says beside what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// The same.
    Same,
    /// Nothing that tells how the booking stands was heard of it.
    Unheard,
    /// Something else, and it is to be followed: this is how the booking stands.
    Differs(Standing),
    /// It still waits, and has ended: nobody will answer it any more.
    Lapsed,
    /// Something else, and it may be that it is only late.
    Unsettled,
}

/// Compares a reading, taken at `asked_at` by our clock, with what is known of its chain.
pub fn compare(
    record: ChainRecord,
    reading: &Reading,
    asked_at: Timestamp,
    rules: &Rules,
) -> Comparison {
    let mut more = record.clone();
    more.facts.push(Fact {
        received_at: asked_at,
        body: FactBody::Reading(Box::new(reading.clone())),
    });
    let (record, more) = (with_final_names(record), with_final_names(more));
    let (before, after) = (Timeline::fold(&record, rules), Timeline::fold(&more, rules));
    let about = after.units.values();
    for unit in about.filter(|unit| unit.key.uid == reading.uid) {
        let known = known_as(&before, unit, reading.number);
        if unit.closed {
            continue;
        }
        if known.is_none_or(|known| known.standing == Standing::Unknown) {
            return Comparison::Unheard;
        }
        if known.is_some_and(|known| stands(known) != stands(unit)) {
            return Comparison::Differs(unit.standing);
        }
        if unit.lapsed && known.is_some_and(|known| !known.lapsed) {
            return Comparison::Lapsed;
        }
        if !agrees(unit.standing, reading) {
            return Comparison::Unsettled;
        }
    }
    Comparison::Same
}

/// The same booking or seat before the reading, which may have told its uid for the first time.
fn known_as<'t, 'f>(
    before: &'t Timeline<'f>,
    unit: &Unit<'_>,
    number: Option<i64>,
) -> Option<&'t Unit<'f>> {
    before.unit(&unit.key).or_else(|| {
        let uid = Uid::from_number(number?);
        let mut units = before.units.values();
        units.find(|one| one.key.uid == uid && one.key.seat == unit.key.seat)
    })
}

/// All that anything could follow from.
fn stands<'u>(unit: &'u Unit<'_>) -> impl PartialEq + use<'u> {
    let heir = unit.heir.as_ref().map(|heir| heir.uid.as_str());
    let told = (unit.ask.is_some(), unit.details.is_some());
    (
        unit.standing,
        unit.accepted,
        heir,
        unit.forebears.len(),
        told,
    )
}

/// Whether a booking stands as a reading says. How it ended does not matter: it can be declined after it
/// was called off, and called off after it was declined.
fn agrees(standing: Standing, reading: &Reading) -> bool {
    match standing {
        Standing::Unknown => true,
        Standing::At(status) if status.is_over() => reading.status.is_over(),
        Standing::At(status) => reading.moved_to.is_none() && status == reading.status,
        Standing::Superseded => reading.moved_to.is_some() || reading.status.is_over(),
    }
}
