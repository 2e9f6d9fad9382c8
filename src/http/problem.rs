//! Errors as people and programs can read them: `application/problem+json` (RFC 9457). What went wrong
//! inside is logged, never sent.

use std::any::Any;
use std::time::Duration;

use axum::Json;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::gate::{GateError, PolicyAttempt};

/// An error answer.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Problem {
    /// A word for programs, such as `not-found`.
    code: &'static str,
    /// The HTTP status again, as RFC 9457 asks.
    status: u16,
    /// The status in words.
    title: &'static str,
    /// What went wrong and what would be right.
    detail: String,
    /// What is wrong with the policies that were refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_attempt: Option<Box<PolicyAttempt>>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            code,
            status: status.as_u16(),
            title: status.canonical_reason().unwrap_or("error"),
            detail: detail.into(),
            last_attempt: None,
        }
    }

    pub(super) fn policies_refused(attempt: PolicyAttempt) -> Self {
        let detail = "the policies in the folder are wrong, so those that were in force go on; \
                      `last_attempt` says what is wrong";
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        let mut problem = Self::new(status, "policies-refused", detail);
        problem.last_attempt = Some(Box::new(attempt));
        problem
    }

    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", detail)
    }

    pub(super) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    pub(super) fn code(&self) -> &'static str {
        self.code
    }

    pub(super) fn detail(&self) -> &str {
        &self.detail
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status(), kind, Json(&self)).into_response();
        // The page tells it in its own way.
        response.extensions_mut().insert(self);
        response
    }
}

impl From<GateError> for Problem {
    fn from(error: GateError) -> Self {
        let detail = error.to_string();
        match error {
            GateError::Invalid(_) => Self::invalid(detail),
            GateError::Amount(_) => Self::invalid(format!("amount: {detail}")),
            GateError::Owner(_) => Self::invalid(detail),
            GateError::UnknownUnit { .. } => Self::invalid(format!("unit: {detail}")),
            GateError::Ledger(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "ledger-refused", detail)
            }
            GateError::NotFound(_) => Self::new(StatusCode::NOT_FOUND, "not-found", detail),
            GateError::Conflict(_) => Self::new(StatusCode::CONFLICT, "conflict", detail),
            GateError::ShortOfCredit(_) => {
                Self::new(StatusCode::CONFLICT, "insufficient-credit", detail)
            }
            GateError::KeyReused { .. } => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency-key-reused",
                detail,
            ),
            GateError::Storage(_) => {
                tracing::error!(error = %detail, "the store failed while answering the admin endpoint");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "store-unavailable",
                    "the store does not answer at the moment; ask again (a top-up with the same \
                     Idempotency-Key)",
                )
            }
            GateError::Damaged(_) | GateError::Journal(_) => {
                tracing::error!(error = %detail, "a stored value is damaged");
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "damaged",
                    "a stored value could not be read back; see the log",
                )
            }
        }
    }
}

pub(super) async fn no_such_page(uri: Uri) -> Problem {
    let detail = format!("there is nothing at {}", uri.path());
    Problem::new(StatusCode::NOT_FOUND, "not-found", detail)
}

pub(super) async fn no_such_method() -> Problem {
    let detail = "this path does not take this method";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail)
}

pub(super) fn took_too_long(limit: Duration) -> Problem {
    let ms = limit.as_millis();
    let detail = format!("the request took longer than {ms} ms (server.request_timeout_ms)");
    Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", detail)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature tower-http asks for"
)]
pub(super) fn after_panic(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned());
    tracing::error!(
        error = text.as_deref().unwrap_or("unknown"),
        "a request handler panicked: please report this"
    );
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "an error inside bookgate; see its log",
    )
    .into_response()
}
