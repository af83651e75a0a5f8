//! Under construction.

use std::process::ExitCode;

use remote_state_tests::Suite;

fn main() -> ExitCode {
    Suite::new().run()
}
