//! Policies, from their folder to a set that may be used.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::domain::amount::{Unit, UnitCode};
use crate::policy::{self, Diagnostics, LoadContext, PolicySet, SourceFile};

/// The largest policy or list file read, in bytes.
const POLICY_BYTES_MAX: u64 = 1024 * 1024;
/// The largest list file read, in bytes: a million addresses.
const LIST_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A policy set could not be loaded: every problem, with file, line and column.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.render(false))]
pub struct PolicyError(pub Diagnostics);

/// Reads and loads every `*.toml` in the policies' folder, in the order of their names.
///
/// # Errors
/// The folder or a file cannot be read, or a policy is wrong ([`PolicyError`]).
pub fn load_policies(dir: &Path, units: &BTreeMap<UnitCode, Unit>) -> anyhow::Result<PolicySet> {
    let (set, warnings) = check_policies(dir, units)?;
    if !warnings.is_empty() {
        tracing::warn!("policies:\n{}", warnings.render(false));
    }
    tracing::info!(policy.set = %set.hash(), policy.count = set.policies().count(), "policies loaded");
    Ok(set)
}

/// As [`load_policies`], handing the warnings to the caller.
///
/// # Errors
/// As [`load_policies`].
pub fn check_policies(
    dir: &Path,
    units: &BTreeMap<UnitCode, Unit>,
) -> anyhow::Result<(PolicySet, Diagnostics)> {
    let files = policy_files(dir)?;
    let read_list = |_policy: &str, list: &str| read_limited(&dir.join(list), LIST_BYTES_MAX);
    let context = LoadContext {
        units,
        read_list: &read_list,
    };
    Ok(policy::load(files, &context).map_err(PolicyError)?)
}

fn policy_files(dir: &Path) -> anyhow::Result<Vec<SourceFile>> {
    let unreadable = || {
        format!(
            "cannot read the policies' folder `{}` (policies.dir)",
            dir.display()
        )
    };
    let mut paths: Vec<PathBuf> = std::fs::read_dir(dir)
        .with_context(unreadable)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()
        .with_context(unreadable)?;
    paths.retain(|path| path.extension().is_some_and(|end| end == "toml"));
    paths.sort();
    let read = |path: PathBuf| {
        let text = read_limited(&path, POLICY_BYTES_MAX)
            .with_context(|| format!("cannot read policy `{}`", path.display()))?;
        let name = path.file_name().unwrap_or(path.as_os_str());
        Ok(SourceFile {
            name: name.to_string_lossy().into_owned(),
            text,
        })
    };
    paths.into_iter().map(read).collect()
}

fn read_limited(path: &Path, bytes_max: u64) -> io::Result<String> {
    let length = std::fs::metadata(path)?.len();
    if length > bytes_max {
        let text = format!("{length} bytes are more than the {bytes_max} allowed");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    std::fs::read_to_string(path)
}
