//! `cargo xtask bench server`: how many cycles of lock, read, write and unlock clients get through
//! a second.
//!
//! Every client works on a state of its own over one connection, as Terraform does with `serve`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Result;
use crate::servers::{self, Facts, Kind, Server, Started};
use crate::workspace::Workspace;

/// How many clients work at once, and for how long at most.
const CLIENTS: [usize; 3] = [1, 16, 128];
const SECONDS: u64 = 5;

/// The lengths of the states, in bytes.
const SIZES: [(&str, usize); 2] = [("10 KB", 10_000), ("1 MB", 1_000_000)];

#[derive(clap::Args)]
pub(crate) struct ServerArgs {
    /// Fail if a bar is missed
    #[arg(long)]
    strict: bool,
    /// Measure this program instead of building one
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Measure this one too, in the same run: that of the release before
    #[arg(long, value_name = "FILE")]
    before: Option<PathBuf>,
    /// Run each row for this many seconds
    #[arg(long, value_name = "N", default_value_t = SECONDS)]
    seconds: u64,
}

/// The measurements of one row.
struct Row {
    program: &'static str,
    store: &'static str,
    size: &'static str,
    clients: usize,
    cycles_per_second: f64,
    median: Duration,
    slowest: Duration,
    failures: u64,
    peak_bytes: u64,
}

pub(super) fn run(workspace: &Workspace, args: &ServerArgs) -> Result<bool> {
    let binary = match &args.binary {
        Some(binary) => binary.canonicalize()?,
        None => workspace.build_dist(&["--package", "remote-state-cli"], "remote-state")?,
    };
    let before = args.before.as_ref().map(|before| before.canonicalize()).transpose()?;
    let programs: Vec<(&'static str, PathBuf)> =
        std::iter::once(("now", binary)).chain(before.map(|path| ("before", path))).collect();
    let kind = Server { kind: Kind::Minio, authentication: false, kms: false, tls: false };
    let minio = servers::start(workspace, &kind).map_err(|error| format!("minio: {error}"))?;
    let mut rows = Vec::new();
    for store in ["embedded", "minio"] {
        for (size, size_bytes) in SIZES {
            for clients in CLIENTS {
                for (program, binary) in &programs {
                    eprintln!("{store}, {size}, {clients} clients, {program} …");
                    let served = Served::start(binary, store, &minio)?;
                    rows.push(measure(
                        &served,
                        args.seconds,
                        program,
                        store,
                        size,
                        size_bytes,
                        clients,
                    ));
                }
            }
        }
    }
    print!("{}", rendered(&rows));
    let folder = workspace.target_dir().join("bench");
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("server.json");
    let all: Vec<Value> = rows.iter().map(Row::json).collect();
    std::fs::write(&file, serde_json::to_string_pretty(&all)?)?;
    println!("\nas JSON: {}", file.display());
    let missed = bars(&rows);
    missed.iter().for_each(|bar| println!("{bar}"));
    Ok(!(args.strict && missed.iter().any(|bar| bar.ends_with("missed"))))
}

/// A server in a process of its own, which ends with this value.
struct Served {
    child: Child,
    address: String,
    _folder: tempfile::TempDir,
}

impl Served {
    fn start(binary: &Path, store: &str, minio: &Started) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("remote-state-bench-").tempdir()?;
        let mut command = Command::new(binary);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if ["AWS_", "TF_", "REMOTE_STATE_"].iter().any(|prefix| text.starts_with(prefix)) {
                command.env_remove(&name);
            }
        }
        if store == "embedded" {
            command.arg("--dev");
        } else {
            command.args(["--backend", "s3"]);
            for key in keys(&minio.facts)? {
                command.args(["--backend-config", &key]);
            }
        }
        command.args(["serve", "--no-auth", "--listen", "127.0.0.1:0", "--json"]);
        let mut child = command
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let stdout = child.stdout.take().ok_or("the server has no standard output")?;
        let mut text = String::new();
        let mut lines = BufReader::new(stdout);
        let announced = loop {
            if lines.read_line(&mut text)? == 0 {
                return Err("the server did not start".into());
            }
            if let Ok(announced) = serde_json::from_str::<Value>(&text) {
                break announced;
            }
        };
        let url = announced["url"].as_str().ok_or("the server names no address")?;
        let address = url.trim_start_matches("http://").to_owned();
        Ok(Self { child, address, _folder: folder })
    }

    /// Returns the peak memory of the process, where the system tells it.
    fn peak_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kilobytes.unwrap_or(0) * 1024
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It holds nothing that matters.
        self.child.kill().unwrap_or_default();
        drop(self.child.wait());
    }
}

