//! `cargo xtask test`: runs all tests, as named suites.
//!
//! | suite | contents |
//! |---|---|
//! | `unit` | tests beside the code, and each crate's own integration tests |
//! | `doc` | examples in documentation |
//! | `conformance` | the crates' test targets named `conformance…`: every provider on the emulator |
//! | any other | a test target of the package `remote-state-tests`, by its file's name |
//!
//! With `REMOTE_STATE_TEST_LISTS_SETUPS` in their environment, the test targets of
//! `remote-state-tests` print the setups that their tests need, one per line, and xtask starts
//! these. Then the environment tells the targets what is available: `REMOTE_STATE_BIN` is the
//! binary under test; `REMOTE_STATE_TEST_TERRAFORM` and `REMOTE_STATE_TEST_TOFU` are absent if the
//! program is; `REMOTE_STATE_TEST_CLIENTS` is a JSON object of other versions of Terraform, by
//! version, which xtask fetches for the suite `clients` during the build;
//! `REMOTE_STATE_TEST_SETUPS` is a JSON object of all setups; `REMOTE_STATE_TEST_ONLY` names the
//! setups to which the tests are limited; `REMOTE_STATE_TEST_LONG` is set with `--long`. The
//! targets report tests that they cannot run as ignored, and the table at the end says why.

mod outcome;
mod requirement;
mod suite;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::Result;
use crate::process::{Captured, Streams, capture, tail};
use crate::report::{Report, Row};
use crate::setups::{Setup, named};
use crate::test::outcome::Outcome;
use crate::test::requirement::{Required, Requirement, Requirements, start_setups};
use crate::test::suite::{Run, Selection, Suite};
use crate::workspace::Workspace;

/// Tells a test binary to run its long tests.
const LONG: &str = "REMOTE_STATE_TEST_LONG";
/// How many lines of a failing suite's output xtask prints.
const TAIL: usize = 200;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Fail if this is not available, instead of skipping the tests that need it; repeat or
    /// separate with commas
    ///
    /// A name is a program (`terraform`), a setup (`s3/ceph`), or a kind of server (`ceph`), which
    /// stands for every setup that uses it.
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub(crate) require: Vec<String>,
    /// Run only the tests of this setup, a folder of `.github/services` such as `s3/ceph`; repeat
    /// or separate with commas
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    setup: Vec<String>,
    /// Run only these suites; repeat or separate with commas
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    suite: Vec<String>,
    /// Run the long form of the suites that have one, `fuzz` and `races`: a minute for each target
    /// instead of seconds, and a thousand rounds instead of a few, with the command as it is
    /// released
    #[arg(long)]
    long: bool,
    /// Print the output of every suite as it arrives, instead of only the end of what a failing
    /// suite printed
    #[arg(short, long)]
    verbose: bool,
    /// Arguments for every test binary, such as a part of a test's name
    #[arg(last = true)]
    arguments: Vec<String>,
}

impl Args {
    /// Returns the arguments for every suite, with what is required.
    pub(crate) fn all(require: Vec<String>) -> Self {
        Self {
            require,
            setup: Vec::new(),
            suite: Vec::new(),
            long: false,
            verbose: false,
            arguments: Vec::new(),
        }
    }
}

