//! `[[criterion]]`, and what rests on what.

use std::collections::BTreeMap;

use super::super::codes::Code;
use super::super::compiled::Rule;
use super::super::criterion::{CriterionKind, Scope};
use super::super::facts::Stage;
use super::super::kinds::http::{self, Preset};
use super::super::kinds::{self, kind};
use super::super::messages::Messages;
use super::super::reader::{At, Table};
use super::super::require::{Node, Shape};
use super::super::template::Template;
use super::super::text::{is_id, nearest, quote, quote_all};
use super::super::truth::Truth;
use super::header::read_id;
use super::messages::{Offered, read_messages, read_template};
use super::order::{self, Rests};
use super::tree;

/// The most criteria of one policy.
const CRITERIA_MAX: usize = 200;

/// The ids of all criteria, also of those that could not be read, by place in the file.
pub(super) type Ids = Vec<Option<At<String>>>;

/// What a policy asks. Places in the trees only fit the criteria if no error was reported.
pub(super) struct Conditions {
    pub(super) rules: Vec<Rule>,
    pub(super) require: Node,
    pub(super) waive_if: Option<Node>,
    pub(super) groups: BTreeMap<String, Node>,
    pub(super) order: Vec<usize>,
}

/// What is read of one criterion.
struct Draft<'a> {
    when: Option<At<&'a str>>,
    shadow: bool,
    rule: Option<Rule>,
}

/// Reads all criteria and the trees over them.
pub(super) fn read<'a>(
    file: &Table<'a>,
    scope: &Scope<'_>,
    waive_if: Option<At<&'a str>>,
) -> Conditions {
    let mut ids: Ids = Vec::new();
    let drafts = file.tables("criterion", |table| {
        let id = table.required("id", read_id);
        report_duplicate(table, &ids, id.as_ref());
        let draft = read_draft(table, id.as_ref(), scope);
        ids.push(id);
        draft
    });
    if ids.len() > CRITERIA_MAX {
        let message = format!("the policy has {} criteria", ids.len());
        let help = format!("at most {CRITERIA_MAX}");
        file.report(Code::TooMany, file.span(), message, help);
    }
    let before = file.sink().errors();
    let reader = tree::Reader::new(file, &ids);
    let require = file
        .table("require", |table| reader.node(table, 1))
        .flatten();
    let whens: Vec<Option<Node>> = drafts
        .iter()
        .map(|draft| reader.named(file, draft.when.as_ref()?))
        .collect();
    let waiver = waive_if.as_ref().and_then(|name| reader.named(file, name));
    let understood = file.sink().errors() == before;

    let shadows: Vec<bool> = drafts.iter().map(|draft| draft.shadow).collect();
    report_shadows(
        file,
        &drafts,
        &whens,
        waive_if.as_ref().zip(waiver.as_ref()),
        &shadows,
    );
    let require =
        require.unwrap_or_else(|| ordinary(ids.len(), whens.iter().flatten().chain(&waiver)));
    if understood && file.contains("require") {
        let conditions = whens.iter().flatten().chain(&waiver);
        let groups = reader.groups();
        let conditions = conditions.chain([&require]).chain(groups.values());
        report_unused(file, &ids, &shadows, conditions);
    }
    let require = require.without(&shadows);
    let mut conditions = Conditions {
        rules: Vec::with_capacity(drafts.len()),
        require: require.unwrap_or_else(|| Shape::All(Vec::new()).into()),
        waive_if: waiver,
        groups: without_shadows(reader.groups(), &shadows),
        order: Vec::new(),
    };
    let spans: Vec<_> = drafts
        .iter()
        .map(|draft| draft.when.as_ref().map(|at| at.span.clone()))
        .collect();
    for (draft, when) in drafts.into_iter().zip(whens) {
        conditions
            .rules
            .extend(draft.rule.map(|rule| Rule { when, ..rule }));
    }
    if !file.sink().has_errors() {
        report_open_door(file, &ids, &conditions.require);
        let rests = Rests {
            conditions: &mut conditions,
            whens: &spans,
            waive_if: waive_if.map(|at| at.span),
        };
        order::settle(rests, file);
    }
    conditions
}

fn without_shadows(groups: BTreeMap<String, Node>, shadows: &[bool]) -> BTreeMap<String, Node> {
    let groups = groups.into_iter();
    groups
        .filter_map(|(name, node)| Some((name, node.without(shadows)?)))
        .collect()
}

/// What is asked for where there is no `[require]`: every criterion but those that others name as
/// their condition.
fn ordinary<'n>(count: usize, conditions: impl Iterator<Item = &'n Node>) -> Node {
    let named: Vec<usize> = conditions.flat_map(Node::criteria).collect();
    let all = (0..count).filter(|index| !named.contains(index));
    Shape::All(all.map(|index| Shape::Criterion(index).into()).collect()).into()
}

fn report_open_door(file: &Table<'_>, ids: &Ids, require: &Node) {
    if !require.criteria().is_empty() {
        return;
    }
    let message = match ids.is_empty() {
        true => "the policy has no criteria",
        false => "the policy requires none of its criteria",
    };
    let help = "as it stands, every booking that matches is accepted";
    file.report(Code::AcceptsAll, 0..0, message, help);
}

fn report_duplicate(table: &Table<'_>, ids: &Ids, id: Option<&At<String>>) {
    let Some(id) = id else { return };
    let first = ids.iter().flatten().find(|first| first.value == id.value);
    if let Some(first) = first {
        let sink = table.sink();
        let message = format!("two criteria are called `{}`", id.value);
        let diagnostic = sink.at(Code::DuplicateId, id.span.clone(), message);
        sink.add(diagnostic.relate(sink.source(), first.span.clone(), "the other one is here"));
    }
}

