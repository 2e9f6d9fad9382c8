//! Whatever stands in a file, loading it and showing what is wrong with it ends without a panic.

use proptest::prelude::*;

use crate::policy::SourceFile;
use crate::policy::tests::support::{facts, load_files};

/// Pieces of policies, right and wrong, so that random texts get past the parser often enough.
const PIECES: &[&str] = &[
    "schema = 1\n",
    "schema = 2\n",
    "[policy]\n",
    "id = \"a\"\n",
    "id = \"Ä\"\n",
    "timezone = \"Europe/Rome\"\n",
    "kind = \"guardrail\"\n",
    "[match]\n",
    "event_types = [7, \"x\", 1.5]\n",
    "metadata = { a = \"b\" }\n",
    "[credits]\n",
    "unit = \"CREDIT\"\n",
    "cost = { base = \"1\", per_hour = 2.5 }\n",
    "refund = [{ notice = \"1h\", percent = 200 }]\n",
    "[lists.x]\n",
    "emails = [\"a@b.c\", \"ü\"]\n",
    "file = \"blocked.txt\"\n",
    "[[criterion]]\n",
    "kind = \"notice\"\n",
    "kind = \"window\"\n",
    "kind = \"credit\"\n",
    "kind = \"answer\"\n",
    "kind = \"deny-list\"\n",
    "list = \"x\"\n",
    "field = \"f\"\n",
    "matches = '('\n",
    "matches = '(a{999}){999}'\n",
    "min = \"24h\"\n",
    "max = \"1s\"\n",
    "from = 08:00:00\n",
    "from = 1979-05-27\n",
    "except = [2026-02-28, 08:00:00]\n",
    "message = \"{mim} é {\"\n",
    "message.de = \"{min}\"\n",
    "message = { default = \"x\", de-é = \"{\" }\n",
    "message = \"\"\"\n{min}\n\"\"\"\n",
    "when = \"a\"\n",
    "mode = \"shadow\"\n",
    "waive_if = \"a\"\n",
    "[groups]\n",
    "a = { any = [\"b\", \"a\"] }\n",
    "b = { not = \"a\" }\n",
    "kind = \"manual\"\n",
    "kind = \"risk\"\n",
    "kind = \"sample\"\n",
    "percent = 101\n",
    "business_hours = { from = 08:00:00 }\n",
    "[require]\n",
    "all = [\"a\", { any = [{ not = \"b\" }] }]\n",
    "not = \"a\"\n",
    "[[test]]\n",
    "name = \"t\"\n",
    "now = 2026-03-02T09:00:00Z\n",
    "given = { account = { available = \"1\" } }\n",
    "booking = { guests = 3, length = 9 }\n",
    "expect = { decision = \"accept\" }\n",
    "secret = \"hush\"\n",
    "é = \"\\u0000\"\n",
    "= ]\n",
    "\"",
    "[",
    "{",
    "\r\n",
    "a.b.c = 1\n",
    "x = '''",
    "\u{feff}",
    "\t",
    "\u{202e}",
];

proptest! {
    #[test]
    fn no_text_panics_the_loader(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..24), noise in any::<String>(), at in 0_usize..24) {
        let mut text = String::new();
        for (index, piece) in pieces.iter().enumerate() {
            text.push_str(piece);
            if index == at {
                text.push_str(&noise);
            }
        }
        let file = SourceFile { name: "x.toml".to_owned(), text };
        match load_files(vec![file]) {
            Ok((set, remarks)) => {
                remarks.render(true);
                set.evaluate(&facts());
            }
            Err(diagnostics) => {
                prop_assert!(diagnostics.has_errors());
                prop_assert!(!diagnostics.render(false).is_empty());
                prop_assert!(!diagnostics.render(true).is_empty());
                serde_json::to_string(&diagnostics).unwrap();
            }
        }
    }
}

#[test]
fn deep_and_long_texts_are_refused_politely() {
    let nested = |count: usize| {
        format!(
            "schema = 1\n[policy]\nid = \"a\"\n[require]\nall = {}{}",
            "[{ not = ".repeat(count),
            " }]".repeat(count)
        )
    };
    let long = format!("schema = 1\n[policy]\nid = \"{}\"\n", "x".repeat(200_000));
    for text in [
        nested(20),
        nested(5_000),
        "[".repeat(100_000),
        long,
        "a".repeat(2 << 20),
    ] {
        let file = SourceFile {
            name: "x.toml".to_owned(),
            text,
        };
        let diagnostics = load_files(vec![file]).unwrap_err();
        assert!(diagnostics.render(false).len() < 2_000_000);
    }
}
