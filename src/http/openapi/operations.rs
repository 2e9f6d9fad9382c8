//! The operations: one chain of calls each, in the order of the routes.

mod build;

use serde_json::{Map, Value, json};

use self::build::{Operation, choice, get, number, post, text, time};
use super::schemas;
use crate::gate::ENTRY_KINDS;

/// All paths with their operations.
pub(super) fn paths() -> Value {
    let mut paths = Map::new();
    let all = [
        accounts(),
        bookings(),
        deliveries(),
        dead_letters(),
        looking(),
        running(),
    ];
    for (path, method, operation) in all.into_iter().flatten() {
        let methods = paths.entry(path).or_insert_with(|| json!({}));
        methods[method] = operation;
    }
    Value::Object(paths)
}

/// Path, method, and the operation.
type Entry = (&'static str, &'static str, Value);

fn at(path: &'static str, operation: Operation) -> Entry {
    operation.at(path)
}

fn accounts() -> Vec<Entry> {
    let owner = "The owner's e-mail address, in any spelling";
    vec![
        at("/v1/accounts", get("listAccounts", "accounts", "Accounts, by the address of their owner")
            .query("begins", text("Whose address begins so, in any case of its letters", "ada"))
            .pages_of("Account")),
        at("/v1/accounts/{owner}", get("showAccount", "accounts", "An account with its balances")
            .path("owner", text(owner, "ada@example.org")).missing().answers("Account")),
        at("/v1/accounts/{owner}/entries",
            get("listEntries", "accounts", "The statement of an account, newest first")
            .path("owner", text(owner, "ada@example.org"))
            .query("unit", text("In this unit", "CREDIT"))
            .query("kind", choice("Of this kind", &ENTRY_KINDS))
            .query("since", time("Recorded at this time or later"))
            .query("until", time("Recorded before this time"))
            .missing().pages_of("Entry")),
        at("/v1/accounts/{owner}/top-ups",
            post("topUp", "accounts", "Put credit on an account, once for each Idempotency-Key")
            .role("credits")
            .about("The account is made if there is none. The same key and body again give the same \
                    answer, with `Idempotent-Replayed: true`; the same key with another body is a 422. \
                    Keys belong to the token that uses them.")
            .path("owner", text(owner, "ada@example.org"))
            .header("Idempotency-Key", "New for each top-up, the same for each retry of one", 255)
            .takes("TopUp", &json!({ "amount": "5", "unit": "CREDIT", "reason": "March" }))
            .unprocessable("The key was used for another top-up, or the ledger refuses the amount")
            .creates("Account")),
        at("/v1/accounts/{owner}/deductions",
            post("deduct", "accounts", "Take credit off an account, once for each Idempotency-Key")
            .role("admin")
            .about("For credit that should not be there, such as a mistaken top-up. No more than is \
                    available: what is held for bookings stays. Keys are as for top-ups.")
            .path("owner", text(owner, "ada@example.org"))
            .header("Idempotency-Key", "New for each deduction, the same for each retry of one", 255)
            .takes("Deduction", &json!({ "amount": "45", "unit": "CREDIT", "reason": "typed 50 for 5" }))
            .conflicts()
            .unprocessable("The key was used for another deduction, or the ledger refuses the amount")
            .creates("Account")),
        at("/v1/accounts/{owner}/tags",
            get("showTags", "accounts", "The words that policies may ask for, of one person")
            .path("owner", text(owner, "ada@example.org")).answers("Tags")),
        at("/v1/accounts/{owner}/tags",
            post("changeTags", "accounts", "Add and remove tags")
            .role("admin")
            .about("Nobody needs an account to have tags. What is there already is added anew: \
                    its age begins again. Bookings that were decided stay as they are.")
            .path("owner", text(owner, "ada@example.org"))
            .takes("TagsChange", &json!({ "add": ["vip"], "remove": [] }))
            .answers("Tags")),
    ]
}

