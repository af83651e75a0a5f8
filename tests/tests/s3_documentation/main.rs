//! The documentation of `backend "s3"` in Terraform 0.9 and 0.11, word for word: its examples, and
//! every key and variable that it lists. Only the host differs, set by the documented variables.

mod examples;
mod keys;
mod place;
mod roles;

use std::process::ExitCode;

use remote_state_tests::Suite;

fn main() -> ExitCode {
    let mut suite = Suite::new();
    examples::add(&mut suite);
    keys::add(&mut suite);
    roles::add(&mut suite);
    suite.run()
}
