//! The embedded store behind `--dev`: the real s3 provider against the emulator, on a folder that survives.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
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
        refuse_links(directory)?;
        create_folder(&folder).map_err(cannot)?;
        // The store may hold secrets, and a repository must not. Whatever is there already is the user's.
        match create_file(&folder.join(".gitignore")) {
            Ok(mut file) => file.write_all(b"*\n").map_err(cannot)?,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(cannot(error)),
        }
        let failed = |error: &dyn std::fmt::Display| {
            Error::new(ErrorKind::Local, "open", format!("cannot start the embedded store: {error}"))
                .with_context("store", folder.join(FILE).display())
                .with_hint("if it is damaged, move it away; the next command starts with an empty one")
        };
        let (access_key, secret_key) = (crate::random::hex(10)?, crate::random::hex(20)?);
        let storage = Storage::file(folder.join(FILE)).map_err(|error| failed(&error))?;
        let emulator = Emulator::builder()
            .with_storage(storage)
            .with_credentials(&access_key, &secret_key)
            .with_versioned_bucket(config.required("bucket")?);
        let emulator = match config.string("dynamodb_table") {
            Some(table) => emulator.with_table(table, "LockID"),
            None => emulator,
        };
        let emulator = emulator.start().await.map_err(|error| failed(&error))?;
        let endpoint = emulator.endpoint().to_owned();
        let region = config.required("region")?.to_owned();
        let text = |value: &str| ConfigValue::String(value.to_owned());
        let origin = Origin::Flag("--dev".to_owned());
        let config = config
            .with("endpoints.s3", text(&endpoint), origin.clone())
            .with("endpoints.dynamodb", text(&endpoint), origin.clone())
            .with("access_key", text(&access_key), origin.clone())
            .with("secret_key", text(&secret_key), origin);
        let client_env = vec![
            ("AWS_ENDPOINT_URL_S3", endpoint.clone()),
            ("AWS_ENDPOINT_URL_DYNAMODB", endpoint),
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

/// Refuses a folder that someone else may have prepared, in a repository that was cloned for example, to have us write elsewhere.
fn refuse_links(directory: &Path) -> Result<()> {
    let refuse_link = |path: &Path| {
        if !path.symlink_metadata().is_ok_and(|found| found.is_symlink()) {
            return Ok(());
        }
        let message = format!("cannot use `{}`: it is a symbolic link", path.display());
        Err(Error::new(ErrorKind::Local, "open", message).with_hint(
            "the embedded store writes to no other place: remove the link, or use another directory",
        ))
    };
    let mut path = directory.to_owned();
    for part in Path::new(FOLDER) {
        path.push(part);
        refuse_link(&path)?;
    }
    // What cannot be listed is missing, or the next step says what is the matter.
    let entries = std::fs::read_dir(&path).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).try_for_each(|path| refuse_link(&path))
}

/// Creates a folder that is for its owner only, unless it is there.
fn create_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Creates a file that is for its owner only, and was not there before, not even as a link.
fn create_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
