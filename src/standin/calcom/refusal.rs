//! Why a thing was not done, with the status and the words that Cal.com has for it.

use crate::domain::ids::Uid;

/// Why something was not done: what the API answers, and what a person's action returns.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (HTTP {http_status})")]
pub struct Refusal {
    /// HTTP status.
    pub http_status: u16,
    /// Name of the exception, as in the v2 error envelope.
    pub code: &'static str,
    /// The text.
    pub message: String,
}

impl Refusal {
    /// 400.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self {
            http_status: 400,
            code: "BadRequestException",
            message: message.into(),
        }
    }

    /// 400 with the text that v2 gives for every refusal of the confirm and decline handlers.
    pub(super) fn not_pending() -> Self {
        Self {
            http_status: 400,
            code: "TRPCError",
            message: "Bad request: Please check your request data and try again".to_owned(),
        }
    }

    /// 401.
    pub(super) fn unauthorized(message: impl Into<String>) -> Self {
        Self {
            http_status: 401,
            code: "UnauthorizedException",
            message: message.into(),
        }
    }

    /// 404.
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self {
            http_status: 404,
            code: "NotFoundException",
            message: message.into(),
        }
    }

    /// 404 for a booking that is not there.
    pub(super) fn unknown_booking(uid: &Uid) -> Self {
        Self::not_found(format!(
            "Booking with uid={uid} was not found in the database"
        ))
    }

    /// 409: the user has a webhook to this address already.
    pub(super) fn webhook_exists() -> Self {
        Self {
            http_status: 409,
            code: "ConflictException",
            message: "Webhook with this subscriber url already exists for this user".to_owned(),
        }
    }

    /// 409: somebody else has the slot, or all seats are taken.
    pub(super) fn slot_taken() -> Self {
        Self {
            http_status: 409,
            code: "ConflictException",
            message: "no_available_users_found_error".to_owned(),
        }
    }
}
