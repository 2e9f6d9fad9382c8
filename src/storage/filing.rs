//! Filing many deliveries at once. In a flood most are about bookings that nobody has heard of: those
//! take a handful of statements together, however many they are. The others are filed one by one, since
//! each may join chains.

use std::collections::BTreeMap;

use super::backend::{Sql, Tx, Value, inserted};
use super::error::StorageError;
use super::records::Understood;
use super::words::{json, word};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{ChainId, SourceName};

// Rows come as arrays to a server, and one by one to a file: there, a list would have to be put into words
// and read again, which costs more than one more statement.
const FIND: Sql = Sql::each(
    "SELECT key FROM chain_key WHERE source = $1 AND key = $2",
    "SELECT key FROM chain_key WHERE source = $1 AND key = ANY($2::text[])",
);
// Their first fact is on its way, and makes them due.
const OPEN: Sql = Sql::each(
    "INSERT INTO chain (source, version, due_at, created_at, updated_at)
     VALUES ($1, 1, $2, $2, $2) RETURNING id",
    "INSERT INTO chain (source, version, due_at, created_at, updated_at)
     SELECT $1, 1, $2, $2, $2 FROM UNNEST($3::bigint[]) RETURNING id",
);
const NAME: Sql = Sql::each(
    "INSERT INTO chain_key (source, key, chain_id) VALUES ($1, $2, $3)
     ON CONFLICT (source, key) DO NOTHING",
    "INSERT INTO chain_key (source, key, chain_id)
     SELECT source, key, chain_id FROM UNNEST($1::text[], $2::text[], $3::bigint[])
         AS new (source, key, chain_id)
     ON CONFLICT (source, key) DO NOTHING",
);
const TELL: Sql = Sql::each(
    "INSERT INTO fact (chain_id, delivery_id, received_at, body) VALUES ($1, $2, $3, $4)",
    "INSERT INTO fact (chain_id, delivery_id, received_at, body)
     SELECT chain_id, delivery_id, received_at, body
     FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[], $4::text[])
         AS new (chain_id, delivery_id, received_at, body)",
);
const FILE: Sql = Sql::each(
    "UPDATE delivery SET state = $2, trigger = $3, note = $4, chain_id = $5, filed_at = $6
     WHERE id = $1",
    "UPDATE delivery SET state = new.state, trigger = new.trigger, note = new.note,
         chain_id = new.chain_id, filed_at = $6
     FROM UNNEST($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[])
         AS new (id, state, trigger, note, chain_id)
     WHERE delivery.id = new.id",
);

impl Tx {
    /// Files those of these deliveries that say nothing about a booking, and those that are the first
    /// and only ones about theirs: each gets a chain of its own, due now. Gives the places of those
    /// that are left, which have to be filed one by one.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] if another transaction has just filed one of the bookings; or if the
    /// store fails.
    pub async fn file_together(
        &mut self,
        all: &[Understood],
        now: Timestamp,
    ) -> Result<Vec<usize>, StorageError> {
        let mut chains: Vec<Option<ChainId>> = vec![None; all.len()];
        let mut left = Vec::new();
        for (source, places) in by_source(all) {
            let strangers = self.strangers(source, all, &places).await?;
            left.extend(
                places
                    .into_iter()
                    .filter(|place| !strangers.contains(place)),
            );
            let opened = self.open_chains(source, &strangers, now).await?;
            for (place, chain) in strangers.into_iter().zip(opened) {
                chains[place] = Some(chain);
            }
        }
        let told = all.iter().zip(&chains);
        let told: Vec<_> = told
            .filter_map(|(each, chain)| Some((each, (*chain)?)))
            .collect();
        if !told.is_empty() {
            self.name_chains(&told).await?;
            self.tell_facts(&told).await?;
        }
        let filed: Vec<_> = (0..all.len())
            .filter(|place| !left.contains(place))
            .map(|place| (&all[place], chains[place]))
            .collect();
        if !filed.is_empty() {
            self.note_filed(&filed, now).await?;
        }
        left.sort_unstable();
        Ok(left)
    }

    /// The places of deliveries whose names nobody else has, in the store or among these.
    async fn strangers(
        &mut self,
        source: &SourceName,
        all: &[Understood],
        places: &[usize],
    ) -> Result<Vec<usize>, StorageError> {
        let mut named: BTreeMap<&str, usize> = BTreeMap::new();
        for &place in places {
            for name in &all[place].names {
                *named.entry(name).or_default() += 1;
            }
        }
        let names: Vec<&str> = named.keys().copied().collect();
        for known in self.known_names(source, &names).await? {
            if let Some(count) = named.get_mut(known.as_str()) {
                *count += 1;
            }
        }
        let alone = |place: &usize| {
            let names = &all[*place].names;
            // A zero byte is stored as another sign: such a name cannot be compared here.
            names
                .iter()
                .all(|name| named[name.as_str()] == 1 && !name.contains('\0'))
        };
        Ok(places.iter().copied().filter(alone).collect())
    }

