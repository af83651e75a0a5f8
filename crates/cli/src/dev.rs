//! The embedded store behind `--dev`: a real provider against the emulator, with its data in a
//! folder.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind::{
    AlreadyExists, FileTooLarge, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
    TimedOut,
};
use std::io::Write as _;
use std::path::Path;

use remote_state::config::{Environment, Origin, ResolvedConfig};
use remote_state::directory::{DirectoryOptions, Discovered, WORKSPACE_VARIABLE, discover};
use remote_state::{Embedded, EmbeddedService, EmbeddedVariables, Error, ErrorKind, Result};
use remote_state_emulator::{Emulator, EmulatorBuilder, Quirks, Storage};

use crate::args::{Dev, Global};
use crate::exit::Failure;

/// The folder of the store, below the directory of the command.
const FOLDER: &str = ".remote-state/dev";

/// The file in that folder with all data.
const FILE: &str = "store.redb";

/// A running embedded store.
#[derive(Debug)]
pub(crate) struct DevStore {
    emulator: Emulator,
    /// The variables with which a native client uses the same store.
    pub(crate) client_env: Vec<(&'static str, String)>,
}

/// Describes the embedded store, which is not running yet. Of the environment, only the choice of
/// the workspace applies.
///
/// Each provider has a bucket of its own, since their layouts of workspaces and locks differ.
pub(crate) fn backend(
    kind: Dev,
    global: &Global,
    env: &Environment,
    mut options: DirectoryOptions,
) -> Result<Discovered, Failure> {
    let scheme = kind.scheme();
    if let Some(backend) = global.backend.as_deref().filter(|backend| *backend != scheme) {
        let error = Error::config(format!("the embedded store speaks `{scheme}`, not `{backend}`"));
        let other = Dev::all().find(|kind| kind.scheme() == backend);
        return Err(match other {
            Some(_) => error.with_hint(format!("to have one that does, give `--dev={backend}`")),
            None => error.with_hint("leave out `--backend`, or leave out `--dev`"),
        }
        .into());
    }
    options.backend = Some(scheme.to_owned());
    let given = std::mem::take(&mut options.backend_config);
    let settings = kind.embedded.settings.iter().map(|(key, value)| format!("{key}={value}"));
    options.backend_config = settings.chain(given).collect();
    let env: Environment = [WORKSPACE_VARIABLE, "TF_WORKSPACE"]
        .into_iter()
        .filter_map(|variable| Some((variable, env.get(variable)?)))
        .collect();
    Ok(discover(global.here(), &env, &options, remote_state::providers())?)
}

impl DevStore {
    /// Starts the store and completes its configuration.
    ///
    /// Every process starts an endpoint of its own, on a new port and with new keys; the processes
    /// share only the file.
    pub(crate) async fn start(
        kind: Dev,
        directory: &Path,
        config: ResolvedConfig,
    ) -> Result<(Self, ResolvedConfig)> {
        let folder = directory.join(FOLDER);
        let cannot = |source: std::io::Error| {
            Error::new(
                ErrorKind::Local,
                "open",
                format!("cannot use `{}`: {source}", folder.display()),
            )
            .with_source(source)
        };
        refuse_links(directory)?;
        create_folder(&folder).map_err(cannot)?;
        make_private(&folder).map_err(|error| {
            cannot(error).with_hint("use a directory of your own, or move what is there away")
        })?;
        // The store may hold secrets, which must not enter a repository. An existing file belongs
        // to the user.
        match create_file(&folder.join(".gitignore")) {
            Ok(mut file) => file.write_all(b"*\n").map_err(cannot)?,
            // A file system without write access takes no new file either, so nothing new can enter
            // a repository.
            Err(error) if matches!(error.kind(), AlreadyExists | ReadOnlyFilesystem) => {}
            Err(error) => return Err(cannot(error)),
        }
        let (access_key, secret_key) = (crate::random::hex(10)?, crate::random::hex(20)?);
        let storage =
            Storage::file(folder.join(FILE)).map_err(|error| unusable(&folder, &error))?;
        let emulator =
            Emulator::builder().with_storage(storage).with_credentials(&access_key, &secret_key);
        let emulator = with_bucket(kind.embedded, emulator, config.required("bucket")?);
        let emulator = with_table(kind.embedded, emulator, &config);
        let emulator = emulator.start().await.map_err(|error| unusable(&folder, &error))?;
        let access = Access { endpoint: emulator.endpoint(), access_key, secret_key };
        let (config, client_env) = access.apply(kind.embedded, config)?;
        Ok((Self { emulator, client_env }, config))
    }

