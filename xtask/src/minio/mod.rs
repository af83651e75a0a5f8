//! A MinIO server for tests: found or installed, started on a free port with a fresh folder, stopped for certain.

mod find;
mod server;

use std::process::ExitCode;

pub(crate) use find::find;
pub(crate) use server::{BUCKET, Minio};

use crate::Result;
use crate::workspace::Workspace;

/// Keeps a server running for a person to play with.
pub(crate) fn run(workspace: &Workspace) -> Result<ExitCode> {
    let binary = find(workspace)?;
    let mut minio = Minio::start(&binary, workspace.target_dir())?;
    println!("{}", description(&minio));
    let status = minio.wait()?;
    Err(format!("MinIO ended by itself: {status}\n{}", minio.log_tail()).into())
}

fn description(minio: &Minio) -> String {
    let (endpoint, access_key, secret_key) = (minio.endpoint(), minio.access_key(), minio.secret_key());
    format!(
        r#"MinIO is running until Ctrl-C, with an empty bucket that is forgotten then.

  endpoint    {endpoint}
  access key  {access_key}
  secret key  {secret_key}
  bucket      {BUCKET}

terraform {{
  backend "s3" {{
    bucket         = "{BUCKET}"
    key            = "terraform.tfstate"
    region         = "us-east-1"
    access_key     = "{access_key}"
    secret_key     = "{secret_key}"
    endpoints      = {{ s3 = "{endpoint}" }}
    use_path_style = true
    use_lockfile   = true

    skip_credentials_validation = true
    skip_requesting_account_id  = true
    skip_metadata_api_check     = true
    skip_region_validation      = true
  }}
}}
"#
    )
}
