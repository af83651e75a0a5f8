//! `cargo xtask setup`: what tests need of the system's packages. Nothing else installs these, and nothing here is needed but for the
//! setups that say so.

use std::process::ExitCode;

use clap::ValueEnum;

use crate::Result;
use crate::tools::debian;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to install
    #[arg(value_enum, required = true)]
    what: Vec<What>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    /// Ceph's object gateway and what stands behind it: Debian's `radosgw`, `ceph-mon`, `ceph-osd` and `ceph-common`
    Ceph,
}

impl What {
    fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Ceph => &["radosgw", "ceph-mon", "ceph-osd", "ceph-common"],
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    for what in &args.what {
        debian::install(what.packages())?;
    }
    Ok(ExitCode::SUCCESS)
}
