//! Other servers: what they are asked, and what their answers mean.

use serde_json::{Value, json};

use super::by;
use crate::domain::booking::Answer;
use crate::domain::callout::{Method, Reply};
use crate::domain::decision::Outcome;
use crate::domain::owner::Owner;
use crate::policy::Diagnostic;
use crate::policy::codes::Code;
use crate::policy::restore;
use crate::policy::tests::{approved, decide, facts, load_texts, policies, units};
use crate::policy::{Asker, Call, Evaluation, Facts, Loaded, Need, PolicySet, Verdict};

const URL: &str = "url = \"https://crm.example.org/check\"\n";
const SEND: &str = "send = [\"booking.uid\", \"booker.email\"]\n";

fn text(keys: &str) -> String {
    format!(
        "schema = 1\n[policy]\nid = \"p\"\n[[criterion]]\nid = \"crm\"\nkind = \"http\"\n{URL}{keys}\n"
    )
}

fn set(keys: &str) -> PolicySet {
    policies(&[&text(&format!("{SEND}{keys}"))])
}

fn asker() -> Asker {
    Asker {
        policy: "p".to_owned(),
        criterion: "crm".to_owned(),
    }
}

fn call(keys: &str, facts: &Facts) -> Call {
    let set = policies(&[&text(keys)]);
    let Evaluation::Needs(needs) = set.evaluate(facts) else {
        panic!("{keys}: it asks for nothing");
    };
    assert_eq!(needs, [Need::Callout(asker())].into());
    set.call(&asker(), facts).unwrap()
}

fn answered(keys: &str, status: u16, json: Value) -> Verdict {
    let mut facts = facts();
    let json = Some(json).filter(|json| !json.is_null());
    facts.know_reply(asker(), Loaded::Known(Reply { status, json }));
    decide(&set(keys), &facts)
}

fn error(verdict: &Verdict) -> &str {
    verdict.trace.criteria[0].error.as_deref().unwrap_or("none")
}

#[test]
fn nothing_is_sent_but_what_is_listed() {
    let mut facts = by("ada@corp.example");
    let answers = &mut facts.details.answers;
    answers.insert("size".to_owned(), Answer::Text("12".to_owned()));
    answers.insert("secret wish".to_owned(), Answer::Text("a pony".to_owned()));
    let keys = "send = [\"booking.uid\", \"booking.start\", \"booker.email\", \"booking.answers.size\", \"booking.answers.team\", \"event_type.id\"]";
    let question = call(keys, &facts).question;
    assert_eq!(question.method, Method::Post);
    assert_eq!(question.url, "https://crm.example.org/check");
    let body: Value = serde_json::from_str(&question.body.unwrap()).unwrap();
    let expected = json!({
        "contract": "bookgate.check/1",
        "policy": "p",
        "criterion": "crm",
        "deadline_ms": 8_000,
        "booking": {
            "uid": "b-1",
            "start": "2026-03-05T09:00:00Z",
            "answers": { "size": "12", "team": null },
        },
        "booker": { "email": "ada@corp.example" },
        "event_type": { "id": 7 },
    });
    assert_eq!(body, expected);
}

#[test]
fn a_get_asks_in_the_address() {
    let mut facts = by("ada+1@corp.example");
    facts.details.guests = ["a@b.example", "c@d.example"]
        .map(|guest| Owner::parse(guest).unwrap())
        .to_vec();
    let keys = "method = \"GET\"\nsend = [\"booker.email\", \"booking.guests\", \"booking.answers.none\"]\nheaders = { X-Tenant = \"acme\" }";
    let question = call(keys, &facts).question;
    assert_eq!(question.body, None);
    assert_eq!(
        question.url,
        "https://crm.example.org/check?booker.email=ada%2B1%40corp.example&booking.guests=a%40b.example&booking.guests=c%40d.example"
    );
    assert_eq!(
        question.headers,
        [("X-Tenant".to_owned(), "acme".to_owned())]
    );
}

