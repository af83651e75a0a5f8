//! `cargo xtask release`: checks that a release is right, then dates the changelog, sets the
//! version, commits and tags. It neither pushes nor publishes; `RELEASING.md` says what follows.

use std::process::{Command, ExitCode};
use std::time::{Instant, SystemTime};

use crate::Result;
use crate::dist::timestamp;
use crate::report::{Report, Row};
use crate::workspace::{Workspace, on_path};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The version, such as `0.2.0`
    version: String,
    /// Check everything, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not build each crate from its package, which takes longer than everything else
    #[arg(long)]
    no_verify: bool,
}

/// A check by a tool that a maintainer may lack.
struct Tool {
    /// The program, which cargo finds as a command of its own.
    program: &'static str,
    arguments: &'static [&'static str],
    /// Why it does not apply yet, if there is no release before this one.
    needs_a_release: bool,
}

const TOOLS: &[Tool] = &[
    Tool {
        program: "cargo-deny",
        arguments: &["deny", "--workspace", "check", "bans", "licenses", "sources"],
        needs_a_release: false,
    },
    Tool {
        program: "cargo-hack",
        arguments: &["hack", "check", "--each-feature", "--no-dev-deps", "--workspace"],
        needs_a_release: false,
    },
    Tool {
        program: "cargo-semver-checks",
        arguments: &["semver-checks", "--workspace"],
        needs_a_release: true,
    },
];

pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    let version = Version::parse(&args.version)?;
    let tag = format!("v{}", args.version);
    let changelog = std::fs::read_to_string(workspace.root().join("CHANGELOG.md"))?;
    let mut rows = vec![
        step("version", || is_next(workspace, &version)),
        step("clean", || is_clean(workspace)),
        step("changelog", || has_changes(&changelog)),
        step("check-deps", || crate::check_deps::violations(workspace)),
        step("codegen", || crate::codegen::violations(workspace)),
        step("publish", || publish(workspace, args.no_verify)),
    ];
    let has_release = !git(workspace, &["tag", "--list", "v*"])?.is_empty();
    rows.extend(TOOLS.iter().map(|tool| by_tool(workspace, tool, has_release)));
    let report = Report { rows };
    print!("{}", report.render());
    if report.failed() {
        return Ok(ExitCode::FAILURE);
    }
    if args.dry_run {
        println!(
            "nothing was changed; without `--dry-run` this makes the commit and the tag {tag}"
        );
        return Ok(ExitCode::SUCCESS);
    }
    let today = &timestamp(now()?)[..10];
    let old = workspace.version()?;
    write(workspace, "CHANGELOG.md", &dated(&changelog, &args.version, today))?;
    let manifest = std::fs::read_to_string(workspace.root().join("Cargo.toml"))?;
    write(workspace, "Cargo.toml", &with_version(&manifest, &old, &args.version))?;
    // The lock file has the versions of our packages.
    cargo(workspace, &["update", "--workspace", "--offline"])?;
    git(workspace, &["commit", "--all", "--message", &format!("release {}", args.version)])?;
    git(workspace, &["tag", "--annotate", "--message", &args.version, &tag])?;
    println!("made the commit and the tag {tag}; RELEASING.md says what follows");
    Ok(ExitCode::SUCCESS)
}

/// A version without a label: three numbers.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version([u64; 3]);

impl Version {
    fn parse(text: &str) -> Result<Self> {
        let numbers: Vec<u64> = text.split('.').map_while(|part| part.parse().ok()).collect();
        match <[u64; 3]>::try_from(numbers) {
            Ok(numbers) if Self(numbers).to_string() == text => Ok(Self(numbers)),
            _ => Err(format!("`{text}` is no version; expected one such as `0.2.0`").into()),
        }
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [major, minor, patch] = self.0;
        write!(f, "{major}.{minor}.{patch}")
    }
}

fn step(name: &str, violations: impl FnOnce() -> Result<Vec<String>>) -> Row {
    eprintln!("checking {name}");
    let started = Instant::now();
    let failures = violations().unwrap_or_else(|error| vec![error.to_string()]);
    Row::step(name, started.elapsed(), failures)
}

/// Runs a tool, or reports it as skipped.
fn by_tool(workspace: &Workspace, tool: &Tool, has_release: bool) -> Row {
    let reason = if tool.needs_a_release && !has_release {
        "there is no release to compare with"
    } else if on_path(tool.program).is_none() {
        "it is not on PATH; `cargo install` builds it"
    } else {
        return step(tool.program, || cargo(workspace, tool.arguments).map(|()| Vec::new()));
    };
    Row { skipped: vec![format!("{}: {reason}", tool.program)], ..Row::new(tool.program) }
}

