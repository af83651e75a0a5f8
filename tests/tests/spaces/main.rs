//! DigitalOcean Spaces: the vendor's guide, the provider with three keys, and native Terraform
//! beside both.
//!
//! Spaces itself requires an account. In its place these tests run on Ceph's gateway, which is of
//! the same family, and on MinIO where the family does not matter.

mod guide;
mod project;
mod refusals;
mod sharing;
mod versioned;

use std::process::ExitCode;

use remote_state_tests::{Requirement, S3Server, Setup, Suite};

fn main() -> ExitCode {
    let mut suite = Suite::new();
    guide::add(&mut suite);
    refusals::add(&mut suite);
    sharing::add(&mut suite);
    versioned::add(&mut suite);
    suite.run()
}

/// Adds a test for each server on whose plain buckets the conditional create decides.
fn on_plain_buckets(
    suite: &mut Suite,
    name: &str,
    test: impl Fn(&S3Server) + Clone + Send + 'static,
) {
    for setup in ["spaces/ceph", "s3/minio"] {
        suite.on_setup(Setup::named(setup), name, &[Requirement::Terraform], test.clone());
    }
}