/// How many servers were started: each has states of its own, which begin at serial 1.
static STARTED: AtomicU64 = AtomicU64::new(0);

fn keys(facts: &Facts) -> Result<Vec<String>> {
    let number = STARTED.fetch_add(1, Ordering::Relaxed);
    let fact = |name: &str| facts.get(name).ok_or(format!("MinIO has no {name}"));
    Ok(vec![
        "bucket=tfstate".into(),
        format!("key=bench-{}-{number}", std::process::id()),
        "region=us-east-1".into(),
        format!("access_key={}", fact("access_key")?),
        format!("secret_key={}", fact("secret_key")?),
        format!("endpoints.s3={}", fact("endpoint")?),
        "use_path_style=true".into(),
        "use_lockfile=true".into(),
        "dialect=minio".into(),
    ])
}

fn measure(
    served: &Served,
    seconds: u64,
    program: &'static str,
    store: &'static str,
    size: &'static str,
    size_bytes: usize,
    clients: usize,
) -> Row {
    let failures = AtomicU64::new(0);
    let started = Instant::now();
    let until = started + Duration::from_secs(seconds);
    let mut took: Vec<Duration> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..clients)
            .map(|number| {
                let failures = &failures;
                scope.spawn(move || {
                    let mut client = Client::new(&served.address, number, size_bytes);
                    let mut took = Vec::new();
                    while Instant::now() < until {
                        let began = Instant::now();
                        match client.cycle() {
                            Ok(()) => took.push(began.elapsed()),
                            Err(_) => {
                                let _before = failures.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                    }
                    took
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect()
    });
    let elapsed = started.elapsed().as_secs_f64();
    took.sort_unstable();
    let at = |share: usize| {
        took.get((took.len() * share / 100).min(took.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default()
    };
    Row {
        program,
        store,
        size,
        clients,
        #[expect(clippy::cast_precision_loss, reason = "a rate")]
        cycles_per_second: took.len() as f64 / elapsed,
        median: at(50),
        slowest: at(99),
        failures: failures.into_inner(),
        peak_bytes: served.peak_bytes(),
    }
}

/// A client with one connection and one state.
struct Client {
    address: String,
    connection: Option<BufReader<TcpStream>>,
    name: String,
    serial: u64,
    padding: String,
}

impl Client {
    fn new(address: &str, number: usize, size_bytes: usize) -> Self {
        Self {
            address: address.to_owned(),
            connection: None,
            name: format!("bench-{number}-{}", std::process::id()),
            serial: 0,
            padding: "x".repeat(size_bytes.saturating_sub(120)),
        }
    }

    fn cycle(&mut self) -> Result<()> {
        self.serial += 1;
        let (serial, name) = (self.serial, self.name.clone());
        let id = format!("{name}-{serial}");
        let lock = format!(
            r#"{{"ID":"{id}","Operation":"bench","Info":"","Who":"me@here","Version":"1","Created":"2026-01-01T00:00:00Z","Path":""}}"#
        );
        let done = self.locked_cycle(&lock, &id, serial);
        if done.is_err() {
            // The next cycle must not meet this one's lock.
            self.connection = None;
            drop(self.send("UNLOCK", &name, &lock));
        }
        done
    }

    fn locked_cycle(&mut self, lock: &str, id: &str, serial: u64) -> Result<()> {
        let name = self.name.clone();
        self.expect(&[200], "LOCK", &name, lock)?;
        self.expect(&[200, 404], "GET", &name, "")?;
        let state = format!(
            r#"{{"version":4,"terraform_version":"1.11.4","serial":{serial},"lineage":"l","outputs":{{}},"resources":[],"x":"{}"}}"#,
            self.padding
        );
        self.expect(&[200], "POST", &format!("{name}?ID={id}"), &state)?;
        self.expect(&[200], "UNLOCK", &name, lock)
    }

    fn expect(&mut self, statuses: &[u16], method: &str, name: &str, body: &str) -> Result<()> {
        let status = self.send(method, name, body)?;
        if statuses.contains(&status) {
            Ok(())
        } else {
            Err(format!("{method} was answered with {status}").into())
        }
    }

    fn send(&mut self, method: &str, name: &str, body: &str) -> Result<u16> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => {
                let stream = TcpStream::connect(&self.address)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(Duration::from_secs(60)))?;
                none.insert(BufReader::new(stream))
            }
        };
        let length = body.len();
        let length =
            if method == "GET" { String::new() } else { format!("Content-Length: {length}\r\n") };
        let head = format!("{method} /state/{name} HTTP/1.1\r\nHost: localhost\r\n{length}\r\n");
        let mut request = head.into_bytes();
        request.extend_from_slice(body.as_bytes());
        connection.get_mut().write_all(&request)?;
        let (mut line, mut length, mut status) = (String::new(), 0, 0);
        while connection.read_line(&mut line)? > 0 && line != "\r\n" {
            if let Some(code) = line.strip_prefix("HTTP/1.1 ") {
                status = code.get(..3).and_then(|code| code.parse().ok()).unwrap_or(0);
            }
            let (key, value) = line.split_once(':').unwrap_or_default();
            if key.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse()?;
            }
            line.clear();
        }
        let mut answer = vec![0; length];
        connection.read_exact(&mut answer)?;
        Ok(status)
    }
}

impl Row {
    fn json(&self) -> Value {
        json!({
            "program": self.program,
            "store": self.store,
            "size": self.size,
            "clients": self.clients,
            "cycles_per_second": self.cycles_per_second,
            "median_seconds": self.median.as_secs_f64(),
            "p99_seconds": self.slowest.as_secs_f64(),
            "failures": self.failures,
            "peak_bytes": self.peak_bytes,
        })
    }
}

fn rendered(rows: &[Row]) -> String {
    let mut text = String::from(
        "| store | state | clients | program | cycles/s | p50 | p99 | failures | peak memory |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let milliseconds = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1000.0);
        text.push_str(&format!(
            "| {} | {} | {} | {} | {:.0} | {} | {} | {} | {} MiB |\n",
            row.store,
            row.size,
            row.clients,
            row.program,
            row.cycles_per_second,
            milliseconds(row.median),
            milliseconds(row.slowest),
            row.failures,
            row.peak_bytes >> 20
        ));
    }
    text
}

/// Returns each bar, and whether it is kept. Those against the release before need it in the run.
fn bars(rows: &[Row]) -> Vec<String> {
    let find = |program: &str, clients: usize| {
        rows.iter().find(|row| {
            (row.program, row.store, row.size, row.clients) == (program, "minio", "10 KB", clients)
        })
    };
    let said = |is_kept: bool| if is_kept { "kept" } else { "missed" };
    let mut bars = Vec::new();
    for (clients, least) in [(1, 1.4), (16, 1.2)] {
        if let (Some(now), Some(before)) = (find("now", clients), find("before", clients)) {
            let ratio = now.cycles_per_second / before.cycles_per_second;
            bars.push(format!(
                "cycles/s with {clients} clients: {ratio:.2} × (at least {least}): {}",
                said(ratio >= least)
            ));
        }
    }
    let failures: u64 =
        rows.iter().filter(|row| row.program == "now").map(|row| row.failures).sum();
    bars.push(format!("failures: {failures} (none): {}", said(failures == 0)));
    bars
}