/// The first release has the version that the manifest has already.
fn is_next(workspace: &Workspace, version: &Version) -> Result<Vec<String>> {
    let mut violations = Vec::new();
    let tag = format!("v{version}");
    if !git(workspace, &["tag", "--list", &tag])?.is_empty() {
        violations.push(format!("the tag {tag} is there already"));
    }
    let current = Version::parse(&workspace.version()?)?;
    if *version < current {
        violations.push(format!("{version} is lower than {current}, which Cargo.toml has"));
    }
    Ok(violations)
}

fn is_clean(workspace: &Workspace) -> Result<Vec<String>> {
    let changed = git(workspace, &["status", "--porcelain"])?;
    Ok(changed.lines().map(|line| format!("not committed: {}", line.trim())).collect())
}

fn has_changes(changelog: &str) -> Result<Vec<String>> {
    let unreleased =
        changelog.split_once("## [Unreleased]").ok_or("CHANGELOG.md has no part `[Unreleased]`")?.1;
    let part = unreleased.split("\n## ").next().unwrap_or_default();
    let is_empty = part.lines().all(|line| line.trim().is_empty() || line.starts_with('#'));
    Ok(is_empty
        .then(|| "CHANGELOG.md says nothing under [Unreleased]".to_owned())
        .into_iter()
        .collect())
}

/// Packages all crates as they are published, in order, and builds each from its package.
fn publish(workspace: &Workspace, no_verify: bool) -> Result<Vec<String>> {
    let mut arguments = vec!["publish", "--workspace", "--dry-run", "--locked"];
    if no_verify {
        arguments.push("--no-verify");
    }
    cargo(workspace, &arguments)?;
    Ok(Vec::new())
}

/// Returns the changelog with the unreleased part under the version, and an empty one above.
fn dated(changelog: &str, version: &str, today: &str) -> String {
    let heading = "## [Unreleased]";
    changelog.replacen(heading, &format!("{heading}\n\n## [{version}] - {today}"), 1)
}

/// Returns the manifest of the workspace with another version, for itself and for its packages.
fn with_version(manifest: &str, old: &str, new: &str) -> String {
    let line = |line: &str| {
        let is_own = line == format!("version = \"{old}\"");
        let is_member = line.starts_with("remote-state") && line.contains("path = ");
        if is_own || is_member {
            let from = format!("{old}\"");
            line.replace(&format!("\"{from}"), &format!("\"{new}\""))
                .replace(&format!("\"={from}"), &format!("\"={new}\""))
        } else {
            line.to_owned()
        }
    };
    manifest.lines().map(line).collect::<Vec<_>>().join("\n") + "\n"
}

fn write(workspace: &Workspace, name: &str, text: &str) -> Result<()> {
    Ok(std::fs::write(workspace.root().join(name), text)?)
}

fn now() -> Result<u64> {
    Ok(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs())
}

fn cargo(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    let status = workspace.cargo(arguments).status()?;
    if status.success() {
        return Ok(());
    }
    Err(format!("`cargo {}`: {status}; see above", arguments.join(" ")).into())
}

fn git(workspace: &Workspace, arguments: &[&str]) -> Result<String> {
    let output = Command::new("git").args(arguments).current_dir(workspace.root()).output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("`git {}` failed: {}", arguments.join(" "), said.trim()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_three_numbers_and_are_ordered_as_numbers() {
        let version = |text: &str| Version::parse(text).map_err(|error| error.to_string());
        assert!(version("0.10.0").unwrap() > version("0.9.1").unwrap());
        for text in ["", "1", "1.2", "1.2.3.4", "v1.2.3", "1.2.x", "01.2.3", "1.2.3-rc1"] {
            assert!(version(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_changelog_is_dated_and_gets_an_empty_part_for_what_comes() {
        let before = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- it\n";
        assert_eq!(
            dated(before, "0.2.0", "2026-11-27"),
            "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-11-27\n\n### Added\n\n- it\n"
        );
        assert_eq!(has_changes(before).expect("it has the part"), [""; 0]);
        let after = dated(before, "0.2.0", "2026-11-27");
        let empty = has_changes(&after).expect("it has the part");
        assert_eq!(empty, ["CHANGELOG.md says nothing under [Unreleased]"]);
    }

    #[test]
    fn the_version_of_the_workspace_changes_and_that_of_others_does_not() {
        let manifest = "[workspace.package]\nversion = \"0.1.0\"\n[workspace.dependencies]\n\
                        remote-state = { path = \"x\", version = \"=0.1.0\" }\nother = { version = \
                        \"0.1.0\" }\n";
        assert_eq!(
            with_version(manifest, "0.1.0", "0.2.0"),
            "[workspace.package]\nversion = \"0.2.0\"\n[workspace.dependencies]\nremote-state = { \
             path = \"x\", version = \"=0.2.0\" }\nother = { version = \"0.1.0\" }\n"
        );
    }
}
