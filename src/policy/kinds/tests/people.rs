//! Kinds that ask who somebody is to the house: invitations and tags.

use super::others::{ACCEPT, REJECT, holds};
use crate::domain::booking::Answer;
use crate::policy::tests::{decide, facts, load_texts};

fn invited(extra: &str, code: &str, given: &str, expect: &str) {
    let criterion = format!(
        "kind = \"invite-code\"\nfield = \"invite\"\ncodes = [\"Spring-Tea\", \"moss\"]\n{extra}"
    );
    let test = format!(
        "[[test]]\nname = \"{code}\"\nnow = 2026-05-20T06:00:00Z\n\
         booking = {{ answers = {{ invite = \"{code}\" }} }}\n\
         given = {{ code_uses = {{ {given} }} }}\nexpect = {{ {expect} }}\n"
    );
    holds("UTC", &criterion, &test);
}

#[test]
fn an_invitation_counts_while_it_is_not_used_up() {
    invited("", "spring-tea ", "", ACCEPT);
    invited("", "Summer-Tea", "", REJECT);
    invited("", "", "", REJECT);
    invited("uses = 1", "SPRING-TEA", "", ACCEPT);
    invited("uses = 1", "SPRING-TEA", "spring-tea = 1", REJECT);
    invited("uses = 2", "SPRING-TEA", "spring-tea = 1", ACCEPT);
    invited("uses = 1", "spring-tea", "moss = 1", ACCEPT);
    invited("expires = 2026-05-20", "moss", "", ACCEPT);
    invited("expires = 2026-05-19", "moss", "", REJECT);
}

#[test]
fn only_what_may_stand_uses_a_code_up() {
    let criterion =
        "kind = \"invite-code\"\nfield = \"invite\"\ncodes = { file = \"blocked.txt\" }\nuses = 1";
    let late = "[[criterion]]\nid = \"early\"\nkind = \"notice\"\nmin = \"4d\"\n";
    let mut facts = facts();
    facts.details.event_type_slug = Some("mentoring".to_owned());
    let invite = Answer::Text("Spam.Example".to_owned());
    facts.details.answers.insert("invite".to_owned(), invite);
    let verdict = decide(&holds("UTC", criterion, ""), &facts);
    let [code] = &verdict.codes[..] else {
        panic!("{:?}", verdict.codes)
    };
    assert_eq!(code.len(), 64, "a digest, and not the code");
    let verdict = decide(&holds("UTC", criterion, late), &facts);
    assert_eq!(verdict.codes, [""; 0], "it is refused");
    facts.details.answers.clear();
    let verdict = decide(&holds("UTC", criterion, ""), &facts);
    assert_eq!(verdict.codes, [""; 0], "there is none");
}

#[test]
fn tags_are_asked_for_one_all_or_none() {
    for (keys, tags, expect) in [
        ("any = [\"vip\", \"board\"]", "\"board\"", ACCEPT),
        ("any = [\"vip\", \"board\"]", "\"staff\"", REJECT),
        ("all = [\"vip\", \"board\"]", "\"board\", \"vip\"", ACCEPT),
        ("all = [\"vip\", \"board\"]", "\"board\"", REJECT),
        ("none = [\"vip\"]", "", ACCEPT),
        ("none = [\"vip\"]", "\"vip\"", REJECT),
        ("any = [\"a\"]\nnone = [\"b\"]", "\"a\", \"b\"", REJECT),
    ] {
        let criterion = format!("kind = \"tag\"\n{keys}");
        let test = format!(
            "[[test]]\nname = \"t\"\ngiven = {{ tags = [{tags}] }}\nexpect = {{ {expect} }}\n"
        );
        holds("UTC", &criterion, &test);
    }
}

#[test]
fn an_address_was_verified_at_all_or_lately() {
    for (keys, given, expect) in [
        ("", "tags = [\"email-verified\"]", ACCEPT),
        ("", "tags = [\"vip\"]", REJECT),
        (
            "max_age = \"30d\"",
            "tagged_at = { email-verified = 2026-04-20T06:00:00Z }",
            ACCEPT,
        ),
        (
            "max_age = \"30d\"",
            "tagged_at = { email-verified = 2026-04-20T05:59:59Z }",
            REJECT,
        ),
    ] {
        let criterion = format!("kind = \"verified-email\"\n{keys}");
        let test = format!(
            "[[test]]\nname = \"t\"\nnow = 2026-05-20T06:00:00Z\ngiven = {{ {given} }}\nexpect = {{ {expect} }}\n"
        );
        holds("UTC", &criterion, &test);
    }
}

#[test]
fn nobody_s_ip_address_is_known() {
    let text = "schema = 1\n[policy]\nid = \"a\"\n[[criterion]]\nid = \"b\"\nkind = \"deny-list\"\non = [\"email\", \"ip\", \"fax\"]\nlist = [\"eve@example.org\"]\n";
    let wrong = load_texts(&[text]).unwrap_err();
    let wrong: Vec<_> = wrong.iter().filter(|one| one.is_error()).collect();
    let help = wrong[0].help.as_deref().unwrap();
    assert!(help.contains("no provider tells"), "{help}");
    assert_eq!((wrong.len(), wrong[0].code.as_str()), (1, "BG0104"));
    assert_eq!((wrong[0].line, wrong[0].column), (7, 16));
}
