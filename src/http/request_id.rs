//! Every request has an id: its answer carries it, what is logged meanwhile does, and so does what it
//! changes. A person who has one of them finds the others.

use std::panic::AssertUnwindSafe;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt as _;
use tracing::Instrument as _;
use uuid::Uuid;

use super::{App, ended_in_time, problem};

const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id of a sender's own that is taken over, in bytes.
const OWN_BYTES_MAX: usize = 64;

/// The id of a request. Made here, whatever a client sends: in the audit log it names one request.
#[derive(Debug, Clone)]
pub(super) struct RequestId(pub(super) String);

/// Gives a request at the admin door its id.
pub(super) async fn give(mut request: Request, next: Next) -> Response {
    let id = Uuid::now_v7().simple().to_string();
    let span = tracing::info_span!("request", request.id = %id);
    let header = HeaderValue::from_str(&id);
    request.extensions_mut().insert(RequestId(id));
    let mut response = next.run(request).instrument(span).await;
    // Hexadecimal digits are always a header.
    if let Ok(header) = header {
        response.headers_mut().insert(HEADER, header);
    }
    response
}

/// Gives a request at the public door its id, has it answered, ends it if it takes too long, and answers
/// itself should that panic. A proxy's own id is taken over, so that its log and ours can be read together.
///
/// This is the way of every webhook, so it costs next to nothing: there is a span only where somebody wants
/// to read that much, and what the door itself has to say at other times names the id.
pub(super) async fn kept<A>(
    app: &App,
    request: Request,
    answer: impl FnOnce(HeaderValue, Request) -> A,
) -> Response
where
    A: Future<Output = Response>,
{
    let id = own(request.headers()).cloned().unwrap_or_else(made);
    let span = tracing::debug_span!("request", request.id = id.to_str().unwrap_or_default());
    let answering = AssertUnwindSafe(answer(id.clone(), request)).catch_unwind();
    let answering = answering.map(|answered| answered.unwrap_or_else(problem::after_panic));
    let mut response = ended_in_time(app, answering).instrument(span).await;
    response.headers_mut().insert(HEADER, id);
    response
}

/// The id that a sender gave its request, if it is one: short, and nothing that could mislead who reads
/// the log.
fn own(headers: &HeaderMap) -> Option<&HeaderValue> {
    let own = headers.get(HEADER)?;
    let is_id = (1..=OWN_BYTES_MAX).contains(&own.len())
        && own
            .as_bytes()
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte));
    is_id.then_some(own)
}

fn made() -> HeaderValue {
    let mut buffer = Uuid::encode_buffer();
    let id = Uuid::now_v7().simple().encode_lower(&mut buffer);
    // Hexadecimal digits are always a header.
    HeaderValue::from_str(id).unwrap_or(HeaderValue::from_static("-"))
}
