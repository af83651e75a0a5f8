//! Packages of Debian and its derivatives. Only an administrator can install them, on request.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::Result;
use crate::workspace::on_path;

/// Installs packages, unless they are there, and prints their versions.
///
/// # Errors
/// Says what is missing, and the command for an administrator.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    let query = on_path("dpkg-query")
        .ok_or("this system has no `dpkg-query`: it does not have Debian's packages")?;
    if missing(&query, packages).is_empty() {
        return versions(&query, packages);
    }
    let mut arguments = vec!["apt-get", "install", "--yes", "--no-install-recommends"];
    arguments.extend_from_slice(packages);
    let by_hand = format!("an administrator may type `{}`", arguments.join(" "));
    let prefix = administrator().ok_or_else(|| {
        format!(
            "`{}` cannot be installed: neither root nor `sudo` without a password; {by_hand}",
            packages.join("`, `")
        )
    })?;
    // Try without an update first, which saves time; an outdated list names packages that are gone.
    if !apt(&prefix, &arguments)? {
        let is_updated = apt(&prefix, &["apt-get", "update"])?;
        if !is_updated || !apt(&prefix, &arguments)? {
            return Err(format!("`apt-get` failed, see above; {by_hand}").into());
        }
    }
    match missing(&query, packages).as_slice() {
        [] => versions(&query, packages),
        missing => {
            Err(format!("`apt-get` reported success, but `{}` is not there", missing.join("`, `"))
                .into())
        }
    }
}

/// Returns the prefix that runs a command as an administrator; `None` if there is no way.
fn administrator() -> Option<Vec<String>> {
    let succeeds = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    if succeeds("id", &["-u"]).as_deref() == Some("0") {
        return Some(Vec::new());
    }
    succeeds("sudo", &["-n", "true"]).map(|_| vec!["sudo".to_owned(), "-n".to_owned()])
}

fn apt(prefix: &[String], arguments: &[&str]) -> Result<bool> {
    let mut words =
        prefix.iter().map(String::as_str).chain(["env", "DEBIAN_FRONTEND=noninteractive"]);
    let mut command = Command::new(words.next().unwrap_or("env"));
    command.args(words).args(arguments).stdin(Stdio::null());
    eprintln!("$ {}", arguments.join(" "));
    let status = command.status().map_err(|error| format!("cannot run `apt-get`: {error}"))?;
    Ok(status.success())
}

fn missing<'a>(query: &PathBuf, packages: &[&'a str]) -> Vec<&'a str> {
    packages.iter().copied().filter(|package| version(query, package).is_none()).collect()
}

fn versions(query: &PathBuf, packages: &[&str]) -> Result<()> {
    for package in packages {
        println!("{package} {}", version(query, package).unwrap_or_default());
    }
    Ok(())
}

/// Returns the version of an installed package:
/// <https://manpages.debian.org/bookworm/dpkg/dpkg-query.1.en.html>.
fn version(query: &PathBuf, package: &str) -> Option<String> {
    let format = "-f=${db:Status-Status} ${Version}";
    let output = Command::new(query).args(["-W", format, package]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then(|| text.strip_prefix("installed ").map(str::to_owned)).flatten()
}
