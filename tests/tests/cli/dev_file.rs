//! The file of the embedded store: its permissions, and the messages if it cannot be used.
//!
//! Related: its lock file and its folder; disks, quotas and limits that are full; and processes
//! that are stopped or slow. Tests that need a file system of their own run only if it can be
//! mounted, which takes a superuser.

use std::fs::{File, OpenOptions, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use remote_state_tests::{Cmd, Sandbox, Suite};

use crate::support::state;

/// Any user but this one and the superuser.
const OTHER: u32 = 65_534;

pub(crate) fn tests(suite: &mut Suite) {
    suite.test("an_embedded_store_that_others_may_read_is_made_private", &[], || {
        let sandbox = stored();
        let modes = [("", 0o755), ("/store.redb", 0o644), ("/store.redb.lock", 0o666)];
        for words in ["pull", "push -"] {
            for (name, mode) in modes {
                let mode = Permissions::from_mode(mode);
                std::fs::set_permissions(at(&sandbox, name), mode).expect("it is ours");
            }
            dev(&sandbox, words).stdin(state(4)).run().success();
            for (name, _) in modes {
                let mode = at(&sandbox, name).metadata().expect("it is there").permissions().mode();
                assert_eq!(mode & 0o077, 0, "{words}: `{name}` has the mode {mode:o}");
            }
        }
    });
    suite.test("an_embedded_store_of_another_user_is_refused", &[], || {
        for name in ["", "/store.redb", "/store.redb.lock"] {
            let sandbox = stored();
            let path = at(&sandbox, name);
            if let Err(error) = chown(&path, Some(OTHER), None) {
                // Only a superuser can give a file away.
                assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
                return;
            }
            std::fs::set_permissions(&path, Permissions::from_mode(0o777))
                .expect("it may be changed");
            for words in ["pull", "push -"] {
                let output = dev(&sandbox, words).stdin(state(4)).run().code(1);
                output
                    .says("belongs to another user (id 65534")
                    .says(&format!(".remote-state/dev{name}`"));
            }
            let mode = path.metadata().expect("it is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o777, "what is another's stays as it is");
        }
    });
    suite.test("a_process_that_holds_the_embedded_store_is_waited_for_and_told", &[], || {
        let sandbox = stored();
        let lock = held(&sandbox);
        let mut waiting = dev(&sandbox, "pull").start();
        waiting.wait_for("waiting for another process that holds the embedded store");
        lock.unlock().expect("it is held");
        assert_eq!(waiting.wait().success().stdout, state(3).as_bytes());
        for words in ["pull", "lock"] {
            let lock = held(&sandbox);
            let output = dev(&sandbox, words).run().code(1);
            output
                .says("another process has held `")
                .says("store.redb` for more than")
                .says("fuser");
            drop(lock);
        }
    });
    suite.test("an_embedded_store_that_is_read_only_is_read", &[], || {
        let sandbox = stored();
        dev(&sandbox, "--dev=oss push -").stdin(state(3)).run().success();
        let folder = sandbox.path();
        if !mount(&folder, &["--bind", &folder.display().to_string()]) {
            return;
        }
        let mounted = Mounted(folder.clone());
        assert!(
            mount(&folder, &["-o", "remount,ro,bind"]),
            "what is mounted can be made read-only"
        );
        assert_eq!(dev(&sandbox, "pull").run().success().stdout, state(3).as_bytes());
        dev(&sandbox, "output -raw big").run().success();
        dev(&sandbox, "locks").run().success();
        for words in ["push -", "lock", "workspace new dev"] {
            let output = dev(&sandbox, words).stdin(state(4)).run().code(1);
            let said = output.stderr().to_ascii_lowercase();
            assert!(said.contains("read-only") && !said.contains("damaged"), "{words}: {output}");
        }
        assert_eq!(dev(&sandbox, "--dev=oss pull").run().success().stdout, state(3).as_bytes());
        let output = dev(&sandbox, "--dev=oss push -").stdin(state(4)).run().code(1);
        assert!(output.stderr().to_ascii_lowercase().contains("read-only"), "{output}");
        drop(mounted);
        dev(&sandbox, "push -").stdin(state(4)).run().success();
    });
    suite.test("a_disk_that_is_full_is_told_as_such_and_what_is_there_is_read", &[], || {
        let sandbox = Sandbox::new();
        let folder = sandbox.folder("full");
        if !mount(&folder, &["-t", "tmpfs", "-o", "size=3m", "none"]) {
            return;
        }
        let mounted = Mounted(folder.clone());
        let run = |words: &str| dev(&sandbox, &format!("-C full {words}"));
        run("push -").stdin(state(3)).run().success();
        let output =
            run("push -").stdin(long_state()).run().code(1).says("No space left on device");
        assert!(!output.stderr().contains("InternalError"), "{output}");
        // Use up all remaining space.
        let filling = std::fs::write(folder.join("filling"), vec![0; 4 << 20]);
        assert!(filling.is_err(), "the disk should be full");
        assert_eq!(run("pull").run().success().stdout, state(3).as_bytes());
        drop(mounted);
    });
    suite.test("a_limit_of_file_sizes_is_told_as_such_by_the_embedded_store", &[], || {
        let sandbox = stored();
        let push = dev(&sandbox, "push -");
        let limited = sandbox.command("sh").args(["-c", "ulimit -f 8000; exec \"$@\"", "sh"]);
        let output =
            limited.words_of(&push).stdin(long_state()).run().code(1).says("File too large");
        assert!(!output.stderr().contains("InternalError"), "{output}");
        assert_eq!(dev(&sandbox, "pull").run().success().stdout, state(3).as_bytes());
    });
}

fn dev(sandbox: &Sandbox, words: &str) -> Cmd {
    let kind = if words.contains("--dev") { None } else { Some("--dev") };
    sandbox.remote_state().args(kind).words(words)
}

/// A folder with an embedded store that holds [`state`] with serial 3.
fn stored() -> Sandbox {
    let sandbox = Sandbox::new();
    dev(&sandbox, "push -").stdin(state(3)).run().success();
    sandbox
}

/// Larger than any disk or limit here, and not compressible.
fn long_state() -> String {
    let long: String =
        (0..500_000).map(|number: u64| format!("{:x}", number.wrapping_mul(0x9e37_79b9))).collect();
    state(4).replace("5\\\"", &format!("5\\\"{long}"))
}

fn at(sandbox: &Sandbox, name: &str) -> PathBuf {
    sandbox.path().join(format!(".remote-state/dev{name}"))
}

/// Holds the store like a process that was stopped in the middle of an operation.
fn held(sandbox: &Sandbox) -> File {
    let lock = OpenOptions::new().read(true).write(true).open(at(sandbox, "/store.redb.lock"));
    let lock = lock.expect("it is there");
    lock.lock().expect("no thread holds it");
    lock
}

/// Mounts a file system at a folder; false if that is not permitted.
fn mount(folder: &Path, arguments: &[&str]) -> bool {
    let status = Command::new("mount")
        .args(arguments)
        .arg(folder)
        .stderr(std::process::Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// A file system that stays mounted as long as this value lives.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let status = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(status.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}
