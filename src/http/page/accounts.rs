//! Accounts: the list, one with its statement, topping up and deducting.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use maud::{Markup, html};
use serde::Deserialize;
use uuid::Uuid;

use super::bookings::given;
use super::frame::{self, Said, Viewer, problem_box};
use super::parts::{address, available, encoded, nothing, owner_link, pager, stranger, time};
use super::see_other;
use crate::gate::{
    AccountView, AccountsAsked, CreditKind, CreditRequest, EntriesAsked, EntryView, Page,
};
use crate::http::App;
use crate::http::auth::Role;
use crate::http::extract::{FormOf, PathOf, QueryOf};
use crate::http::problem::Problem;

/// Which accounts to list.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Filter {
    begins: String,
    after: String,
}

/// Where a statement begins.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Place {
    after: String,
}

/// What the form for a top-up or a deduction sends.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct CreditForm {
    owner: String,
    amount: String,
    unit: String,
    reason: String,
    /// New with each form that is shown: sent twice, it is done once.
    key: String,
}

pub(super) async fn list(
    State(app): State<App>,
    Extension(viewer): Extension<Viewer>,
    QueryOf(filter): QueryOf<Filter>,
) -> Result<Html<String>, Problem> {
    list_view(&app, &viewer, &filter, None).await
}

async fn list_view(
    app: &App,
    viewer: &Viewer,
    filter: &Filter,
    failed: Option<(&CreditForm, &Problem)>,
) -> Result<Html<String>, Problem> {
    let asked = AccountsAsked {
        begins: given(&filter.begins),
        after: given(&filter.after),
        limit: None,
    };
    let page = app.gate.desk().accounts(asked).await?;
    let at = |after| {
        address(
            "/accounts",
            &[("begins", Some(filter.begins.trim())), ("after", after)],
        )
    };
    let first = (!filter.after.is_empty()).then(|| at(None));
    let next = page.next.as_deref().map(|next| at(Some(next)));
    let body = html! {
        h1 { "Accounts" }
        (problem_box(failed.map(|(_, problem)| problem)))
        form.filters method="get" action="/accounts" {
            div.wide { label for="begins" { "Address begins with" }
                input #begins type="search" name="begins" value=(filter.begins) autocomplete="off"; }
            div.act { button type="submit" { "Show" }
                @if !filter.begins.is_empty() { a href="/accounts" { "Clear" } } }
        }
        @if page.items.is_empty() {
            @if filter.begins.is_empty() {
                (nothing("There are no accounts yet.", "A top-up makes one."))
            } @else {
                (nothing("No address begins so.", "Try fewer letters; a top-up makes a new account."))
            }
        } @else {
            (table(&page))
            (pager(first.as_deref(), next.as_deref(), "More accounts"))
        }
        @if viewer.may(Role::Credits) {
            (credit_form(app, viewer, None, failed.map(|(form, _)| form)))
        }
    };
    Ok(frame::page(Some(viewer), "Accounts", &body))
}

fn table(page: &Page<AccountView>) -> Markup {
    html! {
        table.cards {
            caption { "Accounts, by address" }
            thead { tr {
                th scope="col" { "Owner" } th.number scope="col" { "May be spent" }
                th.number scope="col" { "Set aside" } th scope="col" { "Account" }
            } }
            tbody {
                @for account in &page.items {
                    tr {
                        td data-label="Owner" { (owner_link(account.owner.as_str())) }
                        td.number data-label="May be spent" { (available(&account.balances)) }
                        td.number data-label="Set aside" {
                            @for (index, balance) in account.balances.iter().enumerate() {
                                @if index > 0 { ", " } (balance.held)
                            }
                        }
                        td data-label="Account" { (account.status) }
                    }
                }
            }
        }
    }
}

pub(super) async fn show(
    State(app): State<App>,
    Extension(viewer): Extension<Viewer>,
    PathOf(owner): PathOf<String>,
    QueryOf(place): QueryOf<Place>,
) -> Result<Html<String>, Problem> {
    view(&app, &viewer, &owner, &place, None).await
}

async fn view(
    app: &App,
    viewer: &Viewer,
    owner: &str,
    place: &Place,
    failed: Option<(&CreditForm, &Problem)>,
) -> Result<Html<String>, Problem> {
    let desk = app.gate.desk();
    let account = desk.account(owner).await?;
    let after = given(&place.after);
    let asked = EntriesAsked {
        after: after.clone(),
        ..EntriesAsked::default()
    };
    let entries = desk.entries(owner, asked).await?;
    let path = format!("/accounts/{}", encoded(account.owner.as_str()));
    let first = after.is_some().then_some(path.as_str());
    let next = entries
        .next
        .as_deref()
        .map(|next| address(&path, &[("after", Some(next))]));
    let bookings = address("/bookings", &[("booker", Some(account.owner.as_str()))]);
    let body = html! {
        p.crumb { a href="/accounts" { "Accounts" } }
        h1 { (stranger(account.owner.as_str())) }
        (problem_box(failed.map(|(_, problem)| problem)))
        p { span.badge.(match account.status { "open" => "good", _ => "bad" }) { (account.status) }
            " " a href=(bookings) { "Bookings of this address" } }
        (balances(&account))
        @if viewer.may(Role::Credits) {
            (credit_form(app, viewer, Some(account.owner.as_str()), failed.map(|(form, _)| form)))
        }
        (statement(&entries.items))
        (pager(first, next.as_deref(), "Older entries"))
    };
    Ok(frame::page(Some(viewer), account.owner.as_str(), &body))
}

fn balances(account: &AccountView) -> Markup {
    html! {
        div.figures {
            @for balance in &account.balances {
                dl {
                    dt { "May be spent" }
                    dd.large { (balance.available) " " span.muted { (balance.unit.as_str()) } }
                    dd.fine { (balance.posted) " put in and not spent, " (balance.held)
                        " of it set aside for pending bookings" }
                }
            }
        }
    }
}

fn statement(entries: &[EntryView]) -> Markup {
    html! {
        @if entries.is_empty() {
            (nothing("Nothing has happened on this account yet.", "Top-ups and bookings appear here."))
        } @else {
            table.cards {
                caption { "Statement, newest first" }
                thead { tr {
                    th scope="col" { "When" } th scope="col" { "What" } th.number scope="col" { "Amount" }
                    th.number scope="col" { "Balance" } th.number scope="col" { "Set aside" }
                    th scope="col" { "By" }
                } }
                tbody {
                    @for entry in entries {
                        tr {
                            td data-label="When" { (time(entry.recorded_at)) }
                            td data-label="What" {
                                (what(entry))
                                @if let Some(booking) = &entry.booking { " " span.muted { (stranger(booking)) } }
                                @if let Some(reason) = &entry.reason { " " span.fine { (stranger(reason)) } }
                            }
                            td.number data-label="Amount" { (entry.amount) " " (entry.unit) }
                            td.number data-label="Balance" { (entry.posted_after) }
                            td.number data-label="Set aside" { (entry.held_after) }
                            td data-label="By" { (stranger(&entry.actor)) }
                        }
                    }
                }
            }
        }
    }
}

fn what(entry: &EntryView) -> &str {
    match (entry.kind.as_str(), entry.layer) {
        ("topup", _) => "topped up",
        ("adjust", _) => "taken off",
        ("hold", _) => "set aside for",
        ("capture", "held") => "no longer set aside for",
        ("capture", _) => "spent on",
        ("release", _) => "freed from",
        ("refund", _) => "given back for",
        ("reverse", _) => "taken again for",
        ("carry", _) => "taken along to",
        (other, _) => other,
    }
}

/// For one owner, from whom credit may also be taken off, or for whoever is entered.
fn credit_form(
    app: &App,
    viewer: &Viewer,
    owner: Option<&str>,
    failed: Option<&CreditForm>,
) -> Markup {
    let filled = failed.cloned().unwrap_or_default();
    let deducts = owner.is_some() && viewer.may(Role::Admin);
    html! {
        section.card aria-labelledby="top-up" {
            h2 #top-up { "Top up" @if owner.is_none() { " an account" } @if deducts { ", or take off" } }
            form.grid method="post" action="/top-ups" {
                (viewer.form_token())
                // What was refused was not done: a new key is a new try.
                input type="hidden" name="key" value=(Uuid::now_v7());
                @match owner {
                    Some(owner) => { input type="hidden" name="owner" value=(owner); },
                    None => {
                        div.wide { label for="owner" { "Owner's e-mail address" }
                            input #owner type="email" name="owner" required value=(filled.owner)
                                autocomplete="off"; }
                    },
                }
                div { label for="amount" { "Amount" }
                    input #amount type="text" name="amount" inputmode="decimal" required
                        value=(filled.amount) placeholder="5" autocomplete="off"; }
                div { label for="unit" { "Unit" }
                    select #unit name="unit" {
                        @for unit in app.gate.desk().units() {
                            option value=(unit.as_str()) selected[unit.as_str() == filled.unit] {
                                (unit.as_str())
                            }
                        }
                    } }
                div.wide { label for="reason" { "Reason " span.muted { "(kept with the statement)" } }
                    input #reason type="text" name="reason" maxlength="500" value=(filled.reason)
                        autocomplete="off"; }
                div.act {
                    button.primary type="submit" { "Top up" }
                    @if deducts {
                        " " button.danger type="submit" formaction="/deductions" { "Take off" }
                    }
                }
            }
        }
    }
}

