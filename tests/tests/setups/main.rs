//! What every setup of the s3 provider has to show: each folder of `.github/services/s3`.

mod conformance;

use std::process::ExitCode;

use remote_state_tests::Suite;

fn main() -> ExitCode {
    let mut suite = Suite::new();
    conformance::add(&mut suite);
    suite.run()
}
