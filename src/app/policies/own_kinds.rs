//! Kinds of the installation's own: what stands in `kinds/` of the policies' folder.

use std::io;
use std::path::Path;

use super::folder::{POLICY_BYTES_MAX, name, policy_paths, read_limited};
use crate::policy::SourceFile;

/// The files `kinds/NAME.toml` of a policies' folder, in the order of their names; none if there is no such
/// folder.
///
/// # Errors
/// The folder or one of the files cannot be read.
pub fn own_kinds(dir: &Path) -> io::Result<Vec<SourceFile>> {
    let paths = match policy_paths(&dir.join("kinds")) {
        Ok(paths) => paths,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let read = |path: &Path| {
        Ok(SourceFile {
            name: format!("kinds/{}", name(path)),
            text: read_limited(path, POLICY_BYTES_MAX)?,
        })
    };
    paths.iter().map(|path| read(path)).collect()
}
