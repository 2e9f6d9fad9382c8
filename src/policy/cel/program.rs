//! An expression that passed the guard, ready to be evaluated.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use cel::extractors::This;
use cel::parser::{Expression, ParseErrors};
use cel::{Context, Env, ExecutionError, Value, extensions};
use jiff::tz::TimeZone;
use regex::Regex;

use super::names::{Name, View};
use super::place::{self, Places};
use super::{Fault, Setting, guard, samples, values};
use crate::domain::amount::UnitCode;
use crate::domain::callout::Reply;
use crate::policy::codes::Code;
use crate::policy::criterion::PolicyContext;
use crate::policy::facts::Facts;
use crate::policy::text::{clean, quote};

/// The longest reason of the parser that is repeated, in characters.
const REASON_CHARS_MAX: usize = 100;

/// The functions of the language. Those that are not allowed are refused by the guard.
static LANGUAGE: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut env = Env::stdlib().with_optional_support(false);
    env.add_extension(extensions::strings)
        .expect("nothing else has these names");
    Arc::new(env)
});

/// An expression, compiled.
pub(in crate::policy) struct Program {
    expression: Expression,
    /// Its functions.
    root: Context<'static, 'static>,
    names: Vec<&'static Name>,
    units: Vec<UnitCode>,
}

impl Program {
    /// Reads an expression, guards it, and tries it on imagined bookings.
    ///
    /// # Errors
    /// What is wrong with it, at least one thing.
    pub(in crate::policy) fn compile(
        source: &str,
        setting: &Setting<'_>,
    ) -> Result<Self, Vec<Fault>> {
        guard::text(source).map_err(|fault| vec![fault])?;
        let parser = LANGUAGE.parser();
        // Past the first mistake everything is one.
        let parser = parser
            .max_recursion_depth(guard::DEPTH_MAX)
            .error_recovery_limit(1);
        let parsed = parser.parse_with_source_info(source);
        let (expression, info) = parsed.map_err(|errors| vec![not_cel(source, &errors)])?;
        let places = Places {
            source,
            info: &info,
        };
        let found = guard::tree(&expression, places, setting)?;
        let mut root = Context::with_env(Arc::clone(&LANGUAGE));
        if !found.patterns.is_empty() {
            add_matches(&mut root, found.patterns);
        }
        let program = Self {
            expression,
            root,
            names: found.names,
            units: setting.units.keys().cloned().collect(),
        };
        program.check_price(setting)?;
        samples::try_out(&program, &found.keys, setting.zone).map_err(|fault| vec![fault])?;
        Ok(program)
    }

    fn check_price(&self, setting: &Setting<'_>) -> Result<(), Vec<Fault>> {
        if setting.priced || !self.looks_at_price() {
            return Ok(());
        }
        let message = "there is no price to compare `cost` with".to_owned();
        let help = "add `[credits]` with `cost`, or leave it out".to_owned();
        Err(vec![Fault::new(Code::NoPrice, None, message, help)])
    }

    /// Whether it looks at the booker's account, which has to be fetched.
    pub(in crate::policy) fn looks_at_account(&self) -> bool {
        self.names.iter().any(|name| name.is_of_account())
    }

    /// Whether it looks at the price.
    pub(in crate::policy) fn looks_at_price(&self) -> bool {
        self.names.iter().any(|name| name.is_price())
    }

    /// Whether it is true whatever is booked, because it looks at nothing.
    pub(in crate::policy) fn is_always_true(&self, zone: &TimeZone) -> bool {
        self.names.is_empty() && samples::is_true(self, zone)
    }

    /// Whether it looks at what strangers choose, so that no imagined booking may fit it.
    pub(super) fn is_open(&self) -> bool {
        self.names.iter().any(|name| name.is_open())
    }

    /// Evaluates it, with what another server answered if it is about that; an error says why it has no
    /// answer. Repeats nothing that strangers wrote, but for
    /// keys.
    pub(in crate::policy) fn run(
        &self,
        facts: &Facts,
        context: &PolicyContext<'_>,
        reply: Option<&Reply>,
    ) -> Result<bool, String> {
        match self.value(facts, context, reply)? {
            Value::Bool(answer) => Ok(answer),
            _ => Err("it says neither true nor false".to_owned()),
        }
    }

    /// What it gives.
    pub(super) fn value(
        &self,
        facts: &Facts,
        context: &PolicyContext<'_>,
        reply: Option<&Reply>,
    ) -> Result<Value, String> {
        let view = View {
            facts,
            context,
            units: &self.units,
            reply,
        };
        let mut names = self.root.new_inner_scope();
        for name in &self.names {
            let value = name.read(&view).and_then(values::value);
            let value = value.map_err(|why| format!("`{}`: {why}", name.name))?;
            names.add_variable_as_val(name.name, value);
        }
        names
            .resolve(&self.expression)
            .map_err(|error| told(&error))
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.names.iter().map(|name| name.name);
        f.debug_list().entries(names).finish()
    }
}

/// The crate's own `matches` compiles its pattern at each call; here they were compiled beforehand.
fn add_matches(root: &mut Context<'static, 'static>, patterns: BTreeMap<String, Regex>) {
    let matches = move |This(text): This<Arc<String>>, pattern: Arc<String>| {
        let regex = patterns.get(pattern.as_str());
        let unknown = || ExecutionError::function_error("matches", "an unknown pattern");
        regex.map(|regex| regex.is_match(&text)).ok_or_else(unknown)
    };
    root.add_function("matches", matches)
        .expect("the crate's own is left out of the build");
}

/// The parser's first complaint; what follows is of its making.
fn not_cel(source: &str, errors: &ParseErrors) -> Fault {
    let first = errors.errors.first();
    let place = first.and_then(|error| place::of_error(source, error));
    let reason = first.map_or("", |error| error.msg.as_str());
    let help =
        "policies/REFERENCE.md has examples; the language is that of https://cel.dev".to_owned();
    if reason.contains("Recursion limit") {
        let message = format!("the expression nests deeper than {}", guard::DEPTH_MAX);
        return Fault::new(Code::ExpressionTooLarge, place, message, help);
    }
    let reason = reason.trim_start_matches("Syntax error: ");
    // What would have been right is nearly everything.
    let reason = reason.split(" expecting ").next().unwrap_or_default();
    let message = match reason.contains("<EOF>") {
        true => "the expression ends too early".to_owned(),
        false => format!("this is not CEL: {}", clean(reason, REASON_CHARS_MAX)),
    };
    Fault::new(Code::BadExpression, place, message, help)
}

/// An error in words, without the values that it is about.
fn told(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("there is no {}", quote(key)),
        ExecutionError::NoSuchOverload(overload) => clean(&overload.to_string(), REASON_CHARS_MAX),
        ExecutionError::UnexpectedType { got, want } => format!("found {got} instead of {want}"),
        ExecutionError::UnsupportedBinaryOperator(operator, ..) => {
            format!("`{operator}` does not fit its two sides")
        }
        ExecutionError::ValuesNotComparable(..) => "two values cannot be compared".to_owned(),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            "something is divided by zero".to_owned()
        }
        ExecutionError::Overflow(..) => "a number grows too large".to_owned(),
        ExecutionError::IndexOutOfBounds(_) => "a list is shorter than that".to_owned(),
        ExecutionError::FunctionError { function, .. } => {
            format!("`{function}` cannot make sense of its value")
        }
        _ => "the expression cannot be evaluated".to_owned(),
    }
}
