//! A small disk that can be full.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Whether a small disk can be had at all.
pub(crate) fn permitted() -> bool {
    let folder = tempfile::tempdir().unwrap();
    SmallDisk::mount(folder.path(), 64).is_some()
}

/// A file system in memory; unmounted when dropped.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one of so many KiB on a folder. `None` where that is not permitted.
    pub(crate) fn mount(folder: &Path, kib: u32) -> Option<Self> {
        std::fs::create_dir_all(folder).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={kib}k"), "none"])
            .arg(folder)
            .output();
        let mounted = mounted.is_ok_and(|output| output.status.success());
        if !mounted {
            eprintln!(
                "\n*** NOT TESTED: a full disk. Mounting a small one is not permitted here.\n"
            );
        }
        mounted.then(|| Self(folder.to_owned()))
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    /// Leaves no room.
    pub(crate) fn fill(&self) {
        let mut file = File::create(self.filler()).unwrap();
        for chunk in [[0; 65_536].as_slice(), &[0; 512]] {
            while file.write_all(chunk).is_ok() {}
        }
    }

    /// There is room again.
    pub(crate) fn free(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a story that failed still has files open there.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
