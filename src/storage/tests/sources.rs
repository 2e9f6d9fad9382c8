//! What is known of each source.

use super::*;

async fn a_source_is_seen_from_when_it_is_met() {
    let place = Place::new().await;
    let calcom = SourceName::new("calcom");
    store!(place.storage, tx => {
        let name = SourceName::new("calcom");
        tx.meet_source(&name, at(1)).await?;
        tx.note_survey(&name, at(4)).await?;
        tx.source_fails(&name, at(5)).await?;
    })
    .unwrap();
    let seen = read!(place.storage, tx => tx.sources_seen().await?).unwrap();
    let expected = SourceSeen {
        name: calcom,
        heard_at: None,
        called_at: None,
        call_result: None,
        call_http_status: None,
        surveyed_at: Some(at(4)),
        failing_since: Some(at(5)),
    };
    assert_eq!(seen, [expected]);
}

on_both!(a_source_is_seen_from_when_it_is_met);
