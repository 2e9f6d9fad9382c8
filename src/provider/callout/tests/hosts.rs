//! Whom questions are sent to: listed hosts alone, and never inside.

use super::*;

#[tokio::test]
async fn only_listed_hosts_are_called() {
    let other = |url: &'static str| move |it: &mut Question| it.url = url.to_owned();
    let unlisted =
        expect!["`example.org` is not among the hosts that may be called: `callouts.hosts`"];
    check(other("https://example.org/?a=zoe"), unlisted).await;
    for near in [
        "https://crm.example.org.evil.example/",
        "https://evilcrm.example.org/",
        "https://corp.example/",
        "https://evilcorp.example/",
        "https://127.0.0.1/",
        "https://[::1]/",
    ] {
        let (_server, mut question) = server([]).await;
        near.clone_into(&mut question.url);
        let why = refusal(&caller(), &question).await;
        assert!(why.contains("is not among the hosts"), "{near}: {why}");
    }
    let (server, mut question) = server([Step::json(200, &json!({}))]).await;
    let port = server.url.port().unwrap();
    question.url = format!("http://CRM.Corp.Example:{port}/");
    assert!(caller().ask(&question).await.is_ok());
}

#[tokio::test]
async fn an_address_is_https_unless_the_question_allows_otherwise() {
    check(
        |it| it.limits.allow_http = false,
        expect!["the address is http; write https, or set `allow_http = true`"],
    )
    .await;
    check(
        |it| it.url = "ftp://crm.example.org/?a=zoe".to_owned(),
        expect!["the address is neither https nor http: ftp"],
    )
    .await;
    check(
        |it| it.url = "crm.example.org/?a=zoe".to_owned(),
        expect!["the address is none: relative URL without a base"],
    )
    .await;
    check(
        |it| it.url = format!("https://zoe:{SECRET}@crm.example.org/"),
        expect!["the address carries a user or a password; these belong into `auth`"],
    )
    .await;
}

#[tokio::test]
async fn a_name_that_leads_inside_is_not_followed() {
    let inside: IpAddr = "10.0.0.7".parse().unwrap();
    let outside: IpAddr = "1.1.1.1".parse().unwrap();
    for found in [vec![inside], vec![outside, inside], vec![HERE, inside]] {
        let (server, mut question) = server([Step::json(200, &json!({}))]).await;
        question.limits.attempts = 3;
        let names = MadeUp::new(&[&found]);
        let why = refusal(&caller_with(settings(), names.clone()), &question).await;
        expect!["not sent: 10.0.0.7 is no address of the open internet; if it is meant, write it into `callouts.allow_private`"].assert_eq(&why);
        assert!(server.seen().is_empty());
        // It is no failure that passes.
        assert_eq!(names.asked(), [HOST]);
    }
    let (_server, mut question) = server([]).await;
    let mut settings = settings();
    for (host, url) in [
        ("127.0.0.2", "https://0x7f.2/"),
        ("[::ffff:7f00:2]", "https://[::ffff:127.0.0.2]/"),
    ] {
        settings.hosts = vec![host.to_owned()];
        url.clone_into(&mut question.url);
        let caller = caller_with(settings.clone(), MadeUp::new(&[&[HERE]]));
        expect!["127.0.0.2 is no address of the open internet; if it is meant, write it into `callouts.allow_private`"]
            .assert_eq(&refusal(&caller, &question).await);
    }
}

/// A zone that answers differently the second time finds nobody who asks a second time: what was checked
/// is what is connected to.
#[tokio::test]
async fn a_name_is_looked_up_once_for_a_connection() {
    let inside: IpAddr = "127.0.0.2".parse().unwrap();
    let steps = [(); 2].map(|()| Step::json(200, &json!({})));
    let (server, question) = server(steps).await;
    let names = MadeUp::new(&[&[HERE], &[inside]]);
    let caller = caller_with(settings(), names.clone());
    assert!(caller.ask(&question).await.is_ok());
    assert_eq!(names.asked(), [HOST]);
    // The next connection is checked like the first.
    assert!(refusal(&caller, &question).await.contains("127.0.0.2"));
    assert_eq!(names.asked(), [HOST, HOST]);
    assert_eq!(server.seen().len(), 1);
}
