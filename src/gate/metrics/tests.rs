use std::collections::BTreeMap;

use super::scrape::{Seen, write_all};
use super::*;
use crate::domain::clock::from_us;
use crate::journal::Depth;
use crate::policy::{self, Asker, LoadContext};
use crate::provider::client::Effect;
use crate::storage::records::{JobRow, Waiting};

const README: &str = include_str!("../../../README.md");
const ALERTS: &str = include_str!("../../../deploy/prometheus/alerts.yml");
const DASHBOARD: &str = include_str!("../../../deploy/grafana/bookgate.json");

/// Everything that there may be to tell.
fn text() -> String {
    let calls = CallMeter::default();
    let lists = ListMeter::default();
    let (mut metrics, source) = (Metrics::new(&calls, &lists), SourceName::new("one"));
    metrics.expect_source(&source);
    metrics.expect_receiver("ops");
    metrics.received(&source, "stored", 0.001);
    metrics.filed(&source, "created", "event", 0.001);
    let decided = Decided {
        outcome: Decision::Accept,
        policy: None,
        shadows: vec![("next".to_owned(), Decision::Accept)],
    };
    metrics.decided(&source, &decided);
    metrics.circuit(&source, true);
    metrics.log_in_failed("delayed");
    let asker = Asker {
        policy: "onboarding".to_owned(),
        criterion: "crm-approves".to_owned(),
    };
    metrics.callout(&asker, "answered", Some(0.1));
    metrics.subscription(&source, true, false);
    calls.told(&source, Effect::Read, "ok", 0.1);
    let now = from_us(1_800_000_000_000_000);
    lists.refreshed("https://crm.example.org/blocked.txt", Refreshed::Same, now);
    let (units, no_lists) = (BTreeMap::new(), |_: &str, _: &str| Ok(String::new()));
    let context = LoadContext::new(&units, &no_lists);
    let (policies, _) = policy::load(Vec::new(), &context).unwrap();
    metrics.policies_loaded(&policies, [&source].into_iter(), now);
    metrics.policies_read(true, now);
    let depth = Depth {
        records: 1,
        bytes: 2,
        bytes_max: 3,
        oldest: Some(now),
    };
    let seen = Seen {
        waiting: Waiting {
            overdue_since: Some(now),
            ..Waiting::default()
        },
        instances: 1,
        jobs: vec![JobRow {
            name: "ledger".to_owned(),
            due_at: now,
            holder: None,
            held_until: None,
            position: 0,
            ended_at: Some(now),
            report: Some(r#"{"violations":0,"took_ms":5}"#.to_owned()),
        }],
    };
    write_all(&metrics, &depth, Some(&seen), now)
}

/// The names of all metrics.
fn names(text: &str) -> Vec<&str> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.filter_map(|line| line.split(' ').next()).collect()
}

#[test]
fn the_readme_lists_every_name_and_no_other() {
    let text = text();
    let told = |name: &&str| README.contains(&format!("| `{name}` |"));
    let missing: Vec<_> = names(&text)
        .into_iter()
        .filter(|name| !told(name))
        .collect();
    assert!(missing.is_empty(), "not in the README: {missing:?}");
    let listed = README
        .lines()
        .filter_map(|line| line.strip_prefix("| `bookgate_"));
    let listed = listed.filter_map(|line| line.split('`').next());
    for name in listed {
        let name = format!("bookgate_{name}");
        assert!(
            names(&text).contains(&name.as_str()),
            "`{name}` is told of and is not there"
        );
    }
}

#[test]
fn alerts_and_dashboard_ask_for_what_there_is() {
    let text = text();
    // As Prometheus stores them.
    let stored: Vec<String> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split([' ', '{']).next())
        .map(str::to_owned)
        .collect();
    for (file, asks) in [("alerts.yml", ALERTS), ("bookgate.json", DASHBOARD)] {
        let words = asks.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let named: Vec<&str> = words
            .filter(|word| word.starts_with("bookgate_") || word.starts_with("process_"))
            .collect();
        assert!(named.len() > 10, "{file} asks for little: {named:?}");
        for name in named {
            assert!(
                stored.iter().any(|one| one == name),
                "{file}: there is no `{name}`"
            );
        }
    }
}

#[test]
fn the_alerts_are_whole() {
    let rules: serde_json::Value = serde_yaml_ng::from_str(ALERTS).unwrap();
    for group in rules["groups"].as_array().unwrap() {
        for rule in group["rules"].as_array().unwrap() {
            let alert = rule["alert"].as_str().unwrap();
            assert!(rule["expr"].is_string(), "{alert}");
            assert!(rule["annotations"]["summary"].is_string(), "{alert}");
            let severity = rule["labels"]["severity"].as_str().unwrap();
            assert!(["page", "ticket"].contains(&severity), "{alert}");
            assert!(
                README.contains(&format!("`{alert}`")),
                "{alert} is not in the README"
            );
        }
    }
}

#[test]
fn the_dashboard_is_whole() {
    let board: serde_json::Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut ids = std::collections::BTreeSet::new();
    for panel in board["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_i64().unwrap()), "{panel}");
        assert!(panel["title"].is_string(), "{panel}");
        if panel["type"] != "row" {
            assert!(panel["targets"][0]["expr"].is_string(), "{panel}");
        }
    }
}

#[test]
fn it_is_open_metrics_and_ends_so() {
    let text = text();
    assert!(text.ends_with("# EOF\n") && text.matches("# EOF").count() == 1);
    let mut names = names(&text);
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "told of twice");
}
