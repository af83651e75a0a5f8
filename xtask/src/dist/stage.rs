//! The files of a release, as they are installed below `/usr` and `/etc`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::dist::{Release, licences, run_tool};

/// The shells with completions, and where their scripts go.
pub(super) const COMPLETIONS: [(&str, &str); 5] = [
    ("bash", "usr/share/bash-completion/completions/remote-state"),
    ("zsh", "usr/share/zsh/vendor-completions/_remote-state"),
    ("fish", "usr/share/fish/vendor_completions.d/remote-state.fish"),
    ("elvish", "usr/share/remote-state/completions/remote-state.elv"),
    ("powershell", "usr/share/remote-state/completions/remote-state.ps1"),
];

/// The file that keeps the folder of configurations, and says what belongs there.
pub(super) const CONFIGURATION: &str = "etc/remote-state/README";

const ABOUT_CONFIGURATION: &str = "\
Each folder here is an instance of the unit remote-state@.service, with three files:

  remote-state.hcl   which bucket; see /usr/share/doc/remote-state/examples/remote-state.hcl
  environment        credentials of the store, and REMOTE_STATE_LISTEN; mode 0600
  token              what clients must present; mode 0600
";

const DOC: &str = "usr/share/doc/remote-state";

/// A folder laid out like the root of a system.
#[derive(Debug)]
pub(super) struct Stage {
    root: PathBuf,
    /// The files, by their paths from the root, sorted.
    pub(super) files: Vec<PathBuf>,
}

impl Stage {
    /// Collects what is installed. The manual and the completions come from the command itself.
    pub(super) fn fill(release: &Release<'_>, binary: &Path) -> Result<Self> {
        let root = release.work.path().join("package-root");
        let stage = Self { root, files: Vec::new() };
        stage.copy(binary, "usr/bin/remote-state")?;

        let speaking = speaking(release, binary)?;
        let man = stage.root.join("usr/share/man/man1");
        run_tool(Command::new(&speaking).arg("man").arg(man))?;
        for (shell, path) in COMPLETIONS {
            let script = run_tool(Command::new(&speaking).args(["completions", shell]))?;
            stage.write(path, script)?;
        }
        let source = release.workspace.root();
        for file in ["CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT", "README.md"] {
            stage.copy(&source.join(file), &format!("{DOC}/{file}"))?;
        }
        let systemd = source.join("packaging/systemd");
        let unit = "remote-state@.service";
        stage.copy(&systemd.join(unit), &format!("usr/lib/systemd/system/{unit}"))?;
        let users = "usr/lib/sysusers.d/remote-state.conf";
        stage.copy(&systemd.join("remote-state.conf"), users)?;
        let example = format!("{DOC}/examples/remote-state.hcl");
        stage.copy(&systemd.join("remote-state.hcl"), &example)?;
        stage.write(CONFIGURATION, ABOUT_CONFIGURATION)?;
        let third_party = licences::page(release.workspace, &release.target)?;
        stage.write(&format!("{DOC}/THIRD-PARTY.md"), third_party)?;
        let mut files = Vec::new();
        collect(&stage.root, Path::new(""), &mut files)?;
        files.sort();
        Ok(Self { files, ..stage })
    }

    pub(super) fn path(&self, file: &Path) -> PathBuf {
        self.root.join(file)
    }

    fn copy(&self, from: &Path, to: &str) -> Result<()> {
        let bytes = std::fs::read(from)
            .map_err(|error| format!("cannot read {}: {error}", from.display()))?;
        self.write(to, bytes)
    }

    fn write(&self, to: &str, bytes: impl AsRef<[u8]>) -> Result<()> {
        let path = self.root.join(to);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        Ok(std::fs::write(path, bytes)?)
    }
}

/// Returns the mode of a file.
pub(super) fn mode(file: &Path) -> u32 {
    if file.starts_with("usr/bin") { 0o755 } else { 0o644 }
}

/// Returns a `remote-state` that runs on this machine: the packaged one, or one that is built for
/// that.
fn speaking(release: &Release<'_>, binary: &Path) -> Result<PathBuf> {
    let runs = Command::new(binary).arg("--version").output().is_ok_and(|out| out.status.success());
    if runs {
        return Ok(binary.to_owned());
    }
    release.workspace.build_product_beside_tests()
}

fn collect(root: &Path, below: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(root.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        if entry.path().is_dir() {
            collect(root, &path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
