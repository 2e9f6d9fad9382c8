//! Lists that web servers keep, as policies name and read them.

use std::collections::BTreeMap;
use std::io;

use super::support::{decide, facts, load_texts, policies, units};
use crate::domain::decision::Outcome;
use crate::domain::owner::Owner;
use crate::policy::codes::Code;
use crate::policy::lists::{REMOTE_LISTS_MAX, RemoteList};
use crate::policy::{LoadContext, PolicySet, SourceFile, load, restore};

const URL: &str = "https://crm.example.org/blocked.txt";

/// A policy with this list, and further lines.
fn listed(kind: &str, list: &str, more: &str) -> String {
    format!(
        "schema = 1\n[policy]\nid = \"club\"\n[[criterion]]\nid = \"listed\"\nkind = \"{kind}\"\nlist = {{ {list} }}\n{more}"
    )
}

/// What is found, with its line.
fn found(text: &str) -> Vec<(&'static str, usize, String)> {
    let found = match load_texts(&[text]) {
        Ok((_, hints)) => hints,
        Err(errors) => errors,
    };
    let of_lists = found.iter().filter(|one| one.code != Code::NoTests);
    let told = of_lists.map(|one| {
        let help = one.help.clone().unwrap_or_default();
        (
            one.code.as_str(),
            one.line,
            format!("{}: {help}", one.message),
        )
    });
    told.collect()
}

#[track_caller]
fn check(list: &str, code: &str, told: &str) {
    let found = found(&listed("deny-list", list, ""));
    let right = matches!(&found[..], [(one, 7, text)] if *one == code && text.contains(told));
    assert!(right, "{list}: {found:?}");
}

#[test]
fn a_list_is_named_by_one_address_and_what_belongs_to_it() {
    let token = "token = { secret = \"env:CODES\" }";
    let whole = format!("url = \"{URL}\", refresh = \"1h30m\", {token}, allow_http = false");
    assert_eq!(found(&listed("deny-list", &whole, "")), []);
    for (list, code, told) in [
        (
            "url = \"https://crm.example.org/a\", file = \"blocked.txt\"",
            "BG0104",
            "only one of them",
        ),
        (
            "url = \"https://crm.example.org/a\", emails = [\"a@b.example\"]",
            "BG0104",
            "only one of them",
        ),
        (
            "emails = [\"a@b.example\"], file = \"blocked.txt\"",
            "BG0104",
            "only one of them",
        ),
        (
            "file = \"https://crm.example.org/blocked.txt\"",
            "BG0104",
            "`url`",
        ),
        (
            "file = \"blocked.txt\", refresh = \"1h\"",
            "BG0103",
            "`refresh`",
        ),
        (
            "url = \"http://crm.example.org/blocked.txt\"",
            "BG0121",
            "allow_http",
        ),
        (
            "url = \"crm.example.org/blocked.txt\"",
            "BG0121",
            "no address",
        ),
        (
            "url = \"https://ada:x@crm.example.org/a\"",
            "BG0121",
            "`token",
        ),
        (
            "url = \"https://crm.elsewhere.example/a\"",
            "BG0224",
            "`[callouts]`",
        ),
        (
            "url = \"https://crm.example.org/blocked.txt\", refresh = \"59s\"",
            "BG0107",
            "\"1m\"",
        ),
        (
            "url = \"https://crm.example.org/blocked.txt\", refresh = \"8d\"",
            "BG0107",
            "\"7d\"",
        ),
        (
            "url = \"https://crm.example.org/blocked.txt\", token = { secret = \"env:NONE\" }",
            "BG0502",
            "NONE",
        ),
        (
            "url = \"https://crm.example.org/down.txt\"",
            "BG0302",
            "HTTP 503",
        ),
        (
            "url = \"https://crm.example.org/wrong.txt\"",
            "BG0303",
            "line 1 of the list `https",
        ),
        (
            "url = \"https://crm.example.org/absent.txt\"",
            "BG0307",
            "no copy",
        ),
    ] {
        check(list, code, told);
    }
    let inline = format!("url = \"{URL}\", token = \"hunter2\"");
    let found = found(&listed("deny-list", &inline, ""));
    assert_eq!(found[0].0, "BG0501", "{found:?}");
    assert!(!found[0].2.contains("hunter2"));
}

