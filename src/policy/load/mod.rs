//! From the texts of all policy files to a set that may be activated. Every file is read to its end
//! and all diagnostics of all files are handed back together.

mod check;
pub(super) mod credits;
mod criteria;
mod file;
pub(super) mod header;
mod join;
mod messages;
mod order;
mod selftest;
mod tree;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::codes::Code;
use super::diagnostic::{Diagnostic, Diagnostics, SourceFile};
use super::lists::{NO_COPIES, ReadCopy, ReadList};
use super::set::PolicySet;
use super::vault::{self, ReadSecret};
use crate::domain::amount::{Unit, UnitCode};

pub(super) use file::refuse_secrets;
use join::Draft;

/// The largest policy file, in bytes.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;
/// The most policy files.
pub const FILES_MAX: usize = 1_000;

/// What loading needs from outside.
pub struct LoadContext<'a> {
    /// The units the settings define.
    pub units: &'a BTreeMap<UnitCode, Unit>,
    /// Reads a list file: given the policy file's name and the path written there, which is meant
    /// from the policy file's folder.
    pub read_list: &'a ReadList<'a>,
    /// Reads the copy of a list that a server keeps.
    pub read_copy: &'a ReadCopy<'a>,
    /// Looks up a secret that a policy names.
    pub read_secret: &'a ReadSecret<'a>,
    /// The hosts that the settings let policies ask: `crm.example.org`, or `*.example.org` for all below it.
    /// `None` if they are not known, or do not matter.
    pub hosts: Option<&'a [String]>,
}

impl<'a> LoadContext<'a> {
    /// Units and lists; secrets and servers' lists are done without, and all hosts may be asked.
    pub fn new(units: &'a BTreeMap<UnitCode, Unit>, read_list: &'a ReadList<'a>) -> Self {
        Self {
            units,
            read_list,
            read_copy: NO_COPIES,
            read_secret: vault::EMPTY,
            hosts: None,
        }
    }
}

impl std::fmt::Debug for LoadContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoadContext")
            .field("units", &self.units)
            .finish_non_exhaustive()
    }
}

/// Reads, checks and tests all policy files.
///
/// # Errors
/// All diagnostics, if any of them is an error; then nothing may be activated. Otherwise what
/// remains are warnings and notes, beside the set.
pub fn load(
    files: Vec<SourceFile>,
    context: &LoadContext<'_>,
) -> Result<(PolicySet, Diagnostics), Diagnostics> {
    read_and_join(files, context, false)
}

/// As [`load`], for policies that were in force once, from what was kept of them: what their tests say of the program that reads them
/// today does not matter.
///
/// # Errors
/// All diagnostics, if any of them is an error.
pub fn load_untested(
    files: Vec<SourceFile>,
    context: &LoadContext<'_>,
) -> Result<PolicySet, Diagnostics> {
    read_and_join(files, context, true).map(|(set, _)| set)
}

fn read_and_join(
    files: Vec<SourceFile>,
    context: &LoadContext<'_>,
    of_archive: bool,
) -> Result<(PolicySet, Diagnostics), Diagnostics> {
    let (mut drafts, mut diagnostics) = (Vec::new(), Vec::new());
    for (index, file) in files.into_iter().enumerate() {
        let source = Arc::new(file);
        if index >= FILES_MAX {
            let message = format!("there are more than {FILES_MAX} policy files");
            diagnostics.push(Diagnostic::new(&source, Code::TooManyFiles, 0..0, message));
            break;
        }
        let (draft, found) = file::read(&source, context, of_archive);
        drafts.extend(draft);
        diagnostics.extend(found);
    }
    if of_archive {
        drafts
            .iter_mut()
            .for_each(|draft: &mut Draft| draft.tests.clear());
    }
    let complete = !diagnostics.iter().any(Diagnostic::is_error);
    let (policies, found) = join::join(drafts, complete);
    diagnostics.extend(found);
    diagnostics.extend(check::across(&policies));
    diagnostics.extend(check::remote_lists(&policies));
    if !diagnostics.iter().any(Diagnostic::is_error) {
        diagnostics.extend(check::shadows(&policies));
    }
    let diagnostics = Diagnostics::new(diagnostics);
    if diagnostics.has_errors() {
        return Err(diagnostics);
    }
    Ok((PolicySet::new(policies), diagnostics))
}
