//! What `policy` tells of files that are wrong, or not tested enough: to people, programs and CI.

use serde_json::Value;

use super::home::{Home, Told};

const POLICY: &str = "policies/executive-book-club.toml";
/// Sound, with one warning and without a test that shows its criterion met.
const HALF_TESTED: &str = r#"schema = 1
[policy]
id = "half"
[[criterion]]
id = "enough-notice"
kind = "notice"
min = "24h"
[require]
any = ["enough-notice"]
[[test]]
name = "in an hour"
now = 2027-03-01T09:00:00Z
booking = { start = 2027-03-01T10:00:00Z }
expect = { decision = "reject" }
"#;

fn broken() -> Home {
    let home = Home::new();
    let sound = std::fs::read_to_string(home.path(POLICY)).unwrap();
    home.write(POLICY, &sound.replace("owner = ", "owned_by = "));
    home
}

fn json(told: &Told) -> Value {
    serde_json::from_str(&told.stdout).unwrap_or_else(|_| panic!("{told:?}"))
}

#[test]
fn what_is_wrong_is_told_in_the_form_that_is_asked_for() {
    let home = broken();
    let check = |format: &str| {
        let told = home.run(&["policy", "check", "policies", "--format", format]);
        assert_eq!(told.code, Some(1), "{told:?}");
        told
    };
    assert!(check("text").stderr.contains("error[BG0103]"));
    let github = check("github").stdout;
    let start = "::error file=policies/executive-book-club.toml,line=";
    assert!(
        github.starts_with(start) && github.contains("title=BG0103::unknown key"),
        "{github}"
    );
    let sarif = json(&check("sarif"));
    let result = &sarif["runs"][0]["results"][0];
    let place = &result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert_eq!(
        (&result["ruleId"], place),
        (&"BG0103".into(), &POLICY.into())
    );
    let answer = json(&check("json"));
    assert_eq!(
        (&answer["errors"], &answer["ok"]),
        (&1.into(), &false.into())
    );
    assert_eq!(answer, json(&home.run(&["policy", "check", "--json"])));
    assert_eq!(answer, json(&home.run(&["policy", "test", "--json"])));
    home.run(&["policy", "check", "--format", "sarif", "--json"])
        .failed(2);
    home.run(&["policy", "check", "--format", "xml"]).failed(2);
}

#[test]
fn warnings_and_what_no_test_has_tried_are_errors_only_if_asked() {
    let home = Home::new();
    home.write(POLICY, HALF_TESTED);
    let told = home.run(&["policy", "check"]).done();
    assert!(
        told.contains("warning[BG0205]") && told.contains("1 policy; 2 hints"),
        "{told}"
    );
    let told = home
        .run(&["policy", "check", "--deny", "warnings"])
        .failed(1);
    assert!(
        told.contains("error[BG0205]") && told.contains("note[BG0404]"),
        "{told}"
    );
    let told = home.run(&["policy", "test"]).done();
    assert!(
        told.contains("1 policy; tests passed: 1; criteria asked: 1, 1 hint"),
        "{told}"
    );
    assert!(!told.contains("BG0205"), "{told}");
    let told = home
        .run(&["policy", "test", "--require-coverage"])
        .failed(1);
    assert!(
        told.contains("error[BG0404]: no test shows `enough-notice` passing"),
        "{told}"
    );
    let shadow = HALF_TESTED.replace(
        "id = \"half\"",
        "id = \"half\"\nmode = \"shadow\"\nshadow_since = 2020-01-15",
    );
    home.write(POLICY, &shadow);
    assert!(
        home.run(&["policy", "check"])
            .done()
            .contains("warning[BG0221]")
    );
    // A daemon takes it all the same.
    drop(home.serve());
}

#[test]
fn codes_are_explained_and_the_language_is_written_down_for_editors() {
    let home = Home::new();
    let told = home.run(&["policy", "explain-code", "bg0103"]).done();
    assert!(
        told.starts_with("error[BG0103]: A key is not known here."),
        "{told}"
    );
    assert!(
        told.contains("\nWrong:\n") && told.contains("    mesage ="),
        "{told}"
    );
    let all = home.run(&["policy", "explain-code", "--json"]).json();
    assert!(
        all.as_array()
            .unwrap()
            .iter()
            .all(|code| code["why"].is_string())
    );
    let all = home.run(&["policy", "explain-code"]).done();
    assert!(
        all.lines().any(|line| line.starts_with("BG0401  error")),
        "{all}"
    );
    let error = home.run(&["policy", "explain-code", "BG9999"]).failed(3);
    assert!(error.contains("BG9999"), "{error}");
    let schema = home.run(&["policy", "schema"]).json();
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
}

/// A kind of the installation's own belongs to the language that editors know, and nobody else's does.
#[test]
fn the_schema_has_the_kinds_of_the_folder() {
    let home = Home::new();
    let kinds = |arguments: &[&str]| {
        let schema = home.run(arguments).json();
        let kind = &schema["$defs"]["criterion"]["properties"]["kind"];
        let names = kind["enum"].as_array().unwrap().iter();
        names
            .map(|name| name.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let shipped = kinds(&["policy", "schema"]);
    assert!(shipped.iter().any(|name| name == "notice"), "{shipped:?}");
    for folder in ["policies/kinds", "next/kinds"] {
        std::fs::create_dir_all(home.path(folder)).unwrap();
    }
    home.write(
        "policies/kinds/loyalty.toml",
        "params = { tier = \"text\" }",
    );
    home.write("next/kinds/members.toml", "");
    assert_eq!(kinds(&["policy", "schema"])[shipped.len()..], ["loyalty"]);
    let named = kinds(&["policy", "schema", "next"]);
    assert_eq!(named[shipped.len()..], ["members"]);

    home.write("next/kinds/members.toml", "params = 1\n");
    let told = home.run(&["policy", "schema", "next"]).failed(1);
    assert!(
        told.contains("BG0102") && told.contains("kinds/members.toml:1:10"),
        "{told}"
    );
    let told = home.run(&["policy", "schema", "elsewhere"]).failed(1);
    assert!(told.contains("elsewhere"), "{told}");
}