fn report_unused<'n>(
    file: &Table<'_>,
    ids: &Ids,
    shadows: &[bool],
    conditions: impl Iterator<Item = &'n Node>,
) {
    let used: Vec<usize> = conditions.flat_map(Node::criteria).collect();
    for (index, id) in ids.iter().enumerate() {
        if let Some(id) = id
            && !used.contains(&index)
            && !shadows[index]
        {
            let message = format!("the criterion `{}` is not used in `[require]`", id.value);
            let help = "it is never asked: add it there, or remove it";
            file.report(Code::Unused, id.span.clone(), message, help);
        }
    }
}

/// Reports what rests on criteria that are to change nothing.
fn report_shadows(
    file: &Table<'_>,
    drafts: &[Draft<'_>],
    whens: &[Option<Node>],
    waiver: Option<(&At<&str>, &Node)>,
    shadows: &[bool],
) {
    let whens = drafts.iter().zip(whens);
    let whens = whens.filter_map(|(draft, when)| Some((draft.when.as_ref()?, when.as_ref()?)));
    for (name, node) in whens.chain(waiver) {
        if node.criteria().iter().any(|index| shadows[*index]) {
            let message = format!("{} is in shadow, or has a part that is", quote(name.value));
            let help = "what is only watched cannot change anything: take `mode` out there, or name another";
            file.report(Code::RestsOnShadow, name.span.clone(), message, help);
        }
    }
}

fn read_draft<'a>(table: &Table<'a>, id: Option<&At<String>>, scope: &Scope<'_>) -> Draft<'a> {
    let when = table.text("when");
    let mode = table.choice("mode", &[("enforce", false), ("shadow", true)]);
    let shadow = mode.is_some_and(|at| at.value);
    let rule = read_rule(table, id, scope);
    Draft {
        rule: rule.map(|rule| Rule { shadow, ..rule }),
        when,
        shadow,
    }
}

fn read_rule(table: &Table<'_>, id: Option<&At<String>>, scope: &Scope<'_>) -> Option<Rule> {
    let errors = [
        ("fail", Truth::Fail),
        ("pass", Truth::Pass),
        ("unknown", Truth::Unknown),
    ];
    let on_error = table.choice("on_error", &errors);
    let on_error_message = read_messages(table, "on_error_message", Offered::NONE);
    let asked = table.required("kind", |table, key| read_kind(table, key, scope));
    let Some((kind, preset)) = asked else {
        // Which keys belong here depends on the kind.
        table.entries();
        return None;
    };
    let offered = Offered {
        facts: kind.placeholders(),
        language: scope.language,
    };
    let message = read_messages(table, "message", offered);
    let note = read_template(table, "note", offered);
    report_open(table, kind, on_error.as_ref());
    let errors = table.sink().errors();
    let criterion = match preset {
        Some(preset) => preset.parse(table, scope),
        None => kind.parse(table, scope),
    }?;
    // A condition that could not be read is one that was meant.
    if criterion.is_always_met() && table.sink().errors() == errors {
        let help = "every booking meets it: say what it is to refuse, or leave it out";
        let message = "this criterion refuses nobody";
        table.report(Code::AlwaysMet, table.span(), message, help);
    }
    let default = || {
        let text = Template::parse(kind.default_message(), kind.placeholders());
        text.ok().map(Messages::from)
    };
    Some(Rule {
        id: id?.value.as_str().into(),
        kind: kind.name(),
        // Settled once it is known what it rests on.
        stage: Stage::Pure,
        criterion,
        message: message.or_else(default)?,
        note,
        on_error_message,
        on_error: on_error
            .as_ref()
            .map_or_else(|| kind.on_error(), |at| at.value),
        when: None,
        shadow: false,
        span: table.span(),
    })
}

/// A kind that is closed where it cannot be answered should stay so.
fn report_open(table: &Table<'_>, kind: &dyn CriterionKind, on_error: Option<&At<Truth>>) {
    let Some(open) = on_error.filter(|at| at.value == Truth::Pass) else {
        return;
    };
    if kind.on_error() == Truth::Fail {
        let message = "as long as this cannot be answered, every booking passes";
        let help = "\"fail\" is the default; \"unknown\" leaves it to a person";
        table.report(Code::OpenOnError, open.span.clone(), message, help);
    }
}

/// A kind, and the file that says more of it where it is one of the installation's own.
type Asked = (&'static dyn CriterionKind, Option<Preset>);

fn read_kind(table: &Table<'_>, key: &'static str, scope: &Scope<'_>) -> Option<Asked> {
    let name = table.text(key)?;
    // An id leads nowhere but into that folder.
    let is_id = is_id(name.value);
    let own = || is_id.then(|| Preset::find(name.value, scope)).flatten();
    let found = match kind(name.value) {
        Some(kind) => Some((kind, None)),
        None => own().map(|own| (&http::Kind as &dyn CriterionKind, Some(own))),
    };
    if found.is_none() {
        let names = || kinds::all().map(|kind| kind.name());
        let message = format!("there is no kind of criterion {}", quote(name.value));
        let help = format!("one of {}", quote_all(names()));
        let mut diagnostic = table
            .sink()
            .at(Code::UnknownKind, name.span.clone(), message)
            .help(help);
        if let Some(meant) = nearest(name.value, names()) {
            let text = format!("did you mean `{meant}`?");
            diagnostic = diagnostic.suggest(name.span, text, format!("\"{meant}\""));
        }
        table.sink().add(diagnostic);
    }
    found
}
