//! Chores of this workspace, run as `cargo xtask …` from any folder.
//!
//! CI runs the same commands, so that a developer can repeat a failed job by typing one line.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a developer's tool: printing is what it is for"
)]

mod bench;
mod check_deps;
mod ci;
mod codegen;
mod demo;
mod dist;
mod docs;
mod install;
mod metadata;
mod packages;
mod process;
mod release;
mod report;
mod servers;
mod setups;
mod start;
mod test;
mod tools;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// A chore fails with a sentence for the user; no code matches on kinds here.
type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T> = std::result::Result<T, Error>;

/// Chores of the remote-state workspace
#[derive(Parser)]
#[command(bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure time and memory beside other programs that do the same, and compare the results with
    /// the bars: the limits that this project sets itself
    Bench(bench::Args),
    /// Check the dependencies and features of the crates, the strings of the libraries, and the
    /// lengths of lines
    CheckDeps,
    /// Run what CI runs: format, lints, documentation, `check-deps`, `codegen`, tests
    Ci(ci::Args),
    /// Write the reference in `docs/reference` and the tables in the crates' READMEs from those in
    /// the code
    Codegen(codegen::Args),
    /// Build the command and show its main job: a state of Terraform in the embedded store is
    /// locked, read, and found by native Terraform
    Demo(demo::Args),
    /// Make all packages of a release: archive, `.deb`, `.rpm`, image, bill of materials
    Dist(dist::Args),
    /// Build the book of `docs/` into `target/book`
    Docs(docs::Args),
    /// Install the system's packages that a setup needs, which takes an administrator's rights
    Install(install::Args),
    /// Print as JSON what CI builds separately: each package, and each provider by itself
    ListPackages,
    /// Keep a MinIO server running until Ctrl-C, and print how to reach it; the same as
    /// `start s3/minio`
    ///
    /// The program is `$MINIO_BIN`, else `minio` on PATH, else `target/tools/minio`. If it is not
    /// there either, `go install` builds it, which downloads sources and takes about five minutes.
    Minio,
    /// Check that a release is right, then date the changelog, set the version, commit and tag
    Release(release::Args),
    /// Keep setups running until Ctrl-C, and print how to reach them
    Start(start::Args),
    /// Run every test, and say at the end what ran and what did not
    Test(test::Args),
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    let find = || {
        let workspace = Workspace::find()?;
        servers::end_with_us()?;
        Ok(workspace)
    };
    match command {
        Command::Bench(args) => bench::run(find, args),
        Command::CheckDeps => check_deps::run(&find()?),
        Command::Ci(args) => ci::run(&find()?, args),
        Command::Codegen(args) => codegen::run(&find()?, &args),
        Command::Demo(args) => demo::run(&find()?, &args),
        Command::Dist(args) => dist::run(&find()?, &args),
        Command::Docs(args) => docs::run(&find()?, &args),
        Command::Install(args) => install::run(&find()?, &args),
        Command::ListPackages => {
            println!("{}", packages::to_json(find()?.metadata()));
            Ok(ExitCode::SUCCESS)
        }
        Command::Minio => start::run(&find()?, &start::Args::minio()),
        Command::Release(args) => release::run(&find()?, &args),
        Command::Start(args) => start::run(&find()?, &args),
        Command::Test(args) => test::run(&find()?, args),
    }
}
