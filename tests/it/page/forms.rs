//! What forms do: what the API does, once, and with the name of who did it.

use super::{Visitor, dead_letter, field, left_open, setup};
use crate::harness::{ADMIN_TOKEN, CREDITS_TOKEN, Installation, ada, run_test};

const ADA: &str = "/accounts/ada@reader.example";

#[tokio::test]
async fn a_top_up_that_is_sent_twice_is_one() {
    run_test(setup(), async |it: &mut Installation| {
        it.top_up("1").await;
        let till = Visitor::logged_in(it, CREDITS_TOKEN).await;
        let key = field(&till.page(ADA).await, "key");
        let fields = [
            ("owner", "Ada@Reader.example"),
            ("amount", " 2.50 "),
            ("unit", "CREDIT"),
            ("reason", "cash at the desk"),
            ("key", key.as_str()),
        ];
        for _ in 0..2 {
            let sent = till.send("/top-ups", &fields).await;
            let to = "/accounts/ada@reader.example?said=topped-up";
            assert_eq!(
                (sent.status, sent.to.as_deref()),
                (303, Some(to)),
                "{}",
                sent.html
            );
        }
        it.assert_balance("3.5", "0").await;
        let after = till.page(&format!("{ADA}?said=topped-up")).await;
        for part in [
            "The account was topped up.",
            "cash at the desk",
            "token:till",
            "3.5",
        ] {
            assert!(after.contains(part), "{part}: {after}");
        }
        let log = till
            .page("/audit?action=account.top_up&actor=token:till")
            .await;
        assert_eq!(log.matches("account.top_up</bdi>").count(), 1, "{log}");
    })
    .await;
}

