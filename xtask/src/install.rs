//! `cargo xtask install`: installs the system packages that setups need. No other command installs
//! any.

use std::process::ExitCode;

use crate::Result;
use crate::servers::Kind;
use crate::setups::{self, Setup};
use crate::tools::debian;
use crate::workspace::Workspace;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// What needs the packages: a kind of server, such as `ceph`, or a setup, a folder of
    /// `.github/services` such as `s3/ceph`
    ///
    /// Ceph is Debian's `radosgw`, `ceph-mon`, `ceph-osd` and `ceph-common`. No other kind needs
    /// packages of the system.
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
}

pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    let all = Setup::all(workspace.root())?;
    let mut wanted = Vec::new();
    for name in &args.names {
        let kind = setups::kinds(&all).into_iter().find(|kind| kind.name() == name);
        match (kind, setups::named(&all, name)) {
            (Some(kind), _) => wanted.push(kind),
            (None, Some(setup)) => wanted.extend(setup.kinds()),
            (None, None) => {
                let known: Vec<&str> = all.iter().map(|setup| setup.name.as_str()).collect();
                let known = known.join(", ");
                return Err(format!(
                    "there is no kind of server and no setup `{name}`: the setups are {known}"
                )
                .into());
            }
        }
    }
    for kind in wanted {
        match packages(kind) {
            [] => println!("{kind} needs nothing of the system"),
            packages => debian::install(packages)?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the packages of Debian and its derivatives for a kind of server.
fn packages(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Ceph => &["radosgw", "ceph-mon", "ceph-osd", "ceph-common"],
        Kind::Dynalite | Kind::Emulator | Kind::Minio | Kind::Moto | Kind::S3rver => &[],
    }
}
