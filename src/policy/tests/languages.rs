//! Reasons in the booker's language.

use expect_test::expect;

use crate::policy::tests::loader::list;
use crate::policy::tests::support::{decide, facts, policies};

const HEAD: &str = "schema = 1\n[policy]\nid = \"p\"\nshow = \"all\"\n";

fn told(text: &str, locale: Option<&str>) -> String {
    let mut facts = facts();
    facts.details.booker.locale = locale.map(str::to_owned);
    let verdict = decide(&policies(&[text]), &facts);
    verdict.message.unwrap()
}

#[test]
fn a_refusal_is_in_the_booker_s_language() {
    let text = format!(
        "{HEAD}[[criterion]]\nid = \"n\"\nkind = \"notice\"\nmin = \"4d\"\nnote = \"late\"\n\
         message.default = \"At least {{min}}.\"\nmessage.de = \"Mindestens {{min}}.\"\n\
         message.\"pt_BR\" = \"Pelo menos {{min}}.\"\n\
         [[criterion]]\nid = \"l\"\nkind = \"length\"\nmax = \"1m\"\n\
         [require]\nall = [\"n\", {{ all = [\"l\"], message = {{ default = \"Too long.\", de = \"Zu lang.\" }} }}]\n"
    );
    for (locale, expected) in [
        (Some("de-CH"), "Mindestens 4 Tage. Zu lang."),
        (Some("pt-BR"), "Pelo menos 4 dias. Too long."),
        (Some("pt"), "At least 4 days. Too long."),
        (Some("\u{202e}"), "At least 4 days. Too long."),
        (None, "At least 4 days. Too long."),
    ] {
        assert_eq!(told(&text, locale), expected, "{locale:?}");
    }
    let mut german = facts();
    german.details.booker.locale = Some("de".to_owned());
    let verdict = decide(&policies(&[&text]), &german);
    assert_eq!(verdict.note.as_deref(), Some("late"));
}

/// Who writes for one country has no reason to repeat its language everywhere.
#[test]
fn a_policy_may_say_what_its_texts_are_written_in() {
    let text = |header: &str| {
        format!(
            "{HEAD}{header}\n[[criterion]]\nid = \"n\"\nkind = \"notice\"\nmin = \"4d\"\nmessage = \"{{min}}\"\nnote = \"min {{min}}\"\n"
        )
    };
    for (language, expected) in [
        ("", "4 days"),
        ("language = \"en-GB\"", "4 days"),
        ("language = \"de\"", "4 Tage"),
        ("language = \"fr-CA\"", "4 jours"),
        ("language = \"pl\"", "4 d"),
    ] {
        let verdict = decide(&policies(&[&text(language)]), &facts());
        assert_eq!(verdict.message.as_deref(), Some(expected), "{language}");
        assert_eq!(verdict.note, Some(format!("min {expected}")), "{language}");
        // What admins see of a criterion is one language's, whatever the booker reads.
        let measured = verdict.trace.criteria[0].facts.get("min").unwrap();
        assert_eq!(measured.to_string(), "4 days");
    }
    expect!["BG0118 a.toml:5:12 `german` is not a language"]
        .assert_eq(&list(&[&text("language = \"german\"")]));
}

#[test]
fn so_may_be_what_is_said_where_credit_does_not_suffice() {
    let text = format!(
        "{HEAD}[credits]\ncost = {{ base = \"2.5\" }}\n\
         message = {{ default = \"This costs {{cost}}.\", de = \"Das kostet {{cost}}.\" }}\n\
         [[criterion]]\nid = \"n\"\nkind = \"notice\"\nmin = \"1m\"\n"
    );
    let short = |locale: &str| {
        let mut facts = facts();
        facts.details.booker.locale = Some(locale.to_owned());
        decide(&policies(&[&text]), &facts).message_if_short
    };
    assert_eq!(short("de").as_deref(), Some("Das kostet 2,5."));
    assert_eq!(short("es").as_deref(), Some("This costs 2.5."));
}

#[test]
fn so_is_what_is_said_where_a_criterion_cannot_be_answered() {
    let text = format!(
        "{HEAD}[[criterion]]\nid = \"h\"\nkind = \"routing\"\nhost = \"ada\"\non_error = \"fail\"\n\
         on_error_message = {{ default = \"Ask again.\", de = \"Noch einmal.\" }}\n"
    );
    assert_eq!(told(&text, Some("de")), "Noch einmal.");
    assert_eq!(told(&text, Some("fr")), "Ask again.");
}

#[test]
fn tests_may_speak_a_language() {
    let text = format!(
        "{HEAD}[[criterion]]\nid = \"n\"\nkind = \"notice\"\nmin = \"30d\"\n\
         message = {{ default = \"Later.\", de = \"Später.\" }}\n\
         [[test]]\nname = \"t\"\nbooking = {{ language = \"de\" }}\n\
         expect = {{ decision = \"reject\", message = \"Später.\" }}\n\
         [[test]]\nname = \"u\"\nbooking = {{ start = 2026-03-05T12:00:00Z }}\n\
         expect = {{ decision = \"accept\" }}\n"
    );
    assert_eq!(list(&[&text]), "");
}

#[test]
fn every_language_is_checked() {
    let text = format!(
        "{HEAD}[[criterion]]\nid = \"n\"\nkind = \"notice\"\nmin = \"4d\"\n\
         message.de = \"{{mni}}\"\nmessage.german = \"x\"\nmessage.pt-BR = \"x\"\nmessage.PT_br = \"y\"\nmessage.fr = 1\n\
         note = {{ de = \"x\" }}\non_error_message = {{ default = \"{{min}}\" }}\n"
    );
    expect![[r#"
        BG0101 a.toml:9:1 `message` needs `default`
        BG0209 a.toml:9:16 the placeholder `mni` is not offered here -> min
        BG0118 a.toml:10:9 `german` is not a language
        BG0104 a.toml:12:9 there are two texts for the language `pt-br`
        BG0102 a.toml:13:14 `fr` takes a text, found a whole number -> "1"
        BG0102 a.toml:14:8 `note` takes a text, found a table
        BG0209 a.toml:15:34 the placeholder `min` is not offered here"#]]
    .assert_eq(&list(&[&text]));
}
