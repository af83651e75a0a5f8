//! Recipes for other package managers, made from the templates in `packaging/`.

use std::path::{Path, PathBuf};

use crate::Result;
use crate::dist::{Made, Release, checksums};

/// The ending of a template's name.
const ENDING: &str = "in";

/// Fills `@VERSION@` and the checksums of the archives, as `@SHA256_x86_64-unknown-linux-musl@`.
/// A checksum of an archive that was not made here stays, for whoever collects a release from
/// several machines.
pub(super) fn fill(release: &Release<'_>) -> Result<Made> {
    let mut sums = Vec::new();
    for entry in std::fs::read_dir(&release.output)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let start = format!("remote-state-{}-", release.version);
        if let Some(target) = name.strip_prefix(&start).and_then(|n| n.strip_suffix(".tar.gz")) {
            sums.push((format!("@SHA256_{target}@"), checksums::of_file(&path)?));
        }
    }
    let mut made = Vec::new();
    let source = release.workspace.root().join("packaging");
    for template in templates(&source)? {
        let text = std::fs::read_to_string(&template)?;
        let mut text = text.replace("@VERSION@", &release.version);
        for (mark, sum) in &sums {
            text = text.replace(mark, sum);
        }
        let path = release.output.join(template.strip_prefix(&source)?).with_extension("");
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, text)?;
        made.push(path);
    }
    Ok(Made::Files(made))
}

fn templates(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(templates(&path)?);
        } else if path.extension().is_some_and(|extension| extension == ENDING) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
