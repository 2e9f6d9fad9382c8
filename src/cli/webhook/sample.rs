//! Sample bodies in the shape of Cal.com's webhooks. All values are made up; what a flow needs to
//! hang together (uid, booker, times, links between bookings) can be chosen.

use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::UsageError;
use crate::cli::when::When;

/// How far ahead a sample booking starts, if no start is given.
const START_AHEAD: SignedDuration = SignedDuration::from_hours(72);

/// Letters of a made-up uid; 62 of them, as Cal.com's short ids have.
const UID_LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Length of a made-up uid.
const UID_LENGTH: usize = 22;

/// What happened to the booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Trigger {
    /// Somebody asks for a booking that has to be confirmed
    #[value(name = "BOOKING_REQUESTED")]
    Requested,
    /// A booking stands
    #[value(name = "BOOKING_CREATED")]
    Created,
    /// A booking was moved; give the old one as --reschedule-uid
    #[value(name = "BOOKING_RESCHEDULED")]
    Rescheduled,
    /// A booking was called off
    #[value(name = "BOOKING_CANCELLED")]
    Cancelled,
    /// A request was declined
    #[value(name = "BOOKING_REJECTED")]
    Rejected,
}

/// What a sample is about.
#[derive(Debug, Args)]
#[group(id = "sample", conflicts_with = "body")]
pub(super) struct SampleArgs {
    /// What happened
    #[arg(
        long,
        value_name = "TRIGGER",
        ignore_case = true,
        hide_possible_values = true
    )]
    #[arg(default_value = "BOOKING_REQUESTED")]
    #[arg(
        help = "What happened: BOOKING_REQUESTED, BOOKING_CREATED, BOOKING_RESCHEDULED, \
                  BOOKING_CANCELLED or BOOKING_REJECTED"
    )]
    trigger: Trigger,
    /// The booking's uid [default: a new one]
    #[arg(long)]
    uid: Option<String>,
    /// The uid of the booking that this one replaces
    #[arg(long, value_name = "UID")]
    reschedule_uid: Option<String>,
    /// The booker's address
    #[arg(long, default_value = "robin@example.org")]
    email: String,
    /// When the booking starts, such as 2030-05-01T18:00:00Z, 2030-05-01 (as it begins, UTC), or +36h (from
    /// now) [default: in three days]
    #[arg(long, value_name = "TIME")]
    start: Option<When>,
    /// How long it lasts, in minutes
    #[arg(long, value_name = "MINUTES", default_value_t = 45)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1440))]
    length: u16,
    /// The booking's status [default: what fits the trigger]
    #[arg(long)]
    status: Option<String>,
    /// The event type's id
    #[arg(long, value_name = "ID", default_value_t = 7)]
    event_type_id: i64,
    /// The event type's slug
    #[arg(long, value_name = "SLUG", default_value = "exec-book-club")]
    event_type: String,
}

/// The envelope, in the order Cal.com writes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    trigger_event: String,
    created_at: String,
    payload: Value,
}

impl Trigger {
    fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn status(self) -> &'static str {
        match self {
            Self::Requested => "PENDING",
            Self::Created | Self::Rescheduled => "ACCEPTED",
            Self::Cancelled => "CANCELLED",
            Self::Rejected => "REJECTED",
        }
    }
}

impl SampleArgs {
    /// The body, compact as Cal.com sends it. `now` becomes the time of sending.
    pub(super) fn body(&self, now: Timestamp) -> anyhow::Result<Vec<u8>> {
        if self.trigger == Trigger::Rescheduled && self.reschedule_uid.is_none() {
            let message = "BOOKING_RESCHEDULED needs --reschedule-uid: the booking that was moved";
            return Err(UsageError(message.to_owned()).into());
        }
        let uid = match &self.uid {
            Some(uid) => uid.clone(),
            None => new_uid()?,
        };
        let start = match self.start {
            Some(start) => start.at(now),
            None => whole_hour(now.checked_add(START_AHEAD)?)?,
        };
        let end = start.checked_add(SignedDuration::from_mins(self.length.into()))?;
        let mut payload = self.payload(&uid, start, end);
        self.add_what_the_trigger_brings(&mut payload, start)?;
        Ok(serde_json::to_vec(&Envelope {
            trigger_event: self.trigger.name(),
            created_at: now.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
            payload,
        })?)
    }

    fn payload(&self, uid: &str, start: Timestamp, end: Timestamp) -> Value {
        json!({
            "uid": uid,
            "bookingId": number_of(uid),
            "type": self.event_type,
            "title": "Book club between Casey Host and Robin Reader",
            "eventTitle": "Book club",
            "eventTypeId": self.event_type_id,
            "startTime": seconds(start),
            "endTime": seconds(end),
            "length": self.length,
            "status": self.status.as_deref().unwrap_or(self.trigger.status()),
            "requiresConfirmation": true,
            "organizer": {
                "id": 12,
                "name": "Casey Host",
                "email": "casey@example.net",
                "username": "casey",
                "timeZone": "Europe/Lisbon",
                "language": { "locale": "en" },
            },
            "attendees": [{
                "name": "Robin Reader",
                "email": self.email,
                "timeZone": "Europe/Lisbon",
                "language": { "locale": "en" },
            }],
            "responses": {
                "name": { "label": "your_name", "value": "Robin Reader" },
                "email": { "label": "email_address", "value": self.email },
                "notes": { "label": "additional_notes" },
                "guests": { "label": "additional_guests", "value": [] },
            },
            "location": "The reading room",
            "additionalNotes": "",
            "customInputs": {},
            "userFieldsResponses": {},
            "metadata": {},
            "price": 0,
            "currency": "usd",
        })
    }

    fn add_what_the_trigger_brings(
        &self,
        payload: &mut Value,
        start: Timestamp,
    ) -> anyhow::Result<()> {
        match self.trigger {
            Trigger::Cancelled => {
                payload["cancellationReason"] = json!("Something came up");
                payload["cancelledBy"] = json!(self.email);
                payload["requestReschedule"] = json!(false);
            }
            Trigger::Rejected => {
                payload["rejectionReason"] = json!("The session is full");
            }
            Trigger::Requested | Trigger::Created | Trigger::Rescheduled => {}
        }
        if let Some(old) = &self.reschedule_uid {
            let day = SignedDuration::from_hours(24);
            let old_start = start.checked_sub(day)?;
            let old_end = old_start.checked_add(SignedDuration::from_mins(self.length.into()))?;
            payload["rescheduleUid"] = json!(old);
            payload["rescheduleId"] = json!(number_of(old));
            payload["rescheduleStartTime"] = json!(seconds(old_start));
            payload["rescheduleEndTime"] = json!(seconds(old_end));
            payload["rescheduledBy"] = json!(self.email);
        }
        Ok(())
    }
}

/// The numeric id of a sample booking: the same for the same uid, so that the webhooks of one
/// booking agree without being told.
fn number_of(uid: &str) -> u32 {
    crc32c::crc32c(uid.as_bytes()) % 1_000_000 + 1
}

fn new_uid() -> anyhow::Result<String> {
    let mut random = [0; UID_LENGTH];
    getrandom::fill(&mut random)?;
    let letter = |byte: &u8| char::from(UID_LETTERS[usize::from(*byte) % UID_LETTERS.len()]);
    Ok(random.iter().map(letter).collect())
}

fn whole_hour(time: Timestamp) -> anyhow::Result<Timestamp> {
    let second = time.as_second();
    Ok(Timestamp::from_second(second - second.rem_euclid(3_600))?)
}

fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
