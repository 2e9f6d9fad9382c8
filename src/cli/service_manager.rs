//! What a service manager is told of the daemon (`sd_notify(3)`): that it is ready, that it is alive, that
//! it stops. Where none asks, nothing is told.

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};

/// Requests are taken. Says where.
pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// No more requests are taken; what is in hand is being finished.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Says again and again that it is alive, twice as often as the manager wants to hear it, if it does. Run
/// it where the work is done, so that a runtime that hangs falls silent and is started anew.
pub(super) async fn tell_that_it_lives() {
    let Some(patience) = sd_notify::watchdog_enabled().filter(|patience| !patience.is_zero())
    else {
        return;
    };
    let mut beats = interval(patience / 2);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beats.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(error = %error, "the service manager cannot be told (NOTIFY_SOCKET)");
    }
}