#[test]
fn what_belongs_to_a_list_is_handed_to_who_reads_its_copy() {
    let seen = std::cell::RefCell::new(Vec::new());
    let read_copy = |policy: &str, list: &RemoteList| {
        seen.borrow_mut().push((policy.to_owned(), list.clone()));
        Ok(None)
    };
    let (units, no_lists) = (units(), |_: &str, _: &str| {
        Err(io::ErrorKind::NotFound.into())
    });
    let context = LoadContext {
        read_copy: &read_copy,
        ..LoadContext::new(&units, &no_lists)
    };
    let text = listed(
        "deny-list",
        "list = \"crm\"",
        &format!(
            "[lists.crm]\nurl = \"{URL}\"\nrefresh = \"1m\"\n[lists.again]\nurl = \"{URL}\"\n"
        ),
    );
    let name = "a.toml".to_owned();
    load(vec![SourceFile { name, text }], &context).unwrap();
    let expected = RemoteList {
        url: URL.to_owned(),
        allow_http: false,
        token: None,
        refresh_ms: 60_000,
    };
    assert_eq!(seen.into_inner(), [("a.toml".to_owned(), expected)]);
}

/// Whoever only checks policies has no copy, and an allow list without anybody is no mistake there.
#[test]
fn without_a_copy_nobody_is_on_the_list() {
    let absent = "url = \"https://crm.example.org/absent.txt\"";
    for (kind, outcome) in [
        ("allow-list", Outcome::Reject),
        ("deny-list", Outcome::Accept),
    ] {
        let set = policies(&[&listed(kind, absent, "normalize = [\"dots\"]\n")]);
        assert_eq!(decide(&set, &facts()).outcome, outcome, "{kind}");
    }
    let emails_only = listed(
        "allow-list",
        &format!("url = \"{URL}\""),
        "on = [\"phone\"]\n",
    );
    assert_eq!(found(&emails_only)[0].0, "BG0207");
}

fn books(set: &PolicySet, email: &str) -> Outcome {
    let mut facts = facts();
    facts.details.booker.email = Owner::parse(email).ok();
    decide(set, &facts).outcome
}

/// A copy changes from one day to the next, and a policy that passes its tests must not fail them then.
#[test]
fn tests_see_who_they_say_is_on_the_list_and_bookings_the_copy() {
    let tests = format!(
        r#"
normalize = ["plus-tag"]
[[test]]
name = "somebody on the list"
given = {{ lists = {{ "{URL}" = ["eve@example.org", "*.spam.example"] }} }}
booking = {{ email = "eve+tea@example.org" }}
expect = {{ decision = "reject" }}
[[test]]
name = "somebody else"
given = {{ lists = {{ "{URL}" = ["eve@example.org"] }} }}
expect = {{ decision = "accept" }}
[[test]]
name = "who is on the copy"
booking = {{ email = "nuisance@example.com" }}
expect = {{ decision = "accept" }}
"#
    );
    let text = listed("deny-list", &format!("url = \"{URL}\""), &tests);
    assert_eq!(found(&text), []);
    let set = policies(&[&text]);
    assert_eq!(books(&set, "nuisance@example.com"), Outcome::Reject);
    assert_eq!(books(&set, "eve@example.org"), Outcome::Accept);

    let odd = text.replace(&format!("lists = {{ \"{URL}\""), "lists = { blocked");
    assert_eq!(found(&odd)[0].0, "BG0121");
    let odd = text.replace("*.spam.example", "ada@@spam.example");
    assert_eq!(found(&odd)[0].0, "BG0115");
}

#[test]
fn every_kind_that_takes_a_list_takes_a_server_s_and_its_tests_say_who_is_on_it() {
    let kinds = [
        ("kind = \"email-domain\"\ndeny = LIST\n", "reject", "accept"),
        (
            "kind = \"email-domain\"\nallow = LIST\n",
            "accept",
            "reject",
        ),
        ("kind = \"attendees\"\ndomains = LIST\n", "accept", "reject"),
        ("kind = \"risk\"\ndisposable = LIST\n", "reject", "accept"),
        (
            "kind = \"quota\"\nlimit = 0\nper = \"calendar-day\"\n[[criterion.exception]]\nurl = \"URL\"\nlimit = 1\n",
            "accept",
            "reject",
        ),
    ];
    for (criterion, listed, unlisted) in kinds {
        let list = "{ url = \"URL\" }";
        let text = format!(
            r#"
schema = 1
[policy]
id = "club"
[[criterion]]
id = "listed"
{criterion}
[[test]]
name = "on the list"
given = {{ lists = {{ "URL" = ["example.org"] }} }}
expect = {{ decision = "{listed}" }}
[[test]]
name = "not on the list"
expect = {{ decision = "{unlisted}" }}
"#
        );
        let text = text
            .replace("LIST", list)
            .replace("URL", "https://crm.example.org/absent.txt");
        let codes: Vec<_> = found(&text).into_iter().map(|one| one.0).collect();
        assert_eq!(codes, ["BG0307"], "{text}");
    }
}

