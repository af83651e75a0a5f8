//! The servers and the programs of the benchmarks.

use std::cell::Cell;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::Result;
use crate::bench::measure::Line;
use crate::bench::state;
use crate::servers::{self, Facts, Kind, Server, Started};
use crate::tools::python;
use crate::workspace::{Workspace, exe, on_path};

/// The slow link: 30 ms before each answer, 25 MB/s for each connection.
const LATENCY_MS: &str = "30";
const BYTES_PER_SECOND: &str = "25000000";

/// The command line of Amazon's tools, if there is none on the PATH.
const AWS_CLI: &str = "awscli==1.45.11";

/// The keys of a small and of a large state.
pub(crate) const SMALL: &str = "small";
pub(crate) const LARGE: &str = "large";

/// A store to measure against.
#[derive(Debug)]
pub(crate) struct Place {
    endpoint: String,
    access_key: String,
    secret_key: String,
    dialect: &'static str,
}

/// An emulator in a process of its own, which ends when its standard input does.
#[derive(Debug)]
struct Emulator {
    child: Child,
    endpoint: String,
}

impl Emulator {
    fn start(program: &Path, arguments: &[&str]) -> Result<Self> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut endpoint = String::new();
        let stdout = child.stdout.take().ok_or("the emulator has no standard output")?;
        let _bytes = BufReader::new(stdout).read_line(&mut endpoint)?;
        Ok(Self { child, endpoint: endpoint.trim().to_owned() })
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // It holds no data that matters.
        self.child.kill().unwrap_or_default();
        drop(self.child.wait());
    }
}

/// Everything that runs during the benchmarks. Dropping it ends the programs and removes their
/// files.
#[derive(Debug)]
pub(crate) struct Places {
    binary: PathBuf,
    aws: std::result::Result<PathBuf, String>,
    terraform: Option<PathBuf>,
    folder: TempDir,
    serial: Cell<u64>,
    minio: Place,
    slow: Place,
    table: Emulator,
    _slow_emulator: Emulator,
    _minio_server: Started,
}

impl Places {
    pub(crate) fn start(workspace: &Workspace, binary: PathBuf, emulator: &Path) -> Result<Self> {
        let server = Server { kind: Kind::Minio, authentication: false, kms: false, tls: false };
        let minio_server =
            servers::start(workspace, &server).map_err(|error| format!("minio: {error}"))?;
        let minio = Place::minio(&minio_server.facts)?;
        // One configuration names both, so both use the same credentials.
        let (access_key, secret_key) = (minio.access_key.clone(), minio.secret_key.clone());
        let table = Emulator::start(emulator, &[&access_key, &secret_key])?;
        let slow_emulator =
            Emulator::start(emulator, &[&access_key, &secret_key, LATENCY_MS, BYTES_PER_SECOND])?;
        let folder = tempfile::Builder::new().prefix("remote-state-bench-").tempdir()?;
        state::write(&folder.path().join(SMALL), 1024)?;
        state::write(&folder.path().join(LARGE), 100_000_000)?;
        let places = Self {
            binary,
            aws: aws(workspace),
            terraform: on_path("terraform"),
            folder,
            serial: Cell::new(0),
            minio,
            slow: Place {
                endpoint: slow_emulator.endpoint.clone(),
                access_key,
                secret_key,
                dialect: "aws",
            },
            table,
            _slow_emulator: slow_emulator,
            _minio_server: minio_server,
        };
        for place in [&places.minio, &places.slow] {
            for name in [SMALL, LARGE] {
                let _run = places.curl_put(place, name, name).run(places.folder())?;
            }
        }
        // The same state with a digest.
        let with_digest =
            places.remote_state(&places.minio, "verified", &["push", LARGE, "--force", "-q"]);
        let _run = places.with_table(with_digest).run(places.folder())?;
        Ok(places)
    }

