//! Alibaba Cloud OSS: `remote-state` beside the real Terraform with `backend "oss"`, on the
//! emulator, which the suite `oss_judges` checks.

mod locks;
mod migrated;
mod operations;
mod project;
mod states;

use std::process::ExitCode;

use remote_state_tests::Suite;

fn main() -> ExitCode {
    let mut suite = Suite::new();
    states::add(&mut suite);
    locks::add(&mut suite);
    operations::add(&mut suite);
    migrated::add(&mut suite);
    suite.run()
}
