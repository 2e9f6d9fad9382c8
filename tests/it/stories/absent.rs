//! Somebody is said not to have come, and then it is taken back.

use serde_json::json;

use crate::harness::{CREDIT_POLICY, Installation, Setup, run_test};

const HOUR_MS: i64 = 60 * 60 * 1_000;

fn setup() -> Setup {
    let half = "unit = \"CREDIT\"\nno_show = { percent = 50 }";
    Setup {
        policies: vec![(
            "credits.toml",
            CREDIT_POLICY.replace("unit = \"CREDIT\"", half),
        )],
        ..Setup::default()
    }
}

#[tokio::test]
async fn what_came_back_for_it_is_taken_again() {
    run_test(setup(), async |it: &mut Installation| {
        it.top_up("5").await;
        let uid = it.book(72).await.uid;
        it.settle().await;
        it.pass_ms(73 * HOUR_MS).await;
        // Whoever cannot make up their mind gives and takes the same.
        for (balance, missed) in [("4", true), ("3", false), ("4", true), ("3", false)] {
            match missed {
                true => it.cal.mark_no_show(&uid).await.unwrap(),
                false => it.cal.take_back_no_show(&uid).await.unwrap(),
            };
            it.settle().await;
            it.assert_balance(balance, "0").await;
            it.pass_ms(1_000).await;
        }
        let seen = it.booking(&uid).await;
        assert_eq!(seen["decisions"].as_array().unwrap().len(), 1);
        let (_, listed) = it.get("/v1/accounts/ada@reader.example/entries").await;
        let taken = listed["items"].as_array().unwrap().iter();
        let taken = taken.filter(|one| one["kind"] == "reverse" && one["amount"] == "-1");
        assert_eq!(taken.count(), 2, "{listed}");
    })
    .await;
}

/// Credit that is spent by then is not asked for, neither now nor later.
#[tokio::test]
async fn what_is_not_there_any_more_is_let_go() {
    run_test(setup(), async |it: &mut Installation| {
        it.top_up("3").await;
        let uid = it.book(72).await.uid;
        it.settle().await;
        it.pass_ms(73 * HOUR_MS).await;
        it.cal.mark_no_show(&uid).await.unwrap();
        it.settle().await;
        it.assert_balance("2", "0").await;
        let next = it.book(200).await.uid;
        it.settle().await;
        assert_eq!(it.status_at_cal(&next), "accepted");
        it.assert_balance("0", "0").await;
        it.cal.take_back_no_show(&uid).await.unwrap();
        it.settle().await;
        it.assert_balance("0", "0").await;
        it.top_up("5").await;
        it.pass_ms(HOUR_MS).await;
        it.assert_balance("5", "0").await;
        // Marked once more, nothing comes back a second time.
        it.cal.mark_no_show(&uid).await.unwrap();
        it.settle().await;
        it.assert_balance("5", "0").await;
    })
    .await;
}

#[tokio::test]
async fn it_is_not_held_against_the_booker_any_more() {
    let policy = "schema = 1\n[policy]\nid = \"came\"\n[[criterion]]\nid = \"came\"\nkind = \"history\"\nno_shows_max = 0\n";
    let setup = Setup {
        policies: vec![("came.toml", policy.to_owned())],
        ..Setup::default()
    };
    run_test(setup, async |it: &mut Installation| {
        let uid = it.book(72).await.uid;
        it.settle().await;
        it.pass_ms(73 * HOUR_MS).await;
        it.cal.mark_no_show(&uid).await.unwrap();
        it.settle().await;
        let refused = it.book(200).await.uid;
        it.settle().await;
        assert_eq!(it.status_at_cal(&refused), "rejected");
        it.pass_ms(1_000).await;
        it.cal.take_back_no_show(&uid).await.unwrap();
        it.settle().await;
        let heard = it.booking(&uid).await["heard"].clone();
        let told = heard.as_array().unwrap().iter();
        let taken_back = told.filter(|fact| fact["taken_back"] == json!(true));
        assert_eq!(taken_back.count(), 1, "{heard}");
        let accepted = it.book(220).await.uid;
        it.settle().await;
        assert_eq!(it.status_at_cal(&accepted), "accepted");
    })
    .await;
}
