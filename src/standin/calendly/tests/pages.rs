//! Reading: one thing, and lists page by page.

use super::*;

/// Ids or starts of a page, and the token of the next one.
fn page(answer: &Answer, key: &str) -> (Vec<String>, Option<String>) {
    let json = answer.json();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let items = json["collection"].as_array().unwrap().iter();
    let items: Vec<_> = items.map(|item| text(&item[key]).unwrap()).collect();
    assert_eq!(json["pagination"]["count"], items.len());
    (items, text(&json["pagination"]["next_page_token"]))
}

async fn booked_on_five_days(room: &Room) -> Vec<Invitee> {
    let mut invitees = Vec::new();
    for day in [5, 3, 7, 4, 6] {
        let mut request = request("intro");
        request.start = time(&format!("2031-03-0{day}T09:00:00Z"));
        request.person.email = format!("day{day}@mail.example");
        invitees.push(room.it.book(request).await.unwrap());
    }
    invitees
}

#[tokio::test]
async fn the_token_s_owner_and_the_event_types_are_shown() {
    let room = deaf_room(Options::default()).await;
    let me = room.get("/users/me").await.resource();
    assert_eq!(me["uri"], room.it.user_uri());
    assert_eq!(me["current_organization"], room.it.organization_uri());
    assert_eq!(me["email"], "ines@studio.example");

    let listed = room
        .get(&format!("/event_types?user={}", room.it.user_uri()))
        .await;
    let (slugs, next) = page(&listed, "slug");
    assert_eq!(slugs, ["intro", "coaching", "masterclass"]);
    assert_eq!(next, None);
    let group = &listed.json()["collection"][2];
    assert_eq!(group["kind"], "group");
    assert_eq!(group["duration"], 90);
    let path = group["uri"].as_str().unwrap();
    let path = path.strip_prefix("https://api.calendly.com").unwrap();
    assert_eq!(room.get(path).await.resource(), *group);
    assert_eq!(room.get("/event_types/none").await.status, 404);
}

#[tokio::test]
async fn events_come_page_by_page_and_sorted_by_start() {
    let room = deaf_room(Options::default()).await;
    booked_on_five_days(&room).await;
    let list = format!(
        "/scheduled_events?organization={}&count=2",
        room.it.organization_uri()
    );
    let mut days = Vec::new();
    let mut path = list.clone();
    loop {
        let answer = room.get(&path).await;
        let (starts, next) = page(&answer, "start_time");
        let back = &answer.json()["pagination"]["previous_page_token"];
        assert_eq!(back.is_string(), !days.is_empty());
        days.extend(starts.iter().map(|start| start[9..10].to_owned()));
        let Some(token) = next else {
            assert_eq!(answer.json()["pagination"]["next_page"], Value::Null);
            break;
        };
        path = format!("{list}&page_token={token}");
        // The address of the next page is Calendly's own.
        let address = &answer.json()["pagination"]["next_page"];
        let address = address.as_str().unwrap();
        assert!(address.starts_with("https://api.calendly.com/scheduled_events?"));
        assert!(address.contains(&format!("page_token={token}")));
        assert!(address.contains("organization=https%3A%2F%2F"));
    }
    assert_eq!(days, ["3", "4", "5", "6", "7"]);
}

#[tokio::test]
async fn events_are_found_by_status_time_and_person() {
    let room = deaf_room(Options::default()).await;
    let invitees = booked_on_five_days(&room).await;
    let fourth = &invitees[3].uuid;
    room.it.cancel(fourth, Actor::Invitee, None).await.unwrap();
    for (query, days) in [
        ("status=canceled", "4"),
        ("status=active&sort=start_time:desc", "7653"),
        ("min_start_time=2031-03-06T09:00:00Z", "67"),
        ("max_start_time=2031-03-04T00:00:00Z", "3"),
        ("invitee_email=day5@mail.example", "5"),
    ] {
        let path = format!("/scheduled_events?user={}&{query}", room.it.user_uri());
        let (starts, _) = page(&room.get(&path).await, "start_time");
        let found: String = starts.iter().map(|start| &start[9..10]).collect();
        assert_eq!(found, days, "{query}");
    }
}

#[tokio::test]
async fn a_wrong_query_is_refused_by_name() {
    let room = deaf_room(Options::default()).await;
    for (query, parameter) in [
        ("count=0", "count"),
        ("count=101", "count"),
        ("status=pending", "status"),
        ("sort=created_at:asc", "sort"),
        ("sort=start_time:up", "sort"),
        ("min_start_time=noon", "min_start_time"),
        ("page_token=2", "page_token"),
    ] {
        let path = format!("/scheduled_events?user={}&{query}", room.it.user_uri());
        let complaint = room.get(&path).await.complaint();
        assert_eq!(complaint, (400, parameter.to_owned()), "{query}");
    }
    // A bare id is no address, nor is that of something else; somebody has to be named, and not
    // somebody else.
    let wrong = format!("/scheduled_events?user={}", room.it.organization_uri());
    assert_eq!(room.get(&wrong).await.complaint(), (400, "user".to_owned()));
    let bare = room.get("/scheduled_events?user=me").await;
    assert_eq!(bare.complaint(), (400, "user".to_owned()));
    assert_eq!(room.get("/scheduled_events").await.status, 400);
    let other = "/scheduled_events?user=https://api.calendly.com/users/other";
    assert_eq!(room.get(other).await.status, 403);
    assert_eq!(room.get("/nowhere").await.status, 404);
}

#[tokio::test]
async fn invitees_of_an_event_are_listed() {
    let room = deaf_room(Options::default()).await;
    let mut invitees = Vec::new();
    for number in 0..3 {
        let mut request = request("masterclass");
        request.person.email = format!("g{number}@mail.example");
        invitees.push(room.it.book(request).await.unwrap());
    }
    let first = &invitees[0].uuid;
    room.it.cancel(first, Actor::Invitee, None).await.unwrap();
    let list = format!("/scheduled_events/{}/invitees", invitees[0].event);
    for (query, found) in [
        ("", vec!["g0", "g1", "g2"]),
        ("?sort=created_at:desc", vec!["g2", "g1", "g0"]),
        ("?status=active", vec!["g1", "g2"]),
        ("?email=g2@mail.example", vec!["g2"]),
        ("?count=1", vec!["g0"]),
    ] {
        let (emails, _) = page(&room.get(&format!("{list}{query}")).await, "email");
        let names: Vec<_> = emails.iter().map(|email| &email[..2]).collect();
        assert_eq!(names, found, "{query}");
    }
    let elsewhere = format!("/scheduled_events/other/invitees/{first}");
    assert_eq!(room.get(&elsewhere).await.status, 404);
}