#[tokio::test]
async fn what_was_put_on_by_mistake_is_taken_off() {
    run_test(setup(), async |it: &mut Installation| {
        it.top_up("50").await;
        let admin = Visitor::logged_in(it, ADMIN_TOKEN).await;
        let page = admin.page(ADA).await;
        assert!(page.contains("formaction=\"/deductions\""), "{page}");
        let key = field(&page, "key");
        let sent = async |amount: &str, reason: &str| {
            let fields = [
                ("owner", "ada@reader.example"),
                ("amount", amount),
                ("unit", "CREDIT"),
                ("reason", reason),
                ("key", key.as_str()),
            ];
            admin.send("/deductions", &fields).await
        };
        for (amount, reason, status) in [("45", "", 400), ("51", "typed 50 for 5", 409)] {
            let refused = sent(amount, reason).await;
            assert_eq!(refused.status, status, "{}", refused.html);
            assert!(
                refused.html.contains("This did not work"),
                "{}",
                refused.html
            );
        }
        for _ in 0..2 {
            let done = sent("45", "typed 50 for 5").await;
            let to = "/accounts/ada@reader.example?said=deducted";
            assert_eq!((done.status, done.to.as_deref()), (303, Some(to)));
        }
        it.assert_balance("5", "0").await;
        let after = admin.page(&format!("{ADA}?said=deducted")).await;
        for part in ["The credit was taken off.", "taken off", "typed 50 for 5"] {
            assert!(after.contains(part), "{part}: {after}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_top_up_that_makes_no_sense_is_shown_again_with_what_was_filled_in() {
    run_test(setup(), async |it: &mut Installation| {
        let till = Visitor::logged_in(it, CREDITS_TOKEN).await;
        let sent = async |owner: &str, amount: &str| {
            let fields = [
                ("owner", owner),
                ("amount", amount),
                ("unit", "CREDIT"),
                ("reason", "a \"gift\" <b>"),
                ("key", "one"),
            ];
            till.send("/top-ups", &fields).await
        };
        for (owner, amount) in [
            ("eve@new.example", "lots"),
            ("eve@new.example", "-1"),
            ("eve", "1"),
        ] {
            let answered = sent(owner, amount).await;
            assert_eq!(answered.status, 400, "{}", answered.html);
            assert!(
                answered.html.contains("This did not work"),
                "{}",
                answered.html
            );
            assert!(
                answered.html.contains(&format!("value=\"{amount}\"")),
                "{}",
                answered.html
            );
            assert!(
                answered.html.contains("a &quot;gift&quot; &lt;b&gt;"),
                "{}",
                answered.html
            );
        }
        assert_eq!(sent("eve@new.example", "1").await.status, 303);
        let page = till.page("/accounts/eve@new.example").await;
        assert!(page.contains("a &quot;gift&quot; &lt;b&gt;"), "{page}");
    })
    .await;
}

#[tokio::test]
async fn a_person_accepts_and_refuses_where_it_waits() {
    run_test(setup(), async |it: &mut Installation| {
        it.top_up("5").await;
        let (one, other) = (
            left_open(it, ada(), 72).await,
            left_open(it, ada(), 96).await,
        );
        let admin = Visitor::admin(it).await;
        let waiting = admin.page("/").await;
        let (first, second) = (waiting.find(one.as_str()), waiting.find(other.as_str()));
        assert!(
            first.is_some() && first < second,
            "the next one comes first"
        );

        let path = format!("/bookings/calcom/{one}/decision");
        let sent = admin
            .send(&path, &[("answer", "accept"), ("from", "waiting")])
            .await;
        assert_eq!(sent.to.as_deref(), Some("/?said=accepted"), "{}", sent.html);
        it.settle().await;
        assert_eq!(it.status_at_cal(&one), "accepted");
        it.assert_balance("3", "0").await;
        let again = admin.send(&path, &[("answer", "accept")]).await;
        assert_eq!(again.status, 303, "it is so already");

        let path = format!("/bookings/calcom/{other}/decision");
        let without = admin
            .send(&path, &[("answer", "refuse"), ("reason", " ")])
            .await;
        assert_eq!(without.status, 400, "{}", without.html);
        assert!(
            without.html.contains("a refusal needs one"),
            "{}",
            without.html
        );
        let reason = "We are <closed> that week.";
        let sent = admin
            .send(&path, &[("answer", "refuse"), ("reason", reason)])
            .await;
        assert_eq!(
            sent.to.unwrap(),
            format!("/bookings/calcom/{other}?said=refused")
        );
        it.settle().await;
        assert_eq!(it.status_at_cal(&other), "cancelled");
        let story = admin.page(&format!("/bookings/calcom/{other}")).await;
        assert!(
            story.contains("We are &lt;closed&gt; that week."),
            "{story}"
        );
        assert!(
            story.contains("token:ops</bdi></strong>, a person."),
            "{story}"
        );
        let late = admin.send(&path, &[("answer", "accept")]).await;
        assert_eq!(late.status, 409, "{}", late.html);
        assert!(
            late.html.contains("refused by person:token:ops"),
            "{}",
            late.html
        );

        assert!(
            admin
                .page("/")
                .await
                .contains("Nothing waits for a person.")
        );
        let log = admin.page("/audit").await;
        assert!(
            log.contains("booking.accept</bdi>") && log.contains("booking.refuse</bdi>"),
            "{log}"
        );
    })
    .await;
}

#[tokio::test]
async fn who_cannot_pay_is_accepted_for_nothing_only_if_that_is_ticked() {
    run_test(setup(), async |it: &mut Installation| {
        it.top_up("1").await;
        let uid = left_open(it, ada(), 72).await;
        let admin = Visitor::admin(it).await;
        let path = format!("/bookings/calcom/{uid}/decision");
        let short = admin
            .send(&path, &[("answer", "accept"), ("from", "waiting")])
            .await;
        assert_eq!(short.status, 409);
        for part in ["costs 2 CREDIT", "name=\"waive_credits\"", "action=\""] {
            assert!(short.html.contains(part), "{part}: {}", short.html);
        }
        let free = admin
            .send(&path, &[("answer", "accept"), ("waive_credits", "yes")])
            .await;
        assert_eq!(free.status, 303, "{}", free.html);
        it.settle().await;
        assert_eq!(it.status_at_cal(&uid), "accepted");
        it.assert_balance("1", "0").await;
    })
    .await;
}

#[tokio::test]
async fn dead_letters_are_tried_again_or_laid_aside() {
    run_test(setup(), async |it: &mut Installation| {
        it.top_up("5").await;
        let uid = dead_letter(it, 72).await;
        let admin = Visitor::admin(it).await;
        for path in [
            "/",
            "/dead-letters",
            "/dead-letters?source=calcom&action=confirm",
        ] {
            let page = admin.page(path).await;
            assert!(
                page.contains("Confirm the booking") && page.contains(uid.as_str()),
                "{path}: {page}"
            );
        }
        assert!(
            admin
                .page("/dead-letters?action=cancel")
                .await
                .contains("No dead letter fits.")
        );
        let id = field(&admin.page("/dead-letters").await, "id");
        let fields = [("id", id.as_str())];
        let unsure = admin.send("/dead-letters/purges", &fields).await;
        assert_eq!(unsure.status, 400, "{}", unsure.html);
        let all = admin.send("/dead-letters/purges", &[("sure", "yes")]).await;
        assert_eq!(all.status, 400, "not all of them at once");
        let held = admin
            .send("/dead-letters/purges", &[("id", &id), ("sure", "yes")])
            .await;
        assert_eq!(held.status, 409);
        assert!(
            held.html.contains("credit is still set aside"),
            "{}",
            held.html
        );

        let tried = admin.send("/dead-letters/retries", &fields).await;
        assert_eq!(
            tried.to.as_deref(),
            Some("/dead-letters?said=retried&count=1"),
            "{}",
            tried.html
        );
        it.settle().await;
        assert_eq!(it.status_at_cal(&uid), "accepted");
        it.assert_balance("3", "0").await;
        let done = admin.page("/dead-letters?said=retried&count=1").await;
        assert!(
            done.contains("The dead letter was given another try."),
            "{done}"
        );
        let story = admin.page(&format!("/bookings/calcom/{uid}")).await;
        assert!(story.contains("had a dead letter tried again."), "{story}");
        let gone = admin.send("/dead-letters/retries", &fields).await;
        assert_eq!(gone.status, 404);
    })
    .await;
}

#[tokio::test]
async fn all_that_a_filter_shows_are_tried_again_at_once() {
    run_test(setup(), async |it: &mut Installation| {
        it.top_up("5").await;
        let uid = dead_letter(it, 72).await;
        let admin = Visitor::admin(it).await;
        let none = admin
            .send("/dead-letters/retries", &[("action", "cancel")])
            .await;
        assert_eq!(
            none.to.as_deref(),
            Some("/dead-letters?said=retried&count=0")
        );
        let fields = [("source", "calcom"), ("action", "")];
        let tried = admin.send("/dead-letters/retries", &fields).await;
        assert_eq!(
            tried.to.as_deref(),
            Some("/dead-letters?said=retried&count=1")
        );
        it.settle().await;
        assert_eq!(it.status_at_cal(&uid), "accepted");
    })
    .await;
}
