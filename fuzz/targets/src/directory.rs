//! Files that users and Terraform leave in a directory, and the files that all AWS programs share.

use std::path::Path;

use remote_state_core::Provider;
use remote_state_core::config::{Environment, ResolvedConfig};
use remote_state_core::directory::{DirectoryOptions, discover};
use remote_state_s3::{S3, S3Config};
use tempfile::TempDir;

static PROVIDERS: &[&dyn Provider] = &[&S3, &remote_state_oss::Oss];

/// A file in Terraform's language.
pub(crate) fn hcl(bytes: &[u8]) {
    with_file("main.tf", bytes);
}

/// The same file in JSON.
pub(crate) fn json(bytes: &[u8]) {
    with_file("main.tf.json", bytes);
}

/// The file that only this project reads.
pub(crate) fn own_file(bytes: &[u8]) {
    with_file("remote-state.hcl", bytes);
}

/// The record of `init`.
pub(crate) fn record(bytes: &[u8]) {
    with_file(".terraform/terraform.tfstate", bytes);
}

/// A file named by `-backend-config`, beside an empty block.
pub(crate) fn backend_config_file(bytes: &[u8]) {
    in_folder(|folder| {
        write(folder, "main.tf", b"terraform {\n  backend \"s3\" {}\n}\n");
        write(folder, "values.hcl", bytes);
        look(folder, &DirectoryOptions::default().with_backend_config("values.hcl"));
    });
}

/// An argument `-backend-config=name=value`.
pub(crate) fn backend_config_argument(bytes: &[u8]) {
    in_folder(|folder| {
        write(folder, "main.tf", b"terraform {\n  backend \"s3\" {}\n}\n");
        let argument = String::from_utf8_lossy(bytes);
        // The argument may name a file, and then one of this machine's.
        if argument.contains('=') {
            look(folder, &DirectoryOptions::default().with_backend_config(argument));
        }
    });
}

/// `~/.aws/config`.
pub(crate) fn aws_config_file(bytes: &[u8]) {
    shared_file("shared_config_files", bytes);
}

/// `~/.aws/credentials`.
pub(crate) fn aws_credentials_file(bytes: &[u8]) {
    shared_file("shared_credentials_files", bytes);
}

fn shared_file(key: &str, bytes: &[u8]) {
    in_folder(|folder| {
        write(folder, "shared", bytes);
        let own = format!(
            "backend = \"s3\"\nbucket = \"b\"\nkey = \"k\"\nregion = \"us-east-1\"\nprofile = \
             \"p\"\n{key} = [\"shared\"]\n"
        );
        write(folder, "remote-state.hcl", own.as_bytes());
        look(folder, &DirectoryOptions::default());
    });
}

fn with_file(name: &str, bytes: &[u8]) {
    in_folder(|folder| {
        write(folder, name, bytes);
        look(folder, &DirectoryOptions::default());
    });
}

fn look(folder: &Path, options: &DirectoryOptions) {
    // Nothing of this machine: no home, no variable.
    let env = Environment::default();
    let Ok(found) = discover(folder, &env, options, PROVIDERS) else { return };
    let config: ResolvedConfig = found.config;
    if config.provider().scheme == remote_state_s3::PROVIDER.scheme {
        // The parser must accept or refuse any values.
        drop(S3.complete(config.clone()));
        drop(S3Config::from_resolved(&config));
    }
}

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("it is in a folder"))
        .expect("a folder can be made");
    std::fs::write(path, bytes).expect("a file can be written in a folder of our own");
}

/// Runs with an empty folder, the same for each run of a thread.
fn in_folder(run: impl FnOnce(&Path)) {
    thread_local! {
        static FOLDER: TempDir = tempfile::tempdir().expect("a temporary folder");
    }
    FOLDER.with(|folder| {
        run(folder.path());
        for entry in std::fs::read_dir(folder.path()).expect("it is there").flatten() {
            let path = entry.path();
            let removed = if path.is_dir() {
                std::fs::remove_dir_all(path)
            } else {
                std::fs::remove_file(path)
            };
            removed.expect("what we made can be removed");
        }
    });
}
