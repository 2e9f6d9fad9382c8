//! Who took whose place.

use std::collections::BTreeMap;

use super::fold::{Read, Told};
use super::{Rules, Standing, Timeline};
use crate::domain::clock::{Timestamp, plus_ms};
use crate::domain::ids::UnitKey;

/// Joins moved bookings: who took whose place.
pub(super) fn link_moves(
    timeline: &mut Timeline<'_>,
    events: &[Told<'_>],
    readings: &[Read<'_>],
    rules: &Rules,
) {
    // (old, provider time of the move, new, when we heard)
    let mut moves: Vec<(UnitKey, Option<Timestamp>, UnitKey, Timestamp)> = Vec::new();
    for (heard_at, event) in events {
        if let Some(from) = &event.predecessor {
            let seat = UnitKey {
                uid: from.uid.clone(),
                seat: event.seat.clone(),
            };
            let old = if timeline.units.contains_key(&seat) {
                seat
            } else {
                UnitKey::booking(from.uid.clone())
            };
            moves.push((old, event.sent_at, event.unit(), *heard_at));
        }
        if let Some(to) = &event.successor {
            let new = UnitKey::booking(to.clone());
            moves.push((event.unit(), event.sent_at, new, *heard_at));
        }
    }
    for (heard_at, reading) in readings {
        let this = UnitKey::booking(reading.uid.clone());
        if let Some(to) = &reading.moved_to {
            moves.push((this.clone(), None, UnitKey::booking(to.clone()), *heard_at));
        }
        if let Some(from) = &reading.moved_from {
            moves.push((UnitKey::booking(from.clone()), None, this, *heard_at));
        }
    }
    let mut heirs: BTreeMap<UnitKey, (Option<Timestamp>, UnitKey, Timestamp)> = BTreeMap::new();
    for (old, at, new, heard_at) in moves {
        if old.uid == new.uid
            || !timeline.units.contains_key(&old)
            || !timeline.units.contains_key(&new)
        {
            continue;
        }
        // A link that only a reading shows has no time of its own and counts as the latest.
        let rank = |at: Option<Timestamp>| at.unwrap_or(Timestamp::MAX);
        heirs
            .entry(old)
            .and_modify(|(best_at, best, first_heard)| {
                *first_heard = heard_at.min(*first_heard);
                if (rank(at), &new) < (rank(*best_at), &*best) {
                    (*best_at, *best) = (at, new.clone());
                }
            })
            .or_insert((at, new.clone(), heard_at));
    }
    for (old, (_, heir, heard_at)) in heirs {
        if let Some(unit) = timeline.units.get_mut(&heir) {
            unit.forebears.push(old.clone());
            // The half of the move that tells of it is late, or lost.
            if unit.standing == Standing::Unknown && !unit.was_read && !unit.closed {
                let overdue_at = plus_ms(heard_at, rules.settle_ms);
                unit.read_at = Some(unit.read_at.map_or(overdue_at, |at| at.min(overdue_at)));
            }
        }
        if let Some(unit) = timeline.units.get_mut(&old) {
            unit.standing = Standing::Superseded;
            unit.heir = Some(heir);
            unit.read_at = None;
            unit.move_was_read |= readings.iter().any(|(at, reading)| {
                reading.uid == old.uid && (reading.moved_to.is_some() || *at > heard_at)
            });
            if unit.closed {
                continue;
            }
            unit.gone_heard_at = Some(unit.gone_heard_at.map_or(heard_at, |at| at.min(heard_at)));
        }
    }
}