    /// Finishes the requests in flight and stops.
    pub(crate) async fn stop(self) {
        self.emulator.shutdown().await;
    }
}

/// Explains why the store in a folder cannot be used, and how to fix it.
fn unusable(folder: &Path, error: &std::io::Error) -> Error {
    let message = format!("cannot start the embedded store: {error}");
    let file = folder.join(FILE);
    let told = Error::new(ErrorKind::Local, "open", message).with_context("store", file.display());
    match error.kind() {
        TimedOut => told.with_hint(format!(
            "a process that was stopped holds it until it goes on: `fuser {}.lock` names it",
            file.display()
        )),
        PermissionDenied => {
            told.with_hint("use a directory of your own, or move what is there away")
        }
        ReadOnlyFilesystem => {
            told.with_hint("a store that is there already can be read; a new one cannot be made")
        }
        StorageFull | QuotaExceeded | FileTooLarge => told.with_hint("make room on the disk"),
        _ => told
            .with_hint("if it is damaged, move it away; the next command starts with an empty one"),
    }
}

/// Adds the bucket. A new bucket in Spaces keeps no versions, and in one that does, the locks of
/// native clients exclude no one.
fn with_bucket(embedded: &Embedded, emulator: EmulatorBuilder, bucket: &str) -> EmulatorBuilder {
    match embedded.service {
        EmbeddedService::Ceph => emulator.with_quirks(Quirks::Ceph).with_bucket(bucket),
        _ => emulator.with_versioned_bucket(bucket),
    }
}

/// Adds the lock table that the configuration names.
fn with_table(
    embedded: &Embedded,
    emulator: EmulatorBuilder,
    config: &ResolvedConfig,
) -> EmulatorBuilder {
    match (embedded.service, embedded.table_key.and_then(|key| config.get(key))) {
        (EmbeddedService::Oss, Some(table)) => emulator.with_tablestore_table(table, "LockID"),
        (_, Some(table)) => emulator.with_table(table, "LockID"),
        (_, None) => emulator,
    }
}

/// The endpoint and the keys of the running store.
struct Access {
    endpoint: String,
    access_key: String,
    secret_key: String,
}

impl Access {
    /// Completes the configuration, and returns it with the variables with which a native client
    /// uses the same store.
    fn apply(
        self,
        embedded: &Embedded,
        mut config: ResolvedConfig,
    ) -> Result<(ResolvedConfig, Vec<(&'static str, String)>)> {
        let Self { endpoint, access_key, secret_key } = self;
        let Embedded { access_keys, endpoint_keys, table_key, table_endpoint_keys, .. } = embedded;
        let origin = Origin::Flag("--dev".to_owned());
        let has_table = table_key.is_some_and(|key| config.is_set(key));
        let table_keys = if has_table { *table_endpoint_keys } else { &[] };
        for key in endpoint_keys.iter().chain(table_keys) {
            config = config.with(*key, endpoint.clone(), origin.clone());
        }
        // The user did not write these keys anywhere, so they need an origin about which no
        // provider warns.
        for (key, value) in access_keys.iter().zip([&access_key, &secret_key]) {
            config = config.with(*key, value.clone(), Origin::Program);
        }
        for (key, value) in embedded.switches_without_table {
            if !has_table && config.origin(*key) == Origin::Default {
                config = config.with(*key, *value, origin.clone());
            }
        }
        let region = config.required("region")?.to_owned();
        let EmbeddedVariables { endpoints, access_key: id, secret_key: secret, region: place } =
            embedded.variables;
        let mut variables: Vec<_> =
            endpoints.iter().map(|name| (*name, endpoint.clone())).collect();
        variables.extend([(id, access_key), (secret, secret_key), (place, region)]);
        Ok((config, variables))
    }
}

/// Refuses links in the folder: someone else, such as the author of a cloned repository, may have
/// prepared them to redirect writes.
fn refuse_links(directory: &Path) -> Result<()> {
    let refuse_link = |path: &Path| {
        if !path.symlink_metadata().is_ok_and(|found| found.is_symlink()) {
            return Ok(());
        }
        let message = format!("cannot use `{}`: it is a symbolic link", path.display());
        Err(Error::new(ErrorKind::Local, "open", message).with_hint(
            "the embedded store writes to no other place: remove the link, or use another \
             directory",
        ))
    };
    let mut path = directory.to_owned();
    for part in Path::new(FOLDER) {
        path.push(part);
        refuse_link(&path)?;
    }
    // An unreadable folder counts as empty; the next step reports the error.
    let entries = std::fs::read_dir(&path).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).try_for_each(|path| refuse_link(&path))
}

/// Creates a folder that only its owner can access, unless it exists.
fn create_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Restricts an existing folder of the store to its owner, even if it came with a clone.
///
/// # Errors
/// `PermissionDenied` if it belongs to another user.
#[cfg(unix)]
fn make_private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let found = folder.symlink_metadata()?;
    let (owner, own) = (found.uid(), rustix::process::geteuid().as_raw());
    if owner != own {
        let reason = format!("it belongs to another user (id {owner}, and this one is {own})");
        return Err(std::io::Error::new(PermissionDenied, reason));
    }
    let mut permissions = found.permissions();
    if permissions.mode() & 0o077 == 0 {
        return Ok(());
    }
    permissions.set_mode(0o700);
    match std::fs::set_permissions(folder, permissions) {
        // A read-only folder receives nothing new.
        Err(error) if error.kind() == ReadOnlyFilesystem => Ok(()),
        other => other,
    }
}

#[cfg(not(unix))]
fn make_private(_: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Creates a file that only its owner can access, and fails if the path exists, even as a link.
fn create_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
