//! The package for Fedora and its kin, by `cargo-generate-rpm`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::dist::deb::glibc;
use crate::dist::stage::{Stage, mode};
use crate::dist::{Made, Release, run_tool};
use crate::tools::crates::{GENERATE_RPM, install, is_installed};

pub(super) fn make(release: &Release<'_>, stage: &Stage) -> Result<Made> {
    let Some(architecture) = architecture(&release.target) else {
        return Ok(Made::Not(format!("it is made for Linux with glibc, not `{}`", release.target)));
    };
    if !release.builds_tools && !is_installed(release.workspace, &GENERATE_RPM) {
        return Ok(Made::Not(format!("there is no {} in `target/tools`", GENERATE_RPM.name)));
    }
    let tool = match install(release.workspace, &GENERATE_RPM) {
        Ok(tool) => tool,
        Err(error) => return Ok(Made::Not(format!("{}: {error}", GENERATE_RPM.name))),
    };
    // The tool reads the metadata of a manifest; one of its own keeps that list of the crate's.
    let folder = release.work.path().join("package-rpm");
    std::fs::create_dir_all(folder.join("src"))?;
    std::fs::write(folder.join("src/main.rs"), "fn main() {}\n")?;
    std::fs::write(folder.join("Cargo.toml"), manifest(release, stage)?)?;
    let name = format!("remote-state-{}-1.{architecture}.rpm", release.version);
    let path = release.output.join(name);
    let mut generate = Command::new(tool);
    generate
        .current_dir(&folder)
        .args(["--arch", architecture, "--payload-compress", "gzip", "--auto-req", "disabled"])
        .arg("--source-date")
        .arg(release.epoch.to_string())
        .arg("--output")
        .arg(&path)
        .env("SOURCE_DATE_EPOCH", release.epoch.to_string());
    run_tool(&mut generate)?;
    Ok(Made::Files(vec![path]))
}

/// Returns a manifest that lists the files.
fn manifest(release: &Release<'_>, stage: &Stage) -> Result<String> {
    let mut text = format!(
        "[package]\nname = \"remote-state\"\nversion = \"{}\"\nedition = \"2024\"\nlicense = \
         \"MIT OR Apache-2.0\"\ndescription = \"State of Terraform and OpenTofu in object \
         stores\"\n\n[workspace]\n\n[package.metadata.generate-rpm]\nsummary = \"State of \
         Terraform and OpenTofu in object stores\"\nrelease = \"1\"\npost_install_script = \
         \"systemd-sysusers remote-state.conf || :\\nsystemctl daemon-reload || :\"\nassets = [\n",
        release.version
    );
    for file in &stage.files {
        let is_doc = file.starts_with("usr/share/doc") || file.starts_with("usr/share/man");
        writeln!(
            text,
            "  {{ source = \"{}\", dest = \"/{}\", mode = \"{:o}\", doc = {is_doc}, \
             config = {} }},",
            stage.path(file).display(),
            in_fedora(file).display(),
            mode(file),
            file.starts_with("etc")
        )?;
    }
    text.push_str("]\n");
    let program = std::fs::read(stage.path(Path::new("usr/bin/remote-state")))?;
    if let Some(minor) = glibc(&program) {
        writeln!(text, "\n[package.metadata.generate-rpm.requires]\nglibc = \">= 2.{minor}\"")?;
    }
    Ok(text)
}

/// Returns the place of a file as Fedora wants it.
fn in_fedora(file: &Path) -> PathBuf {
    match file.strip_prefix("usr/share/zsh/vendor-completions") {
        Ok(name) => Path::new("usr/share/zsh/site-functions").join(name),
        Err(_) => file.to_owned(),
    }
}

fn architecture(target: &str) -> Option<&'static str> {
    let known = ["x86_64", "aarch64", "i686"];
    known.into_iter().find(|name| target == format!("{name}-unknown-linux-gnu"))
}
