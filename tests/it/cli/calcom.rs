//! `calcom webhooks` against the stand-in.

use std::sync::Arc;

use bookgate::domain::clock::SystemClock;
use bookgate::provider::registry;
use bookgate::standin::calcom::{
    Fault, Matcher, Operation, Options, StandIn, Subscription, Trigger, When,
};
use tokio::net::TcpListener;

use super::home::{Home, Told};

const HOOK: &str = "http://127.0.0.1:9/webhooks/calcom";
const LIST: &[&str] = &["calcom", "webhooks", "list"];
const ENSURE: &[&str] = &["calcom", "webhooks", "ensure"];

/// A folder whose source keeps its webhook at a stand-in.
async fn home(options: Options) -> (Arc<Home>, StandIn) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let calcom = StandIn::start(listener, Arc::new(SystemClock), options).unwrap();
    let mut home = Home::new();
    home.set("BOOKGATE_CALCOM_API_KEY", calcom.api_key());
    home.set(
        "BOOKGATE__SOURCES__CALCOM__API__BASE_URL",
        &calcom.base_url(),
    );
    home.set("BOOKGATE__SOURCES__CALCOM__SUBSCRIPTION__URL", HOOK);
    (Arc::new(home), calcom)
}

/// Runs a command without keeping the stand-in from answering it.
async fn run(home: &Arc<Home>, line: &[&str]) -> Told {
    let home = Arc::clone(home);
    let line: Vec<String> = line.iter().map(|word| (*word).to_owned()).collect();
    let running = tokio::task::spawn_blocking(move || {
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        home.run(&line)
    });
    running.await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_is_made_mended_where_it_stands_and_deleted() {
    for shows_secrets in [true, false] {
        let options = Options {
            shows_secrets,
            ..Options::default()
        };
        let (home, calcom) = home(options).await;
        assert_eq!(run(&home, LIST).await.done(), "no subscriptions\n");
        let told = run(&home, ENSURE).await.done();
        assert!(told.contains(": made\n"), "{told}");
        let [made] = <[_; 1]>::try_from(calcom.webhooks()).unwrap();
        assert!(made.url.starts_with(&format!("{HOOK}?key=")), "{made:?}");
        let wanted = registry::find("calcom").unwrap().events;
        assert!(made.triggers == wanted && made.active, "{made:?}");
        assert!(run(&home, ENSURE).await.done().contains("there already"));

        // Somebody has another secret, and changes that leave events out are mended, too.
        let mut other = Arc::into_inner(home).unwrap();
        other.set("BOOKGATE_CALCOM_SECRET", "another secret for the webhook");
        let home = Arc::new(other);
        assert!(run(&home, LIST).await.done().contains("outdated"));
        assert!(run(&home, ENSURE).await.done().contains(": mended"));
        let [mended] = <[_; 1]>::try_from(calcom.webhooks()).unwrap();
        assert_eq!(mended.id, made.id);
        assert_eq!(
            mended.secret.as_deref(),
            Some("another secret for the webhook")
        );
        assert_ne!(mended.url, made.url);

        let delete = ["calcom", "webhooks", "delete", &made.id];
        assert!(run(&home, &delete).await.done().contains("deleted"));
        let gone = run(&home, &delete).await.failed(3);
        assert!(gone.contains("there is no subscription"), "{gone}");
        assert_eq!(calcom.webhooks(), []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_made_by_hand_is_ours_where_the_secret_is_shown() {
    let (home, calcom) = home(Options::default()).await;
    let mut known = home.env.iter();
    let secret = known.find(|(name, _)| name == "BOOKGATE_CALCOM_SECRET");
    let secret = secret.unwrap().1.clone();
    let by_hand = Subscription::to_everything(HOOK, secret.clone());
    calcom.subscribe(by_hand.clone()).unwrap();
    let narrow = Subscription {
        triggers: vec![Trigger::Requested],
        ..by_hand
    };
    calcom.subscribe(narrow).unwrap();
    let elsewhere = Subscription::to_everything("http://127.0.0.1:9/elsewhere", secret);
    calcom.subscribe(elsewhere).unwrap();
    let listed = run(&home, LIST).await.done();
    for word in ["ours", "outdated", "elsewhere"] {
        assert!(listed.contains(word), "{word}: {listed}");
    }
    let told = run(&home, ENSURE).await.done();
    assert!(
        told.contains("there already") && told.contains("it was outdated"),
        "{told}"
    );
    let left = calcom.webhooks();
    let urls: Vec<_> = left.iter().map(|webhook| webhook.url.as_str()).collect();
    assert_eq!(urls, [HOOK, "http://127.0.0.1:9/elsewhere"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_at_once_make_one() {
    let (home, calcom) = home(Options::default()).await;
    let slow = calcom.pause_next(Matcher::operation(Operation::MakeWebhook));
    let first = tokio::spawn({
        let home = Arc::clone(&home);
        async move { run(&home, ENSURE).await }
    });
    slow.reached().await;
    assert!(run(&home, ENSURE).await.done().contains(": made\n"));
    slow.release();
    assert!(first.await.unwrap().done().contains("there already"));
    assert_eq!(calcom.webhooks().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_key_lacks_and_what_v1_lacks_is_said() {
    let (home, calcom) = home(Options::default()).await;
    let list = Matcher::operation(Operation::ListWebhooks);
    calcom.fail_next(list, When::BeforeWork, Fault::Status(403));
    let error = run(&home, LIST).await.failed(1);
    assert!(error.contains("may not manage webhooks"), "{error}");
    let mut home = Arc::into_inner(home).unwrap();
    home.set("BOOKGATE_CALCOM_API_KEY", "cal_wrong");
    let home = Arc::new(home);
    let error = run(&home, ENSURE).await.failed(1);
    assert!(error.contains("wrong or was revoked"), "{error}");
    let mut home = Arc::into_inner(home).unwrap();
    home.set("BOOKGATE__SOURCES__CALCOM__API__DIALECT", "v1");
    let error = run(&Arc::new(home), ENSURE).await.failed(2);
    for part in [HOOK, "BOOKING_REQUESTED", "signing_secrets"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_for_event_types_that_are_not_there_are_warned_of() {
    let (home, calcom) = home(Options::default()).await;
    let policy = |event_types: &str| {
        format!(
            "schema = 1\n[policy]\nid = \"club\"\n[match]\nevent_types = {event_types}\n\
             [[criterion]]\nid = \"ahead\"\nkind = \"notice\"\nmin = \"1h\"\n"
        )
    };
    let check = ["policy", "check", "online", "--online"];
    std::fs::create_dir(home.path("online")).unwrap();
    home.write("online/club.toml", &policy("[7, \"chat\"]"));
    let told = run(&home, &check).await.done();
    assert!(!told.contains("BG0226"), "{told}");
    home.write("online/club.toml", &policy("[7, 70, \"consultatoin\"]"));
    let told = run(&home, &check).await.done();
    for part in [
        "warning[BG0226]: no source of `club` has an event type `70`",
        "no source of `club` has an event type `consultatoin`",
        "club.toml:5:15",
        "did you mean `consultation`?",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let denied = run(
        &home,
        &[
            "policy", "check", "online", "--online", "--deny", "warnings",
        ],
    );
    denied.await.failed(1);
    assert!(!run(&home, &check[..3]).await.done().contains("BG0226"));

    let list = Matcher::operation(Operation::ListEventTypes);
    calcom.fail_next(list, When::BeforeWork, Fault::Status(401));
    let told = run(&home, &check).await.failed(1);
    assert!(
        told.contains("calcom: the event types cannot be asked for"),
        "{told}"
    );
}
