//! moto for tests: S3, DynamoDB and STS in Python, by other people than those who wrote our emulator. Installed in a virtual environment below the
//! target folder, started on a free port, stopped for certain.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;
use crate::process::wait_for_exit;
use crate::workspace::{Workspace, exe, is_program, on_path};

/// Pinned because our tests name what this one does.
const PIN: &str = "moto[server,s3,dynamodb,sts]==5.2.5";

const SERVE: &str = include_str!("serve.py");

const READY_WITHIN: Duration = Duration::from_secs(60);

/// A server that ends with this value. What it holds is in its memory.
#[derive(Debug)]
pub(crate) struct Moto {
    child: Child,
    address: SocketAddr,
}

impl Moto {
    /// Finds moto, or installs it; starts it, and makes the bucket and the table of the tests.
    ///
    /// # Errors
    /// Says why there is none, in words that fit after `moto: `.
    pub(crate) fn start(workspace: &Workspace) -> Result<Self> {
        let tools = workspace.target_dir().join("tools");
        let python = find(&tools)?;
        let script = tools.join("moto-serve.py");
        std::fs::write(&script, SERVE)?;
        // Between our look for a free port and moto's use of it somebody else may take it.
        let mut last = None;
        for _ in 0..3 {
            match Self::start_once(&python, &script, &tools) {
                Ok(moto) => return Ok(moto),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| "no free port".into()))
    }

    fn start_once(python: &Path, script: &Path, tools: &Path) -> Result<Self> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let log = File::create(tools.join("moto.log"))?;
        let child = Command::new(python)
            .arg(script)
            .arg(address.port().to_string())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .map_err(|error| format!("cannot run {}: {error}", python.display()))?;
        let mut moto = Self { child, address };
        moto.wait_until_ready(tools)?;
        moto.ask("PUT", "/tfstate", &[], "")?;
        let table = r#"{"TableName":"tflock","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{"AttributeName":"LockID","AttributeType":"S"}],"KeySchema":[{"AttributeName":"LockID","KeyType":"HASH"}]}"#;
        let headers = [
            ("X-Amz-Target", "DynamoDB_20120810.CreateTable"),
            ("Content-Type", "application/x-amz-json-1.0"),
        ];
        moto.ask("POST", "/", &headers, table)?;
        Ok(moto)
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    fn wait_until_ready(&mut self, tools: &Path) -> Result<()> {
        let started = Instant::now();
        while self.ask("GET", "/moto-api/", &[], "").is_err() {
            let log = tools.join("moto.log").display().to_string();
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("moto ended while starting ({status}); its log is {log}").into());
            }
            if started.elapsed() > READY_WITHIN {
                let limit = READY_WITHIN.as_secs();
                return Err(format!("moto was not ready within {limit} s; its log is {log}").into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Makes one request, which has to succeed. Signatures are not looked at, but the service is told by them.
    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Result<()> {
        let service = if path == "/" { "dynamodb" } else { "s3" };
        let limit = Duration::from_secs(10);
        let mut stream = TcpStream::connect_timeout(&self.address, limit)?;
        stream.set_read_timeout(Some(limit))?;
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0\r\n",
            self.address,
            body.len()
        );
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{request}\r\n{body}").as_bytes())?;
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply)?;
        let reply = String::from_utf8_lossy(&reply).into_owned();
        if reply.split(' ').nth(1) == Some("200") {
            Ok(())
        } else {
            let line = reply.lines().next().unwrap_or("nothing").to_owned();
            Err(format!("moto answered {method} {path} with `{line}`").into())
        }
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        // It may have ended already, by the same Ctrl-C that ends us; there is nobody to tell about a failure here.
        self.child.kill().unwrap_or_default();
        wait_for_exit(&mut self.child, Duration::from_secs(10));
    }
}

/// Returns the Python that has moto.
fn find(tools: &Path) -> Result<PathBuf> {
    let folder = tools.join("moto-5.2.5");
    let python = folder.join("bin").join(exe("python"));
    let installed = folder.join("installed");
    if installed.is_file() && is_program(&python) {
        return Ok(python);
    }
    let system = on_path("python3").ok_or("not found: no `python3` on PATH to install it with")?;
    std::fs::create_dir_all(tools)?;
    eprintln!("installing moto into {}: about half a minute, once", folder.display());
    run(Command::new(&system).args(["-m", "venv", "--clear"]).arg(&folder), tools)?;
    run(
        Command::new(&python).args(["-m", "pip", "install", "--disable-pip-version-check", "--quiet", PIN]),
        tools,
    )?;
    // An installation that was cut off is begun again.
    File::create(installed)?;
    Ok(python)
}

fn run(command: &mut Command, tools: &Path) -> Result<()> {
    let log_path = tools.join("moto-install.log");
    let log = File::create(&log_path)?;
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .status()
        .map_err(|error| format!("cannot run {program}: {error}"))?;
    if status.success() {
        return Ok(());
    }
    let log = std::fs::read_to_string(&log_path).unwrap_or_default();
    let last = log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    Err(format!("cannot be installed ({status}): {last}; the whole log is {}", log_path.display()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moto_is_pinned_to_one_version_and_its_folder_says_which() {
        assert!(PIN.ends_with("==5.2.5"));
    }
}