fn bookings() -> Vec<Entry> {
    let source = || text("The source's name in the settings", "club");
    let reference = || {
        text(
            "The booking's uid or number at the provider",
            "8wX2kQvNn3TzRb5mLpYc1d",
        )
    };
    let outcomes = || choice("With this decision", schemas::OUTCOMES);
    vec![
        at("/v1/bookings", get("listBookings", "bookings", "Bookings, latest change first")
            .query("source", text("Of this source", "club"))
            .query("status", choice("In this state", schemas::STANDINGS))
            .query("outcome", outcomes())
            .query("booker", text("Of this booker", "ada@example.org"))
            .query("since", time("Changed at this time or later"))
            .query("until", time("Changed before this time"))
            .query("starts_since", time("That start at this time or later"))
            .query("starts_until", time("That start before this time"))
            .pages_of("BookingLine")),
        at("/v1/bookings/{source}/{reference}",
            get("showBooking", "bookings", "Everything about one booking")
            .path("source", source()).path("reference", reference()).missing().answers("Booking")),
        at("/v1/bookings/{source}/{reference}/decision",
            post("decideBooking", "bookings", "Decide what was left to a person")
            .about("The same decision again changes nothing. 409 `conflict` where the booking is not left \
                    to a person (any more), `insufficient-credit` where the booker cannot pay.")
            .path("source", source()).path("reference", reference())
            .takes("DecisionOrder", &json!({ "accept": false, "reason": "We are closed that week." }))
            .missing().conflicts().answers("Booking")),
        at("/v1/bookings/{source}/{reference}/explanation",
            get("explainBooking", "bookings", "What was decided on a booking, and that it comes out the same")
            .about("Told from what was kept with each decision, and decided again from that: `remade` says \
                    whether verdict and trace are the same, and if not, what differs.")
            .path("source", source()).path("reference", reference()).missing().answers("Explanation")),
        at("/v1/decisions", get("listDecisions", "bookings", "Decisions, newest first")
            .query("source", text("Of this source", "club"))
            .query("outcome", outcomes())
            .query("policy", text("By this policy", "executive-book-club"))
            .query("decided_by", text("`policy`, `host`, `carried` or `person:NAME`", "policy"))
            .query("since", time("Made at this time or later"))
            .query("until", time("Made before this time"))
            .pages_of("DecisionLine")),
    ]
}

fn deliveries() -> Vec<Entry> {
    let id = || number("The delivery's id", 4711);
    vec![
        at("/v1/deliveries", get("listDeliveries", "deliveries", "Stored webhooks, newest first")
            .about("A page may be short, even empty, and still have a `next`: a search ends after some rows.")
            .query("source", text("From this source", "club"))
            .query("state", choice("In this state", schemas::DELIVERY_STATES))
            .query("trigger", text("Of this trigger", "BOOKING_REQUESTED"))
            .query("since", time("Received at this time or later"))
            .query("until", time("Received before this time"))
            .pages_of("Delivery")),
        at("/v1/deliveries/replays",
            post("replayDeliveries", "deliveries", "Read those again that pass a filter, a page at a time")
            .takes("ReplayOrder", &json!({ "state": "unparsed", "dry_run": true }))
            .answers("ReplayReport")),
        at("/v1/deliveries/{id}", get("showDelivery", "deliveries", "One, with what was sent")
            .path("id", id()).missing().answers("DeliveryWithBody")),
        at("/v1/deliveries/{id}/replay", post("replayDelivery", "deliveries", "Read one again")
            .path("id", id()).missing().conflicts().accepts()),
    ]
}

