//! What is known of each source.

use super::*;

async fn a_source_is_known_once_it_is_met() {
    let place = Place::new().await;
    store!(place.storage, tx => {
        for name in ["mentoring", "calcom"] {
            tx.meet_source(&SourceName::new(name), at(1)).await?;
        }
        let name = SourceName::new("calcom");
        tx.note_survey(&name, at(4)).await?;
        tx.source_fails(&name, at(5)).await?;
    })
    .unwrap();
    let (names, known, unknown) = read!(place.storage, tx => {
        let known = tx.source(&SourceName::new("calcom")).await?;
        let unknown = tx.source(&SourceName::new("calendly")).await?;
        (tx.source_names().await?, known, unknown)
    })
    .unwrap();
    assert_eq!(names, ["calcom", "mentoring"].map(SourceName::new));
    let expected = SourceRow {
        first_seen_at: at(1),
        surveyed_at: Some(at(4)),
        reread_after: None,
        failing_since: Some(at(5)),
    };
    assert_eq!((known, unknown), (Some(expected), None));
}

on_both!(a_source_is_known_once_it_is_met);
