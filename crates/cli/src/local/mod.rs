//! States in files, as Terraform's `local` backend keeps them: a source of migrations.

mod file;
mod store;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use remote_state::config::{Key, ProviderSpec, ResolvedConfig};
use remote_state::{Backend, Error, ErrorKind, Provider, Result, StateStore, keys};

use self::store::LocalStore;

/// The keys of `backend "local"`.
static SPEC: ProviderSpec = ProviderSpec::new("local", "files of this machine", KEYS);

keys![
    pub(super) const PATH: Key<String> =
        key("path", "The file of the default workspace's state.").default("terraform.tfstate");
    pub(super) const WORKSPACE_DIR: Key<String> =
        key("workspace_dir", "The folder that has a folder with a state for each other workspace.")
            .default("terraform.tfstate.d");
];

/// The provider of states in files.
#[derive(Debug)]
pub(crate) struct Local;

/// The states of one directory.
#[derive(Debug)]
struct Files {
    path: PathBuf,
    workspace_dir: PathBuf,
}

/// Returns the file of the default workspace and the folder of the others, if they are there.
pub(crate) fn paths(config: &ResolvedConfig) -> [Option<PathBuf>; 2] {
    [PATH, WORKSPACE_DIR]
        .map(|key| PathBuf::from(config.get(key)))
        .map(|path| Some(path).filter(|path| config.directory().join(path).exists()))
}

impl Provider for Local {
    fn spec(&self) -> &'static ProviderSpec {
        &SPEC
    }

    fn parse(&self, config: &ResolvedConfig) -> Result<Box<dyn Backend>> {
        let whole = |key: Key<String>| {
            std::path::absolute(config.directory().join(config.get(key))).map_err(|error| {
                Error::new(ErrorKind::Local, "open", format!("cannot find a file: {error}"))
                    .with_source(error)
            })
        };
        Ok(Box::new(Files { path: whole(PATH)?, workspace_dir: whole(WORKSPACE_DIR)? }))
    }
}

#[async_trait]
impl Backend for Files {
    fn open(&self) -> Result<Arc<dyn StateStore>> {
        Ok(Arc::new(LocalStore::new(self.path.clone(), self.workspace_dir.clone())))
    }
}
