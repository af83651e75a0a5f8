//! What packages bring besides the command: the unit, the manual, completions, and the packages
//! themselves, which `cargo xtask dist` makes around a small script in place of the command.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use remote_state_tests::{Requirement, Sandbox, Suite, remote_state};

/// The exposure of the unit, from 0 to 100, that `systemd-analyze security` may find.
const MOST_EXPOSURE: u32 = 20;

fn main() -> ExitCode {
    let mut suite = Suite::new();
    let needs = |programs: &[&'static str]| -> Vec<Requirement> {
        programs.iter().map(|name| Requirement::Command(name)).collect()
    };
    let systemd = needs(&["systemd-analyze"]);
    suite.test("systemd_accepts_the_unit_and_finds_it_little_exposed", &systemd, unit);
    suite.test("the_manual_has_a_page_for_each_command", &needs(&["man"]), manual);
    suite.test("bash_completes_commands", &needs(&["bash"]), bash);
    suite.test("zsh_reads_the_completions", &needs(&["zsh"]), zsh);
    let debian = needs(&["dpkg", "dpkg-deb", "gzip", "git"]);
    suite.test("the_debian_package_is_installed_and_its_command_runs", &debian, debian_package);
    let archive = needs(&["tar", "gzip", "git"]);
    let fedora = needs(&["rpm", "rpm2cpio", "cpio", "gzip", "git"]);
    suite.test("the_fedora_package_holds_the_command_and_its_unit", &fedora, fedora_package);
    let lint = needs(&["lintian", "dpkg-deb", "gzip", "git"]);
    suite.test("lintian_finds_no_error_in_the_debian_package", &lint, lintian);
    suite.test("the_image_holds_a_layer_with_the_command", &archive, image);
    suite.test("packages_made_twice_have_equal_checksums", &archive, twice);
    suite.run()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn unit() {
    let sandbox = Sandbox::new();
    let unit = root().join("packaging/systemd/remote-state@.service");
    let text = std::fs::read_to_string(unit).expect("the unit is there");
    // systemd looks whether the program is there.
    let text = text.replace("/usr/bin/remote-state", "/bin/true");
    let unit = sandbox.write("remote-state@.service", text);
    let analyze = || sandbox.command("systemd-analyze").arg("--no-pager");
    let verified = analyze().args(["verify", "--man=no"]).arg(&unit).run().success();
    assert_eq!(verified.stderr(), "", "{verified}");
    let threshold = format!("--threshold={MOST_EXPOSURE}");
    analyze().args(["security", "--offline=true", &threshold]).arg(&unit).run().success();
}

fn manual() {
    let sandbox = Sandbox::new();
    sandbox.remote_state().words("man share/man/man1").run().success();
    let tables = sandbox.remote_state().arg("reference").run().success().json();
    let mut names = vec!["remote-state".to_owned()];
    let mut rest = vec![&tables["command"]];
    while let Some(command) = rest.pop() {
        rest.extend(command["commands"].as_array().into_iter().flatten());
        names.push(command["path"].as_str().expect("it has a path").replace(' ', "-"));
    }
    for name in names {
        let shown = sandbox
            .command("man")
            .env("MANPATH", sandbox.path().join("share/man"))
            .env("MANWIDTH", "80")
            .args(["-P", "cat", &name])
            .run()
            .success();
        assert!(shown.stdout().contains("SYNOPSIS"), "{name}: {shown}");
    }
}

fn bash() {
    let sandbox = Sandbox::new();
    let script = sandbox.remote_state().words("completions bash").run().success();
    sandbox.write("completions", script.stdout());
    let function = script
        .stdout()
        .lines()
        .find_map(|line| line.strip_suffix("() {").map(str::to_owned))
        .expect("the script has a function");
    for (words, expected) in [("remote-state work", "workspace"), ("remote-state un", "unlock")] {
        let ask = format!(
            "source ./completions; COMP_WORDS=({words}); COMP_CWORD=1; \
             {function} remote-state \"${{COMP_WORDS[1]}}\" remote-state; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let completed = sandbox.command("bash").args(["-c", &ask]).run().success();
        assert!(completed.stdout().lines().any(|word| word == expected), "{completed}");
    }
}

fn zsh() {
    let sandbox = Sandbox::new();
    let script = sandbox.remote_state().words("completions zsh").run().success();
    sandbox.write("functions/_remote-state", script.stdout());
    let ask = "fpath=($PWD/functions $fpath); autoload -Uz compinit; compinit -u -D; \
               print ${_comps[remote-state]}; autoload +X _remote-state";
    let found = sandbox.command("zsh").args(["-f", "-c", ask]).run().success();
    assert_eq!(found.stdout().trim(), "_remote-state", "{found}");
}

/// Makes packages around a script that runs the command under test, and returns their folder.
fn dist(sandbox: &Sandbox, name: &str, target: &[&str]) -> PathBuf {
    let script = format!("#!/bin/sh\nexec '{}' \"$@\"\n", remote_state().display());
    let script = sandbox.write("command", script);
    set_executable(&script);
    let output = sandbox.path().join(name);
    let xtask = remote_state().with_file_name(format!("xtask{}", std::env::consts::EXE_SUFFIX));
    let mut command = sandbox
        .command(xtask)
        .args(["dist", "--no-tools", "--binary"])
        .arg(&script)
        .arg("--output")
        .arg(&output)
        .args(target)
        .env("SOURCE_DATE_EPOCH", "1700000000");
    for variable in ["CARGO", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"] {
        if let Some(value) = std::env::var_os(variable) {
            command = command.env(variable, value);
        }
    }
    // Cargo and rustup are in the home of the user who runs the tests.
    if let Some(home) = std::env::var_os("HOME") {
        command = command.env("HOME", home);
    }
    command.run().success();
    output
}

fn set_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
}

/// Returns the file of a folder with this ending.
fn with_ending(folder: &Path, ending: &str) -> PathBuf {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let mut found = paths.filter(|path| path.to_string_lossy().ends_with(ending));
    found.next().unwrap_or_else(|| panic!("{} has no *{ending}", folder.display()))
}

fn debian_package() {
    let sandbox = Sandbox::new();
    let package = with_ending(&dist(&sandbox, "packages", &[]), ".deb");
    let system = sandbox.folder("system");
    for folder in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers", "etc"] {
        sandbox.folder(format!("system/{folder}"));
    }
    sandbox.write("system/var/lib/dpkg/status", "");
    sandbox
        .command("dpkg")
        .arg(format!("--root={}", system.display()))
        .args(["--force-not-root", "--force-depends", "--force-script-chrootless"])
        .args(["--force-bad-path", "--install"])
        .arg(&package)
        .run()
        .success();
    let program = system.join("usr/bin/remote-state");
    let version = sandbox.command(&program).arg("--version").run().success();
    assert!(version.stdout().starts_with("remote-state "), "{version}");
    sandbox.command(&program).words("exec --dev -- true").run().success();
    for file in [
        "etc/remote-state/README",
        "usr/lib/systemd/system/remote-state@.service",
        "usr/share/bash-completion/completions/remote-state",
        "usr/share/doc/remote-state/THIRD-PARTY.md",
        "usr/share/doc/remote-state/changelog.gz",
        "usr/share/man/man1/remote-state-workspace-rename.1.gz",
    ] {
        assert!(system.join(file).is_file(), "{file}");
    }
}

