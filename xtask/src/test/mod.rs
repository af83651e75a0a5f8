//! `cargo xtask test`: everything, as named suites.
//!
//! | suite | what it is |
//! |---|---|
//! | `unit` | tests beside the code, and each crate's own integration tests |
//! | `doc` | examples in documentation |
//! | `conformance` | the crates' test targets named `conformance…`: every provider on the emulator |
//! | any other | a test target of the package `remote-state-tests`, by its file's name |
//!
//! The test targets of `remote-state-tests` learn what is there from the environment: `REMOTE_STATE_BIN` is the
//! binary under test; `REMOTE_STATE_TEST_TERRAFORM`, `REMOTE_STATE_TEST_TOFU` and `REMOTE_STATE_TEST_MINIO` (with
//! `…_ACCESS_KEY`, `…_SECRET_KEY` and `…_BUCKET`) and `REMOTE_STATE_TEST_MOTO` are absent when the thing is. They report what they could not run as ignored,
//! and the table at the end says why.

mod outcome;
mod requirement;
mod suite;

use std::process::ExitCode;
use std::time::{Duration, Instant};

pub(crate) use requirement::Requirement;

use crate::Result;
use crate::process::{Captured, Streams, capture, tail};
use crate::report::{Report, Row};
use crate::test::outcome::Outcome;
use crate::test::requirement::Requirements;
use crate::test::suite::{Run, Selection, Suite};
use crate::workspace::{Profile, Workspace};

/// How much of a failing suite's output is shown.
const TAIL: usize = 200;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Fail if this is not there, instead of skipping what needs it; repeat or separate with commas
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAME")]
    pub(crate) require: Vec<Requirement>,
    /// Run only these suites; repeat or separate with commas
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    suite: Vec<String>,
    /// Show the output of every suite as it comes, not only the end of the failing ones
    #[arg(short, long)]
    verbose: bool,
    /// Passed to every test binary, such as a part of a test's name
    #[arg(last = true)]
    arguments: Vec<String>,
}

impl Args {
    /// Every suite, with what must be there.
    pub(crate) fn all(require: Vec<Requirement>) -> Self {
        Self { require, suite: Vec::new(), verbose: false, arguments: Vec::new() }
    }
}

pub(crate) fn run(workspace: &Workspace, args: Args) -> Result<ExitCode> {
    let report = Report { rows: run_suites(workspace, &args)? };
    print!("{}", report.render());
    Ok(if report.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Builds and runs the suites, and returns a row for each.
pub(crate) fn run_suites(workspace: &Workspace, args: &Args) -> Result<Vec<Row>> {
    let selection = Selection::new(workspace.metadata(), &args.suite)?;
    let started = Instant::now();
    let built = selection.build(workspace).and_then(|suites| {
        // Only the end-to-end suites use the binary and talk to other programs.
        let product = selection.end_to_end().then(|| workspace.build_product(Profile::Debug)).transpose()?;
        Ok((suites, product))
    });
    let (suites, product) = match built {
        Ok(built) => built,
        Err(error) => return Ok(vec![Row::step("build", started.elapsed(), vec![error.to_string()])]),
    };
    let requirements = product.map_or_else(Requirements::none, |path| Requirements::find(workspace, path));
    for (requirement, reason) in requirements.absent() {
        eprintln!("{requirement}: {reason}");
    }

    let mut rows = Vec::new();
    for suite in suites {
        let (name, started) = (suite.name.clone(), Instant::now());
        let row = run_suite(suite, args, &requirements);
        rows.push(row.unwrap_or_else(|error| Row::step(name, started.elapsed(), vec![error.to_string()])));
    }
    if rows.iter().any(|row| row.failed > 0) {
        requirements.keep_logs();
    }
    for &requirement in &args.require {
        if let Some(reason) = requirements.why_absent(requirement) {
            let failure = format!("{requirement}: {reason}");
            rows.push(Row::step(format!("--require {requirement}"), Duration::ZERO, vec![failure]));
        }
    }
    Ok(rows)
}

fn run_suite(suite: Suite, args: &Args, requirements: &Requirements) -> Result<Row> {
    let mut row = Row::new(suite.name);
    let started = Instant::now();
    for Run { label, mut command, forwards_arguments_after } in suite.runs {
        eprintln!("running {}: {label}", row.name);
        if !args.arguments.is_empty() {
            command.args(forwards_arguments_after);
            command.args(&args.arguments);
        }
        requirements.export(&mut command);
        let captured = capture(command, Streams::Joined, |line| {
            if args.verbose {
                println!("{line}");
            }
        })?;
        let failed_before = row.failed;
        add(&mut row, &label, &captured, args, requirements);
        if row.failed > failed_before && !args.verbose {
            println!("--- {}: {label}: last lines of its output", row.name);
            for line in tail(&captured.lines, TAIL) {
                println!("{line}");
            }
            println!("---");
        }
    }
    row.elapsed = started.elapsed();
    eprintln!("{}: {} run, {} failed, {} skipped", row.name, row.run(), row.failed, row.skipped.len());
    Ok(row)
}

/// Counts what one binary reported, and what its end says beyond that.
fn add(row: &mut Row, label: &str, captured: &Captured, args: &Args, requirements: &Requirements) {
    let outcome = Outcome::parse(captured.lines.iter().map(String::as_str));
    row.passed += outcome.passed;
    row.failed += outcome.failed;
    if let Some(note) = outcome.unreported_failure(captured.status.success()) {
        row.failed += 1;
        row.notes.push(format!("{label}: {note} ({})", captured.status));
    }
    if captured.left_behind {
        row.failed += 1;
        row.notes.push(format!("{label}: left a process behind that holds its output"));
    }
    for ignored in &outcome.ignored {
        let requirement = ignored.requirement(&row.name);
        match requirement {
            // `--require` promises that nothing which needs it is skipped, for whatever reason.
            Some(required)
                if args.require.contains(&required) && requirements.why_absent(required).is_none() =>
            {
                row.failed += 1;
                row.notes
                    .push(format!("{}: skipped although {required} is there and required", ignored.name));
            }
            _ => {
                let absent = requirement
                    .and_then(|r| requirements.why_absent(r).map(|reason| format!("{r}: {reason}")));
                row.skipped.push(absent.unwrap_or_else(|| ignored.own_reason()));
            }
        }
    }
}
