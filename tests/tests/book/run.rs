//! Runs the commands of a page in a folder of its own, on the embedded store.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use remote_state_tests::{Cmd, Requirement, Sandbox, remote_state};

use crate::page::{Block, Page};
use crate::root;

/// The state that most pages begin with, and the marks in it of the version after it.
const STATE: &str = include_str!("network.json");
const CHANGES: [(&str, &str); 2] =
    [("\"serial\": 7", "\"serial\": 8"), ("db.t4g.small", "db.t4g.large")];

/// Says in a page that its commands begin in a copy of `examples/quickstart`, with nothing stored.
const QUICKSTART: &str = "<!-- example: quickstart -->";

/// Runs all blocks of a page, in order.
pub(crate) fn all(page: &Page, blocks: &[Block]) {
    let sandbox = Sandbox::new();
    let search = search_path(&sandbox);
    let shell = |script: &str| sandbox.command("sh").env("PATH", &search).arg("-euc").arg(script);
    prepare(page, &sandbox, shell);
    for block in blocks {
        let place = format!("{}:{}", page.path.display(), block.line);
        if block.is_console {
            check_console(&place, &block.text, shell);
        } else {
            let output = shell(&block.text).run();
            assert!(output.status.success(), "{place}: {output}");
        }
    }
}

/// Stores two versions of a state in two workspaces, or copies the example.
fn prepare(page: &Page, sandbox: &Sandbox, shell: impl Fn(&str) -> Cmd) {
    if page.text.contains(QUICKSTART) {
        for file in ["backend.tf", "main.tf"] {
            let path = root().join("examples/quickstart").join(file);
            sandbox.write(file, std::fs::read(path).expect("the example is there"));
        }
        return;
    }
    let next = CHANGES.iter().fold(STATE.to_owned(), |text, (from, to)| text.replace(from, to));
    let elsewhere = sandbox.path().join("../tmp");
    for (file, text) in [("7.json", STATE), ("8.json", &next)] {
        std::fs::write(elsewhere.join(file), text).expect("the folder is ours");
        for workspace in ["default", "dev"] {
            let push = format!("remote-state -w {workspace} push ../tmp/{file}");
            shell(&push).run().success();
        }
    }
}

/// Returns a search path with a `remote-state` that uses the embedded store, and `terraform`.
fn search_path(sandbox: &Sandbox) -> String {
    let script = format!(
        "#!/bin/sh\nfor word; do\n  case $word in\n  --) break ;;\n  --dev*) exec '{0}' \"$@\" \
         ;;\n  esac\ndone\nexec '{0}' --dev \"$@\"\n",
        remote_state().display()
    );
    let bin = sandbox.path().join("../tmp/bin");
    std::fs::create_dir_all(&bin).expect("the folder is ours");
    let path = bin.join("remote-state");
    std::fs::write(&path, script).expect("the folder is ours");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).expect("it is ours");
    let mut folders = vec![bin];
    if let Some(folder) = Requirement::Terraform.program().as_deref().and_then(Path::parent) {
        folders.push(folder.to_owned());
    }
    let system = std::env::var_os("PATH").unwrap_or_default();
    folders.extend(std::env::split_paths(&system));
    let joined = std::env::join_paths(folders).expect("no folder has a separator in it");
    joined.into_string().expect("the tests run in folders whose names are text")
}

/// Runs each command of a block that shows what they print: lines that begin with `$`, and what is
/// printed below. `…` stands for any text in a line, and alone on a line for all further lines.
fn check_console(place: &str, text: &str, shell: impl Fn(&str) -> Cmd) {
    let mut commands: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command, Vec::new())),
            (None, Some((_, expected))) => expected.push(line),
            (None, None) => panic!("{place}: the block begins with no command"),
        }
    }
    for (command, expected) in commands {
        let output = shell(command).run();
        let printed = format!("{}{}", output.stdout(), output.stderr());
        let printed: Vec<_> = printed.lines().collect();
        let is_as_shown = match expected.as_slice() {
            [shown @ .., "…"] => {
                shown.len() <= printed.len() && all_fit(shown, &printed[..shown.len()])
            }
            shown => all_fit(shown, &printed),
        };
        assert!(is_as_shown, "{place}: expected\n{}\nand got {output}", expected.join("\n"));
    }
}

fn all_fit(shown: &[&str], printed: &[&str]) -> bool {
    shown.len() == printed.len() && shown.iter().zip(printed).all(|(a, b)| fits(a, b))
}

/// Returns whether a printed line is as shown; the width of columns does not matter.
fn fits(shown: &str, printed: &str) -> bool {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let (shown, printed) = (words(shown), words(printed));
    let mut parts = shown.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = printed.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}
