//! Lists, which come in pages.

use clap::Args;
use serde::Serialize;

use super::text::table;
use super::{Context, print_json};
use crate::gate::{PAGE_MAX, Page};

/// Which page of a list.
#[derive(Debug, Args)]
pub(super) struct PageArgs {
    /// Where to go on: what the page before said
    #[arg(long, value_name = "CURSOR")]
    pub(super) after: Option<String>,
    /// How many, 200 at most
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=i64::from(PAGE_MAX)))]
    pub(super) limit: u32,
}

/// Prints a page as JSON, or as a table that says how to go on; `nothing` where the list is empty.
pub(super) fn print_page<T: Serialize, const N: usize>(
    page: &Page<T>,
    json: bool,
    nothing: &str,
    header: [&str; N],
    row: impl FnMut(&T) -> [String; N],
    context: &mut Context<'_>,
) -> anyhow::Result<()> {
    if json {
        return print_json(page, context);
    }
    if page.items.is_empty() {
        return Ok(writeln!(context.out, "{nothing}")?);
    }
    let rows: Vec<_> = page.items.iter().map(row).collect();
    table(&mut *context.out, header, &rows)?;
    if let Some(next) = &page.next {
        writeln!(context.out, "\nmore: --after {next}")?;
    }
    Ok(())
}