#[test]
fn the_same_question_has_the_same_key() {
    let keys = format!("{SEND}cache = {{ ttl = \"60s\", key = [\"booker.email\"] }}");
    let ada = call(&keys, &facts());
    assert_eq!(call(&keys, &facts()), ada);
    let mut longer = facts();
    longer.details.title = "What is not sent".to_owned();
    assert_eq!(call(&keys, &longer), ada);
    let mut other = facts();
    other.uid = crate::domain::ids::Uid::new("b-2");
    let other = call(&keys, &other);
    assert_ne!(other.question.key, ada.question.key);
    assert_eq!(other.cache, ada.cache, "another booking of the same booker");
    let eve = call(&keys, &by("eve@example.org"));
    assert_ne!(eve.question.key, ada.question.key);
    assert_ne!(eve.cache, ada.cache);
}

#[test]
fn the_contract_s_answer_is_the_criterion_s() {
    for (status, json, outcome) in [
        (200, json!({ "result": "pass" }), Outcome::Accept),
        (201, json!({ "result": "fail" }), Outcome::Reject),
        (200, json!({ "result": "unknown" }), Outcome::Defer),
    ] {
        let verdict = answered("", status, json);
        assert_eq!(verdict.outcome, outcome, "{}", error(&verdict));
        assert_eq!(error(&verdict), "none");
    }
    for (status, json, why) in [
        (200, json!({ "result": "maybe" }), "no `result`"),
        (200, json!(["pass"]), "no `result`"),
        (200, Value::Null, "no `result`"),
        (404, json!({ "result": "pass" }), "HTTP 404"),
        (302, json!({ "result": "pass" }), "HTTP 302"),
    ] {
        let verdict = answered("", status, json);
        assert_eq!(verdict.outcome, Outcome::Reject, "closed by default");
        assert!(error(&verdict).contains(why), "{}", error(&verdict));
    }
}

#[test]
fn the_booker_reads_the_server_s_reason_on_one_short_line() {
    let keys = "message = \"{response.reason|No call is left.}\"";
    let said = |json: Value| answered(keys, 200, json).message.unwrap();
    let long = format!("Contract\u{202e} ended\n\t1 May.{}", "x".repeat(500));
    let message = said(json!({ "result": "fail", "reason": long }));
    assert!(message.starts_with("Contract ended 1 May.xxx"), "{message}");
    assert_eq!(message.chars().count(), 300);
    for odd in [
        json!({ "result": "fail" }),
        json!({ "result": "fail", "reason": 7 }),
    ] {
        assert_eq!(said(odd), "No call is left.");
    }
    let verdict = answered(
        "",
        200,
        json!({ "result": "fail", "facts": { "tier": "gold", "left": 0, "more": [1] } }),
    );
    assert_eq!(
        verdict.message.as_deref(),
        Some("This booking was not approved.")
    );
    let kept = &verdict.trace.criteria[0].facts;
    let kept: Vec<String> = kept
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(
        kept,
        [
            "response.facts.left=0",
            "response.facts.tier=gold",
            "response.status=200"
        ]
    );
}

#[test]
fn an_expression_may_judge_the_answer() {
    let approved = "pass_if = \"response.status == 200 && response.json.approved == true\"";
    let left = "pass_if = \"response.json.plans.exists(plan, plan.name == booking.title && plan.left >= 0.5)\"";
    for (keys, status, json, outcome) in [
        (approved, 200, json!({ "approved": true }), Outcome::Accept),
        (approved, 200, json!({ "approved": false }), Outcome::Reject),
        (approved, 404, Value::Null, Outcome::Reject),
        (
            left,
            200,
            json!({ "plans": [{ "name": "x", "left": 3 }, { "name": "Session", "left": 1 }] }),
            Outcome::Accept,
        ),
        (
            left,
            200,
            json!({ "plans": [{ "name": "Session", "left": 0.25 }] }),
            Outcome::Reject,
        ),
    ] {
        let verdict = answered(keys, status, json);
        assert_eq!(verdict.outcome, outcome, "{keys}: {}", error(&verdict));
        assert_eq!(error(&verdict), "none");
    }
    let listed = "pass_if = \"response.json.teams.exists(team, team.members.exists(one, one == booker.email))\"";
    let json = json!({ "teams": [{ "members": [] }, { "members": ["ada@example.org"] }] });
    assert_eq!(answered(listed, 200, json).outcome, Outcome::Accept);
    let deep = (0..20).fold(json!(1), |inner, _| json!([inner]));
    let many: Vec<u32> = (0..600).collect();
    for (status, json, why) in [
        (200, json!({}), "there is no `approved`"),
        (
            200,
            json!({ "approved": true, "deep": deep }),
            "deeper than 16",
        ),
        (
            200,
            json!({ "approved": true, "many": many }),
            "more than 512 values",
        ),
        (500, json!({ "approved": true }), "HTTP 500"),
        (401, json!({ "approved": true }), "HTTP 401"),
    ] {
        let verdict = answered(approved, status, json);
        assert!(error(&verdict).contains(why), "{}", error(&verdict));
    }
}

