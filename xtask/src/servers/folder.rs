//! The folder of one server in one run.

use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};

use crate::Result;

/// A new folder below `target/servers`, removed with this value; its logs stay if they are
/// [kept](Self::keep_logs).
///
/// After a signal no destructor runs and the folder stays; creating the next one removes it.
#[derive(Debug)]
pub(crate) struct RunFolder {
    path: PathBuf,
    /// Locked for as long as the folder is in use.
    _in_use: File,
}

impl RunFolder {
    /// Creates a folder whose name begins with `stem`.
    pub(crate) fn new(target_dir: &Path, stem: &str) -> Result<Self> {
        let parent = target_dir.join("servers");
        std::fs::create_dir_all(&parent)?;
        // One at a time: a folder that is not locked yet would look abandoned.
        let turn = File::create(parent.join("turn"))?;
        turn.lock()?;
        sweep(&parent);
        let path = parent.join(format!("{stem}-{}", random_word()));
        std::fs::create_dir_all(path.join("log"))?;
        let in_use = File::create(path.join(IN_USE))?;
        in_use.lock()?;
        Ok(Self { path, _in_use: in_use })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of a log.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.path.join("log").join(format!("{name}.log"))
    }

    /// Moves the logs to a place outside the folder, and returns it.
    pub(crate) fn keep_logs(&self) -> Result<PathBuf> {
        let name = self.path.file_name().unwrap_or_default();
        let kept = self.path.with_file_name("logs").join(name);
        std::fs::create_dir_all(&kept)?;
        for entry in std::fs::read_dir(self.path.join("log"))? {
            let entry = entry?;
            std::fs::copy(entry.path(), kept.join(entry.file_name()))?;
        }
        Ok(kept)
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        // There is nowhere to report a failure, and the next run removes the rest.
        std::fs::remove_dir_all(&self.path).unwrap_or_default();
    }
}

const IN_USE: &str = "in-use";

/// Removes the folders of runs that ended without running their destructor.
fn sweep(parent: &Path) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let Ok(marker) = File::open(entry.path().join(IN_USE)) else { continue };
        if marker.try_lock().is_ok() {
            std::fs::remove_dir_all(entry.path()).unwrap_or_default();
        }
    }
}

/// Returns sixteen random hexadecimal digits.
pub(crate) fn random_word() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_with_its_run_and_kept_logs_stay() {
        let target = tempfile::tempdir().expect("a temporary folder");
        let folder = RunFolder::new(target.path(), "store").expect("it can be made");
        std::fs::write(folder.log("store"), "ready").expect("the folder of logs is there");
        let kept = folder.keep_logs().expect("they can be copied");
        let path = folder.path().to_owned();
        drop(folder);
        assert!(!path.exists());
        assert_eq!(std::fs::read_to_string(kept.join("store.log")).expect("it stays"), "ready");
    }

    #[test]
    fn what_an_interrupted_run_left_is_swept_and_what_is_in_use_is_not() {
        let target = tempfile::tempdir().expect("a temporary folder");
        let used = RunFolder::new(target.path(), "store").expect("it can be made");
        let left = target.path().join("servers").join("store-left");
        std::fs::create_dir(&left).expect("a folder can be made");
        File::create(left.join(IN_USE)).expect("a file can be made");
        let _next = RunFolder::new(target.path(), "store").expect("it can be made");
        assert!(!left.exists());
        assert!(used.path().exists());
    }
}
