//! `policy schema`: what an editor has to know to help with policies.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::{Context, dir_of};
use crate::app::{PolicyError, own_kinds};
use crate::cli::print_json;
use crate::policy::schema::schema;
use crate::settings::{Extent, Settings};

/// What `policy schema` takes.
#[derive(Debug, Args)]
pub(in crate::cli) struct SchemaArgs {
    /// The folder whose own kinds belong to it [default: policies.dir of the settings]
    dir: Option<PathBuf>,
}

pub(super) fn run(args: &SchemaArgs, context: &mut Context<'_>) -> anyhow::Result<()> {
    let settings = Settings::load_extent(&context.options, Extent::Offline)?;
    let dir = dir_of(args.dir.as_deref(), &settings, context);
    // Where there are no policies yet, somebody may want to write the first one.
    if args.dir.is_some() {
        std::fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))?;
    }
    let shown = || format!("cannot read the kinds in {}", dir.display());
    let own = own_kinds(&dir).with_context(shown)?;
    print_json(&schema(own).map_err(PolicyError)?, context)
}
