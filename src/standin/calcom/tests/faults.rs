//! Faults, pauses, held webhooks, and the log of calls.

use super::*;

fn confirms() -> Matcher {
    Matcher::operation(Operation::Confirm)
}

#[tokio::test]
async fn a_scripted_answer_comes_once_and_before_or_after_the_work() {
    let room = room().await;
    let uid = room.pending().await;
    let fail = |when, fault| room.standin.fail_next(confirms().of(&uid), when, fault);
    fail(When::BeforeWork, Fault::Status(503));
    fail(
        When::BeforeWork,
        Fault::RateLimited {
            retry_after_s: Some(7),
        },
    );
    fail(
        When::BeforeWork,
        Fault::RateLimited {
            retry_after_s: None,
        },
    );
    fail(When::BeforeWork, Fault::Html(502));
    fail(When::AfterWork, Fault::Status(500));

    assert_eq!(room.confirm(&uid).await.status, 503);
    let limited = room.confirm(&uid).await;
    assert_eq!(limited.status, 429);
    assert!(limited.head.contains("retry-after: 7"));
    assert!(!room.confirm(&uid).await.head.contains("retry-after"));
    let page = room.confirm(&uid).await;
    assert!(page.head.contains("text/html") && page.text.starts_with("<!doctype"));
    assert_eq!(room.status(&uid), Status::Pending);

    assert_eq!(room.confirm(&uid).await.status, 500);
    assert_eq!(room.status(&uid), Status::Accepted);
    assert_eq!(room.heard(), ["CREATED 1000 ACCEPTED, row ACCEPTED"]);
    assert_eq!(room.confirm(&uid).await.status, 400);

    let answered: Vec<_> = room
        .standin
        .calls()
        .iter()
        .map(|call| call.answered)
        .collect();
    assert_eq!(answered, [503, 429, 429, 502, 500, 400].map(Some));
    let effective = room.standin.effective_calls(&uid);
    assert_eq!(effective.len(), 1);
    assert_eq!(effective[0].answered, Some(500));
    assert_eq!(effective[0].order, 5);
}

