//! moto for tests: S3, DynamoDB, IAM and STS in Python, independent of this project's emulator.

mod people;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::Result;
use crate::servers::daemon::{Daemon, free_address};
use crate::servers::{BUCKET, Facts, Kind, Server, Started, TABLE, attempts, http};
use crate::tools::python;

/// Pinned because the tests name what this version does.
const PACKAGE: &str = "moto[server,s3,dynamodb,sts]==5.2.5";

const SERVE: &str = include_str!("serve.py");

const READY_WITHIN: Duration = Duration::from_secs(60);

/// Starts moto with the bucket and the lock table of the tests, and, with authentication, a role
/// and a user who may assume it.
///
/// # Errors
/// Says why it could not start, as a sentence to follow `moto: `.
pub(crate) fn start(target_dir: &Path, server: &Server) -> Result<Started> {
    let python = python::environment(target_dir, "moto-5.2.5", &[PACKAGE])?;
    attempts(target_dir, Kind::Moto, |folder| {
        let script = folder.path().join("serve.py");
        std::fs::write(&script, SERVE)?;
        let address = free_address()?;
        let mut command = Command::new(&python);
        command.arg(&script).arg(address.port().to_string());
        let mut daemon = Daemon::start("moto", command, folder)?;
        daemon.wait_until(READY_WITHIN, || http::answers(address))?;

        let moto = Moto { address };
        moto.ask(Service::S3, "PUT", &format!("/{BUCKET}"), &[], "")?;
        moto.make_table()?;
        // moto accepts any keys until authentication is on.
        let endpoint = format!("http://{address}");
        let mut facts = Facts::s3(&endpoint, "test", "testtest");
        if server.authentication {
            facts = people::admit(&moto, &endpoint)?;
        }
        facts.set("bucket", BUCKET);
        facts.set("dynamodb_endpoint", endpoint);
        Ok((facts, vec![daemon]))
    })
}

struct Moto {
    address: SocketAddr,
}

/// The service of a request: moto reads it from the scope of the signature, which it does not
/// verify otherwise.
#[derive(Clone, Copy)]
enum Service {
    DynamoDb,
    Iam,
    S3,
}

impl Moto {
    fn ask(
        &self,
        service: Service,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<String> {
        let service = match service {
            Service::DynamoDb => "dynamodb",
            Service::Iam => "iam",
            Service::S3 => "s3",
        };
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, \
             SignedHeaders=host, Signature=0"
        );
        let mut all = vec![("Authorization", authorization.as_str())];
        all.extend_from_slice(headers);
        Ok(http::demand(self.address, method, target, &all, body)?.body)
    }

    fn make_table(&self) -> Result<()> {
        let table = serde_json::json!({
            "TableName": TABLE,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "LockID", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "LockID", "KeyType": "HASH"}],
        });
        let headers = [
            ("X-Amz-Target", "DynamoDB_20120810.CreateTable"),
            ("Content-Type", "application/x-amz-json-1.0"),
        ];
        self.ask(Service::DynamoDb, "POST", "/", &headers, &table.to_string()).map(drop)
    }
}