#[test]
fn without_an_answer_the_author_has_the_word() {
    let failed = |keys: &str| {
        let mut facts = facts();
        facts.know_reply(asker(), Loaded::Failed("timeout".to_owned()));
        decide(&set(keys), &facts)
    };
    let told = "on_error_message = \"Please try again later.\"";
    let verdict = failed(told);
    assert_eq!(verdict.outcome, Outcome::Reject);
    assert_eq!(verdict.message.as_deref(), Some("Please try again later."));
    assert_eq!(
        verdict.note.as_deref(),
        Some("crm could not be answered: timeout")
    );
    assert_eq!(failed("on_error = \"unknown\"").outcome, Outcome::Defer);
    assert_eq!(failed("on_error = \"pass\"").outcome, Outcome::Accept);
}

#[test]
fn where_nobody_is_to_be_asked_it_is_not_known() {
    let mut facts = facts();
    facts.know_reply(asker(), Loaded::Not);
    let verdict = decide(&set("on_error = \"pass\""), &facts);
    assert_eq!(verdict.outcome, Outcome::Defer);
    let told = verdict.trace.criteria[0]
        .facts
        .get("response")
        .unwrap()
        .to_string();
    assert_eq!(told, "there is no stored answer");
    // It is not a person who is asked for, whatever the author's note says of a no.
    for keys in ["", "note = \"Ask sales.\""] {
        let note = decide(&set(keys), &facts).note.unwrap();
        let begin = "crm is not known here: there is no stored answer of the server";
        assert!(note.starts_with(begin), "{note}");
    }
    // A server that says so is another matter.
    let verdict = answered("", 200, json!({ "result": "unknown" }));
    assert_eq!(verdict.note.as_deref(), Some("crm asks for a person"));
}

#[test]
fn the_account_is_there_before_it_is_sent() {
    let set = policies(&[&text("send = [\"account.status\"]")]);
    let mut facts = facts();
    assert_eq!(
        set.evaluate(&facts),
        Evaluation::Needs([Need::Account].into())
    );
    facts.account = Loaded::Failed("gone".to_owned());
    let verdict = decide(&set, &facts);
    assert_eq!(error(&verdict), "`account.status`: gone");
    facts.account = Loaded::Known(None);
    assert_eq!(
        set.evaluate(&facts),
        Evaluation::Needs([Need::Callout(asker())].into())
    );
}

#[test]
fn what_is_cheaper_is_asked_first() {
    let text = text(SEND) + "[[criterion]]\nid = \"short\"\nkind = \"length\"\nmax = \"30m\"\n";
    let set = policies(&[&text]);
    assert!(matches!(set.evaluate(&facts()), Evaluation::Decided(_)));
}

#[test]
fn an_old_decision_is_made_again_from_what_was_stored() {
    let mut facts = facts();
    facts.know_reply(asker(), Loaded::Known(approved()));
    let stored = serde_json::to_string(&facts).unwrap();
    let facts: Facts = serde_json::from_str(&stored).unwrap();
    assert!(matches!(set("").evaluate(&facts), Evaluation::Decided(_)));
}

