//! Who may use the admin endpoint: bearer tokens with a role, compared in constant time. Handlers get who
//! it is as an [`Actor`]; which role a route needs is said where the route is declared ([`needs`]).

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use super::App;
use super::log_ins::Refused;
use super::problem::{self, Problem};
use super::request_id::RequestId;
use super::serve::Peer;
use crate::gate::Actor;

/// What a token may do. Each role may do all that those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    Read,
    /// Look, and top accounts up.
    Credits,
    /// Look and change.
    Admin,
}

impl Role {
    /// As the settings have it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Credits => "credits",
            Self::Admin => "admin",
        }
    }
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

    /// Its name in the settings.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What is left of its secret.
    pub(super) fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Who has it.
    pub(super) fn holder(&self) -> Holder {
        Holder {
            token: self.name.clone(),
            role: self.role,
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

/// Who a request comes from: the holder of a token.
#[derive(Debug, Clone)]
pub(super) struct Holder {
    /// The token's name in the settings.
    pub(super) token: String,
    /// What it may do.
    pub(super) role: Role,
}

impl Holder {
    /// Who changes something with this request.
    pub(super) fn actor(&self, request: &Request) -> Actor {
        let id = request.extensions().get::<RequestId>();
        Actor {
            name: format!("token:{}", self.token),
            request: id.map(|id| id.0.clone()),
        }
    }
}

/// A route that only those may use who have this role, or a higher one.
pub(super) fn needs(role: Role, route: MethodRouter<App>) -> MethodRouter<App> {
    route.route_layer(middleware::from_fn_with_state(role, check))
}

async fn check(State(needed): State<Role>, request: Request, next: Next) -> Response {
    let holder = request.extensions().get::<Holder>();
    match holder.filter(|holder| holder.role >= needed) {
        Some(_) => next.run(request).await,
        None => lacks(holder, needed).into_response(),
    }
}

fn lacks(holder: Option<&Holder>, needed: Role) -> Problem {
    let needed = needed.as_str();
    let detail = match holder {
        Some(Holder { token, role }) => {
            let role = role.as_str();
            format!("token `{token}` has the role `{role}`; this needs `{needed}`")
        }
        None => format!("this needs a token with the role `{needed}`"),
    };
    Problem::new(StatusCode::FORBIDDEN, "forbidden", detail)
}

/// Lets in who has a token, at once. Who has a wrong one waits ([`super::log_ins`]); who has none is asked
/// for one.
pub(super) async fn guard(State(app): State<App>, mut request: Request, next: Next) -> Response {
    // Whatever there is here lies below these: the rest is nothing, and no secret.
    let guarded = ["/v1", "/metrics"];
    if !guarded
        .iter()
        .any(|path| request.uri().path().starts_with(path))
    {
        return problem::no_such_page(request.uri().clone())
            .await
            .into_response();
    }
    let presented = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .filter(|token| !token.is_empty());
    let Some(presented) = presented else {
        return unauthorized().into_response();
    };
    let Some(token) = find(&app.settings.tokens, presented) else {
        let peer = Peer::of(&request);
        drop(request);
        return match app.log_ins.failed(&app.gate, peer).await {
            Refused::Waited => unauthorized().into_response(),
            Refused::TooMany { retry_after_s } => too_many(retry_after_s).into_response(),
        };
    };
    let holder = token.holder();
    let actor = holder.actor(&request);
    request.extensions_mut().insert(actor);
    request.extensions_mut().insert(holder);
    next.run(request).await
}

fn unauthorized() -> impl IntoResponse {
    let detail = "send `Authorization: Bearer TOKEN` with a token from [admin.tokens]";
    let problem = Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail);
    ([(header::WWW_AUTHENTICATE, "Bearer")], problem)
}

fn too_many(retry_after_s: i64) -> impl IntoResponse {
    let detail = format!(
        "too many wrong tokens came from this address: the next is looked at in {retry_after_s} s; a \
         right one is let in at any time"
    );
    let problem = Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too-many-wrong-tokens",
        detail,
    );
    ([(header::RETRY_AFTER, retry_after_s.to_string())], problem)
}

/// Compares with every token, whichever matches, so that time tells nothing.
pub(super) fn find<'t>(tokens: &'t [Token], presented: &str) -> Option<&'t Token> {
    let digest: [u8; 32] = Sha256::digest(presented.as_bytes()).into();
    let mut found = u32::MAX;
    for (index, token) in (0_u32..).zip(tokens) {
        let same: Choice = token.digest.ct_eq(&digest);
        found.conditional_assign(&index, same);
    }
    tokens.get(usize::try_from(found).ok()?)
}
