//! The embedded store behind `--dev`: the real s3 provider against the emulator, on a folder that survives.

use std::path::Path;

use remote_state::config::{ConfigValue, Environment, Origin, ResolvedConfig};
use remote_state::directory::{DirectoryOptions, Discovered, discover};
use remote_state::{Error, ErrorKind, Result};
use remote_state_emulator::{Emulator, Storage};

use crate::args::Global;
use crate::exit::Failure;

/// Where the store lives, below the directory that a command acts in.
const FOLDER: &str = ".remote-state/dev";

/// The file in it that holds everything.
const FILE: &str = "store.redb";

/// What the embedded store is configured with; keys on the command line go before these.
const KEYS: [&str; 6] = [
    "bucket=remote-state-dev",
    "key=terraform.tfstate",
    "region=us-east-1",
    "use_path_style=true",
    "use_lockfile=true",
    // The emulator has the manners of Amazon's own.
    "dialect=aws",
];

/// A running embedded store.
#[derive(Debug)]
pub(crate) struct DevStore {
    emulator: Emulator,
    /// What a native client needs to use the same store.
    pub(crate) client_env: Vec<(&'static str, String)>,
}

/// Describes the embedded store, which is not running yet. Of the environment only the choice of the workspace counts.
pub(crate) fn backend(
    global: &Global,
    env: &Environment,
    mut options: DirectoryOptions,
) -> Result<Discovered, Failure> {
    if let Some(backend) = global.backend.as_deref().filter(|backend| *backend != "s3") {
        return Err(Error::config(format!("the embedded store speaks `s3`, not `{backend}`"))
            .with_hint("leave out `--backend`, or leave out `--dev`")
            .into());
    }
    options.backend = Some("s3".to_owned());
    let given = std::mem::take(&mut options.backend_config);
    options.backend_config = KEYS.map(str::to_owned).into_iter().chain(given).collect();
    let env: Environment = env.get("TF_WORKSPACE").map(|name| ("TF_WORKSPACE", name)).into_iter().collect();
    Ok(discover(&global.directory, &env, &options, remote_state::providers())?)
}

impl DevStore {
    /// Starts the store and completes its configuration.
    ///
    /// Every process starts its own endpoint on a port and with keys of its own; what they share is the file.
    pub(crate) async fn start(directory: &Path, config: ResolvedConfig) -> Result<(Self, ResolvedConfig)> {
        let folder = directory.join(FOLDER);
        let cannot = |source: std::io::Error| {
            Error::new(ErrorKind::Local, "open", format!("cannot use `{}`: {source}", folder.display()))
                .with_source(source)
        };
        std::fs::create_dir_all(&folder).map_err(cannot)?;
        // The store may hold secrets, and a repository must not.
        std::fs::write(folder.join(".gitignore"), "*\n").map_err(cannot)?;
        let failed = |error: &dyn std::fmt::Display| {
            Error::new(ErrorKind::Local, "open", format!("cannot start the embedded store: {error}"))
                .with_context("store", folder.join(FILE).display())
                .with_hint("if it is damaged, move it away; the next command starts with an empty one")
        };
        let (access_key, secret_key) = (random_key(10)?, random_key(20)?);
        let storage = Storage::file(folder.join(FILE)).map_err(|error| failed(&error))?;
        let emulator = Emulator::builder()
            .with_storage(storage)
            .with_credentials(&access_key, &secret_key)
            .with_versioned_bucket(config.required("bucket")?)
            .start()
            .await
            .map_err(|error| failed(&error))?;
        let endpoint = emulator.endpoint().to_owned();
        let region = config.required("region")?.to_owned();
        let text = |value: &str| ConfigValue::String(value.to_owned());
        let origin = Origin::Flag("--dev".to_owned());
        let config = config
            .with("endpoints.s3", text(&endpoint), origin.clone())
            .with("access_key", text(&access_key), origin.clone())
            .with("secret_key", text(&secret_key), origin);
        let client_env = vec![
            ("AWS_ENDPOINT_URL_S3", endpoint),
            ("AWS_ACCESS_KEY_ID", access_key),
            ("AWS_SECRET_ACCESS_KEY", secret_key),
            ("AWS_REGION", region),
        ];
        Ok((Self { emulator, client_env }, config))
    }

    /// Finishes the requests in flight and stops.
    pub(crate) async fn stop(self) {
        self.emulator.shutdown().await;
    }
}

fn random_key(bytes: usize) -> Result<String> {
    crate::random::hex(bytes)
}
