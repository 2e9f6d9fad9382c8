//! The source `calendly` of an installation, and what people do there.

use std::net::SocketAddr;
use std::sync::Arc;

use bookgate::domain::clock::{Clock, ManualClock, Timestamp, plus_ms};
use bookgate::domain::ids::Uid;
use bookgate::standin::calendly::{
    ApiCall, BookingRequest, Delivery, Invitee, Options, OutgoingWebhook, StandIn,
};
use serde_json::Value;
use tokio::net::TcpListener;

use super::{Installation, ada, noon};

/// What its webhooks are signed with.
pub(crate) const SIGNING_KEY: &str = "a signing key for tests";

/// What the source is to be like.
#[derive(Clone)]
pub(crate) struct Calendly {
    pub(crate) stand_in: Options,
    /// Further lines of `[sources.calendly]`.
    pub(crate) source: &'static str,
    /// Further lines of `[sources.calendly.subscription]`; `None`: there is no such section.
    pub(crate) subscription: Option<&'static str>,
    /// From one reconciliation to the next; 0 is never.
    pub(crate) reconcile_ms: i64,
    pub(crate) requests_per_minute: u32,
}

impl Default for Calendly {
    /// The daemon subscribes; nothing is found by reconciliation, so that webhooks have to do.
    fn default() -> Self {
        Self {
            stand_in: Options::default(),
            source: "",
            subscription: Some(""),
            reconcile_ms: 0,
            requests_per_minute: 0,
        }
    }
}

impl Calendly {
    pub(super) async fn start(&self, clock: Arc<ManualClock>) -> StandIn {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let clock: Arc<dyn Clock> = clock;
        StandIn::start(listener, clock, self.stand_in.clone()).unwrap()
    }

    pub(super) fn settings(&self, stand_in: &StandIn, public: SocketAddr) -> String {
        let mut text = format!(
            r#"
[sources.calendly]
provider = "calendly"
signing_secrets = ["env:CALENDLY_SECRET"]
{source}
[sources.calendly.api]
base_url = "{base}"
key = "env:CALENDLY_KEY"
requests_per_minute = {requests_per_minute}
"#,
            source = self.source,
            base = stand_in.base_url(),
            requests_per_minute = self.requests_per_minute,
        );
        if let Some(lines) = self.subscription {
            text.push_str(&format!(
                "[sources.calendly.subscription]\nurl = \"http://{public}/webhooks/calendly\"\n{lines}\n"
            ));
        }
        text
    }
}

/// The start of an appointment so many hours after the beginning of every story.
pub(crate) fn start_of(hours: i64) -> Timestamp {
    plus_ms(noon(), hours * 3_600_000)
}

impl Installation {
    /// The stand-in of Calendly.
    pub(crate) fn calendly(&self) -> &StandIn {
        self.calendly.as_ref().expect("the story asked for one")
    }

    /// Ada's request.
    pub(crate) fn calendly_request(&self, event_type: &str, hours: i64) -> BookingRequest {
        BookingRequest::new(event_type, start_of(hours), ada())
    }

    /// Ada books what only she comes to.
    pub(crate) async fn calendly_book(&self, hours: i64) -> Invitee {
        let request = self.calendly_request("intro", hours);
        self.calendly().book(request).await.unwrap()
    }

    /// Holds the webhooks back from now on.
    pub(crate) fn hold_calendly(&self) {
        self.calendly().set_delivery(Delivery::Held);
    }

    /// Delivers one webhook, signed for this moment.
    pub(crate) async fn deliver_of_calendly(&self, webhook: &OutgoingWebhook) {
        let webhook = self.calendly().signed_now(webhook);
        let answered = self.calendly().deliver(&webhook).await.unwrap();
        assert_eq!(answered, 200, "{:?}", webhook.event);
    }

    /// Delivers what is held, in order, until no more comes.
    pub(crate) async fn deliver_all_of_calendly(&self) {
        loop {
            let webhooks = self.calendly().take_outbox();
            if webhooks.is_empty() {
                return;
            }
            for webhook in &webhooks {
                self.deliver_of_calendly(webhook).await;
            }
            self.settle().await;
        }
    }

    /// What the admin endpoint shows of an invitee's booking.
    pub(crate) async fn calendly_booking(&self, invitee: &Invitee) -> Value {
        let reference = reference(invitee);
        self.booking_of("calendly", reference.as_str()).await
    }

    /// Whether an invitee still comes.
    pub(crate) fn comes(&self, invitee: &Invitee) -> bool {
        let row = self.calendly().invitee(&invitee.uuid).unwrap();
        row.status == bookgate::standin::calendly::Status::Active
    }

    /// The calls that changed something at Calendly, but for those about subscriptions.
    pub(crate) fn calendly_effects(&self) -> Vec<ApiCall> {
        let mut calls = self.calendly().calls();
        calls.retain(|call| call.effective && !call.path.starts_with("/webhook_subscriptions"));
        calls
    }
}

/// The id that a booking at Calendly has here.
pub(crate) fn reference(invitee: &Invitee) -> Uid {
    Uid::new(format!("{}.{}", invitee.event, invitee.uuid))
}
