//! Finds or installs the MinIO binary.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::Result;
use crate::process::Progress;
use crate::tools::Turn;
use crate::workspace::{exe, is_program, on_path};

/// Since October 2025 MinIO is published as source only; its documentation recommends `go install`.
/// The version is pinned because servers differ in their conditional requests, and the tests name
/// what this one does.
const PIN: &str = "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c";

/// Finds MinIO, or installs it below the target folder.
///
/// # Errors
/// Says why there is none, as a sentence to follow `minio: `.
pub(crate) fn find(target_dir: &Path) -> Result<PathBuf> {
    let tools = target_dir.join("tools");
    let installed = tools.join(exe("minio"));
    let look = || already_there(std::env::var_os("MINIO_BIN"), on_path("minio"), &installed);
    if let Some(binary) = look()? {
        return Ok(binary);
    }
    let _turn = Turn::take(target_dir, "minio")?;
    if let Some(binary) = look()? {
        return Ok(binary);
    }
    let go = on_path("go").ok_or(
        "not found: `$MINIO_BIN` is not set, there is no `minio` on PATH, and no `go` on PATH to \
         install it with",
    )?;
    install(&go, &tools)?;
    if is_program(&installed) {
        Ok(installed)
    } else {
        Err(format!("`go install` reported success, but {} is not there", installed.display())
            .into())
    }
}

/// Looks in this order: the variable, the system, an earlier installation.
fn already_there(
    asked: Option<OsString>,
    on_path: Option<PathBuf>,
    installed: &Path,
) -> Result<Option<PathBuf>> {
    if let Some(asked) = asked.filter(|value| !value.is_empty()) {
        let asked = PathBuf::from(asked);
        // Another binary would test something else than the user asked for.
        return if is_program(&asked) {
            Ok(Some(asked))
        } else {
            Err(format!("`$MINIO_BIN` is {}, which is not a program", asked.display()).into())
        };
    }
    Ok(on_path.or_else(|| is_program(installed).then(|| installed.to_path_buf())))
}

fn install(go: &Path, tools: &Path) -> Result<()> {
    std::fs::create_dir_all(tools)?;
    let log_path = tools.join("minio-install.log");
    let log = File::create(&log_path)?;
    eprintln!("installing MinIO into {}: about five minutes, once", tools.display());
    eprintln!("$ go install -ldflags '-s -w' {PIN}");
    let mut child = Command::new(go)
        .args(["install", "-ldflags", "-s -w", PIN])
        .env("GOBIN", tools)
        .current_dir(tools)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .map_err(|error| format!("cannot run {}: {error}", go.display()))?;

    let mut progress = Progress::new("installing MinIO");
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        progress.tick();
        std::thread::sleep(Duration::from_millis(200));
    };
    progress.done();
    if status.success() {
        return Ok(());
    }
    let log = std::fs::read_to_string(&log_path).unwrap_or_default();
    let last = log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    Err(format!("`go install` failed ({status}): {last}; its whole log is {}", log_path.display())
        .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minio_is_pinned_to_one_commit() {
        let (module, version) =
            PIN.split_once('@').expect("a module path names its version after `@`");
        assert_eq!(module, "github.com/minio/minio");
        let commit = version.rsplit('-').next().expect("rsplit yields at least one part");
        assert_eq!(
            commit.len(),
            12,
            "a pseudo-version ends in twelve digits of the commit: {version}"
        );
        assert!(commit.bytes().all(|b| b.is_ascii_hexdigit()));
    }

    #[test]
    fn what_was_asked_for_is_used_or_refused() {
        let me = std::env::current_exe().expect("a running test has a path");
        let found = already_there(
            Some(me.clone().into()),
            Some("/on/path".into()),
            Path::new("/installed"),
        );
        assert_eq!(found.expect("it is a program"), Some(me));
        let refused =
            already_there(Some("/no/such/minio".into()), Some("/on/path".into()), Path::new("/x"));
        assert!(refused.expect_err("it is no program").to_string().contains("/no/such/minio"));
    }

    #[test]
    fn the_system_comes_before_an_earlier_install() {
        let found = already_there(None, Some("/on/path".into()), Path::new("/installed"));
        assert_eq!(found.expect("nothing was asked for"), Some("/on/path".into()));
        let none = already_there(Some("".into()), None, Path::new("/no/such/minio"));
        assert_eq!(none.expect("empty means not asked"), None);
    }
}
