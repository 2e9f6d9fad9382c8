//! Bookings: lists, and everything about one.

use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;

use super::App;
use super::extract::{JsonOf, PathOf, QueryOf};
use super::problem::Problem;
use crate::gate::{
    Actor, BookingLine, BookingView, BookingsAsked, ExplanationView, Page, PersonDecides,
    PersonsAnswer,
};

pub(super) async fn list(
    State(app): State<App>,
    QueryOf(asked): QueryOf<BookingsAsked>,
) -> Result<Json<Page<BookingLine>>, Problem> {
    Ok(Json(app.gate.desk().bookings(asked).await?))
}

pub(super) async fn show(
    State(app): State<App>,
    PathOf((source, reference)): PathOf<(String, String)>,
) -> Result<Json<BookingView>, Problem> {
    Ok(Json(app.gate.desk().booking(&source, &reference).await?))
}

pub(super) async fn explain(
    State(app): State<App>,
    PathOf((source, reference)): PathOf<(String, String)>,
) -> Result<Json<ExplanationView>, Problem> {
    let desk = app.gate.desk();
    Ok(Json(desk.explain_booking(&source, &reference).await?))
}

/// What a person decides.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DecisionBody {
    accept: bool,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    waive_credits: bool,
    #[serde(default)]
    seat: Option<String>,
}

impl DecisionBody {
    fn answer(&self) -> Result<PersonsAnswer, Problem> {
        match (self.accept, &self.reason) {
            (true, None) => Ok(PersonsAnswer::Accept {
                waive_credits: self.waive_credits,
            }),
            (true, Some(_)) => Err(Problem::invalid(
                "reason: only a refusal has one; an accepted booker is told nothing",
            )),
            (false, _) if self.waive_credits => Err(Problem::invalid(
                "waive_credits: a refused booking costs nothing anyway",
            )),
            (false, reason) => Ok(PersonsAnswer::Refuse {
                reason: reason.clone().unwrap_or_default(),
            }),
        }
    }
}

pub(super) async fn decide(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    PathOf((source, reference)): PathOf<(String, String)>,
    JsonOf(body): JsonOf<DecisionBody>,
) -> Result<Json<BookingView>, Problem> {
    let order = PersonDecides {
        source,
        reference,
        answer: body.answer()?,
        seat: body.seat,
        actor,
    };
    Ok(Json(app.gate.decide_booking(order).await?))
}
