//! Why a thing was not done, with the status and the words that Calendly has for it.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// Why something was not done: what the API answers, and what a person's action returns.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{title}: {message} (HTTP {http_status})")]
pub struct Refusal {
    /// HTTP status.
    pub http_status: u16,
    /// The kind of error. Calendly itself is not careful with it: the status is what counts.
    pub title: &'static str,
    /// The text.
    pub message: String,
    /// Which parameter, and what is wrong with it.
    pub details: Vec<(&'static str, String)>,
}

impl Refusal {
    fn new(http_status: u16, title: &'static str, message: impl Into<String>) -> Self {
        Self {
            http_status,
            title,
            message: message.into(),
            details: Vec::new(),
        }
    }

    /// 400 for one parameter.
    pub(super) fn invalid(parameter: &'static str, wrong: impl Into<String>) -> Self {
        let message = "The supplied parameters are invalid.";
        Self {
            details: vec![(parameter, wrong.into())],
            ..Self::new(400, "Invalid Argument", message)
        }
    }

    /// 401.
    pub(super) fn unauthenticated() -> Self {
        Self::new(401, "Unauthenticated", "The access token is invalid")
    }

    /// 403 for what this token or this user may not do.
    pub(super) fn permission() -> Self {
        let message = "You do not have permission to access this resource.";
        Self::new(403, "Permission Denied", message)
    }

    /// 403 for what this account, or this appointment, does not allow.
    pub(super) fn denied(message: impl Into<String>) -> Self {
        Self::new(403, "Permission Denied", message)
    }

    /// 404.
    pub(super) fn not_found() -> Self {
        let message = "The server could not find the requested resource.";
        Self::new(404, "Resource Not Found", message)
    }

    /// 409 for an address that is subscribed already.
    pub(super) fn hook_exists() -> Self {
        Self::new(409, "Already Exists", "Hook with this url already exists")
    }

    /// 429.
    pub(super) fn rate_limited() -> Self {
        let message = "You have exceeded the limit of requests per minute.";
        Self::new(429, "Too Many Requests", message)
    }

    /// Somebody else has the time. On the booking page only: the API books nothing.
    pub(super) fn taken() -> Self {
        Self::new(
            409,
            "Already Filled",
            "This time is not available any more.",
        )
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.http_status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut body = json!({ "title": self.title, "message": self.message });
        if !self.details.is_empty() {
            let detail = |(parameter, message): &(&str, String)| json!({ "parameter": parameter, "message": message });
            body["details"] = Value::from_iter(self.details.iter().map(detail));
        }
        (status, Json(body)).into_response()
    }
}
