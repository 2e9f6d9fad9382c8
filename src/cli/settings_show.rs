//! `settings show`: what holds, and where each value comes from.

use toml::Value;

use super::Context;
use crate::settings::{EffectiveSetting, effective};

/// Past this width, the origin follows its value without being aligned.
const ALIGNED_WIDTH_MAX: usize = 64;

/// Prints the settings, then fails if a daemon would not start with them.
pub(super) fn run(json: bool, context: &mut Context<'_>) -> anyhow::Result<()> {
    let (settings, problems) = effective(&context.options)?;
    if json {
        serde_json::to_writer_pretty(&mut *context.out, &settings)?;
        writeln!(context.out)?;
    } else {
        let lines: Vec<_> = settings.iter().map(line).collect();
        let widths = lines.iter().map(|line| line.chars().count());
        let width = widths
            .filter(|width| *width <= ALIGNED_WIDTH_MAX)
            .max()
            .unwrap_or(0);
        for (line, setting) in lines.iter().zip(&settings) {
            writeln!(context.out, "{line:width$}  # {}", setting.origin)?;
        }
    }
    Ok(problems?)
}

fn line(setting: &EffectiveSetting) -> String {
    let mut secrets = setting.secrets_set.iter();
    let mut shown = |value: &Value| match (value.as_str(), secrets.next()) {
        (Some(reference), Some(true)) => format!("{reference} (set)"),
        (Some(reference), Some(false)) => format!("{reference} (not set)"),
        _ => value.to_string(),
    };
    let value = match &setting.value {
        Value::Array(items) if !setting.secrets_set.is_empty() => {
            let items: Vec<_> = items.iter().map(shown).collect();
            format!("[{}]", items.join(", "))
        }
        value => shown(value),
    };
    format!("{} = {value}", setting.key)
}
