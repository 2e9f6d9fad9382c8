//! Small parts of pages. Whatever strangers may have written stands in a `bdi`, so that signs that turn
//! the direction of text turn nothing but itself.

use std::fmt::Write as _;

use maud::{Markup, html};

use crate::domain::clock::Timestamp;
use crate::domain::decision::{Action, Outcome};
use crate::gate::{BalanceView, BookingLine};

/// A text that may stand in a path or in a query.
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// An address with those parameters that are there.
pub(super) fn address(path: &str, parameters: &[(&str, Option<&str>)]) -> String {
    let given = parameters.iter().filter_map(|(name, value)| {
        let value = value.filter(|value| !value.is_empty())?;
        Some(format!("{name}={}", encoded(value)))
    });
    let given: Vec<String> = given.collect();
    match given.is_empty() {
        true => path.to_owned(),
        false => format!("{path}?{}", given.join("&")),
    }
}

/// A time.
pub(super) fn time(at: Timestamp) -> Markup {
    let shown = at
        .strftime("%-d\u{a0}%b\u{a0}%Y, %H:%M\u{a0}UTC")
        .to_string();
    let exact = at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    html! { time datetime=(exact) title=(exact) { (shown) } }
}

/// A time that may be missing.
pub(super) fn time_or(at: Option<Timestamp>, otherwise: &str) -> Markup {
    match at {
        Some(at) => time(at),
        None => html! { span.muted { (otherwise) } },
    }
}

/// A time with its seconds, for what happens quickly.
pub(super) fn exact_time(at: Timestamp) -> Markup {
    let exact = at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let shown = at
        .strftime("%-d\u{a0}%b\u{a0}%Y, %H:%M:%S\u{a0}UTC")
        .to_string();
    html! { time datetime=(exact) { (shown) } }
}

/// A text that a stranger may have written.
pub(super) fn stranger(text: &str) -> Markup {
    html! { bdi { (text) } }
}

/// Where a booking stands.
pub(super) fn status(status: &str) -> Markup {
    let (class, text) = match status {
        "accepted" => ("good", "accepted"),
        "pending" => ("open", "pending"),
        "pending_payment" => ("open", "waits for payment"),
        "rejected" => ("bad", "rejected"),
        "cancelled" => ("over", "cancelled"),
        "superseded" => ("over", "moved"),
        other => ("over", other),
    };
    html! { span.badge.(class) { (text) } }
}

/// What was decided.
pub(super) fn outcome(outcome: Option<Outcome>) -> Markup {
    let (class, text) = match outcome {
        Some(Outcome::Accept) => ("good", "accepted"),
        Some(Outcome::Reject) => ("bad", "refused"),
        Some(Outcome::Defer) => ("open", "left to a person"),
        None => ("over", "not decided"),
    };
    html! { span.badge.(class) { (text) } }
}

/// What the provider is asked to do.
pub(super) fn action(action: Action) -> &'static str {
    match action {
        Action::Confirm => "confirm the booking",
        Action::Decline => "decline the booking",
        Action::Cancel => "call the booking off",
    }
}

/// The way to a booking.
pub(super) fn booking_path(source: &str, reference: &str) -> String {
    format!("/bookings/{}/{}", encoded(source), encoded(reference))
}

/// A booking as a link.
pub(super) fn booking_link(line: &BookingLine) -> Markup {
    let path = booking_path(line.source.as_str(), &line.uid);
    html! {
        a href=(path) { (stranger(&line.uid)) }
        @if let Some(seat) = &line.seat { " " span.muted { "seat " (stranger(seat)) } }
    }
}

/// Whoever has an account, as a link.
pub(super) fn owner_link(owner: &str) -> Markup {
    html! { a href={ "/accounts/" (encoded(owner)) } { (stranger(owner)) } }
}

/// An amount with its unit.
pub(super) fn available(balances: &[BalanceView]) -> Markup {
    html! {
        @for (index, balance) in balances.iter().enumerate() {
            @if index > 0 { ", " }
            (balance.available) " " (balance.unit.as_str())
        }
        @if balances.is_empty() { span.muted { "none" } }
    }
}

/// Where a list goes on. `next` is the address of the page behind this one.
pub(super) fn pager(first: Option<&str>, next: Option<&str>, more: &str) -> Markup {
    html! {
        @if first.is_some() || next.is_some() {
            nav.pager aria-label="More of this list" {
                @if let Some(first) = first { a href=(first) { "Back to the start" } }
                @if let Some(next) = next { a href=(next) rel="next" { (more) } }
            }
        }
    }
}

/// What stands where a list is empty.
pub(super) fn nothing(text: &str, hint: &str) -> Markup {
    html! { p.nothing { strong { (text) } " " (hint) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_stands_in_an_address_leaves_it_whole() {
        let parameters = [("a", Some("x&y=z#\"'<é/")), ("b", None), ("c", Some(""))];
        let expected = "/p?a=x%26y%3Dz%23%22%27%3C%C3%A9%2F";
        assert_eq!(address("/p", &parameters), expected);
        assert_eq!(address("/p", &[]), "/p");
        assert_eq!(
            booking_path("one", "a/../b?c"),
            "/bookings/one/a%2F..%2Fb%3Fc"
        );
    }

    #[test]
    fn what_strangers_write_is_escaped() {
        let text = stranger("<script>alert(\"1\")</script>").into_string();
        assert_eq!(
            text,
            "<bdi>&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;</bdi>"
        );
        let odd = status("\"><b>").into_string();
        assert!(!odd.contains("<b>"), "{odd}");
    }
}
