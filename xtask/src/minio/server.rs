//! One running MinIO.

use std::fs::{File, TryLockError};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::Result;
use crate::process::wait_for_exit;

/// The bucket that is there when the server is ready.
pub(crate) const BUCKET: &str = "tfstate";

const READY_WITHIN: Duration = Duration::from_secs(30);

/// A server that ends, and whose folder goes, with this value.
///
/// It shares our process group, so Ctrl-C reaches it as it reaches us. Then no destructor of ours runs and the folder
/// stays; the next start sweeps it.
#[derive(Debug)]
pub(crate) struct Minio {
    child: Child,
    folder: PathBuf,
    /// Held for as long as the folder is in use.
    _in_use: File,
    address: SocketAddr,
    access_key: String,
    secret_key: String,
}

impl Minio {
    /// Starts a server below `target_dir` and waits until it is healthy.
    pub(crate) fn start(binary: &Path, target_dir: &Path) -> Result<Self> {
        let parent = target_dir.join("minio");
        std::fs::create_dir_all(&parent)?;
        sweep(&parent);
        // Between our look for a free port and MinIO's use of it somebody else may take it.
        let mut last = None;
        for _ in 0..3 {
            match Self::start_once(binary, &parent) {
                Ok(minio) => return Ok(minio),
                Err(error) if error.to_string().contains("address already in use") => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or_else(|| "no free port".into()))
    }

    fn start_once(binary: &Path, parent: &Path) -> Result<Self> {
        let folder = parent.join(random_word());
        // On a single drive a bucket is a folder.
        std::fs::create_dir_all(folder.join("data").join(BUCKET))?;
        let in_use = File::create(folder.join("in-use"))?;
        in_use.lock()?;
        let log = File::create(folder.join("minio.log"))?;
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let (access_key, secret_key) = (random_word(), format!("{}{}", random_word(), random_word()));

        let mut command = Command::new(binary);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("MINIO_") {
                command.env_remove(name);
            }
        }
        let child = command
            .arg("server")
            .arg(folder.join("data"))
            .args(["--address", &address.to_string()])
            .env("MINIO_ROOT_USER", &access_key)
            .env("MINIO_ROOT_PASSWORD", &secret_key)
            .env("MINIO_BROWSER", "off")
            .env("MINIO_UPDATE", "off")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .map_err(|error| format!("cannot run {}: {error}", binary.display()))?;

        let mut minio = Self { child, folder, _in_use: in_use, address, access_key, secret_key };
        minio.wait_until_healthy()?;
        Ok(minio)
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn access_key(&self) -> &str {
        &self.access_key
    }

    pub(crate) fn secret_key(&self) -> &str {
        &self.secret_key
    }

    /// Waits until the server ends by itself or by a signal.
    pub(crate) fn wait(&mut self) -> Result<ExitStatus> {
        Ok(self.child.wait()?)
    }

    /// Keeps the server's log where it outlives the server, and returns the place.
    pub(crate) fn keep_log(&self) -> Result<PathBuf> {
        let name = self.folder.file_name().unwrap_or_default().to_string_lossy();
        let kept = self.folder.with_file_name(format!("{name}.log"));
        std::fs::copy(self.folder.join("minio.log"), &kept)?;
        Ok(kept)
    }

    pub(crate) fn log_tail(&self) -> String {
        let log = std::fs::read(self.folder.join("minio.log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    fn wait_until_healthy(&mut self) -> Result<()> {
        let started = Instant::now();
        loop {
            if healthy(self.address) {
                return Ok(());
            }
            let reason = match self.child.try_wait()? {
                Some(status) => format!("MinIO ended while starting ({status})"),
                None if started.elapsed() > READY_WITHIN => {
                    format!("MinIO was not healthy within {} s", READY_WITHIN.as_secs())
                }
                None => {
                    std::thread::sleep(Duration::from_millis(50));
                    continue;
                }
            };
            let kept = self.keep_log()?;
            return Err(format!("{reason}; its log is {}:\n{}", kept.display(), self.log_tail()).into());
        }
    }
}

impl Drop for Minio {
    fn drop(&mut self) {
        // It may have ended already, by the same Ctrl-C that ends us; there is nobody to tell about a failure here.
        self.child.kill().unwrap_or_default();
        wait_for_exit(&mut self.child, Duration::from_secs(10));
        std::fs::remove_dir_all(&self.folder).unwrap_or_default();
    }
}

/// Removes the folders of runs that ended without their destructor.
fn sweep(parent: &Path) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let marker = entry.path().join("in-use");
        let Ok(file) = File::open(&marker) else { continue };
        match file.try_lock() {
            Ok(()) => std::fs::remove_dir_all(entry.path()).unwrap_or_default(),
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
}

/// Asks `GET /minio/health/live`: <https://docs.min.io/community/minio-object-store/operations/monitoring/healthcheck-probe.html>.
fn healthy(address: SocketAddr) -> bool {
    ask(address).is_ok_and(|status_line| status_line.starts_with("HTTP/1.1 200"))
}

fn ask(address: SocketAddr) -> std::io::Result<String> {
    let limit = Duration::from_secs(2);
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    write!(stream, "GET /minio/health/live HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut reply = Vec::new();
    match stream.read_to_end(&mut reply) {
        Ok(_) => {}
        // The status line is all that matters; a reset after it changes nothing.
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => return Err(error),
    }
    Ok(String::from_utf8_lossy(&reply).into_owned())
}

/// Returns sixteen hexadecimal digits that nobody guesses in the life of a test run.
fn random_word() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}