#[test]
fn tests_reach_the_lists_of_groups_that_are_borrowed() {
    let lender = format!(
        "schema = 1\n[policy]\nid = \"house\"\nmode = \"off\"\n[groups]\nknown = {{ all = [\"door\"] }}\n[[criterion]]\nid = \"door\"\nkind = \"deny-list\"\nlist = {{ url = \"{URL}\" }}\n"
    );
    let borrower = format!(
        "schema = 1\n[policy]\nid = \"club\"\n[[criterion]]\nid = \"house\"\nkind = \"use\"\npolicy = \"house\"\ngroup = \"known\"\n[[test]]\nname = \"listed\"\ngiven = {{ lists = {{ \"{URL}\" = [\"eve@example.org\"] }} }}\nbooking = {{ email = \"eve@example.org\" }}\nexpect = {{ decision = \"reject\" }}\n"
    );
    let set = policies(&[&lender, &borrower]);
    assert_eq!(books(&set, "nuisance@example.com"), Outcome::Reject);
}

#[test]
fn all_policies_together_name_so_many_lists_of_servers() {
    let many = |count: usize| {
        let lists = (0..count).map(|number| {
            let url = format!("https://crm.example.org/{number}.txt");
            format!("[[criterion]]\nid = \"c{number}\"\nkind = \"deny-list\"\nlist = {{ url = \"{url}\" }}\n")
        });
        let lists: String = lists.collect();
        load_texts(&[&format!("schema = 1\n[policy]\nid = \"club\"\n{lists}")])
    };
    assert!(many(REMOTE_LISTS_MAX).is_ok());
    let wrong = many(REMOTE_LISTS_MAX + 1).unwrap_err();
    let wrong: Vec<_> = wrong.iter().filter(|one| one.is_error()).collect();
    assert_eq!(wrong.len(), 1);
    assert_eq!(wrong[0].code, Code::TooMany);
}

/// A decision made with yesterday's copy is explained with yesterday's copy.
#[test]
fn a_set_is_made_again_with_the_copy_that_it_had() {
    let text = listed("deny-list", &format!("url = \"{URL}\""), "");
    let set = |copy: &str| {
        let read_copy = |_: &str, _: &RemoteList| Ok(Some(copy.to_owned()));
        let (units, no_lists) = (units(), |_: &str, _: &str| {
            Err(io::ErrorKind::NotFound.into())
        });
        let context = LoadContext {
            read_copy: &read_copy,
            ..LoadContext::new(&units, &no_lists)
        };
        let (name, text) = ("a.toml".to_owned(), text.clone());
        load(vec![SourceFile { name, text }], &context).unwrap().0
    };
    let yesterday = set("eve@example.org\n");
    let today = set("mallory@example.org\n");
    assert_ne!(yesterday.hash(), today.hash());
    let kept = |set: &PolicySet| {
        let parts = set.parts().into_iter().map(|part| (part, text.clone()));
        let lists = set.policies().flat_map(|policy| policy.lists.values());
        let lists: BTreeMap<_, _> = lists.map(|list| (list.digest, list.list.text())).collect();
        (parts.collect::<Vec<_>>(), lists)
    };
    let (parts, lists) = kept(&yesterday);
    let again = restore(parts.clone(), &lists, &units()).unwrap();
    assert_eq!(again.hash(), yesterday.hash());
    assert_eq!(books(&again, "eve@example.org"), Outcome::Reject);
    let wrong = restore(parts, &kept(&today).1, &units()).unwrap_err();
    assert!(wrong.render(false).contains("it was not kept"));
}