pub(super) async fn top_up(
    State(app): State<App>,
    Extension(viewer): Extension<Viewer>,
    FormOf(form): FormOf<CreditForm>,
) -> Result<Response, Problem> {
    change(&app, &viewer, &form, CreditKind::TopUp).await
}

pub(super) async fn deduct(
    State(app): State<App>,
    Extension(viewer): Extension<Viewer>,
    FormOf(form): FormOf<CreditForm>,
) -> Result<Response, Problem> {
    change(&app, &viewer, &form, CreditKind::Deduction).await
}

/// Shows the account after it; or the form once more, with what is wrong.
async fn change(
    app: &App,
    viewer: &Viewer,
    form: &CreditForm,
    kind: CreditKind,
) -> Result<Response, Problem> {
    let request = CreditRequest {
        kind,
        owner: form.owner.clone(),
        amount: form.amount.trim().to_owned(),
        unit: form.unit.clone(),
        reason: given(&form.reason),
        metadata: None,
        idempotency_key: form.key.clone(),
        actor: viewer.actor.clone(),
    };
    match app.gate.desk().change_credit(request).await {
        Ok(answer) => {
            let owner = answer.body["owner"].as_str().unwrap_or(&form.owner);
            let said = match kind {
                CreditKind::TopUp => Said::ToppedUp.code(),
                CreditKind::Deduction => Said::Deducted.code(),
            };
            Ok(see_other(&format!(
                "/accounts/{}?said={said}",
                encoded(owner)
            )))
        }
        Err(error) => {
            let problem = Problem::from(error);
            let failed = Some((form, &problem));
            let page = match view(app, viewer, &form.owner, &Place::default(), failed).await {
                Ok(page) => page,
                // There is no such account (yet), so the form is shown where it can be made.
                Err(_) => list_view(app, viewer, &Filter::default(), failed).await?,
            };
            let status = match problem.status() {
                status if status.is_success() => StatusCode::BAD_REQUEST,
                status => status,
            };
            Ok((status, page).into_response())
        }
    }
}
