//! The page as a person sees it, in a real browser, without scripts.

use bookgate::standin::calcom::Person;
use serde_json::json;

use super::browser::{Browser, View};
use super::{HOSTILE, dead_letter, left_open, setup};
use crate::harness::{ADMIN_TOKEN, Installation, ada, run_test_on_file};

/// Where pictures of all views are put, if a person wants to look at them.
const SHOTS_VARIABLE: &str = "BOOKGATE_TEST_SHOTS";

async fn log_in(browser: &Browser, it: &Installation) {
    browser.open(&format!("{}/", it.admin_url())).await;
    browser.type_into("#token", ADMIN_TOKEN).await;
    browser.click("main button").await;
    browser.wait_for("nav").await;
    assert_eq!(browser.place().await, "/");
}

#[tokio::test]
async fn a_person_logs_in_decides_tops_up_and_has_a_dead_letter_tried_again() {
    run_test_on_file(setup(), async |it: &mut Installation| {
        let Some(browser) = Browser::start(false).await else {
            return;
        };
        browser
            .open("data:text/html,<title>off</title><script>document.title='on'</script>")
            .await;
        assert_eq!(browser.title().await, "off", "no scripts run here");
        it.top_up("5").await;
        let dead = dead_letter(it, 48).await;
        let uid = left_open(it, ada(), 72).await;

        browser
            .open(&format!("{}/accounts/ada@reader.example", it.admin_url()))
            .await;
        browser.type_into("#token", "a wrong token").await;
        browser.click("main button").await;
        browser.is_told("alert", "not one of the tokens").await;
        browser.type_into("#token", ADMIN_TOKEN).await;
        browser.click("main button").await;
        browser.wait_for("nav").await;
        assert_eq!(browser.place().await, "/accounts/ada@reader.example");

        browser.type_into("#amount", "2.50").await;
        browser.type_into("#reason", "cash").await;
        browser.click("form[action='/top-ups'] button").await;
        browser.is_told("status", "topped up").await;
        it.assert_balance("7.5", "2").await;

        browser.click("nav a[href='/']").await;
        browser
            .click(&format!(
                "form[action='/bookings/calcom/{uid}/decision'] button.primary"
            ))
            .await;
        browser.is_told("status", "The booking was accepted.").await;
        it.settle().await;
        assert_eq!(it.status_at_cal(&uid), "accepted");

        browser.click("nav a[href='/dead-letters']").await;
        browser.click("ul.letters button.primary").await;
        browser.is_told("status", "given another try").await;
        it.settle().await;
        assert_eq!(it.status_at_cal(&dead), "accepted");
        it.assert_balance("3.5", "0").await;

        browser.click(".who button").await;
        browser.is_told("status", "You are logged out.").await;
        browser.open(&format!("{}/audit", it.admin_url())).await;
        assert_eq!(browser.place().await, "/log-in?next=%2Faudit");
        browser.quit().await;
    })
    .await;
}

#[tokio::test]
async fn enter_in_the_reason_refuses_and_what_a_stranger_wrote_does_nothing() {
    run_test_on_file(setup(), async |it: &mut Installation| {
        // With scripts, which the page forbids itself.
        let Some(browser) = Browser::start(true).await else {
            return;
        };
        it.top_up("5").await;
        let uid = left_open(it, Person::new(HOSTILE, "Ada@Reader.example"), 72).await;
        log_in(&browser, it).await;
        for path in ["/".to_owned(), format!("/bookings/calcom/{uid}")] {
            browser.open(&format!("{}{path}", it.admin_url())).await;
            assert_ne!(browser.title().await, "owned");
        }
        let shown = browser.text("main").await;
        assert!(
            shown.contains("<script>document.title='owned'</script>"),
            "{shown}"
        );
        browser
            .type_into("input[name=reason]", "Not <b>today</b>.\n")
            .await;
        browser.is_told("status", "The booking was refused.").await;
        it.settle().await;
        let row = it.cal.booking(&uid).unwrap();
        assert_eq!(
            row.cancellation_reason.as_deref(),
            Some("Not <b>today</b>.")
        );
        browser.quit().await;
    })
    .await;
}

/// Bookings of all sorts, among them of strangers with odd names and very long words.
async fn furnish(it: &Installation) -> Vec<String> {
    it.top_up("7").await;
    let accepted = it.book(48).await.uid;
    it.settle().await;
    let called_off = it.book(50).await.uid;
    it.settle().await;
    it.pass_ms(300_000).await;
    it.cal
        .cancel_by_booker(&called_off, Some("I caught a cold, sorry."))
        .await
        .unwrap();
    it.settle().await;
    let mut poor = it.request("consultation", 60);
    poor.booker = Person::new("Grace Poor", "grace@reader.example");
    let refused = it.cal.book(poor).await.unwrap().uid;
    it.settle().await;
    let dead = dead_letter(it, 70).await;
    let waits = left_open(it, ada(), 72).await;
    let long = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
        .repeat(2);
    let odd = Person::new(
        format!("{HOSTILE} {long}"),
        format!("{}@long.example", "x".repeat(64)),
    );
    let odd = left_open(it, odd, 96).await;
    let mut views: Vec<String> = [
        "/log-in",
        "/",
        "/bookings",
        "/accounts",
        "/accounts/ada@reader.example",
        "/dead-letters",
        "/policies",
        "/audit",
        "/nowhere",
    ]
    .map(str::to_owned)
    .into();
    for uid in [accepted, called_off, refused, dead, waits, odd] {
        views.push(format!("/bookings/calcom/{uid}"));
    }
    views
}

#[tokio::test]
async fn every_view_fits_wide_and_narrow_light_and_dark() {
    run_test_on_file(setup(), async |it: &mut Installation| {
        let Some(browser) = Browser::start(false).await else {
            return;
        };
        let views = furnish(it).await;
        log_in(&browser, it).await;
        let shots = std::env::var_os(SHOTS_VARIABLE).map(std::path::PathBuf::from);
        for (number, path) in views.iter().enumerate() {
            browser.open(&format!("{}{path}", it.admin_url())).await;
            for (width, dark) in [(1_400, false), (1_400, true), (400, false), (400, true)] {
                let height = 900;
                browser
                    .look(View {
                        width,
                        height,
                        dark,
                    })
                    .await;
                let wide = browser.width().await;
                assert!(wide <= i64::from(width), "{path}: {wide} of {width} px");
                if let Some(folder) = &shots {
                    let name = format!(
                        "{number:02}-{width}-{}.png",
                        if dark { "dark" } else { "light" }
                    );
                    std::fs::write(folder.join(name), browser.picture().await).unwrap();
                }
            }
            browser
                .look(View {
                    width: 1_400,
                    height: 900,
                    dark: false,
                })
                .await;
        }
        browser.quit().await;
        let retries = it.admin(
            reqwest::Method::POST,
            "/v1/dead-letters/retries",
            Some(json!({})),
        );
        assert_eq!(retries.await.0, 200);
    })
    .await;
}
