//! Every table as a whole, for moving a store from one database to the other: rows go as JSON, read
//! with one statement on the one side and written with one on the other.

use super::backend::Sql;

/// A table that is moved.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    /// Its name.
    pub(super) name: &'static str,
    /// Its rows in the order of its key, from an offset on, each as a JSON object (`line`).
    pub(super) read: Sql,
    /// Writes rows, given as a JSON array.
    pub(super) write: Sql,
    /// What can be compared: how many rows (`lines`), their numbers (`numbers`) and the size of their
    /// texts (`bytes`).
    pub(super) mark: Sql,
}

// The key, then the columns by what they hold. Where a list of columns ends is told by a last element
// that nobody reads. A number is reduced before it is summed: no sum may leave 64 bits.
macro_rules! table {
    ($name:literal by $key:literal, numbers $($number:literal)*, texts $($text:literal)*,
     blobs $($blob:literal)*) => {
        Table {
            name: $name,
            read: Sql::same(concat!(
                "SELECT json_object(",
                $("'", $number, "', ", $number, ", ",)*
                $("'", $text, "', ", $text, ", ",)*
                $("'", $blob, "', CASE WHEN ", $blob, " IS NULL THEN NULL ELSE '\\x' || hex(",
                  $blob, ") END, ",)*
                "'', 0) AS line FROM ", $name, " ORDER BY ", $key, " LIMIT -1 OFFSET $1"
            )),
            write: Sql::same(concat!(
                "INSERT INTO ", $name, " SELECT * FROM json_populate_recordset(CAST(NULL AS ",
                $name, "), CAST($1 AS JSON))"
            )),
            mark: Sql::same(concat!(
                "SELECT COUNT(*) AS lines,
                     CAST(COALESCE(SUM(", $("COALESCE(", $number, ", 0) % 1000003 + ",)* "0), 0)
                         AS BIGINT) AS numbers,
                     CAST(COALESCE(SUM(", $("COALESCE(OCTET_LENGTH(", $text, "), 0) + ",)*
                     $("COALESCE(OCTET_LENGTH(", $blob, "), 0) + ",)* "0), 0) AS BIGINT) AS bytes
                 FROM ", $name
            )),
        }
    };
}

/// All of them, each after those it refers to. `instance` and `job` stay behind: they are about daemons
/// on this very database.
pub(super) const TABLES: [Table; 24] = [
    table!("unit" by "code", numbers "scale", texts "code", blobs),
    table!("source" by "name", numbers "first_seen_at" "surveyed_at" "failing_since",
        texts "name" "reread_after", blobs),
    table!("policy_text" by "hash", numbers "first_used_at", texts "hash" "name" "text", blobs),
    table!("policy_set" by "hash", numbers "first_used_at", texts "hash" "parts", blobs),
    table!("policy_list" by "digest", numbers "first_used_at", texts "digest" "entries", blobs),
    table!("chain" by "id",
        numbers "id" "merged_into" "version" "due_at" "lease_fence" "lease_until" "created_at"
            "updated_at",
        texts "source" "lease_owner", blobs),
    table!("chain_key" by "source, key", numbers "chain_id", texts "source" "key", blobs),
    table!("delivery" by "id",
        numbers "id" "received_at" "chain_id" "filed_at" "replayed_at",
        texts "source" "content_type" "state" "trigger" "note", blobs "digest" "body"),
    table!("fact" by "id", numbers "id" "chain_id" "delivery_id" "received_at", texts "body", blobs),
    table!("decision" by "id",
        numbers "id" "chain_id" "start_at" "end_at" "round" "cost" "decided_at",
        texts "source" "uid" "seat" "outcome" "decided_by" "policy_id" "policy_hash" "message"
            "note" "unit" "terms" "facts" "trace" "engine" "set_hash" "verdict",
        blobs),
    table!("shadow_verdict" by "decision_id, policy_id", numbers "decision_id" "cost",
        texts "policy_id" "policy_hash" "outcome" "failed" "message" "note" "unit" "trace", blobs),
    table!("command" by "id",
        numbers "id" "chain_id" "decision_id" "number" "tries" "due_at" "created_at"
            "finished_at" "purged_at",
        texts "uid" "seat" "action" "purpose" "reason" "state" "note", blobs),
    table!("attempt" by "id",
        numbers "id" "command_id" "number" "started_at" "deadline_at" "answered_at"
            "http_status",
        texts "worker" "result" "detail", blobs),
    table!("booking" by "source, uid, seat",
        numbers "chain_id" "number" "decision_id" "settled" "start_at" "end_at" "updated_at"
            "event_type_id" "asked_at" "ended_at" "no_show",
        texts "source" "uid" "seat" "status" "outcome" "booker" "event_type" "domain" "ended_by",
        blobs),
    table!("account" by "id",
        numbers "id" "posted" "held" "credit_limit" "tracked" "version" "created_at",
        texts "unit" "kind" "owner" "status", blobs),
    table!("txn" by "id", numbers "id" "decision_id" "recorded_at",
        texts "kind" "actor" "reason" "metadata", blobs),
    table!("hold" by "id",
        numbers "id" "account_id" "chain_id" "decision_id" "amount" "captured" "released"
            "refunded" "created_at" "updated_at",
        texts "uid" "seat" "state", blobs),
    table!("entry" by "txn_id, line",
        numbers "txn_id" "line" "account_id" "amount" "hold_id" "posted_after" "held_after"
            "account_version",
        texts "layer", blobs),
    table!("waiver" by "decision_id", numbers "decision_id" "chain_id" "amount" "created_at",
        texts "unit" "reason", blobs),
    table!("tag" by "owner, tag", numbers "added_at", texts "owner" "tag", blobs),
    table!("code_use" by "code, source, uid, seat", numbers "used_at",
        texts "code" "source" "uid" "seat", blobs),
    table!("audit" by "id", numbers "id" "at", texts "actor" "action" "target" "detail" "request",
        blobs),
    table!("notice" by "id", numbers "id" "created_at" "due_at" "tries",
        texts "receiver" "message" "kind" "body" "detail", blobs),
    table!("idempotency" by "scope, key", numbers "status" "created_at",
        texts "scope" "key" "request" "outcome", blobs "request_hash"),
];

#[cfg(test)]
impl Table {
    /// Whether a column is moved.
    pub(super) fn reads(&self, column: &str) -> bool {
        self.read.has(&format!("'{column}', "))
    }
}

/// What both databases say of the columns of the tables above, for the test that nothing is forgotten.
#[cfg(test)]
pub(super) const COLUMNS: Sql = Sql::each(
    "SELECT master.name || '.' || info.name AS name
     FROM sqlite_master AS master, pragma_table_info(master.name) AS info
     WHERE master.type = 'table'",
    "SELECT table_name || '.' || column_name AS name FROM information_schema.columns
     WHERE table_schema = current_schema()",
);
