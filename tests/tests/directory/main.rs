//! How a Terraform directory names its backend: each rule has a directory of its own.
//! `remote-state` and, if available, `terraform init` read it, and both must find the same backend
//! and values.

mod arguments;
mod block;
mod case;
mod initialised;
mod order;
mod values;

use std::process::ExitCode;

use remote_state_tests::Suite;

fn main() -> ExitCode {
    let mut suite = Suite::new();
    block::tests(&mut suite);
    values::tests(&mut suite);
    arguments::tests(&mut suite);
    initialised::tests(&mut suite);
    order::tests(&mut suite);
    suite.run()
}
