//! The tests of every setup of the s3 provider: each folder of `.github/services/s3`.

mod checksum;
mod conformance;
mod customer_key;
mod encryption;
mod last_byte;
mod object_lock;
mod refused;
mod version_list;
mod versions;

use std::process::ExitCode;

use remote_state_tests::Suite;

fn main() -> ExitCode {
    let mut suite = Suite::new();
    checksum::add(&mut suite);
    conformance::add(&mut suite);
    customer_key::add(&mut suite);
    encryption::add(&mut suite);
    last_byte::add(&mut suite);
    object_lock::add(&mut suite);
    refused::add(&mut suite);
    version_list::add(&mut suite);
    versions::add(&mut suite);
    suite.run()
}
