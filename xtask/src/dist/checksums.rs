//! `SHA256SUMS`.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::Result;
use crate::dist::{Made, Release};

/// Writes the checksums of all packages, in the form that `sha256sum --check` reads.
pub(super) fn write(release: &Release<'_>) -> Result<Made> {
    let mut text = String::new();
    for path in packages(&release.output)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        text.push_str(&format!("{}  {name}\n", of_file(&path)?));
    }
    let path = release.output.join("SHA256SUMS");
    std::fs::write(&path, text)?;
    Ok(Made::Files(vec![path]))
}

/// Returns the files of the release, sorted; what the templates became is in folders.
fn packages(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

pub(super) fn of_file(path: &Path) -> Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            count => hash.update(&buffer[..count]),
        }
    }
}

pub(super) fn of_bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