#[test]
fn mistakes_are_told() {
    for (keys, code) in [
        ("send = [\"booker.mail\"]", Code::UnknownName),
        ("send = [\"cost\"]", Code::UnknownName),
        ("send = [\"response.json\"]", Code::UnknownName),
        ("send = [\"booking.start.day\"]", Code::UnknownName),
        ("timeout = \"9s\"\ndeadline = \"8s\"", Code::MinAboveMax),
        ("deadline = \"2m\"", Code::OutOfRange),
        ("max_body = \"2GB\"", Code::OutOfRange),
        ("pass_if = \"response.body == ''\"", Code::UnknownName),
        ("pass_if = \"response.status\"", Code::NotAnAnswer),
        (
            "pass_if = \"response.json.all(a, response.json.all(b, a == b))\"",
            Code::ExpressionTooLarge,
        ),
        ("auth = { }", Code::NotAllowed),
        (
            "auth = { bearer = { secret = \"hunter2\" } }",
            Code::InlineSecret,
        ),
        (
            "headers = { Authorization = \"Bearer x\" }",
            Code::NotAllowed,
        ),
        ("headers = { \"a b\" = \"x\" }", Code::NotAllowed),
        // As the request would be refused when it is made.
        ("headers = { Connection = \"x\" }", Code::NotAllowed),
        (
            "auth = { header = { name = \"Host\", value = { secret = \"env:CODES\" } } }",
            Code::NotAllowed,
        ),
    ] {
        let send = if keys.starts_with("send") { "" } else { SEND };
        let text = text(&format!("{send}{keys}"));
        let found: Vec<Code> = match load_texts(&[&text]) {
            Ok(_) => panic!("{keys}: nothing is wrong"),
            Err(found) => found.iter().map(|one| one.code).collect(),
        };
        assert_eq!(found, [code], "{keys}");
    }
    for (url, code) in [
        ("crm.example.org", Some(Code::NotACalloutUrl)),
        ("http://crm.example.org", Some(Code::NotACalloutUrl)),
        ("ftp://crm.example.org", Some(Code::NotACalloutUrl)),
        ("https://ada:pw@crm.example.org", Some(Code::NotACalloutUrl)),
        ("https://crm.example.org/#here", Some(Code::NotACalloutUrl)),
        ("https://corp.example", Some(Code::HostNotAllowed)),
        ("https://evilcorp.example", Some(Code::HostNotAllowed)),
        ("https://eu.corp.example", None),
        ("https://CRM.example.org", None),
    ] {
        let text = text(SEND).replace("https://crm.example.org/check", url);
        let found = load_texts(&[&text]).err();
        let found = found.map(|found| found.iter().map(|one| one.code).collect::<Vec<_>>());
        assert_eq!(found, code.map(|code| vec![code]), "{url}");
    }
    let expr = "schema = 1\n[policy]\nid = \"p\"\n[[criterion]]\nid = \"c\"\nkind = \"expr\"\ncel = \"response.status == 200\"\n";
    let found = load_texts(&[expr]).unwrap_err();
    assert!(found.iter().any(|one| one.code == Code::UnknownName));
}

#[test]
fn a_kind_of_one_s_own_gives_parameters() {
    let text = "schema = 1\n[policy]\nid = \"p\"\n[[criterion]]\nid = \"crm\"\nkind = \"loyalty\"\ntier = \"gold\"\npoints = 7\n";
    let set = policies(&[text]);
    let question = set.call(&asker(), &facts()).unwrap().question;
    assert_eq!(question.url, "https://crm.example.org/loyalty");
    let body: Value = serde_json::from_str(&question.body.unwrap()).unwrap();
    assert_eq!(body["params"], json!({ "tier": "gold", "points": 7 }));
    assert_eq!(body["booker"], json!({ "email": "ada@example.org" }));
    // What it was is kept, comments and all, and counts.
    let kept = set.policies().next().unwrap().lists["kinds/loyalty.toml"].clone();
    let kept = [(kept.digest, kept.list.text())].into();
    let parts = set.parts().into_iter().map(|part| (part, text.to_owned()));
    let again = restore(parts.collect(), &kept, &units()).unwrap();
    assert_eq!(again.hash(), set.hash());
    assert_eq!(again.call(&asker(), &facts()), set.call(&asker(), &facts()));

    for (given, code) in [
        ("kind = \"loyalty\"\ntier = \"gold\"", Code::MissingKey),
        ("kind = \"loyalty\"\ntier = 1\npoints = 7", Code::WrongType),
        (
            "kind = \"loyalty\"\ntier = \"gold\"\npoints = 7\nodd = 1",
            Code::UnknownKey,
        ),
        (
            "kind = \"loyalty\"\ntier = \"gold\"\npoints = 7\nurl = \"https://crm.example.org\"",
            Code::UnknownKey,
        ),
        ("kind = \"loyal\"", Code::UnknownKind),
        ("kind = \"../loyalty\"", Code::UnknownKind),
    ] {
        let text =
            format!("schema = 1\n[policy]\nid = \"p\"\n[[criterion]]\nid = \"crm\"\n{given}\n");
        let found = load_texts(&[&text]).unwrap_err();
        let found: Vec<Code> = found.iter().map(|one| one.code).collect();
        assert_eq!(found, [code], "{given}");
    }
    let text = "schema = 1\n[policy]\nid = \"p\"\n[[criterion]]\nid = \"crm\"\nkind = \"broken\"\n";
    let found = load_texts(&[text]).unwrap_err();
    let found: Vec<_> = found
        .iter()
        .map(|one| (one.code, one.file.as_str()))
        .collect();
    let file = "kinds/broken.toml";
    assert_eq!(found, [(Code::MissingKey, file), (Code::UnknownKey, file)]);
}

