//! The spans of a webhook's trace, where somebody wants them. Whose trace it is, is found by the digest of
//! the chain's last webhook: so a worker that goes on elsewhere, or after a restart, tells under the same
//! trace. What no webhook told of (reconciliation found it) has no trace.

use super::Inner;
use super::inbox::digest;
use super::metrics::Decided;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{ChainId, DeliveryId, SourceName};
use crate::domain::trace::{Context, Span, SpanKind};
use crate::provider::traced::new_span_id;
use crate::storage::StorageError;
use crate::storage::records::Understood;

type Attributes = Vec<(&'static str, String)>;

/// A webhook was answered.
pub(super) fn webhook(
    gate: &Inner,
    (source, body): (&SourceName, &[u8]),
    began_at: Timestamp,
    result: &'static str,
) {
    gate.tracer.tell(Span {
        context: Context::of_webhook(digest(source, body)),
        parent: None,
        name: "webhook",
        kind: SpanKind::Server,
        began_at,
        ended_at: gate.now(),
        attributes: vec![
            ("bookgate.source", source.to_string()),
            ("bookgate.result", result.to_owned()),
        ],
        failed: result != "stored",
    });
}

/// Stored webhooks were understood and filed.
pub(super) async fn filed(gate: &Inner, letters: &[Understood], began_at: Timestamp) {
    let ids: Vec<DeliveryId> = letters.iter().map(|letter| letter.delivery).collect();
    let reading = gate.storage.read(move |tx| {
        Box::pin(async move {
            let mut digests = Vec::with_capacity(ids.len());
            for id in ids {
                digests.push(tx.delivery_digest(id).await?);
            }
            Ok::<_, StorageError>(digests)
        })
    });
    let digests = reading.await.unwrap_or_default();
    for (letter, digest) in letters.iter().zip(digests) {
        let Some(root) = digest.map(Context::of_webhook) else {
            continue;
        };
        let attributes = vec![
            ("bookgate.source", letter.source.to_string()),
            ("bookgate.state", letter.filing.state.as_str().to_owned()),
        ];
        below(gate, root, "filing", began_at, (attributes, false));
    }
}

/// Where a chain's last webhook up to then came in, if anybody wants to know.
pub(super) async fn of_chain(gate: &Inner, chain: ChainId, until: Timestamp) -> Option<Context> {
    if !gate.tracer.is_on() {
        return None;
    }
    let reading = gate
        .storage
        .read(move |tx| Box::pin(async move { tx.chain_digest(chain, until).await }));
    let digest: Option<[u8; 16]> = reading.await.ok().flatten();
    digest.map(Context::of_webhook)
}

/// Something was decided, and that is committed.
pub(super) async fn decided(gate: &Inner, chain: ChainId, all: &[Decided], began_at: Timestamp) {
    if all.is_empty() {
        return;
    }
    let Some(root) = of_chain(gate, chain, gate.now()).await else {
        return;
    };
    for one in all {
        let policy = one.policy.clone().unwrap_or_else(|| "-".to_owned());
        let attributes = vec![
            ("bookgate.outcome", one.outcome.as_str().to_owned()),
            ("bookgate.policy", policy),
        ];
        below(gate, root, "decision", began_at, (attributes, false));
    }
}

/// Does something outside under a span of its own, below the webhook's; `told` says what came of it: more
/// about it, and whether it failed.
pub(super) async fn outside<T>(
    gate: &Inner,
    root: Option<Context>,
    name: &'static str,
    work: impl Future<Output = T>,
    told: impl Fn(&T) -> (Attributes, bool),
) -> T {
    let Some(root) = root else {
        return work.await;
    };
    let (began_at, context) = (gate.now(), root.below(new_span_id()));
    let done = gate.tracer.under(Some(context), work).await;
    tell(gate, root, context, name, began_at, told(&done));
    done
}

fn below(
    gate: &Inner,
    root: Context,
    name: &'static str,
    began_at: Timestamp,
    what: (Attributes, bool),
) {
    let context = root.below(new_span_id());
    tell(gate, root, context, name, began_at, what);
}

/// Tells of something that ends now, below `root`.
fn tell(
    gate: &Inner,
    root: Context,
    context: Context,
    name: &'static str,
    began_at: Timestamp,
    (attributes, failed): (Attributes, bool),
) {
    gate.tracer.tell(Span {
        context,
        parent: Some(root.span),
        name,
        kind: SpanKind::Internal,
        began_at,
        ended_at: gate.now(),
        attributes,
        failed,
    });
}
