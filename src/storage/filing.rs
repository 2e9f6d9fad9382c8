//! Filing many deliveries at once. In a flood most are about bookings that nobody has heard of: those
//! take a handful of statements together, however many they are. The others are filed one by one, since
//! each may join chains.

use std::collections::BTreeMap;

use super::backend::{Sql, Tx, Value};
use super::chains::list;
use super::error::StorageError;
use super::records::Understood;
use super::words::{json, word};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{ChainId, SourceName};

// Rows come as arrays to a server, and as one JSON text to a file.
const FIND: Sql = Sql::each(
    "SELECT key FROM chain_key
     WHERE source = $1 AND key IN (SELECT value FROM json_each($2))",
    "SELECT key FROM chain_key WHERE source = $1 AND key = ANY($2::text[])",
);
// Their first fact is on its way, and makes them due.
const OPEN: Sql = Sql::each(
    "INSERT INTO chain (source, version, due_at, created_at, updated_at)
     SELECT $1, 1, $3, $3, $3 FROM json_each($2) RETURNING id",
    "INSERT INTO chain (source, version, due_at, created_at, updated_at)
     SELECT $1, 1, $3, $3, $3 FROM UNNEST($2::bigint[]) RETURNING id",
);
const NAME: Sql = Sql::each(
    "INSERT INTO chain_key (source, key, chain_id)
     SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each($1) WHERE TRUE
     ON CONFLICT (source, key) DO NOTHING",
    "INSERT INTO chain_key (source, key, chain_id)
     SELECT source, key, chain_id FROM UNNEST($1::text[], $2::text[], $3::bigint[])
         AS new (source, key, chain_id)
     ON CONFLICT (source, key) DO NOTHING",
);
const TELL: Sql = Sql::each(
    "INSERT INTO fact (chain_id, delivery_id, received_at, body)
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each($1)",
    "INSERT INTO fact (chain_id, delivery_id, received_at, body)
     SELECT chain_id, delivery_id, received_at, body
     FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[], $4::text[])
         AS new (chain_id, delivery_id, received_at, body)",
);
const FILE: Sql = Sql::each(
    "UPDATE delivery SET state = new.value ->> 1, trigger = new.value ->> 2,
         note = new.value ->> 3, chain_id = new.value ->> 4, filed_at = $2
     FROM json_each($1) AS new WHERE delivery.id = new.value ->> 0",
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
        self.name_chains(&told).await?;
        self.tell_facts(&told).await?;
        let filed: Vec<_> = (0..all.len())
            .filter(|place| !left.contains(place))
            .map(|place| (&all[place], chains[place]))
            .collect();
        self.note_filed(&filed, now).await?;
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
        let names = list(&names, self.has_rivals())?;
        let find = self.query(FIND).bind(source).bind(names);
        for row in find.all().await? {
            let known: String = row.get("key")?;
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

    /// As many chains as there are places. Which is whose does not matter yet.
    async fn open_chains(
        &mut self,
        source: &SourceName,
        places: &[usize],
        now: Timestamp,
    ) -> Result<Vec<ChainId>, StorageError> {
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let count = if self.has_rivals() {
            Value::Integers(vec![None; places.len()])
        } else {
            Value::Text(Some(json(&places)?))
        };
        let rows = self.query(OPEN).bind(source).bind(count).bind(now);
        rows.all().await?.iter().map(|row| row.get("id")).collect()
    }

    async fn name_chains(&mut self, told: &[(&Understood, ChainId)]) -> Result<(), StorageError> {
        let named = told.iter().flat_map(|(each, chain)| {
            let names = each.names.iter();
            names.map(|name| (each.source.as_str(), name.as_str(), chain.0))
        });
        let rows: Vec<_> = named.collect();
        if rows.is_empty() {
            return Ok(());
        }
        let name = if self.has_rivals() {
            let sources = rows.iter().map(|row| Some(row.0.to_owned())).collect();
            let names = rows.iter().map(|row| Some(row.1.to_owned())).collect();
            let chains = rows.iter().map(|row| Some(row.2)).collect();
            let name = self.query(NAME).bind(Value::Texts(sources));
            name.bind(Value::Texts(names)).bind(Value::Integers(chains))
        } else {
            let rows = json(&rows)?;
            self.query(NAME).bind(rows)
        };
        if name.run().await? < rows.len() as u64 {
            let text = "another transaction filed the same booking";
            return Err(StorageError::Conflict(text.to_owned()));
        }
        Ok(())
    }

    async fn tell_facts(&mut self, told: &[(&Understood, ChainId)]) -> Result<(), StorageError> {
        let mut rows = Vec::with_capacity(told.len());
        for (each, chain) in told {
            let at = each.received_at.as_microsecond();
            rows.push((chain.0, each.delivery.0, at, json(&each.fact)?));
        }
        if rows.is_empty() {
            return Ok(());
        }
        let tell = if self.has_rivals() {
            let chains = rows.iter().map(|row| Some(row.0)).collect();
            let deliveries = rows.iter().map(|row| Some(row.1)).collect();
            let times = rows.iter().map(|row| Some(row.2)).collect();
            let bodies = rows.into_iter().map(|row| Some(row.3)).collect();
            let tell = self.query(TELL).bind(Value::Integers(chains));
            let tell = tell.bind(Value::Integers(deliveries));
            tell.bind(Value::Integers(times)).bind(Value::Texts(bodies))
        } else {
            let rows = json(&rows)?;
            self.query(TELL).bind(rows)
        };
        tell.run().await.map(drop)
    }

    async fn note_filed(
        &mut self,
        filed: &[(&Understood, Option<ChainId>)],
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let mut rows = Vec::with_capacity(filed.len());
        for (each, chain) in filed {
            let filing = &each.filing;
            let (trigger, note) = (filing.trigger.clone(), filing.note.clone());
            let chain = chain.map(|chain| chain.0);
            rows.push((each.delivery.0, word(filing.state)?, trigger, note, chain));
        }
        if rows.is_empty() {
            return Ok(());
        }
        let file = if self.has_rivals() {
            let ids = rows.iter().map(|row| Some(row.0)).collect();
            let states = rows.iter().map(|row| Some(row.1.clone())).collect();
            let triggers = rows.iter().map(|row| row.2.clone()).collect();
            let notes = rows.iter().map(|row| row.3.clone()).collect();
            let chains = rows.iter().map(|row| row.4).collect();
            let file = self.query(FILE).bind(Value::Integers(ids));
            let file = file.bind(Value::Texts(states)).bind(Value::Texts(triggers));
            file.bind(Value::Texts(notes)).bind(Value::Integers(chains))
        } else {
            let rows = json(&rows)?;
            self.query(FILE).bind(rows)
        };
        file.bind(now).run().await.map(drop)
    }
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