#[test]
fn tests_in_the_file_give_answers() {
    let text = format!(
        "{}{SEND}pass_if = \"response.json.approved == true\"\nmessage = \"{{response.reason|No.}}\"\n\
         [[test]]\nname = \"no\"\ngiven = {{ http = {{ crm = {{ json = {{ approved = false, reason = \"Ended.\" }} }} }} }}\n\
         expect = {{ decision = \"reject\", failed = [\"crm\"], message = \"Ended.\" }}\n\
         [[test]]\nname = \"yes\"\ngiven = {{ http = {{ crm = {{ status = 200, json = {{ approved = true }} }} }} }}\n\
         expect = {{ decision = \"accept\" }}\n\
         [[test]]\nname = \"down\"\ngiven = {{ http = {{ crm = {{ error = \"timeout\" }} }} }}\n\
         expect = {{ decision = \"reject\", failed = [\"crm\"] }}\n",
        text("")
    );
    if let Err(found) = load_texts(&[&text]) {
        panic!("{}", found.render(false));
    }
}

#[test]
fn an_answer_that_no_criterion_asks_for_is_reported() {
    let test = |name: &str| {
        format!(
            "[[test]]\nname = \"a\"\ngiven = {{ http = {{ {name} = {{ json = {{ result = \"pass\" }} }} }} }}\n\
             expect = {{ decision = \"accept\" }}\n"
        )
    };
    let errors = |texts: &[&str]| -> Vec<Diagnostic> {
        let Err(found) = load_texts(texts) else {
            return Vec::new();
        };
        found.iter().filter(|one| one.is_error()).cloned().collect()
    };
    let notice = "[[criterion]]\nid = \"pure\"\nkind = \"notice\"\nmin = \"1h\"\n";
    let whole = |name: &str| format!("{}{notice}{}", text(SEND), test(name));
    assert!(errors(&[&whole("crm")]).is_empty());
    let text_of = whole("crn");
    let found = errors(&[&text_of]);
    assert_eq!(found[0].code, Code::UnknownKey);
    assert_eq!(found[0].message, "no criterion `crn` asks another server");
    let meant = found[0].suggestion.as_ref().unwrap();
    assert_eq!(&text_of[meant.span.clone()], "crn");
    assert_eq!(meant.replacement, "crm");
    let found = errors(&[&whole("pure")]);
    assert_eq!(found[0].code, Code::UnknownKey);
    assert_eq!(found[0].help.as_deref(), Some("known: `crm`"));

    // What another policy asks for this one is heard, under the name that it has there.
    let lender = text(SEND) + "[groups]\napproved = { all = [\"crm\"] }\n";
    let borrows = "schema = 1\n[policy]\nid = \"q\"\npriority = 1\n[[criterion]]\nid = \"theirs\"\n\
                   kind = \"use\"\npolicy = \"p\"\ngroup = \"approved\"\n";
    let borrows = |name: &str| format!("{borrows}{}", test(name));
    assert!(errors(&[&lender, &borrows("crm")]).is_empty());
    assert_eq!(
        errors(&[&lender, &borrows("theirs")])[0].code,
        Code::UnknownKey
    );
}