pub(crate) fn run(workspace: &Workspace, args: Args) -> Result<ExitCode> {
    let report = Report { rows: run_suites(workspace, &args)? };
    print!("{}", report.render());
    Ok(if report.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Builds and runs the suites, and returns a row for each.
pub(crate) fn run_suites(workspace: &Workspace, args: &Args) -> Result<Vec<Row>> {
    let setups = Setup::all(workspace.root())?;
    let required = args
        .require
        .iter()
        .map(|name| Required::parse(name, &setups))
        .collect::<Result<Vec<_>>>()?;
    if let Some(unknown) = args.setup.iter().find(|name| named(&setups, name).is_none()) {
        let known: Vec<&str> = setups.iter().map(|setup| setup.name.as_str()).collect();
        return Err(
            format!("there is no setup `{unknown}`: the setups are {}", known.join(", ")).into()
        );
    }
    let mut selection = Selection::new(workspace.metadata(), &args.suite)?;
    if !args.setup.is_empty() {
        // The other suites need no setups.
        selection.retain_end_to_end()?;
    }
    let started = Instant::now();
    let wants_clients = selection.contains("clients")
        || required.iter().any(|required| {
            matches!(required, Required::Clients | Required::One(Requirement::Client(_)))
        });
    let target_dir = workspace.target_dir().to_owned();
    // Fetch clients during the build: one waits for the network, the other computes.
    let clients = wants_clients
        .then(|| std::thread::spawn(move || crate::tools::clients::install_all(&target_dir)));
    let built = selection.build(workspace).and_then(|suites| {
        // Only the end-to-end suites use the binary and other programs.
        let product = selection
            .end_to_end()
            .then(|| {
                // A thousand rounds start tens of thousands of processes.
                if args.long {
                    workspace.build_product()
                } else {
                    workspace.build_product_as_tested()
                }
            })
            .transpose()?;
        let needed = selection.needed_setups(&suites)?;
        Ok((suites, product, needed))
    });
    let (suites, product, needed) = match built {
        Ok(built) => built,
        Err(error) => {
            return Ok(vec![Row::step("build", started.elapsed(), vec![error.to_string()])]);
        }
    };
    let clients = clients.and_then(|clients| clients.join().ok()).unwrap_or_default();
    let is_asked = |setup: &Setup| {
        let is_required = |required: &Required| match required {
            Required::Kind(kind) => setup.kinds().any(|of_setup| of_setup == *kind),
            Required::Clients => false,
            Required::One(requirement) => requirement.to_string() == setup.name,
        };
        needed.contains(&setup.name) || required.iter().any(is_required)
    };
    let is_chosen = |setup: &Setup| args.setup.is_empty() || args.setup.contains(&setup.name);
    let requirements = match product {
        Some(product) => {
            let running = start_setups(workspace, &setups, is_asked, is_chosen);
            Requirements::find(product, running, clients, &args.setup)
        }
        None => Requirements::none(),
    };
    for (name, reason) in requirements.absent() {
        eprintln!("{name}: {reason}");
    }
    let asked = Asked { args, required: &required, setups: &setups };

    let mut rows = Vec::new();
    for suite in suites {
        let (name, started) = (suite.name.clone(), Instant::now());
        let row = run_suite(suite, &asked, &requirements);
        rows.push(
            row.unwrap_or_else(|error| Row::step(name, started.elapsed(), vec![error.to_string()])),
        );
    }
    if rows.iter().any(|row| row.failed > 0) {
        requirements.keep_logs();
    }
    for required in &required {
        if let Some(reason) = requirements.why_missing(required) {
            let failure = format!("{required}: {reason}");
            rows.push(Row::step(format!("--require {required}"), Duration::ZERO, vec![failure]));
        }
    }
    Ok(rows)
}

/// The requested requirements, and all that can be requested.
struct Asked<'a> {
    args: &'a Args,
    required: &'a [Required],
    setups: &'a [Setup],
}

fn run_suite(suite: Suite, asked: &Asked<'_>, requirements: &Requirements) -> Result<Row> {
    let (mut row, args) = (Row::new(suite.name), asked.args);
    let started = Instant::now();
    for Run { label, mut command, forwards_arguments_after } in suite.runs {
        eprintln!("running {}: {label}", row.name);
        if !args.arguments.is_empty() {
            command.args(forwards_arguments_after);
            command.args(&args.arguments);
        }
        requirements.export(&mut command);
        if args.long {
            command.env(LONG, "1");
        } else {
            command.env_remove(LONG);
        }
        let captured = capture(command, Streams::Joined, |line| {
            if args.verbose {
                println!("{line}");
            }
        })?;
        let failed_before = row.failed;
        add(&mut row, &label, &captured, asked, requirements);
        if row.failed > failed_before && !args.verbose {
            println!("--- {}: {label}: last lines of its output", row.name);
            for line in tail(&captured.lines, TAIL) {
                println!("{line}");
            }
            println!("---");
        }
    }
    row.elapsed = started.elapsed();
    eprintln!(
        "{}: {} run, {} failed, {} skipped",
        row.name,
        row.run(),
        row.failed,
        row.skipped.len()
    );
    Ok(row)
}

/// Adds the counts of one binary, and what its exit status says beyond that.
fn add(
    row: &mut Row,
    label: &str,
    captured: &Captured,
    asked: &Asked<'_>,
    requirements: &Requirements,
) {
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
        let absent = requirement.as_ref().and_then(|lacked| requirements.why_absent(lacked));
        match (requirement, absent) {
            // `--require` promises that no test that needs it is skipped, for any reason.
            (Some(lacked), None)
                if Requirements::is_required(&lacked, asked.required, asked.setups) =>
            {
                row.failed += 1;
                row.notes.push(format!(
                    "{}: skipped although {lacked} is there and required",
                    ignored.name
                ));
            }
            (Some(lacked), Some(reason)) => row.skipped.push(format!("{lacked}: {reason}")),
            _ => row.skipped.push(ignored.own_reason()),
        }
    }
}