    /// Those of these names that some chain has.
    async fn known_names(
        &mut self,
        source: &SourceName,
        names: &[&str],
    ) -> Result<Vec<String>, StorageError> {
        let mut rows = Vec::new();
        if self.has_rivals() {
            let names = texts(names.iter().map(|&name| Some(name.to_owned())));
            rows = self.query(FIND).bind(source).bind(names).all().await?;
        } else {
            for &name in names {
                rows.extend(self.query(FIND).bind(source).bind(name).optional().await?);
            }
        }
        rows.iter().map(|row| row.get("key")).collect()
    }

    /// As many chains as there are places. Which is whose does not matter yet.
    async fn open_chains(
        &mut self,
        source: &SourceName,
        places: &[usize],
        now: Timestamp,
    ) -> Result<Vec<ChainId>, StorageError> {
        let mut opened = Vec::with_capacity(places.len());
        if self.has_rivals() {
            let open = self.query(OPEN).bind(source).bind(now);
            let rows = open.bind(Value::Integers(vec![None; places.len()]));
            for row in rows.all().await? {
                opened.push(row.get("id")?);
            }
        } else {
            for _ in places {
                let open = self.query(OPEN).bind(source).bind(now);
                opened.push(ChainId(inserted(open.new_id().await?)?));
            }
        }
        Ok(opened)
    }

    async fn name_chains(&mut self, told: &[(&Understood, ChainId)]) -> Result<(), StorageError> {
        let named = told.iter().flat_map(|(each, chain)| {
            let names = each.names.iter();
            names.map(|name| (&each.source, name, *chain))
        });
        let rows: Vec<_> = named.collect();
        let mut new = 0;
        if self.has_rivals() {
            let name = self.query(NAME);
            let name = name.bind(texts(rows.iter().map(|row| Some(row.0.to_string()))));
            let name = name.bind(texts(rows.iter().map(|row| Some(row.1.clone()))));
            let name = name.bind(integers(rows.iter().map(|row| Some(row.2.0))));
            new += name.run().await?;
        } else {
            for &(source, name, chain) in &rows {
                let name = self.query(NAME).bind(source).bind(name).bind(chain);
                new += name.run().await?;
            }
        }
        if new < rows.len() as u64 {
            let text = "another transaction filed the same booking";
            return Err(StorageError::Conflict(text.to_owned()));
        }
        Ok(())
    }

    async fn tell_facts(&mut self, told: &[(&Understood, ChainId)]) -> Result<(), StorageError> {
        if !self.has_rivals() {
            for (each, chain) in told {
                let tell = self.query(TELL).bind(*chain).bind(each.delivery);
                let tell = tell.bind(each.received_at).bind(json(&each.fact)?);
                tell.run().await?;
            }
            return Ok(());
        }
        let bodies = told.iter().map(|(each, _)| json(&each.fact).map(Some));
        let bodies: Vec<_> = bodies.collect::<Result<_, _>>()?;
        let tell = self.query(TELL);
        let tell = tell.bind(integers(told.iter().map(|(_, chain)| Some(chain.0))));
        let tell = tell.bind(integers(told.iter().map(|(each, _)| Some(each.delivery.0))));
        let times = told
            .iter()
            .map(|(each, _)| each.received_at.as_microsecond());
        let tell = tell.bind(integers(times.map(Some)));
        tell.bind(Value::Texts(bodies)).run().await.map(drop)
    }

    async fn note_filed(
        &mut self,
        filed: &[(&Understood, Option<ChainId>)],
        now: Timestamp,
    ) -> Result<(), StorageError> {
        if !self.has_rivals() {
            for (each, chain) in filed {
                let filing = &each.filing;
                let file = self
                    .query(FILE)
                    .bind(each.delivery)
                    .bind(word(filing.state)?);
                let file = file.bind(&filing.trigger).bind(&filing.note);
                file.bind(*chain).bind(now).run().await?;
            }
            return Ok(());
        }
        let all = || filed.iter().map(|(each, _)| &each.filing);
        let states = all().map(|filing| word(filing.state).map(Some));
        let states: Vec<_> = states.collect::<Result<_, _>>()?;
        let file = self.query(FILE);
        let file = file.bind(integers(
            filed.iter().map(|(each, _)| Some(each.delivery.0)),
        ));
        let file = file.bind(Value::Texts(states));
        let file = file.bind(texts(all().map(|filing| filing.trigger.clone())));
        let file = file.bind(texts(all().map(|filing| filing.note.clone())));
        let file = file.bind(integers(
            filed.iter().map(|(_, chain)| chain.map(|chain| chain.0)),
        ));
        file.bind(now).run().await.map(drop)
    }
}

fn integers(column: impl Iterator<Item = Option<i64>>) -> Value {
    Value::Integers(column.collect())
}

fn texts(column: impl Iterator<Item = Option<String>>) -> Value {
    Value::Texts(column.collect())
}

/// The places of the deliveries that tell of a booking, by their source.
fn by_source(all: &[Understood]) -> BTreeMap<&SourceName, Vec<usize>> {
    let mut sources: BTreeMap<&SourceName, Vec<usize>> = BTreeMap::new();
    for (place, each) in all.iter().enumerate() {
        if each.fact.is_some() {
            sources.entry(&each.source).or_default().push(place);
        }
    }
    sources
}
