//! The list of bookings.

use super::*;

impl Room {
    /// Numbers of the bookings on a page.
    async fn listed(&self, query: &str) -> Vec<i64> {
        let answer = self.get(&format!("/v2/bookings?{query}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let answer = answer.json();
        let data = answer["data"].as_array().unwrap().iter();
        data.map(|booking| booking["id"].as_i64().unwrap())
            .collect()
    }
}

#[tokio::test]
async fn status_words_are_not_states() {
    let room = room().await;
    room.pending().await;
    room.booked("chat").await;
    let rejected = BookingRequest::new("consultation", tuesday(), booker());
    let rejected = room.standin.book(rejected).await.unwrap().uid;
    room.decline(&rejected, "no").await;
    let series = BookingRequest::new("consultation", time("2031-05-01T10:00:00Z"), booker());
    room.standin.book_recurring(series, 2).await.unwrap();

    assert_eq!(room.listed("status=unconfirmed").await, [1000, 1003, 1004]);
    assert_eq!(room.listed("status=upcoming").await, [1000, 1001]);
    assert_eq!(room.listed("status=recurring").await, [1003, 1004]);
    assert_eq!(room.listed("status=cancelled").await, [1002]);
    assert_eq!(room.listed("status=past").await, [0; 0]);
    room.clock.advance_ms(60 * 24 * 60 * 60 * 1_000);
    assert_eq!(room.listed("status=unconfirmed").await, [1003, 1004]);
    assert_eq!(
        room.listed("status=past,cancelled").await,
        [1000, 1001, 1002]
    );
}

#[tokio::test]
async fn pages_and_order() {
    let room = room().await;
    for minute in [0, 15, 30, 45] {
        let start = time(&format!("2031-03-03T09:{minute:02}:00Z"));
        let chat = BookingRequest::new("chat", start, booker());
        room.standin.book(chat).await.unwrap();
        room.clock.advance_ms(1_000);
    }
    let first = room.standin.bookings()[0].uid.clone();
    room.standin.mark_no_show(&first).await.unwrap();

    assert_eq!(
        room.listed("sortUpdatedAt=asc").await,
        [1001, 1002, 1003, 1000]
    );
    assert_eq!(
        room.listed("sortStart=desc&take=2&skip=1").await,
        [1002, 1001]
    );
    assert_eq!(
        room.listed("afterUpdatedAt=2031-02-01T08:00:03Z").await,
        [1000, 1003]
    );
    assert_eq!(
        room.listed("attendeeEmail=nobody@mail.example").await,
        [0; 0]
    );
    assert_eq!(room.listed("eventTypeId=8&take=1").await, [1000]);

    // More is promised than there is.
    let query = "/v2/bookings?afterUpdatedAt=2031-02-01T08:00:03Z&take=2";
    let page = room.get(query).await.json();
    assert_eq!(page["data"].as_array().unwrap().len(), 2);
    assert_eq!(page["pagination"]["totalItems"], 4);
    assert_eq!(page["pagination"]["hasNextPage"], true);

    let page = room.get("/v2/bookings?take=2&skip=2").await.json();
    assert_eq!(
        page["pagination"],
        json!({
            "totalItems": 4, "remainingItems": 0, "returnedItems": 2, "itemsPerPage": 2,
            "currentPage": 2, "totalPages": 2, "hasNextPage": false, "hasPreviousPage": true,
        })
    );
}

#[tokio::test]
async fn a_list_that_is_asked_for_wrongly_is_refused() {
    let room = room().await;
    for query in [
        "take=251",
        "take=0",
        "status=pending",
        "sortStart=up",
        "colour=red",
    ] {
        assert_eq!(
            room.get(&format!("/v2/bookings?{query}")).await.status,
            400,
            "{query}"
        );
    }
    let keyless = room.call("GET", "/v2/bookings", &[VERSION], None).await;
    assert_eq!(keyless.status, 401);
}

#[tokio::test]
async fn what_the_owner_is_invited_to_is_listed_and_not_theirs_to_answer() {
    let room = room().await;
    let other = Person::new("Olga Elsewhere", "olga@far.example");
    let elsewhere = room
        .standin
        .book_elsewhere(other, "consultation", tuesday())
        .unwrap();
    let page = room.get("/v2/bookings?status=unconfirmed").await.json();
    let me = room.get("/v2/me").await.json();
    let [booking] = page["data"].as_array().unwrap().as_slice() else {
        panic!("{page}");
    };
    assert_eq!(booking["attendees"][0]["email"], me["data"]["email"]);
    assert_ne!(booking["hosts"][0]["id"], me["data"]["id"]);
    let refused = room.confirm(&elsewhere.uid).await;
    assert_eq!(refused.status, 401, "{}", refused.text);
}
