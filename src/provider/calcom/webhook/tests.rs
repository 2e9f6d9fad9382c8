use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use expect_test::{expect, expect_file};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/calcom")
}

/// Every webhook body in the fixtures, by name.
fn fixtures() -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(folder())
        .unwrap()
        .map(|file| file.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|kind| kind == "json"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(path).unwrap())
        })
        .filter(|(name, _)| !name.starts_with("api_"))
        .collect()
}

fn fixture(name: &str) -> Value {
    serde_json::from_slice(&fixtures()[name]).unwrap()
}

fn parsed(body: &[u8]) -> Parsed {
    parse(RawDelivery {
        body,
        content_type: None,
    })
}

fn event_of(body: &Value) -> BookingEvent {
    match parsed(body.to_string().as_bytes()) {
        Parsed::Event(event) => *event,
        other => panic!("{other:?}"),
    }
}

/// Without what says nothing: null, false, empty.
fn essence(value: Value) -> Value {
    let says = |value: &Value| {
        !matches!(value, Value::Null | Value::Bool(false))
            && value.as_object().is_none_or(|map| !map.is_empty())
            && value.as_array().is_none_or(|list| !list.is_empty())
            && value.as_str() != Some("")
    };
    match value {
        Value::Object(map) => map
            .into_iter()
            .map(|(key, value)| (key, essence(value)))
            .filter(|(_, value)| says(value))
            .collect(),
        other => other,
    }
}

#[test]
fn every_fixture_is_understood_as_written_down() {
    let mut told = String::new();
    for (name, body) in fixtures() {
        let outcome = match parsed(&body) {
            Parsed::Event(event) => {
                let mut event = essence(serde_json::to_value(event).unwrap());
                let details = event.as_object_mut().unwrap().remove("details");
                let details = details.unwrap_or_default();
                format!("{event}\n{details}")
            }
            Parsed::Ignored(trigger) => format!("ignored: {trigger}"),
            Parsed::Unparsed(why) => format!("unparsed: {why}"),
        };
        told.push_str(&format!("# {name}\n{outcome}\n\n"));
    }
    expect_file![folder().join("parsed.txt")].assert_eq(&told);
}

#[test]
fn only_a_confirm_has_the_shape_of_one() {
    let bodies = fixtures().into_iter();
    let events = bodies.filter_map(|(name, body)| match parsed(&body) {
        Parsed::Event(event) => Some((name, event)),
        _ => None,
    });
    let confirms: Vec<String> = events
        .filter(|(_, event)| event.after_confirm)
        .map(|(name, _)| name)
        .collect();
    assert_eq!(confirms, ["created_after_confirm"]);
}

#[test]
fn what_is_no_webhook_is_told_without_quoting_it() {
    let told = |body: &[u8]| match parsed(body) {
        Parsed::Unparsed(why) => why,
        other => panic!("{other:?}"),
    };
    let bodies: [&[u8]; 7] = [
        b"",
        b"\xff\xfe",
        b"name=Zoe&mail=zoe%40example.org",
        b"\"zoe@example.org\"",
        b"{\"triggerEvent\": 5}",
        b"{\"triggerEvent\": \"zoe@example.org\"}",
        b"{\"triggerEvent\": \"BOOKING_PAID\", \"payload\": \"zoe@example.org\"}",
    ];
    let told: Vec<String> = bodies.into_iter().map(told).collect();
    assert!(!told.concat().contains("zoe"));
    expect![[r#"
        not JSON at line 1, column 0: the body was cut or comes from a custom payload template
        not UTF-8 text: the first wrong byte is byte 0
        not JSON at line 1, column 2: the body was cut or comes from a custom payload template
        JSON, but not an object with `triggerEvent` and `payload`; remove the custom payload template from this webhook's settings in Cal.com
        no `triggerEvent`: not Cal.com's default payload; remove the custom payload template from this webhook's settings in Cal.com
        `triggerEvent` is not the name of a trigger
        BOOKING_PAID without a `payload` object; remove the custom payload template from this webhook's settings in Cal.com"#]].assert_eq(&told.join("\n"));
}

#[test]
fn long_things_are_cut_and_long_ids_are_none() {
    let mut body = fixture("requested");
    let payload = &mut body["payload"];
    payload["title"] = "ä".repeat(5_000).into();
    payload["uid"] = "u".repeat(201).into();
    payload["additionalNotes"] = "a\u{0}b".into();
    payload["responses"]["notes"] = Value::Null;
    let guests = (0..500).map(|n| json!(format!("g{n}@example.org")));
    payload["responses"]["guests"]["value"] = guests.collect();
    for n in 0..500 {
        payload["responses"][format!("field{n:03}")] = json!({"label": "l", "value": n});
        payload["metadata"][format!("key{n}")] = json!(n);
    }
    let event = event_of(&body);
    assert_eq!(event.uid, Uid::from_number(701));
    let details = event.details.unwrap();
    assert_eq!(details.title.len(), 4_096);
    assert_eq!(details.notes.as_deref(), Some("ab"));
    assert_eq!(details.guests.len(), 100);
    assert_eq!(details.metadata.len(), 100);
    assert_eq!(details.answers.len(), 200);
}

#[test]
fn a_text_that_is_no_unicode_spoils_only_itself() {
    let body = String::from_utf8(fixtures()["requested"].clone()).unwrap();
    let halved = body.replace("Hot, please", r"\ud83d");
    assert_ne!(halved, body);
    let Parsed::Event(event) = parsed(halved.as_bytes()) else {
        panic!("not an event");
    };
    assert_eq!(event.details.unwrap().notes, None);
}

#[test]
fn ids_that_cannot_stand_in_a_path_are_none() {
    for uid in ["..", "a/b", "a?b", "a b", "%2e", "ä", ""] {
        let mut body = fixture("requested");
        body["payload"]["uid"] = uid.into();
        assert_eq!(event_of(&body).uid, Uid::from_number(701), "{uid}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map("[a-zA-Z]{0,10}", inner, 0..5)
                .prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parsed(&body);
    }

    /// Bytes changed, cut or inserted anywhere in a real body: understood or not, but never a panic,
    /// and what is said of it does not quote it.
    #[test]
    fn no_mutation_panics(
        pick in any::<prop::sample::Index>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        end in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let fixtures: Vec<_> = fixtures().into_values().collect();
        let mut body = pick.get(&fixtures).clone();
        for (index, byte) in changes {
            let at = index.index(body.len());
            body[at] = byte;
        }
        if cut {
            body.truncate(end.index(body.len()));
        }
        if let Parsed::Unparsed(why) = parsed(&body) {
            prop_assert!(!why.contains('@') && !why.contains("Pekka"), "{}", why);
        }
    }

    /// Whatever stands in one field: the event and its booking are still known. (The start must be
    /// right; for the id and the end there is a second field.)
    #[test]
    fn an_odd_value_spoils_only_its_field(
        key in any::<prop::sample::Index>(),
        value in any_json(),
    ) {
        let mut body = fixture("requested_reschedule");
        let payload = body["payload"].as_object_mut().unwrap();
        let keys: Vec<String> = payload.keys().filter(|key| *key != "startTime").cloned().collect();
        let key = key.get(&keys);
        payload.insert(key.clone(), value);
        let event = event_of(&body);
        prop_assert_eq!(event.kind, EventKind::Requested);
        prop_assert!(key == "uid" || event.uid.as_str() == "steamQ2");
        prop_assert!(event.details.is_some());
    }
}
