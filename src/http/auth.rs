//! Who may use the admin endpoint: bearer tokens with a role, compared in constant time. Handlers get who
//! it is as an [`Actor`].

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use super::App;
use super::problem::Problem;
use super::request_id::RequestId;
use crate::gate::Actor;

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Look.
    Read,
    /// Look and change.
    Admin,
}

/// A token, kept as its digest: equal lengths to compare, and nothing to leak.
#[derive(Clone)]
pub struct Token {
    name: String,
    role: Role,
    digest: [u8; 32],
}

impl Token {
    /// A token by its name in the settings.
    pub fn new(name: impl Into<String>, role: Role, secret: &str) -> Self {
        Self {
            name: name.into(),
            role,
            digest: Sha256::digest(secret.as_bytes()).into(),
        }
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token")
            .field("name", &self.name)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

pub(super) async fn guard(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let presented = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    let Some(token) = presented.and_then(|presented| find(&app.settings.tokens, presented)) else {
        let detail = "send `Authorization: Bearer TOKEN` with a token from [admin.tokens]";
        let problem = Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail);
        return ([(header::WWW_AUTHENTICATE, "Bearer")], problem).into_response();
    };
    let looks = matches!(*request.method(), Method::GET | Method::HEAD);
    if !looks && token.role != Role::Admin {
        let detail = format!(
            "token `{}` has the role `read`; this needs `admin`",
            token.name
        );
        return Problem::new(StatusCode::FORBIDDEN, "forbidden", detail).into_response();
    }
    let extensions = request.extensions_mut();
    let id = extensions.get::<RequestId>();
    let actor = Actor {
        name: format!("token:{}", token.name),
        request: id.map(|id| id.0.clone()),
    };
    extensions.insert(actor);
    next.run(request).await
}

/// Compares with every token, whichever matches, so that time tells nothing.
fn find<'t>(tokens: &'t [Token], presented: &str) -> Option<&'t Token> {
    let digest: [u8; 32] = Sha256::digest(presented.as_bytes()).into();
    let mut found = u32::MAX;
    for (index, token) in (0_u32..).zip(tokens) {
        let same: Choice = token.digest.ct_eq(&digest);
        found.conditional_assign(&index, same);
    }
    tokens.get(usize::try_from(found).ok()?)
}
