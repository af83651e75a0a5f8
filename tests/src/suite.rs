//! Named tests, each instantiated for its servers.

use std::collections::BTreeSet;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Trial};

use crate::requirement::Requirement;
use crate::server::S3Server;
use crate::setup::{Setup, Shows};

/// These tests mostly wait, so more of them run at once than there are processors.
const THREADS: usize = 6;

/// The tests of one binary.
#[derive(Debug, Default)]
pub struct Suite {
    trials: Vec<Trial>,
    /// The setups that tests need.
    setups: BTreeSet<&'static str>,
    /// If not empty, leaves out tests that need none of these setups.
    only: Vec<String>,
    threads: usize,
}

impl Suite {
    /// Creates an empty suite.
    pub fn new() -> Self {
        let only = std::env::var("REMOTE_STATE_TEST_ONLY").unwrap_or_default();
        let only = only.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        Self { only, threads: THREADS, ..Self::default() }
    }

    /// Sets how many tests run at once, for tests that keep a processor busy.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Adds a test. It fails by panicking. If a requirement is not available, it is reported as
    /// ignored.
    pub fn test(
        &mut self,
        name: impl Into<String>,
        needs: &[Requirement],
        test: impl FnOnce() + Send + 'static,
    ) {
        let setups = needs.iter().filter_map(|needed| match needed {
            Requirement::Setup(name) => Some(*name),
            _ => None,
        });
        if !self.only.is_empty()
            && !setups.clone().any(|name| self.only.iter().any(|only| only == name))
        {
            return;
        }
        self.setups.extend(setups);
        let absent = needs.iter().find_map(|needed| Some((needed.name(), needed.why_absent()?)));
        self.trials.push(match absent {
            None => Trial::test(name, || {
                test();
                Ok(())
            }),
            Some((kind, reason)) => {
                Trial::ignorable_test(name, || Ok(Completion::ignored_with(reason))).with_kind(kind)
            }
        });
    }

    /// Adds a test for the emulator and the same for MinIO, named `emulator::name` and
    /// `s3/minio::name`.
    ///
    /// Each run on the emulator has an emulator of its own; the runs on MinIO share a server and
    /// differ in their keys.
    pub fn on_each_server(
        &mut self,
        name: &str,
        needs: &[Requirement],
        test: impl Fn(&S3Server) + Clone + Send + 'static,
    ) {
        self.on_emulator(name, needs, test.clone());
        self.on_setup(Setup::named("s3/minio"), name, needs, test);
    }

    /// Adds a test for a setup, named for example `s3/minio::name`. All tests share its servers and
    /// differ in their keys.
    pub fn on_setup(
        &mut self,
        setup: &'static Setup,
        name: &str,
        needs: &[Requirement],
        test: impl Fn(&S3Server) + Send + 'static,
    ) {
        let needs: Vec<_> =
            needs.iter().copied().chain([Requirement::Setup(&setup.name)]).collect();
        self.test(format!("{}::{name}", setup.name), &needs, move || test(&S3Server::of(setup)));
    }

    /// Adds a test for each setup with S3 whose description matches.
    pub fn on_setups(
        &mut self,
        fits: impl Fn(&Shows) -> bool,
        name: &str,
        needs: &[Requirement],
        test: impl Fn(&S3Server) + Clone + Send + 'static,
    ) {
        for setup in Setup::speaking_s3().filter(|setup| fits(&setup.shows)) {
            self.on_setup(setup, name, needs, test.clone());
        }
    }

    /// Adds a test for the emulator, named `emulator::name`.
    pub fn on_emulator(
        &mut self,
        name: &str,
        needs: &[Requirement],
        test: impl Fn(&S3Server) + Send + 'static,
    ) {
        self.test(format!("emulator::{name}"), needs, move || test(&S3Server::emulator()));
    }

    /// Runs the tests that the command line selects, and returns the exit code of the program.
    ///
    /// With `REMOTE_STATE_TEST_LISTS_SETUPS` in the environment it prints the setups that the tests
    /// need instead.
    #[expect(
        clippy::print_stdout,
        reason = "the answer is for `cargo xtask test`, which reads it there"
    )]
    pub fn run(self) -> ExitCode {
        if std::env::var_os("REMOTE_STATE_TEST_LISTS_SETUPS").is_some() {
            self.setups.iter().for_each(|name| println!("{name}"));
            return ExitCode::SUCCESS;
        }
        let mut arguments = Arguments::from_args();
        arguments.test_threads.get_or_insert(self.threads);
        libtest_mimic::run(&arguments, self.trials).exit_code()
    }
}
