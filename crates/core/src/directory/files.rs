//! The files of a directory, and the one declaration that they result in.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::rc::Rc;

use crate::config::{Environment, Sourced};
use crate::directory::block::{Declaration, DeclarationKind};
use crate::directory::scope::{Scope, Use};
use crate::directory::source::{Accept, SourceText};
use crate::directory::{hcl, json};
use crate::error::{Error, ErrorKind, Result};
use crate::workspace::Workspace;

/// What a directory's files say about its backend.
pub(super) struct Declared {
    /// The block that counts.
    pub(super) declaration: Option<Declaration>,
    /// Whether there is at least one configuration file.
    pub(super) any_file: bool,
    pub(super) notes: Vec<String>,
}

/// A configuration file, by its name.
struct ConfigFile {
    name: String,
    /// The name without its suffix.
    stem: String,
    json: bool,
    tofu: bool,
}

impl ConfigFile {
    /// Recognises a configuration file as native clients do; backups and lock files of editors are
    /// none.
    fn parse(name: &str) -> Option<Self> {
        if name.starts_with('.')
            || name.ends_with('~')
            || (name.starts_with('#') && name.ends_with('#'))
        {
            return None;
        }
        let suffixes = [
            (".tf.json", true, false),
            (".tofu.json", true, true),
            (".tf", false, false),
            (".tofu", false, true),
        ];
        let (suffix, json, tofu) =
            suffixes.into_iter().find(|(suffix, ..)| name.ends_with(suffix))?;
        Some(Self {
            name: name.to_owned(),
            stem: name.strip_suffix(suffix)?.to_owned(),
            json,
            tofu,
        })
    }

    fn is_override(&self) -> bool {
        self.stem == "override" || self.stem.ends_with("_override")
    }

    /// Returns whether OpenTofu reads another file instead: it prefers a `.tofu` file to the `.tf`
    /// file with the same name and syntax.
    fn is_shadowed_by(&self, other: &Self) -> bool {
        !self.tofu && other.tofu && self.stem == other.stem && self.json == other.json
    }

    fn declarations(
        &self,
        directory: &Path,
        scope: Option<&Rc<Scope>>,
    ) -> Result<Vec<Declaration>> {
        match SourceText::read(directory, self.name.as_str(), Accept::RegularFile)? {
            // The directory lists it, so it is a dangling link.
            None => Err(Error::new(
                ErrorKind::Local,
                "configure",
                format!("cannot read `{}`: no such file", self.name),
            )),
            Some(mut source) => {
                source.scope = scope.map(|scope| Rc::clone(scope) as _);
                if self.json { json::declarations(&source) } else { hcl::declarations(&source) }
            }
        }
    }
}

/// Reads the files of the directory itself, not of its subfolders.
///
/// # Errors
/// `ConfigInvalid` for two blocks of which only one may exist and for files that cannot be parsed,
/// `Local` for files that cannot be read.
pub(super) fn declared(directory: &Path) -> Result<Declared> {
    declared_in(directory, None)
}

/// Reads the files again with values for the names in them, from this environment and this
/// workspace. Also returns the names that were replaced by values.
///
/// # Errors
/// As [`declared`].
pub(super) fn declared_now(
    directory: &Path,
    env: &Environment,
    workspace: &Sourced<Workspace>,
) -> Result<(Declared, Vec<Use>)> {
    let files = list(directory)?;
    let is_read = |file: &&ConfigFile| !files.iter().any(|other| file.is_shadowed_by(other));
    let (overrides, ordinary): (Vec<_>, Vec<_>) =
        files.iter().filter(is_read).partition(|file| file.is_override());
    let texts: Vec<_> = ordinary
        .into_iter()
        .chain(overrides)
        .filter_map(|file| {
            SourceText::read(directory, file.name.as_str(), Accept::RegularFile).ok()?
        })
        .collect();
    let scope = Rc::new(Scope::gather(directory, &texts, env, workspace));
    let declared = declared_in(directory, Some(&scope))?;
    Ok((declared, scope.uses()))
}

fn declared_in(directory: &Path, scope: Option<&Rc<Scope>>) -> Result<Declared> {
    let files = list(directory)?;
    let (shadowed, files): (Vec<_>, Vec<_>) =
        files.iter().partition(|file| files.iter().any(|other| file.is_shadowed_by(other)));
    let any_file = !files.is_empty();
    let (overrides, ordinary): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|file| file.is_override());

    let mut declaration: Option<Declaration> = None;
    for file in ordinary {
        for found in file.declarations(directory, scope)? {
            if let Some(first) = &declaration {
                return Err(duplicate(first, &found));
            }
            declaration = Some(found);
        }
    }
    // An override replaces the block as a whole, type included; the last file by name wins.
    for file in overrides {
        let mut found = file.declarations(directory, scope)?.into_iter();
        if let Some(first) = found.next() {
            if let Some(second) = found.next() {
                return Err(duplicate(&first, &second));
            }
            declaration = Some(first);
        }
    }

    let mut notes = Vec::new();
    for file in shadowed {
        // OpenTofu does not read this file, so its errors do not matter.
        for hidden in file.declarations(directory, scope).unwrap_or_default() {
            notes.push(format!(
                "the block in {} is not used: OpenTofu reads `{}.tofu{}` in its place; Terraform \
                 would use it",
                hidden.origin,
                file.stem,
                if file.json { ".json" } else { "" },
            ));
        }
    }
    Ok(Declared { declaration, any_file, notes })
}

fn list(directory: &Path) -> Result<Vec<ConfigFile>> {
    let unreadable = |error: std::io::Error| {
        let message = format!("cannot read the directory `{}`: {error}", directory.display());
        Error::new(ErrorKind::Local, "configure", message).with_source(error)
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if let Some(file) = entry.file_name().to_str().and_then(ConfigFile::parse)
            && !fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_dir())
        {
            files.push(file);
        }
    }
    files.sort_by(|a, b| OsStr::new(&a.name).cmp(OsStr::new(&b.name)));
    Ok(files)
}

fn duplicate(first: &Declaration, second: &Declaration) -> Error {
    let cloud = |declaration: &Declaration| matches!(declaration.kind, DeclarationKind::Cloud);
    let message = match (cloud(first), cloud(second)) {
        (false, false) => "there is more than one `backend` block",
        (true, true) => "there is more than one `cloud` block",
        _ => "there is both a `backend` and a `cloud` block",
    };
    Error::config(message)
        .with_context("found in", &first.origin)
        .with_context("and in", &second.origin)
        .with_hint(
            "keep one of them; a block in `override.tf` replaces another one without a conflict",
        )
}