    pub(crate) fn binary(&self) -> &Path {
        &self.binary
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn minio(&self) -> &Place {
        &self.minio
    }

    pub(crate) fn slow(&self) -> &Place {
        &self.slow
    }

    /// Returns why some programs are not measured.
    pub(crate) fn absences(&self) -> Vec<String> {
        let aws = self.aws.as_ref().err().map(|reason| format!("aws: {reason}"));
        let terraform = self.terraform.is_none().then(|| "terraform: not on PATH".to_owned());
        aws.into_iter().chain(terraform).collect()
    }

    /// Gives the large state a serial that follows the stored one.
    pub(crate) fn next_serial(&self) -> Result<()> {
        // Terraform increments the serial that it stores.
        self.serial.set(self.serial.get() + 10);
        state::set_serial(&self.folder().join(LARGE), self.serial.get())
    }

    /// Returns this project's command, on the state under `key`.
    pub(crate) fn remote_state(&self, place: &Place, key: &str, words: &[&str]) -> Line {
        let Place { endpoint, access_key, secret_key, dialect } = place;
        let keys = [
            "bucket=tfstate".to_owned(),
            format!("key={key}"),
            "region=us-east-1".to_owned(),
            format!("access_key={access_key}"),
            format!("secret_key={secret_key}"),
            format!("endpoints.s3={endpoint}"),
            "use_path_style=true".to_owned(),
            "use_lockfile=true".to_owned(),
            format!("dialect={dialect}"),
        ];
        let keys = keys.into_iter().flat_map(|key| ["--backend-config".to_owned(), key]);
        let before = [self.binary.clone().into_os_string(), "--backend".into(), "s3".into()];
        let words = words.iter().map(OsString::from);
        Line::new(before.into_iter().chain(keys.map(OsString::from)).chain(words))
    }

    /// Makes this project's command keep digests, in a table on this machine.
    pub(crate) fn with_table(&self, mut line: Line) -> Line {
        let endpoint = format!("endpoints.dynamodb={}", self.table.endpoint);
        for key in ["dynamodb_table=tflock", &endpoint] {
            line.words.splice(3..3, ["--backend-config".into(), OsString::from(key)]);
        }
        line
    }

    pub(crate) fn curl_get(&self, place: &Place, key: &str, file: &str) -> Line {
        self.curl(place, key, &["-o", file])
    }

    pub(crate) fn curl_put(&self, place: &Place, key: &str, file: &str) -> Line {
        self.curl(place, key, &["-o", "/dev/null", "-T", file])
    }

    fn curl(&self, place: &Place, key: &str, words: &[&str]) -> Line {
        let user = format!("{}:{}", place.access_key, place.secret_key);
        let url = format!("{}/tfstate/{key}", place.endpoint);
        let fixed = ["curl", "-sSf", "--aws-sigv4", "aws:amz:us-east-1:s3", "-H"];
        let fixed =
            fixed.into_iter().chain(["x-amz-content-sha256: UNSIGNED-PAYLOAD", "--user", &user]);
        Line::new(fixed.chain(words.iter().copied()).chain([url.as_str()]))
    }

    /// Returns `aws s3 cp`, if it is installed.
    pub(crate) fn aws_copy(&self, place: &Place, from: &str, to: &str) -> Option<Line> {
        let aws = self.aws.as_ref().ok()?;
        let words = ["s3", "cp", "--only-show-errors", "--endpoint-url", &place.endpoint, from, to];
        let line =
            Line::new([aws.as_os_str().to_owned()].into_iter().chain(words.map(OsString::from)));
        Some(
            line.with_variable("AWS_ACCESS_KEY_ID", &place.access_key)
                .with_variable("AWS_SECRET_ACCESS_KEY", &place.secret_key)
                .with_variable("AWS_REGION", "us-east-1")
                .with_variable("AWS_CONFIG_FILE", "/dev/null")
                .with_variable("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        )
    }

    /// Returns Terraform in a folder that is initialised for the state under `key`, if it is
    /// installed.
    pub(crate) fn terraform_on(
        &self,
        place: &Place,
        key: &str,
        words: &[&str],
    ) -> Result<Option<Line>> {
        let Some(terraform) = &self.terraform else { return Ok(None) };
        let folder = format!("terraform-{key}");
        let path = self.folder().join(&folder);
        let line = |words: &[&str]| {
            let chdir = OsString::from(format!("-chdir={folder}"));
            let words = words.iter().map(OsString::from);
            Line::new([terraform.clone().into_os_string(), chdir].into_iter().chain(words))
                .with_variable("CHECKPOINT_DISABLE", "1")
                .with_variable("AWS_EC2_METADATA_DISABLED", "true")
        };
        if !path.exists() {
            std::fs::create_dir(&path)?;
            let Place { endpoint, access_key, secret_key, .. } = place;
            std::fs::write(
                path.join("main.tf"),
                format!(
                    "terraform {{\n  backend \"s3\" {{\n    bucket = \"tfstate\"\n    \
                     key = \"{key}\"\n    region = \"us-east-1\"\n    \
                     access_key = \"{access_key}\"\n    secret_key = \"{secret_key}\"\n    \
                     endpoints = {{ s3 = \"{endpoint}\" }}\n    \
                     use_path_style = true\n    use_lockfile = true\n    \
                     skip_credentials_validation = true\n    \
                     skip_requesting_account_id = true\n    skip_metadata_api_check = true\n    \
                     skip_region_validation = true\n  }}\n}}\n"
                ),
            )?;
            let _run = line(&["init", "-no-color"]).run(self.folder())?;
        }
        Ok(Some(line(words)))
    }
}

impl Place {
    fn minio(facts: &Facts) -> Result<Self> {
        let fact =
            |name: &str| facts.get(name).map(str::to_owned).ok_or(format!("MinIO has no {name}"));
        Ok(Self {
            endpoint: fact("endpoint")?,
            access_key: fact("access_key")?,
            secret_key: fact("secret_key")?,
            dialect: "minio",
        })
    }
}

fn aws(workspace: &Workspace) -> std::result::Result<PathBuf, String> {
    if let Some(aws) = on_path("aws") {
        return Ok(aws);
    }
    let name = AWS_CLI.replace("==", "-");
    let python = python::environment(workspace.target_dir(), &name, &[AWS_CLI])
        .map_err(|error| error.to_string())?;
    Ok(python.with_file_name(exe("aws")))
}
