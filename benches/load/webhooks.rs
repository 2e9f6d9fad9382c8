//! Signed webhooks as Cal.com sends them, each unique, signed before anything is measured. They
//! differ in numbers of a fixed width only, so that writing one out is a copy and a few patches.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

use bookgate::domain::clock::{Clock, SystemClock, Timestamp};

/// What they are signed with.
pub(crate) const SECRET: &str = "bench-signing-secret";
/// Bookers, each with an account.
pub(crate) const BOOKERS: u64 = 200;
/// Where booking numbers begin: all are nine digits.
pub(crate) const NUMBER_FIRST: u64 = 100_000_000;
/// Stand for a booking's number and its booker's in the template.
const BOOKING_MARK: &str = "999999999";
const BOOKER_MARK: &str = "88888";
const HOUR_S: i64 = 3_600;

/// Webhooks 0, 1, 2 … and their signatures.
pub(crate) struct Webhooks {
    template: Vec<u8>,
    booking_at: Vec<usize>,
    booker_at: Vec<usize>,
    signatures: Vec<[u8; 64]>,
}

impl Webhooks {
    /// Signs that many.
    pub(crate) fn sign(count: u64) -> Self {
        let template = template(SystemClock.now()).into_bytes();
        let mut webhooks = Self {
            booking_at: places(&template, BOOKING_MARK.as_bytes()),
            booker_at: places(&template, BOOKER_MARK.as_bytes()),
            template,
            signatures: Vec::new(),
        };
        let key = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes())
            .expect("HMAC takes keys of any length");
        let mut body = Vec::new();
        for index in 0..count {
            body.clear();
            webhooks.write_body(index, &mut body);
            let mut mac = key.clone();
            mac.update(&body);
            let mut text = [0; 64];
            hex::encode_to_slice(mac.finalize().into_bytes(), &mut text)
                .expect("32 bytes are 64 digits");
            webhooks.signatures.push(text);
        }
        webhooks
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.signatures.len() as u64
    }

    /// Bytes of each body.
    pub(crate) fn body_bytes(&self) -> usize {
        self.template.len()
    }

    /// Writes a whole request.
    pub(crate) fn write(&self, index: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(
            b"POST /webhooks/calcom HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\nuser-agent: bench\r\ncontent-length: ",
        );
        out.extend_from_slice(self.template.len().to_string().as_bytes());
        out.extend_from_slice(b"\r\nx-cal-signature-256: ");
        let place = usize::try_from(index).expect("indexes are small");
        out.extend_from_slice(&self.signatures[place]);
        out.extend_from_slice(b"\r\n\r\n");
        self.write_body(index, out);
    }

    fn write_body(&self, index: u64, out: &mut Vec<u8>) {
        let begin = out.len();
        out.extend_from_slice(&self.template);
        let body = &mut out[begin..];
        for at in &self.booking_at {
            put_digits(&mut body[*at..*at + BOOKING_MARK.len()], number_of(index));
        }
        for at in &self.booker_at {
            put_digits(&mut body[*at..*at + BOOKER_MARK.len()], index % BOOKERS);
        }
    }
}

/// A booking's number at the provider.
pub(crate) fn number_of(index: u64) -> u64 {
    NUMBER_FIRST + index
}

/// The other way round: which webhook told of the booking with this uid.
pub(crate) fn index_of(uid: &str) -> Option<u64> {
    let number: u64 = uid.strip_prefix("bkng")?.parse().ok()?;
    number.checked_sub(NUMBER_FIRST)
}

/// A booking's uid at the provider.
pub(crate) fn uid_of(index: u64) -> String {
    format!("bkng{}", number_of(index))
}

/// A booker's address.
pub(crate) fn booker(index: u64) -> String {
    format!("member{:05}@readers.example", index % BOOKERS)
}

/// When all the bookings begin and end: far enough ahead for the policy.
pub(crate) fn times(now: Timestamp) -> (Timestamp, Timestamp) {
    let start = (now.as_second() / HOUR_S + 5 * 24) * HOUR_S;
    let at = |second| Timestamp::from_second(second).expect("five days from now there is a time");
    (at(start), at(start + HOUR_S))
}

fn put_digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).expect("a digit");
        number /= 10;
    }
}

fn places(text: &[u8], mark: &[u8]) -> Vec<usize> {
    let windows = text.windows(mark.len()).enumerate();
    windows
        .filter(|(_, window)| *window == mark)
        .map(|(at, _)| at)
        .collect()
}

fn template(now: Timestamp) -> String {
    let (start, end) = times(now);
    let seconds = |time: Timestamp| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let email = format!("member{BOOKER_MARK}@readers.example");
    let name = format!("Member {BOOKER_MARK}");
    let number: u64 = BOOKING_MARK.parse().expect("the mark is a number");
    let field = |label: &str, value: serde_json::Value| json!({"label": label, "value": value, "isHidden": false});
    let envelope = json!({
        "triggerEvent": "BOOKING_REQUESTED",
        "createdAt": now.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        "payload": {
            "bookerUrl": "https://booking.example.org",
            "title": format!("Reading circle between Odile Keeper and {name}"),
            "type": "exec-book-club",
            "startTime": seconds(start),
            "endTime": seconds(end),
            "eventTypeId": 7,
            "customInputs": {},
            "userFieldsResponses": {},
            "hideOrganizerEmail": false,
            "customReplyToEmail": null,
            "organizer": {
                "id": 31, "name": "Odile Keeper", "email": "odile@readers.example", "username": "odile",
                "timeZone": "Europe/Lisbon", "timeFormat": "HH:mm", "language": {"locale": "en"}, "utcOffset": 0
            },
            "attendees": [{
                "name": name, "email": email, "timeZone": "Europe/Lisbon", "language": {"locale": "en"}, "utcOffset": 0
            }],
            "location": "integrations:daily",
            "uid": format!("bkng{BOOKING_MARK}"),
            "bookingId": number,
            "eventTitle": "Reading circle",
            "eventDescription": "Sixty minutes about one book, chosen by whoever asks first.",
            "currency": "eur",
            "length": 60,
            "additionalNotes": "I have read the first two parts and would like to talk about the third.",
            "description": "Sixty minutes about one book, chosen by whoever asks first.",
            "hideCalendarNotes": false,
            "hideCalendarEventDetails": false,
            "schedulingType": null,
            "seatsPerTimeSlot": null,
            "seatsShowAttendees": true,
            "disableRescheduling": false,
            "disableCancelling": false,
            "responses": {
                "name": field("your_name", json!(name)),
                "email": field("email_address", json!(email)),
                "location": field("location", json!({"value": "integrations:daily", "optionValue": ""})),
                "notes": field("additional_notes", json!("I have read the first two parts.")),
                "guests": field("additional_guests", json!([]))
            },
            "destinationCalendar": null,
            "iCalUID": format!("bkng{BOOKING_MARK}@booking.example.org"),
            "iCalSequence": 0,
            "requiresConfirmation": true,
            "price": 0,
            "metadata": {},
            "status": "PENDING"
        }
    });
    envelope.to_string()
}
