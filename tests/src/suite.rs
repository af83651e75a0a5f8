//! Named tests, each instantiated for what it runs against.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Trial};

use crate::requirement::Requirement;
use crate::server::S3Server;

/// Waiting is most of what these tests do, so more of them run at once than there are processors.
const THREADS: usize = 6;

/// The tests of one binary.
#[derive(Debug, Default)]
pub struct Suite {
    trials: Vec<Trial>,
}

impl Suite {
    /// An empty suite.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a test. It fails by panicking. Without what it needs it is reported as ignored.
    pub fn test(
        &mut self,
        name: impl Into<String>,
        needs: &[Requirement],
        test: impl FnOnce() + Send + 'static,
    ) {
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

    /// Adds a test for the emulator and the same for MinIO, named `emulator::name` and `minio::name`.
    ///
    /// Each run on the emulator has one of its own; the runs on MinIO share a server and differ by their keys.
    pub fn on_each_server(
        &mut self,
        name: &str,
        needs: &[Requirement],
        test: impl Fn(&S3Server) + Clone + Send + 'static,
    ) {
        self.on_emulator(name, needs, test.clone());
        let needs: Vec<_> = needs.iter().copied().chain([Requirement::Minio]).collect();
        self.test(format!("minio::{name}"), &needs, move || test(&S3Server::minio()));
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

    /// Runs the tests that the command line asks for, and returns how the program should end.
    pub fn run(self) -> ExitCode {
        let mut arguments = Arguments::from_args();
        arguments.test_threads.get_or_insert(THREADS);
        libtest_mimic::run(&arguments, self.trials).exit_code()
    }
}
