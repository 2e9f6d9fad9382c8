//! One booking, one name: bodies that carry only the numeric id are filed under the uid once it is
//! known.

use std::collections::BTreeMap;

use crate::domain::chain::{ChainRecord, FactBody};
use crate::domain::ids::Uid;

/// Replaces every `id:91` in the record by the uid that some fact pairs with number 91.
pub fn with_final_names(mut record: ChainRecord) -> ChainRecord {
    let mut names: BTreeMap<Uid, Uid> = BTreeMap::new();
    let mut learn = |uid: &Uid, number: Option<i64>| {
        let Some(number) = number else { return };
        let placeholder = Uid::from_number(number);
        if *uid != placeholder {
            // Two uids with one number cannot be; if they are, the smaller one, whatever the order.
            let name = names.entry(placeholder).or_insert_with(|| uid.clone());
            if uid < name {
                *name = uid.clone();
            }
        }
    };
    for fact in &record.facts {
        match &fact.body {
            FactBody::Event(event) => {
                learn(&event.uid, event.number);
                if let Some(from) = &event.predecessor {
                    learn(&from.uid, from.number);
                }
            }
            FactBody::Reading(reading) => learn(&reading.uid, reading.number),
            FactBody::Closed(left) => learn(&left.unit.uid, left.number),
            FactBody::Missing { .. } => {}
        }
    }
    if names.is_empty() {
        return record;
    }
    let rename = |uid: &mut Uid| {
        if let Some(name) = names.get(uid) {
            *uid = name.clone();
        }
    };
    for fact in &mut record.facts {
        match &mut fact.body {
            FactBody::Event(event) => {
                rename(&mut event.uid);
                if let Some(from) = &mut event.predecessor {
                    rename(&mut from.uid);
                }
            }
            FactBody::Reading(reading) => {
                rename(&mut reading.uid);
                reading.moved_from.iter_mut().for_each(rename);
                reading.moved_to.iter_mut().for_each(rename);
            }
            FactBody::Missing { uid } => rename(uid),
            FactBody::Closed(left) => rename(&mut left.unit.uid),
        }
    }
    for decision in &mut record.decisions {
        rename(&mut decision.unit.uid);
    }
    for command in &mut record.commands {
        rename(&mut command.unit.uid);
    }
    for hold in &mut record.holds {
        rename(&mut hold.unit.uid);
    }
    record
}
