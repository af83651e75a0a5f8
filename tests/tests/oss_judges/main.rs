//! Clients from outside this project check the emulator's OSS and Tablestore: the vendor's SDKs and
//! the real Terraform.

mod sdks;
mod terraform;

use std::process::ExitCode;

use remote_state_tests::Suite;

fn main() -> ExitCode {
    let mut suite = Suite::new();
    sdks::add(&mut suite);
    terraform::add(&mut suite);
    suite.run()
}
