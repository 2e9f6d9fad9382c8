//! The stand-in without its HTTP: for simulations, which are a step of somebody else's at a time.

use std::sync::Arc;

use super::actions::Cancel;
use super::bodies::Cancellation;
use super::rows::Trigger;
use super::state::{Shared, State};
use super::{Booking, Delivery, Options, Refusal, StandIn, Subscription};
use crate::domain::clock::Clock;
use crate::domain::ids::Uid;

/// A cancel that was told and not done.
pub(crate) struct CancelBegun {
    /// The booking as it was.
    pub(crate) booking: Booking,
    cancel: Cancel,
}

impl StandIn {
    /// One that serves nobody; its webhooks are held, so that nothing it does ever waits.
    pub(crate) fn unserved(clock: Arc<dyn Clock>, options: Options) -> Self {
        let shared = Shared::new(State::new(options.seed), clock, options, Delivery::Held);
        let nobody = Subscription {
            secret: None,
            ..Subscription::to_everything("http://gate.invalid/", "")
        };
        let standin = Self::detached(shared);
        standin
            .subscribe(nobody)
            .expect("an address that can be subscribed");
        standin
    }

    /// Cancels as the API does for the host's key: the webhook does not say by whom.
    pub(crate) async fn cancel_by_api(&self, uid: &Uid, reason: &str) -> Result<Booking, Refusal> {
        let cancel = Cancel {
            told: Cancellation {
                reason: Some(reason.to_owned()),
                through_v2: true,
                ..Cancellation::default()
            },
            reason_required: true,
            ..Cancel::default()
        };
        self.shared.cancel(uid, cancel).await
    }

    /// Cancels in the app, up to the moment when the webhook has left and the row has not changed.
    ///
    /// # Errors
    /// As [`StandIn::cancel_by_booker`].
    pub(crate) async fn begin_cancel(&self, uid: &Uid, by: &str) -> Result<CancelBegun, Refusal> {
        let cancel = Cancel {
            told: Cancellation {
                by: Some(by.to_owned()),
                ..Cancellation::default()
            },
            ..Cancel::default()
        };
        let booking = self.shared.cancellable(uid, &cancel)?;
        let payload = self.shared.about(&booking, None).cancelled(&cancel.told);
        self.shared.send(Trigger::Cancelled, uid, &payload).await;
        Ok(CancelBegun { booking, cancel })
    }

    /// Changes the row.
    pub(crate) fn end_cancel(&self, begun: &CancelBegun) {
        let ended = self.shared.end(&begun.booking, &begun.cancel);
        ended.expect("bookings never go");
    }

    /// The booking that took the place of another, as the API tells it.
    pub(crate) fn successor(&self, uid: &Uid) -> Option<Uid> {
        let state = self.shared.state();
        state.successor(uid).map(|booking| booking.uid.clone())
    }
}