/// Only where `cargo xtask dist` has built its tool before: no test builds it.
fn fedora_package() {
    let sandbox = Sandbox::new();
    let packages = dist(&sandbox, "packages", &[]);
    let entries = std::fs::read_dir(&packages).expect("the folder is there");
    let mut paths = entries.map(|entry| entry.expect("it can be read").path());
    let Some(package) = paths.find(|path| path.extension().is_some_and(|end| end == "rpm")) else {
        return;
    };
    let about = |what: &str| {
        let rpm = sandbox.command("rpm").args(["--query", "--nosignature", what, "--package"]);
        rpm.arg(&package).run().success().stdout().to_owned()
    };
    let files = about("--list");
    for file in [
        "/etc/remote-state/README",
        "/usr/bin/remote-state",
        "/usr/lib/systemd/system/remote-state@.service",
        "/usr/share/man/man1/remote-state.1",
        "/usr/share/zsh/site-functions/_remote-state",
    ] {
        assert!(files.lines().any(|line| line == file), "{file}: {files}");
    }
    assert!(about("--scripts").contains("systemd-sysusers"), "{}", about("--scripts"));
    let unpack = format!("rpm2cpio '{}' | cpio -idm --quiet", package.display());
    sandbox.command("sh").args(["-euc", &unpack]).run().success();
    let program = sandbox.path().join("usr/bin/remote-state");
    sandbox.command(program).words("exec --dev -- true").run().success();
}

fn lintian() {
    let sandbox = Sandbox::new();
    let package = with_ending(&dist(&sandbox, "packages", &[]), ".deb");
    // The packages of the tests hold a script, so what is said of programs does not apply.
    sandbox.command("lintian").args(["--fail-on", "error"]).arg(&package).run().success();
}

fn image() {
    let sandbox = Sandbox::new();
    let target = ["--target", "x86_64-unknown-linux-musl"];
    let packages = dist(&sandbox, "packages", &target);
    let unpack = |archive: &Path, name: &str| {
        let folder = sandbox.folder(name);
        let tar = sandbox.command("tar").arg("-xf").arg(archive).arg("-C").arg(&folder);
        tar.run().success();
        folder
    };
    if !Path::new("/etc/ssl/certs/ca-certificates.crt").is_file() {
        return;
    }
    let layout = unpack(&with_ending(&packages, ".oci.tar"), "image");
    let json = |path: PathBuf| -> serde_json::Value {
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        serde_json::from_slice(&bytes).expect("it is JSON")
    };
    let blob = |described: &serde_json::Value| {
        let digest = described["digest"].as_str().expect("it has a digest");
        layout.join("blobs").join(digest.replace(':', "/"))
    };
    let manifest = json(blob(&json(layout.join("index.json"))["manifests"][0]));
    let config = json(blob(&manifest["config"]));
    assert_eq!(config["config"]["User"], "65532:65532");
    let layer = unpack(&blob(&manifest["layers"][0]), "layer");
    let entry = config["config"]["Entrypoint"][0].as_str().expect("it has one");
    let program = layer.join(entry.trim_start_matches('/'));
    sandbox.command(program).words("exec --dev -- true").run().success();
    assert!(layer.join("etc/ssl/certs/ca-certificates.crt").is_file());
}

fn twice() {
    let sandbox = Sandbox::new();
    let sums = |name: &str| {
        let sums = std::fs::read_to_string(dist(&sandbox, name, &[]).join("SHA256SUMS"));
        sums.expect("the checksums are there")
    };
    let first = sums("first");
    assert!(first.lines().count() >= 2, "{first}");
    assert_eq!(first, sums("second"));
}
