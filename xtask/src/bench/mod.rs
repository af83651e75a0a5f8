//! `cargo xtask bench`: compares the command with other programs that do the same, against the same
//! server, in one run.
//!
//! The bars are ratios of medians. The programs of a row take turns, so that other load on the
//! machine affects all of them.

mod measure;
mod places;
mod report;
mod rows;
mod server;
mod state;

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::Result;
use crate::bench::measure::{Run, median};
use crate::bench::places::Places;
use crate::bench::report::{Measured, Report};
use crate::bench::rows::{Before, Row};
use crate::workspace::Workspace;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Measure how states in S3 are read, written and locked, on MinIO and on the emulator behind a
    /// slow link
    S3(S3Args),
    /// Measure how many clients' cycles of lock, read, write and unlock `serve` gets through, over
    /// the embedded store and MinIO
    Server(server::ServerArgs),
    /// Run one program, and print its time and its peak memory
    #[command(hide = true)]
    Measure {
        #[arg(last = true, required = true)]
        words: Vec<OsString>,
    },
}

#[derive(clap::Args)]
pub(crate) struct S3Args {
    /// Fail if a bar is missed
    #[arg(long)]
    strict: bool,
    /// Run only the rows whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Run this many rounds of each row, instead of as many as its result needs; a few are enough
    /// for a quick look
    #[arg(long, value_name = "N")]
    rounds: Option<NonZeroUsize>,
    /// Measure this program instead of building one
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Use this emulator, built from its example `serve`, instead of building one
    #[arg(long, value_name = "FILE")]
    emulator: Option<PathBuf>,
}

/// Runs the benchmarks. Looking up the workspace starts a program, and the peak of memory is that
/// of all children, so this does it only where needed.
pub(crate) fn run(workspace: impl FnOnce() -> Result<Workspace>, args: Args) -> Result<ExitCode> {
    match args.what {
        What::Measure { words } => measure::child(&words),
        What::S3(args) => s3(&workspace()?, &args),
        What::Server(args) => {
            let is_kept = server::run(&workspace()?, &args)?;
            Ok(if is_kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}

fn s3(workspace: &Workspace, args: &S3Args) -> Result<ExitCode> {
    let binary = match &args.binary {
        Some(binary) => binary.canonicalize()?,
        None => workspace.build_dist(&["--package", "remote-state-cli"], "remote-state")?,
    };
    let emulator = match &args.emulator {
        Some(emulator) => emulator.canonicalize()?,
        None => workspace
            .build_dist(&["--package", "remote-state-emulator", "--example", "serve"], "serve")?,
    };
    let places = Places::start(workspace, binary, &emulator)?;
    let mut report = Report::new(&places);
    for row in rows::all(&places)? {
        if args.only.as_ref().is_none_or(|text| row.name.contains(text.as_str())) {
            eprintln!("{} …", row.name);
            report.add(&row, measured(&places, &row, args.rounds)?);
        }
    }
    if args.only.as_ref().is_none_or(|text| "binary".contains(text.as_str())) {
        report.size(std::fs::metadata(places.binary())?.len());
    }
    print!("{}", report.render());
    let folder = workspace.target_dir().join("bench");
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("s3.json");
    std::fs::write(&file, serde_json::to_string_pretty(&report.json())?)?;
    println!("\nas JSON: {}", file.display());
    let is_missed = args.strict && report.missed() > 0;
    Ok(if is_missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Runs the programs of a row in turns. The first round warms up and does not count.
fn measured(places: &Places, row: &Row, rounds: Option<NonZeroUsize>) -> Result<Vec<Measured>> {
    let mut runs: Vec<Vec<Run>> = vec![Vec::new(); row.contenders.len()];
    for round in 0..=rounds.map_or(row.rounds, NonZeroUsize::get) {
        for (contender, runs) in row.contenders.iter().zip(&mut runs) {
            // A slow program runs less often, and needs no warming up.
            let is_over = contender.at_most.is_some_and(|most| runs.len() >= most);
            if is_over {
                continue;
            }
            if contender.before == Before::NextSerial {
                places.next_serial()?;
            }
            let run = contender.line.run(places.folder())?;
            if round > 0 || contender.at_most.is_some() {
                runs.push(run);
            }
        }
    }
    let measured = row.contenders.iter().zip(runs).map(|(contender, runs)| Measured {
        name: contender.name,
        rounds: runs.len(),
        seconds: median(runs.iter().map(|run| run.seconds).collect()).unwrap_or_default(),
        peak_bytes: runs.iter().map(|run| run.peak_bytes).max().unwrap_or_default(),
    });
    Ok(measured.collect())
}
