//! The documentation of `backend "s3"` as Terraform 0.9 and 0.11 had it, word for word: its
//! examples, and every key and variable that it lists. Only the host is another, by the variables
//! that are documented for that.

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
