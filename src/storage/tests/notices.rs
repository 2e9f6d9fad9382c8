//! The queue of notices.

use super::*;
use crate::domain::clock::plus_ms;
use crate::domain::notice::Topic;

const LEASE_MS: i64 = 1_000;

async fn put(place: &Place, receiver: &str, message: &str, now: Timestamp) {
    let notice = NewNotice {
        receiver: receiver.to_owned(),
        message: message.to_owned(),
        topic: Topic::BookingDecided,
        body: format!("{{\"is\":\"{message}\"}}"),
    };
    store!(place.storage, tx => tx.put_notice(&notice, now).await?).unwrap();
}

async fn claim(place: &Place, now: Timestamp) -> Vec<WaitingNotice> {
    let claimed = store!(place.storage, tx => tx.claim_notices("ops", now, LEASE_MS, 10).await?);
    claimed.unwrap()
}

async fn listed(place: &Place, given_up: Option<bool>) -> Vec<NoticeRow> {
    let receiver = Some("ops".to_owned());
    let filter = NoticeFilter { receiver, given_up };
    read!(place.storage, tx => tx.notices(&filter, None, 10).await?).unwrap()
}

async fn next(place: &Place) -> Option<Timestamp> {
    read!(place.storage, tx => tx.next_notice_due("ops").await?).unwrap()
}

async fn a_notice_is_sent_by_one_at_a_time_until_it_is_taken() {
    let place = Place::new().await;
    for message in ["a", "a"] {
        put(&place, "ops", message, at(1)).await;
    }
    put(&place, "other", "a", at(1)).await;
    assert_eq!(next(&place).await, Some(at(1)));
    let first = claim(&place, at(1)).await;
    assert_eq!(first.len(), 1, "the same message is there once");
    assert_eq!(
        (first[0].body.as_str(), first[0].tries),
        ("{\"is\":\"a\"}", 1)
    );
    assert!(claim(&place, at(1)).await.is_empty());

    let later = plus_ms(at(1), LEASE_MS);
    let second = claim(&place, later).await;
    assert_eq!(second[0].tries, 2, "whoever had it has let it expire");
    let (late, current) = (first[0].clone(), second[0].clone());
    let taken = store!(place.storage, tx => tx.notice_taken(&late).await?);
    assert_eq!(taken, Ok(false), "it is somebody else's now");
    let taken = store!(place.storage, tx => tx.notice_taken(&current).await?);
    assert_eq!(taken, Ok(true));
    assert_eq!(next(&place).await, None);
    assert!(listed(&place, None).await.is_empty());
}

async fn what_is_not_taken_waits_or_is_given_up() {
    let place = Place::new().await;
    for message in ["a", "b"] {
        put(&place, "ops", message, at(1)).await;
    }
    let claimed = claim(&place, at(1)).await;
    let (one, other) = (claimed[0].clone(), claimed[1].clone());
    let (late, again) = (other.clone(), plus_ms(at(1), 500));
    store!(place.storage, tx => {
        assert!(tx.notice_again(&one, None, "HTTP 500").await?);
        assert!(tx.notice_again(&other, Some(again), "HTTP 503").await?);
        tx.hold_back_notices("ops", plus_ms(again, 500)).await?;
    })
    .unwrap();
    assert_eq!(next(&place).await, Some(plus_ms(again, 500)));
    let waiting = listed(&place, Some(false)).await;
    assert_eq!(
        (waiting.len(), waiting[0].detail.as_deref()),
        (1, Some("HTTP 503"))
    );
    let given_up = listed(&place, Some(true)).await;
    assert_eq!((given_up.len(), given_up[0].due_at), (1, None));
    let more = read!(place.storage, tx => {
        tx.notices(&NoticeFilter::default(), Some(given_up[0].id), 10).await?
    });
    assert_eq!(more.unwrap().len(), 1);

    assert_eq!(claim(&place, plus_ms(again, 500)).await.len(), 1);
    let again = store!(place.storage, tx => tx.notice_again(&late, None, "late").await?);
    assert_eq!(again, Ok(false));
    let forgotten = store!(place.storage, tx => tx.forget_notices(at(1), 10).await?);
    assert_eq!(forgotten, Ok(0));
    let before = plus_ms(at(1), 1);
    for left in [1, 1, 0] {
        let forgotten = store!(place.storage, tx => tx.forget_notices(before, 1).await?);
        assert_eq!(forgotten, Ok(left));
    }
}

contract::on_both!(
    a_notice_is_sent_by_one_at_a_time_until_it_is_taken,
    what_is_not_taken_waits_or_is_given_up,
);
