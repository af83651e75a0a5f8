//! The real Terraform and `remote-state` share states and locks, each reading what the other
//! writes.

mod cycle;
mod exec;
mod exec_place;
mod exec_programs;
mod exec_tells;
mod exec_terminal;
mod interrupt;
mod lost_server;
mod migrated;
mod migration;
mod native;
mod operations;
mod project;
mod readable;
mod sealed;
mod sharing;
mod signals;
mod variables;
mod versions;

use std::process::ExitCode;

use remote_state_tests::Suite;

fn main() -> ExitCode {
    let mut suite = Suite::new();
    cycle::add(&mut suite);
    exec::add(&mut suite);
    exec_place::add(&mut suite);
    exec_programs::add(&mut suite);
    exec_tells::add(&mut suite);
    exec_terminal::add(&mut suite);
    interrupt::add(&mut suite);
    lost_server::add(&mut suite);
    migration::add(&mut suite);
    native::add(&mut suite);
    operations::add(&mut suite);
    readable::add(&mut suite);
    migrated::add(&mut suite);
    sealed::add(&mut suite);
    sharing::add(&mut suite);
    signals::add(&mut suite);
    variables::add(&mut suite);
    versions::add(&mut suite);
    suite.run()
}
