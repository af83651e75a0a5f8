//! Locks and digests in a DynamoDB table, shared with the real Terraform: on moto and dynalite,
//! from outside this project, and on the emulator.

mod digests;
mod locks;
mod project;

use std::process::ExitCode;

use remote_state_tests::Suite;

fn main() -> ExitCode {
    let mut suite = Suite::new();
    digests::add(&mut suite);
    locks::add(&mut suite);
    suite.run()
}
