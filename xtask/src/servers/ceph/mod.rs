//! A Ceph cluster with an S3 gateway, from the system's packages: the strictest store that a test
//! can run on one machine, and of the same family as DigitalOcean Spaces.

mod conf;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;
use crate::servers::daemon::{Daemon, free_address};
use crate::servers::folder::{RunFolder, random_word};
use crate::servers::{Facts, Kind, Started, attempts, http};
use crate::workspace::{is_program, on_path};

/// The programs, all from the packages of `cargo xtask install ceph`.
const PROGRAMS: [&str; 6] =
    ["ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin"];

/// Ten times the start on two processors.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// Starts a cluster and its gateway, with one user and no bucket.
///
/// # Errors
/// Says why it could not start, as a sentence to follow `ceph: `.
pub(crate) fn start(target_dir: &Path) -> Result<Started> {
    let missing: Vec<&str> = PROGRAMS.into_iter().filter(|name| program(name).is_none()).collect();
    if !missing.is_empty() {
        let missing = missing.join("`, `");
        return Err(
            format!("not found: no `{missing}`; `cargo xtask install ceph` installs it").into()
        );
    }
    attempts(target_dir, Kind::Ceph, |folder| {
        let cluster = Cluster::new(folder)?;
        let mut monitor = cluster.monitor()?;
        monitor.wait_until(READY_WITHIN, || cluster.ceph(&["mon", "stat"]).is_ok())?;
        let store = cluster.store()?;
        let mut gateway = cluster.gateway()?;
        gateway.wait_until(READY_WITHIN, || http::answers(cluster.gateway))?;
        let (access_key, secret_key) = (random_word(), random_word());
        cluster.user(&access_key, &secret_key)?;
        let mut facts = Facts::s3(&format!("http://{}", cluster.gateway), &access_key, &secret_key);
        facts.set("kms_key", conf::KMS_KEY);
        Ok((facts, vec![gateway, store, monitor]))
    })
}

/// The steps of <https://docs.ceph.com/en/pacific/install/manual-deployment/>, without keys.
struct Cluster<'a> {
    folder: &'a RunFolder,
    id: String,
    conf: PathBuf,
    monitor: SocketAddr,
    gateway: SocketAddr,
}

impl<'a> Cluster<'a> {
    fn new(folder: &'a RunFolder) -> Result<Self> {
        for name in ["mon", "osd", "rgw"] {
            std::fs::create_dir_all(folder.path().join(name))?;
        }
        let cluster = Self {
            folder,
            id: uuid()?,
            conf: folder.path().join("ceph.conf"),
            monitor: free_address()?,
            gateway: free_address()?,
        };
        let text = conf::render(folder.path(), &cluster.id, cluster.monitor, cluster.gateway);
        std::fs::write(&cluster.conf, text)?;
        Ok(cluster)
    }

    /// Returns a program that reads only this cluster's configuration.
    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(program(name).unwrap_or_else(|| name.into()));
        // Python's `ceph` warns about the locale on standard error.
        command
            .arg("-c")
            .arg(&self.conf)
            .env_remove("CEPH_CONF")
            .env_remove("CEPH_ARGS")
            .env("LC_ALL", "C.UTF-8");
        command
    }

    fn monitor(&self) -> Result<Daemon> {
        let map = self.folder.path().join("monmap");
        let mut create = Command::new(program("monmaptool").unwrap_or_else(|| "monmaptool".into()));
        create.args(["--create", "--clobber", "--fsid", &self.id, "--addv", "a"]);
        create.arg(format!("[v1:{}]", self.monitor)).arg(&map);
        run(create)?;
        let mut format = self.command("ceph-mon");
        format.args(["-i", "a", "--mkfs", "--monmap"]).arg(&map);
        run(format)?;
        let mut serve = self.command("ceph-mon");
        serve.args(["-i", "a", "-f"]);
        Daemon::start("ceph-mon", serve, self.folder)
    }

    fn store(&self) -> Result<Daemon> {
        let id = uuid()?;
        // On a busy machine the monitor may refuse, since `ceph` sends the command before it knows
        // the cluster. Repeating it has no other effect.
        let started = Instant::now();
        let number = loop {
            match self.ceph(&["osd", "new", &id]) {
                Err(_) if started.elapsed() < READY_WITHIN => {
                    std::thread::sleep(Duration::from_millis(200));
                }
                number => break number?,
            }
        };
        if number.trim() != "0" {
            return Err(
                format!("the first store of a new cluster is number `{}`", number.trim()).into()
            );
        }
        std::fs::write(self.folder.path().join("osd").join("type"), "memstore\n")?;
        let mut format = self.command("ceph-osd");
        format.args(["-i", "0", "--mkfs", "--osd-uuid", &id]);
        run(format)?;
        let mut left = 10;
        loop {
            left -= 1;
            let mut serve = self.command("ceph-osd");
            serve.args(["-i", "0", "-f"]);
            let mut store = Daemon::start("ceph-osd", serve, self.folder)?;
            let is_up = || self.ceph(&["osd", "stat"]).is_ok_and(|status| status.contains("1 up"));
            match store.wait_until(READY_WITHIN, is_up) {
                Ok(()) => return Ok(store),
                // The store may also start before it knows the cluster, and then it ends.
                Err(_) if left > 0 && store.has_ended()? => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn gateway(&self) -> Result<Daemon> {
        let mut serve = self.command("radosgw");
        serve.args(["-n", "client.rgw", "-f"]);
        Daemon::start("radosgw", serve, self.folder)
    }

    fn user(&self, access_key: &str, secret_key: &str) -> Result<()> {
        let mut create = self.command("radosgw-admin");
        create.args(["user", "create", "--uid=tests", "--display-name=tests"]);
        create.args(["--access-key", access_key, "--secret", secret_key]);
        run(create).map(drop)
    }

    fn ceph(&self, words: &[&str]) -> Result<String> {
        let mut command = self.command("ceph");
        command.args(["--connect-timeout", "5"]).args(words);
        run(command)
    }
}

/// Runs a program that must succeed, and returns its standard output.
fn run(mut command: Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let started = Instant::now();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run {name}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let (said, seconds) = (String::from_utf8_lossy(&output.stderr), started.elapsed().as_secs());
    Err(format!("{name} failed after {seconds} s ({}): {}", output.status, said.trim()).into())
}

/// Finds a program, also in the folders of administrators.
fn program(name: &str) -> Option<PathBuf> {
    let system = ["/usr/bin", "/usr/sbin"].map(|folder| Path::new(folder).join(name));
    on_path(name).or_else(|| system.into_iter().find(|path| is_program(path)))
}

/// Reads a UUID from the system, on Linux, which Ceph needs anyway:
/// <https://docs.kernel.org/admin-guide/sysctl/kernel.html#random>.
fn uuid() -> Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/uuid")?.trim().to_owned())
}
