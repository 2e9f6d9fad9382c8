//! The stylesheet and the icon, out of the binary.

use std::sync::LazyLock;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest as _, Sha256};

/// Where the stylesheet is.
pub(super) const SHEET_PATH: &str = "/style.css";
/// Where the icon is.
pub(super) const ICON_PATH: &str = "/favicon.svg";
/// Kept by browsers: another version has another address.
const KEPT: &str = "public, max-age=31536000, immutable";

const SHEET: &str = include_str!("style.css");
const ICON: &str = include_str!("favicon.svg");

static SHEET_URL: LazyLock<String> = LazyLock::new(|| {
    let digest = Sha256::digest(SHEET.as_bytes());
    format!("{SHEET_PATH}?v={}", hex::encode(&digest[..4]))
});

/// The address of this version of the stylesheet.
pub(super) fn sheet_url() -> &'static str {
    &SHEET_URL
}

pub(super) async fn sheet() -> Response {
    kept("text/css; charset=utf-8", SHEET)
}

pub(super) async fn icon() -> Response {
    kept("image/svg+xml", ICON)
}

fn kept(kind: &'static str, text: &'static str) -> Response {
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(KEPT));
    response
}
