//! Finding a directory's backend: the places to read, in order.

use std::cell::OnceCell;
use std::path::Path;

use crate::advice::Advice;
use crate::backend::Provider;
use crate::config::NAME_OR_CALL;
use crate::config::{
    Environment, Layer, Origin, ProviderSpec, ResolvedConfig, Setting, Sourced, resolve_among,
};
use crate::directory::arguments;
use crate::directory::block::{BlockBody, Declaration, DeclarationKind};
use crate::directory::changed::{Comparison, another_type, has_names};
use crate::directory::files::{self, Declared};
use crate::directory::hcl;
use crate::directory::options::DirectoryOptions;
use crate::directory::record::{DataDirectory, Record};
use crate::directory::scope::Use;
use crate::directory::source::{Accept, SourceText};
use crate::error::{Error, Result};
use crate::workspace::Workspace;

/// The file that takes precedence over everything that Terraform reads.
const OWN_FILE: &str = "remote-state.hcl";

/// The variable that names the workspace for this program, before Terraform's: a command of this
/// program that runs Terraform sets Terraform's own variable to `default`, since the `http` backend
/// accepts no other.
pub const WORKSPACE_VARIABLE: &str = "REMOTE_STATE_WORKSPACE";

/// The variables that name the workspace. The first one that is set wins.
const WORKSPACE_VARIABLES: [&str; 2] = [WORKSPACE_VARIABLE, "TF_WORKSPACE"];

/// A directory's backend.
#[derive(Debug)]
#[non_exhaustive]
pub struct Discovered {
    /// The backend's type.
    pub provider: &'static dyn Provider,
    /// Its configuration.
    pub config: ResolvedConfig,
    /// The selected workspace and what selected it.
    pub workspace: Sourced<Workspace>,
    /// Where the backend's type was named.
    pub source: Origin,
    /// The error if `init` recorded the configuration and the block in the files has changed since.
    ///
    /// Terraform would then refuse to read and to write. A command that reads should warn, one that
    /// writes should fail with this error.
    pub changed_since_init: Option<Error>,
    /// The error if `init` recorded the configuration and the block in the files sets values by
    /// names that this library cannot evaluate.
    ///
    /// It is then unknown whether the recorded values are still current: another run may have
    /// recorded them. A command that reads should warn, one that writes or locks should fail with
    /// this error.
    pub not_compared: Option<Error>,
}

/// Finds a directory's backend and workspace, without running any program.
///
/// Paths in the origins and in the options are relative to the directory.
///
/// # Errors
/// `ConfigInvalid` if no backend is named, it is none of `providers`, or its configuration is
/// invalid; `Local` if a file cannot be read.
pub fn discover(
    directory: &Path,
    env: &Environment,
    options: &DirectoryOptions,
    providers: &[&'static dyn Provider],
) -> Result<Discovered> {
    let specs: Vec<_> = providers.iter().map(|provider| provider.spec()).collect();
    let discovery = Discovery {
        directory,
        env,
        options,
        known: providers,
        providers: &specs,
        data: DataDirectory::new(directory, env),
        given: OnceCell::new(),
    };
    if let Some(name) = &options.backend {
        return discovery.with_options_only(name);
    }
    let found = match discovery.own_file()? {
        Some(found) => found,
        None => discovery.terraform()?,
    };
    discovery.finish(found, true)
}

/// Returns the type of the `backend` block in a directory's files, if there is one. Native clients
/// use this backend there.
///
/// # Errors
/// As [`discover`].
pub fn declared_backend(directory: &Path) -> Result<Option<String>> {
    Ok(match files::declared(directory)?.declaration {
        Some(Declaration { kind: DeclarationKind::Backend { name, .. }, .. }) => Some(name),
        Some(Declaration { kind: DeclarationKind::Cloud, .. }) | None => None,
    })
}

struct Discovery<'a> {
    directory: &'a Path,
    env: &'a Environment,
    options: &'a DirectoryOptions,
    known: &'a [&'static dyn Provider],
    /// The tables of their keys.
    providers: &'a [&'static ProviderSpec],
    data: DataDirectory<'a>,
    given: OnceCell<Vec<Layer>>,
}

