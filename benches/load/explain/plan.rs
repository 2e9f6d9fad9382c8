//! Plans, made short enough to be read in a list.

/// SQLite writes SCAN, also of what a subquery gives, which is no table. An index that is gone through
/// from its beginning, as for a queue, is no scan in this sense unless nothing else is given.
pub(super) fn is_scan(line: &str, tables: &[String]) -> bool {
    if let Some((_, rest)) = line.split_once("SCAN ") {
        let mut words = rest.split_whitespace();
        let scanned = words.next().unwrap_or_default();
        return tables.iter().any(|table| table == scanned) && !rest.contains(" USING INDEX ");
    }
    line.contains("Seq Scan on ")
}

/// What a plan reads: indexes by their names, a table by its name and `.id` or `.key`, a whole table
/// in capitals.
pub(super) fn in_short(plan: &[String], tables: &[String]) -> String {
    let mut reads: Vec<String> = Vec::new();
    for line in plan {
        let step = if is_scan(line, tables) {
            let behind = line.split("Seq Scan on ").nth(1);
            let behind = behind.or_else(|| line.split("SCAN ").nth(1));
            behind.and_then(first_word).map(str::to_uppercase)
        } else if line.contains("Sort Key") || line.contains("TEMP B-TREE") {
            Some("sorts".to_owned())
        } else {
            index(line)
        };
        if let Some(step) = step
            && reads.last() != Some(&step)
        {
            reads.push(step);
        }
    }
    if reads.is_empty() {
        return "nothing".to_owned();
    }
    reads.join(", ")
}

fn index(line: &str) -> Option<String> {
    for before in [
        " INDEX ",
        "Index Scan using ",
        "Index Only Scan using ",
        "Bitmap Index Scan on ",
    ] {
        if let Some((_, behind)) = line.split_once(before) {
            // A table that is no table has indexes without names.
            let name = first_word(behind)?;
            return name
                .starts_with(char::is_alphabetic)
                .then(|| name.to_owned());
        }
    }
    if let Some((_, behind)) = line.split_once("Index Scan Backward using ") {
        return first_word(behind).map(str::to_owned);
    }
    let (_, searched) = line.split_once("SEARCH ")?;
    let table = first_word(searched)?;
    let by = if searched.contains("INTEGER PRIMARY KEY") {
        "id"
    } else {
        "key"
    };
    Some(format!("{table}.{by}"))
}

fn first_word(text: &str) -> Option<&str> {
    text.split_whitespace().next()
}