#[tokio::test]
async fn a_reset_gives_no_answer_but_may_have_done_the_work() {
    let room = room().await;
    let uid = room.pending().await;
    let path = format!("/v2/bookings/{uid}/confirm");
    for (when, after) in [
        (When::BeforeWork, Status::Pending),
        (When::AfterWork, Status::Accepted),
    ] {
        room.standin.fail_next(confirms(), when, Fault::Reset);
        let error = call(&room.standin, "POST", &path, &as_host(), None)
            .await
            .err();
        assert_eq!(error.unwrap().kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(room.status(&uid), after);
    }
    let calls = room.standin.calls();
    assert_eq!(calls[0].answered, None);
    assert_eq!((calls[0].effective, calls[1].effective), (false, true));
}

#[tokio::test]
async fn a_booking_can_be_cancelled_between_the_read_and_the_confirm() {
    let room = room().await;
    let uid = room.pending().await;
    let pause = room.standin.pause_next(confirms().of(&uid));
    let (answer, ()) = tokio::join!(room.confirm(&uid), async {
        pause.reached().await;
        room.standin.cancel_by_booker(&uid, None).await.unwrap();
        assert_eq!(room.status(&uid), Status::Cancelled);
        pause.release();
    });
    assert_eq!(answer.status, 200);
    assert_eq!(
        room.heard(),
        [
            "CANCELLED 1000 CANCELLED, row PENDING",
            "CREATED 1000 ACCEPTED, row ACCEPTED"
        ]
    );
}

#[tokio::test]
async fn work_goes_on_when_the_caller_hangs_up() {
    let room = room().await;
    let uid = room.pending().await;
    let pause = room.standin.pause_next(confirms());
    let path = format!("/v2/bookings/{uid}/confirm");
    let host = as_host();
    tokio::select! {
        _ = call(&room.standin, "POST", &path, &host, None) => panic!("it is held"),
        () = pause.reached() => {}
    }
    let done = room.standin.pause_next_at(confirms(), When::AfterWork);
    pause.release();
    done.reached().await;
    assert_eq!(room.status(&uid), Status::Accepted);
    assert_eq!(room.standin.effective_calls(&uid).len(), 1);
}

#[tokio::test]
async fn held_webhooks_go_out_in_any_order_and_as_often_as_told() {
    let options = Options {
        delivery: Delivery::Held,
        ..Options::default()
    };
    let room = room_with(options).await;
    let uid = room
        .standin
        .book(request("consultation"))
        .await
        .unwrap()
        .uid;
    room.confirm(&uid).await;
    assert_eq!(room.heard(), Vec::<String>::new());
    let outbox = room.standin.take_outbox();
    assert_eq!(outbox.len(), 2);
    assert_eq!(outbox[0].trigger, Trigger::Requested);
    assert_eq!(outbox[0].uid, uid);
    for place in [1, 0, 0] {
        assert_eq!(room.standin.deliver(&outbox[place]).await.unwrap(), 200);
    }
    let triggers: Vec<_> = room
        .heard()
        .iter()
        .map(|line| line[..7].to_owned())
        .collect();
    assert_eq!(triggers, ["CREATED", "REQUEST", "REQUEST"]);
    assert_eq!(room.standin.take_outbox(), []);

    room.standin.set_delivery(Delivery::Live);
    room.standin.cancel_by_host(&uid, None).await.unwrap();
    assert_eq!(room.heard().len(), 1);
}

#[tokio::test]
async fn a_webhook_for_nobody_is_lost_without_harm() {
    let room = room().await;
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", gone.local_addr().unwrap());
    drop(gone);
    room.standin
        .subscribe(Subscription::to_everything(url, "x"))
        .unwrap();
    room.standin.book(request("chat")).await.unwrap();
    assert_eq!(room.heard().len(), 1);
    for url in ["https://mail.example/", "ftp://x/", "mail"] {
        let refused = room
            .standin
            .subscribe(Subscription::to_everything(url, "x"));
        assert!(refused.is_err(), "{url}");
    }
}

#[tokio::test]
async fn calls_are_logged_with_what_they_asked() {
    let room = room().await;
    let uid = room.pending().await;
    room.get(&format!("/v2/bookings/{uid}")).await;
    room.get("/v2/bookings").await;
    room.get("/v1/bookings/1000?apiKey=cal_standin").await;
    room.get("/v1/bookings/5?apiKey=cal_standin").await;
    room.get("/elsewhere").await;
    let calls = room.standin.calls();
    let seen: Vec<_> = calls
        .iter()
        .map(|call| (call.operation, call.uid.clone(), call.answered))
        .collect();
    assert_eq!(
        seen,
        [
            (Operation::Read, Some(uid.clone()), Some(200)),
            (Operation::List, None, Some(200)),
            (Operation::Read, Some(uid), Some(200)),
            (Operation::Read, Some(Uid::from_number(5)), Some(403)),
            (Operation::Other, None, Some(404)),
        ]
    );
    assert!(calls.iter().all(|call| !call.path.contains("apiKey")));
}

#[tokio::test]
async fn the_same_seed_gives_the_same_ids() {
    let mut uids = Vec::new();
    for seed in [5, 5, 6] {
        let options = Options {
            seed,
            ..Options::default()
        };
        uids.push(room_with(options).await.pending().await);
    }
    assert_eq!(uids[0], uids[1]);
    assert_ne!(uids[0], uids[2]);
}

#[tokio::test]
async fn after_the_shutdown_nobody_answers() {
    let room = room().await;
    room.standin.shutdown();
    // The listener closes when the server task runs next; until then calls are still answered.
    let closed = async {
        while call(&room.standin, "GET", "/v2/bookings", &[], None)
            .await
            .is_ok()
        {}
    };
    let limit = std::time::Duration::from_secs(10);
    tokio::time::timeout(limit, closed).await.unwrap();
    let uid = room.standin.book(request("chat")).await.unwrap().uid;
    assert_eq!(room.status(&uid), Status::Accepted);
}
