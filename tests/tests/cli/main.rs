//! The command line: the answers, messages and exit codes of each command.

mod access;
mod clock;
mod configuration;
mod dev;
mod dev_file;
mod diff;
mod find;
mod lock;
mod migrate;
mod migrate_files;
mod migrate_journal;
mod migrate_kills;
mod migrate_pairs;
mod output;
mod pressure;
mod pull;
mod push;
mod recipes;
mod rename;
mod serve;
mod signals;
mod support;
mod terminal;
mod usage;
mod versions;
mod workspace;

use std::process::ExitCode;

use remote_state_tests::Suite;

fn main() -> ExitCode {
    let mut suite = Suite::new();
    configuration::tests(&mut suite);
    access::tests(&mut suite);
    pressure::tests(&mut suite);
    pull::tests(&mut suite);
    push::tests(&mut suite);
    recipes::tests(&mut suite);
    rename::tests(&mut suite);
    migrate::tests(&mut suite);
    migrate_files::tests(&mut suite);
    migrate_journal::tests(&mut suite);
    migrate_kills::tests(&mut suite);
    migrate_pairs::tests(&mut suite);
    output::tests(&mut suite);
    workspace::tests(&mut suite);
    lock::tests(&mut suite);
    serve::tests(&mut suite);
    signals::tests(&mut suite);
    usage::tests(&mut suite);
    terminal::tests(&mut suite);
    dev::tests(&mut suite);
    dev_file::tests(&mut suite);
    clock::tests(&mut suite);
    diff::tests(&mut suite);
    find::tests(&mut suite);
    versions::tests(&mut suite);
    suite.run()
}