/// What one of the places defines.
struct Found {
    provider: &'static ProviderSpec,
    source: Origin,
    layers: Vec<Layer>,
    changed: Option<Error>,
    not_compared: Option<Error>,
    notes: Vec<String>,
}

impl Discovery<'_> {
    fn with_options_only(&self, name: &str) -> Result<Discovered> {
        let source = Origin::Flag(self.options.names.backend.to_owned());
        let provider = self.provider(name).ok_or_else(|| self.foreign(name, &source))?;
        self.finish(
            Found {
                provider,
                source,
                layers: Vec::new(),
                changed: None,
                not_compared: None,
                notes: Vec::new(),
            },
            false,
        )
    }

    fn own_file(&self) -> Result<Option<Found>> {
        let Some(source) = SourceText::read(self.directory, OWN_FILE, Accept::RegularFile)? else {
            return Ok(None);
        };
        let mut declarations = hcl::bare_declarations(&source)?.into_iter();
        let found = match (declarations.next(), declarations.next()) {
            (Some(Declaration { origin, kind: DeclarationKind::Backend { name, body } }), None) => {
                // Here the error for `http` must not advise writing this very file.
                let provider =
                    self.provider(&name).ok_or_else(|| self.not_spoken(&name, &origin))?;
                let layer = body.into_layer(provider)?;
                if let Some((name, what, place)) = first_deferred(&layer, provider) {
                    // No client evaluates this file, so `init` would not help.
                    return Err(Error::config(format!(
                        "`{name}` is set by an expression with {what}"
                    ))
                    .with_context("set in", place)
                    .with_hint(format!(
                        "write the value itself: `{OWN_FILE}` has no names and no functions"
                    )));
                }
                let layers = vec![layer];
                Found {
                    provider,
                    source: origin,
                    layers,
                    changed: None,
                    not_compared: None,
                    notes: Vec::new(),
                }
            }
            (Some(first), Some(second)) => {
                return Err(Error::config(format!("`{OWN_FILE}` holds more than one block"))
                    .with_context("found in", first.origin)
                    .with_context("and in", second.origin));
            }
            _ => {
                return Err(Error::config(format!("`{OWN_FILE}` holds no `backend` block"))
                    .with_hint(format!("write one, such as{}", self.example())));
            }
        };
        Ok(Some(found))
    }

    fn terraform(&self) -> Result<Found> {
        let Declared { declaration, any_file, notes } = files::declared(self.directory)?;
        let record = self.data.record()?;
        let recorded =
            record.as_ref().and_then(|record| Some((self.provider(&record.name)?, record)));
        let mut found = match (recorded, declaration) {
            (Some((provider, record)), declaration) => {
                let (changed, not_compared) =
                    self.changed(provider, record, declaration, any_file)?;
                let layers = vec![record.layer.clone()];
                let source = record.origin.clone();
                Found { provider, source, layers, changed, not_compared, notes: Vec::new() }
            }
            (None, Some(declaration)) => self.block(declaration, record.as_ref())?,
            (None, None) => {
                return Err(match record {
                    Some(record) => self.foreign(&record.name, &record.origin),
                    None => self.nothing(),
                });
            }
        };
        found.notes.extend(notes);
        Ok(found)
    }

    /// Uses the block in the files: `init` has not run, or it recorded a backend that is none of
    /// `providers`.
    fn block(&self, declaration: Declaration, record: Option<&Record>) -> Result<Found> {
        let Declaration { origin, kind } = declaration;
        let DeclarationKind::Backend { name, body } = kind else {
            return Err(Error::config(
                "a `cloud` block keeps the state in a service of its own, not in an object store",
            )
            .with_context("found in", origin)
            .with_hint(format!(
                "to use an object store, replace the block by {}",
                self.example()
            )));
        };
        let provider = self.provider(&name).ok_or_else(|| self.foreign(&name, &origin))?;
        let changed = record.map(|record| another_type(Some((&name, &origin)), record));
        let mut layers = vec![body.into_layer(provider)?];
        layers.extend(arguments::layers_of_variables(self.env, self.directory, provider)?);
        Ok(Found {
            provider,
            source: origin,
            layers,
            changed,
            not_compared: None,
            notes: Vec::new(),
        })
    }

    fn changed(
        &self,
        provider: &'static ProviderSpec,
        record: &Record,
        declaration: Option<Declaration>,
        any_file: bool,
    ) -> Result<(Option<Error>, Option<Error>)> {
        let body: BlockBody = match declaration {
            // A data directory alone may be there on purpose; files without a block mean that the
            // block was removed.
            None => return Ok((any_file.then(|| another_type(None, record)), None)),
            Some(Declaration { origin, kind: DeclarationKind::Cloud }) => {
                return Ok((Some(another_type(Some(("cloud", &origin)), record)), None));
            }
            Some(Declaration { origin, kind: DeclarationKind::Backend { name, .. } })
                if name != record.name =>
            {
                return Ok((Some(another_type(Some((&name, &origin)), record)), None));
            }
            Some(Declaration { kind: DeclarationKind::Backend { body, .. }, .. }) => body,
        };
        let given_to_init = arguments::layers_of_variables(self.env, self.directory, provider)?;
        let mut block = body.into_layer(provider)?;
        let mut names = Vec::new();
        // If the names' values lead to no result, the block keeps its names.
        if has_names(&block)
            && let Ok(Some(of_now)) = self.block_of_now(provider)
        {
            (block, names) = of_now;
        }
        let comparison = Comparison {
            provider,
            providers: self.providers,
            record,
            given_to_init: &given_to_init,
            given_here: self.given(provider)?,
            names: &names,
        };
        Ok((comparison.changed(&block)?, comparison.not_compared(&block)?))
    }

    /// Reads the block again with the present values of its names, and returns these names too.
    fn block_of_now(&self, provider: &'static ProviderSpec) -> Result<Option<(Layer, Vec<Use>)>> {
        let workspace = self.workspace(true)?;
        let (declared, names) = files::declared_now(self.directory, self.env, &workspace)?;
        match declared.declaration {
            Some(Declaration { kind: DeclarationKind::Backend { body, .. }, .. }) => {
                Ok(Some((body.into_layer(provider)?, names)))
            }
            _ => Ok(None),
        }
    }

    /// Adds this program's options on top and resolves everything.
    fn finish(&self, found: Found, may_read_directory: bool) -> Result<Discovered> {
        let Found { provider: spec, source, mut layers, changed, not_compared, notes } = found;
        layers.extend_from_slice(self.given(spec)?);
        let config = resolve_among(spec, self.providers, self.env, &layers, Some(&source))?;
        let config = config.with_notes(notes).in_directory(self.directory);
        let workspace = self.workspace(may_read_directory)?;
        let named = self.known.iter().find(|provider| provider.spec().scheme == spec.scheme);
        let provider = *named.ok_or_else(|| self.foreign(spec.scheme, &source))?;
        Ok(Discovered {
            provider,
            config,
            workspace,
            source,
            changed_since_init: changed,
            not_compared,
        })
    }

    /// Returns this program's options as layers. They are read once, since a file may be a pipe.
    fn given(&self, provider: &ProviderSpec) -> Result<&[Layer]> {
        if let Some(given) = self.given.get() {
            return Ok(given);
        }
        let origin = Origin::Flag(self.options.names.backend_config.to_owned());
        let given =
            arguments::layers(&self.options.backend_config, &origin, self.directory, provider)?;
        Ok(self.given.get_or_init(|| given))
    }

    fn workspace(&self, may_read_directory: bool) -> Result<Sourced<Workspace>> {
        let named = if let Some(name) = &self.options.workspace {
            let origin = Origin::Flag(self.options.names.workspace.to_owned());
            Some(Sourced::new(name.clone(), origin))
        } else if let Some((variable, name)) = WORKSPACE_VARIABLES
            .iter()
            .find_map(|variable| Some((*variable, self.env.get(variable)?)))
        {
            Some(Sourced::new(name.to_owned(), Origin::Environment(variable.to_owned())))
        } else if may_read_directory {
            self.data.selected_workspace()?
        } else {
            None
        };
        match named {
            None => Ok(Sourced::new(Workspace::default(), Origin::Default)),
            Some(Sourced { value, origin }) => match Workspace::new(value) {
                Ok(workspace) => Ok(Sourced::new(workspace, origin)),
                Err(error) => Err(error.with_context("set in", origin)),
            },
        }
    }

    fn provider(&self, name: &str) -> Option<&'static ProviderSpec> {
        self.providers.iter().copied().find(|provider| provider.scheme == name)
    }

    fn foreign(&self, name: &str, origin: &Origin) -> Error {
        if name != "http" || matches!(origin, Origin::Flag(_)) {
            return self.not_spoken(name, origin);
        }
        let example = self.example();
        Error::config(
            "this directory's Terraform speaks `http`, which does not say where the server keeps \
             the state",
        )
        .with_context("set in", origin)
        .with_hint(format!(
            "add a file `{OWN_FILE}` with the block to use instead, such as{example}"
        ))
    }

    fn not_spoken(&self, name: &str, origin: &Origin) -> Error {
        let schemes: Vec<_> =
            self.providers.iter().map(|provider| format!("`{}`", provider.scheme)).collect();
        Error::config(format!("backend type `{name}` is not supported"))
            .with_context("set in", origin)
            .with_hint(format!("supported are {}", schemes.join(", ")))
    }

    fn nothing(&self) -> Error {
        Error::config("no backend is configured here")
            .with_context("directory", self.directory.display())
            .with_context(
                "looked for",
                format_args!(
                    "`{OWN_FILE}`, `{}`, and a `backend` block in `*.tf` and `*.tofu` files",
                    self.data.shown()
                ),
            )
            .with_advice(Advice::NameBackend)
            .with_hint(format!("or add a file `{OWN_FILE}`, such as{}", self.example()))
    }

    /// Formats a block with the required keys of the first provider, to follow a word.
    fn example(&self) -> String {
        let Some(provider) = self.providers.first() else {
            return " `backend \"TYPE\" { … }`".to_owned();
        };
        let required = provider.keys.iter().filter(|key| key.required && !key.name.contains('.'));
        let lines: String = required.map(|key| format!("  {} = \"…\"\n", key.name)).collect();
        format!("\nbackend \"{}\" {{\n{lines}}}", provider.scheme)
    }
}

/// Finds a value that cannot be evaluated: its name, the obstacle, and its place. A secret without
/// its quotes parses as a name, so names in a secret key are not returned.
fn first_deferred<'a>(
    layer: &'a Layer,
    provider: &ProviderSpec,
) -> Option<(&'a str, &'a str, &'a Origin)> {
    fn first(layer: &[(String, Sourced<Setting>)]) -> Option<(&str, &str, &Origin)> {
        layer.iter().find_map(|(name, setting)| match &setting.value {
            Setting::Deferred(what) => Some((name.as_str(), what.as_str(), &setting.origin)),
            Setting::Object(members) => first(members),
            _ => None,
        })
    }
    layer.iter().find_map(|entry| {
        let (name, what, place) = first(std::slice::from_ref(entry))?;
        Some((name, if provider.holds_secret(&entry.0) { NAME_OR_CALL } else { what }, place))
    })
}
