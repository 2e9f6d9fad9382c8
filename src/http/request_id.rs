//! Every request at the admin endpoint has an id: its answer carries it, what is logged meanwhile does, and
//! so does what it changes. A person who has one of them finds the others.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument as _;
use uuid::Uuid;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request. Made here, whatever a client sends: in the audit log it names one request.
#[derive(Debug, Clone)]
pub(super) struct RequestId(pub(super) String);

/// Gives a request its id.
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