fn dead_letters() -> Vec<Entry> {
    let id = || number("The dead letter's id", 91);
    let example = || json!({ "source": "club", "dry_run": true });
    vec![
        at(
            "/v1/dead-letters",
            get(
                "listDeadLetters",
                "dead letters",
                "What the provider could not be told, oldest first",
            )
            .query("source", text("Of this source", "club"))
            .query("action", choice("Of this operation", schemas::ACTIONS))
            .query("since", time("Given up at this time or later"))
            .pages_of("DeadLetter"),
        ),
        at(
            "/v1/dead-letters/retries",
            post(
                "retryDeadLetters",
                "dead letters",
                "Try those again that pass a filter; without one, all",
            )
            .takes("LettersOrder", &example())
            .missing()
            .conflicts()
            .answers("LettersReport"),
        ),
        at(
            "/v1/dead-letters/purges",
            post(
                "purgeDeadLetters",
                "dead letters",
                "Lay those aside for good that pass a filter; without one, all",
            )
            .takes("LettersOrder", &example())
            .missing()
            .conflicts()
            .answers("LettersReport"),
        ),
        at(
            "/v1/dead-letters/{id}",
            get("showDeadLetter", "dead letters", "One dead letter")
                .path("id", id())
                .missing()
                .answers("DeadLetter"),
        ),
        at(
            "/v1/dead-letters/{id}/retry",
            post("retryDeadLetter", "dead letters", "Try one again")
                .path("id", id())
                .may_take("RetryOrder", &json!({ "force": true }))
                .missing()
                .conflicts()
                .accepts(),
        ),
    ]
}

fn looking() -> Vec<Entry> {
    vec![
        at(
            "/v1/policies",
            get("showPolicies", "operations", "The policies in force").answers("Policies"),
        ),
        at(
            "/v1/policies/reload",
            post(
                "reloadPolicies",
                "operations",
                "Have this daemon read its policies again",
            )
            .unprocessable("They are wrong, so those that were in force go on: `last_attempt`")
            .answers("Policies"),
        ),
        at(
            "/v1/sources",
            get("listSources", "operations", "How each source is doing").page_of("Source"),
        ),
        at(
            "/v1/audit",
            get(
                "listChanges",
                "operations",
                "What people have changed, newest first",
            )
            .query("actor", text("By whom", "token:ops"))
            .query("action", text("Of this kind", "account.top_up"))
            .query("target", text("On what", "ada@example.org"))
            .query(
                "request_id",
                text("Ordered by the request with this id", "0198f7"),
            )
            .query("since", time("Made at this time or later"))
            .query("until", time("Made before this time"))
            .pages_of("Change"),
        ),
        at(
            "/v1/instances",
            get(
                "listInstances",
                "operations",
                "The daemons on this database, the one seen last first",
            )
            .page_of("Instance"),
        ),
        at(
            "/v1/ledger/verify",
            get(
                "verifyLedger",
                "operations",
                "Check every rule of the ledger on every row",
            )
            .answers("LedgerReport"),
        ),
        at(
            "/metrics",
            get("metrics", "operations", "Counts for Prometheus")
                .says("application/openmetrics-text; version=1.0.0; charset=utf-8"),
        ),
        at(
            "/v1/notices",
            get(
                "listNotices",
                "operations",
                "Notices that were not taken yet, oldest first",
            )
            .query("receiver", text("To this receiver", "ops"))
            .query("state", choice("In this state", &["waiting", "given_up"]))
            .pages_of("Notice"),
        ),
        at(
            "/v1/openapi.json",
            get("openapi", "operations", "This description")
                .open()
                .says_anything("application/json"),
        ),
        at(
            "/livez",
            get("livez", "operations", "Whether the process answers")
                .open()
                .says("text/plain; charset=utf-8"),
        ),
        at(
            "/readyz",
            get(
                "readyz",
                "operations",
                "Whether webhooks can be stored: `ok`, `degraded`, or 503",
            )
            .open()
            .says("text/plain; charset=utf-8")
            .or_not_ready(),
        ),
    ]
}

fn running() -> Vec<Entry> {
    vec![
        at(
            "/v1/jobs",
            get("listJobs", "operations", "What runs on a schedule, by name").page_of("Job"),
        ),
        at(
            "/v1/jobs/{name}/runs",
            post(
                "runJob",
                "operations",
                "Have a job run now, by whichever daemon comes first",
            )
            .path("name", text("The job's name", "reconcile"))
            .missing()
            .orders("Job"),
        ),
        at(
            "/v1/retention",
            get(
                "previewRetention",
                "operations",
                "What is old enough to be removed",
            )
            .lists("RetentionLine"),
        ),
        at(
            "/v1/retention/runs",
            post(
                "runRetention",
                "operations",
                "Begin to remove it now; gives what was found",
            )
            .orders_list("RetentionLine"),
        ),
    ]
}
