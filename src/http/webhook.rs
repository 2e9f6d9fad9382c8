//! `POST /webhooks/{source}`: raw bytes in, an answer only once they are on stable storage.

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;

use super::App;
use super::extract::PathOf;
use super::problem::{self, Problem};
use super::request_id;
use crate::gate::Refused;

/// What a sender should wait before it tries again, in seconds.
const RETRY_AFTER_S: &str = "5";

/// The most that is reserved for a body on the word of its `Content-Length`.
const RESERVED_BYTES_MAX: usize = 64 << 10;

pub(super) async fn receive(
    State(app): State<App>,
    source: Result<PathOf<String>, Problem>,
    request: Request,
) -> Response {
    let answer = async |id: HeaderValue, request: Request| match source {
        Ok(PathOf(source)) => take(&app, &source, &id, request).await,
        Err(problem) => problem.into_response(),
    };
    request_id::kept(&app, request, answer).await
}

/// Whatever is no `POST`.
pub(super) async fn by_another_method(State(app): State<App>, request: Request) -> Response {
    let answer = async |_, _| problem::no_such_method().await.into_response();
    request_id::kept(&app, request, answer).await
}

async fn take(app: &App, source: &str, id: &HeaderValue, request: Request) -> Response {
    let (Parts { headers, .. }, body) = request.into_parts();
    if !app.gate.has_source(source) {
        return unknown_source().into_response();
    }
    let limit = app.settings.body_bytes_max;
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse::<usize>().ok());
    if declared.is_some_and(|length| length > limit) {
        return too_large(limit).into_response();
    }
    let body = match read(body, declared.unwrap_or_default(), limit).await {
        Ok(body) => body,
        Err(problem) => return problem.into_response(),
    };
    let header = |name: &str| headers.get(name).map(|value| value.as_bytes());
    match app.gate.receive(source, &header, body).await {
        Ok(_) => StatusCode::OK.into_response(),
        Err(Refused::UnknownSource) => unknown_source().into_response(),
        Err(Refused::Signature(refusal)) => {
            let id = id.to_str().unwrap_or_default();
            tracing::warn!(source.name = source, request.id = id, reason = %refusal, "webhook refused: signature");
            let detail = "the signature is missing or does not match this source's secrets";
            Problem::new(StatusCode::UNAUTHORIZED, "bad-signature", detail).into_response()
        }
        Err(Refused::Unavailable) => {
            let detail = "the webhook cannot be stored at the moment; nothing was kept of it";
            let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-stored", detail);
            ([(header::RETRY_AFTER, RETRY_AFTER_S)], problem).into_response()
        }
    }
}

fn unknown_source() -> Problem {
    let detail = "no such source; the last part of the URL is the name under [sources]";
    Problem::new(StatusCode::NOT_FOUND, "unknown-source", detail)
}

fn too_large(limit: usize) -> Problem {
    let detail = format!("the body is larger than {limit} bytes (server.body_bytes_max)");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
}

/// Reads a body into memory of just its size. It is kept until it is filed, and what comes from the
/// connection is a piece of its read buffer, several times as large, which would be kept with it.
async fn read(body: Body, declared: usize, limit: usize) -> Result<Bytes, Problem> {
    let mut whole = Vec::with_capacity(declared.min(RESERVED_BYTES_MAX));
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| Problem::invalid("the body broke off"))?;
        if piece.len() > limit - whole.len() {
            return Err(too_large(limit));
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.into_boxed_slice().into())
}
