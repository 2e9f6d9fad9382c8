//! The description of the admin API in OpenAPI 3.1: what can be asked, with what, by whom, and what is
//! answered. Kept by hand beside the routes, because what is worth saying (who may, which limits, what an
//! error means) stands in no type; the stories hold it true: `tests/it/harness/openapi.rs` holds every
//! answer they get against it, and `tests/it/admin/openapi.rs` every route and made-up requests.

mod operations;
mod schemas;

use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use serde_json::{Value, json};

/// As it is served and printed.
static DOCUMENT: LazyLock<String> =
    LazyLock::new(|| serde_json::to_string_pretty(&document()).unwrap_or_default());

/// The description, as JSON.
pub fn openapi() -> &'static str {
    &DOCUMENT
}

/// Served to everybody: it is the same for each bookgate of this version and tells nothing of this one, and
/// tools read it before they have a token.
pub(super) async fn show() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], openapi())
}

fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "bookgate admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT", "identifier": "MIT" },
            "description": ABOUT,
        },
        "servers": [{ "url": "http://127.0.0.1:8081", "description": "server.admin_listen" }],
        "security": [{ "token": [] }],
        "paths": operations::paths(),
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of `[admin.tokens]`. `x-role` of an operation says which role it needs.",
                },
            },
            "schemas": schemas::all(),
        },
    })
}

const ABOUT: &str = "\
JSON over HTTP at `server.admin_listen`. Amounts are decimal texts, times RFC 3339 in UTC. Lists come in \
pages: `next` of a page is `after` of the one behind it, and is missing on the last. Bodies are 64 KiB at the \
most. Every answer carries `X-Request-Id`, which stands in the log and the audit log as well. Errors are \
`application/problem+json` (RFC 9457), with a `code` for programs.";
