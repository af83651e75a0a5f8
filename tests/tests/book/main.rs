//! The book in `docs/` and the README: commands in them are run, and their links lead somewhere.

mod links;
mod page;
mod run;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use remote_state_tests::{Requirement, Suite};

use crate::page::{Kind, Page};

/// Pages outside `docs/`, by their paths from the root.
const OTHERS: [&str; 9] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CODE_OF_CONDUCT.md",
    "CONTRIBUTING.md",
    "README.md",
    "RELEASING.md",
    "SECURITY.md",
    "THREAT_MODEL.md",
    "packaging/README.md",
];

/// Pages that people read for commands: each block of commands there says whether it is run.
const OTHERS_WITH_COMMANDS: [&str; 1] = ["README.md"];

fn main() -> ExitCode {
    let mut suite = Suite::new();
    let pages = pages();
    for page in &pages {
        let blocks: Vec<_> =
            page.blocks.iter().filter(|block| block.kind == Kind::Run).cloned().collect();
        if blocks.is_empty() {
            continue;
        }
        let uses_terraform = blocks.iter().any(|block| block.text.contains("terraform "));
        let needs: &[Requirement] = if uses_terraform { &[Requirement::Terraform] } else { &[] };
        let page = page.clone();
        let name = format!("commands_of::{}", page.path.display());
        suite.test(name, needs, move || run::all(&page, &blocks));
    }
    let all = pages.clone();
    suite.test("every_block_of_commands_is_run_or_says_why_not", &[], move || {
        let blocks =
            || all.iter().flat_map(|page| page.blocks.iter().map(move |block| (&page.path, block)));
        let unmarked: Vec<_> = blocks()
            .filter(|(_, block)| block.kind == Kind::Unmarked)
            .map(|(path, block)| {
                format!(
                    "{}:{}: begin this block with `sh run`, `console run`, `sh no-run=REASON`, or \
                     a language that is no shell",
                    path.display(),
                    block.line
                )
            })
            .collect();
        assert_eq!(unmarked, [""; 0]);
        // A page whose commands no test runs goes out of date.
        let (run, not) = blocks().fold((0, 0), |(run, not), (_, block)| match block.kind {
            Kind::Run => (run + 1, not),
            Kind::NoRun => (run, not + 1),
            _ => (run, not),
        });
        assert!(run > not, "{run} blocks are run and {not} are not");
    });
    suite.test("every_link_leads_to_a_page_and_a_heading", &[], links::lead_somewhere);
    suite.test("the_summary_lists_every_page_once", &[], links::summary_is_complete);
    suite.test("the_list_of_promises_has_every_question", &[], links::promises_are_listed);
    suite.test("the_page_of_the_server_names_every_metric_and_field", &[], server_page);
    suite.run()
}

/// Returns the root of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns the pages whose blocks of commands are marked.
fn pages() -> Vec<Page> {
    let mut paths = Vec::new();
    collect(Path::new("docs"), &mut paths);
    paths.retain(|path| !path.starts_with("docs/reference") || is_by_hand(path));
    paths.extend(OTHERS_WITH_COMMANDS.iter().map(PathBuf::from));
    paths.iter().map(|path| Page::read(&root(), path)).collect()
}

/// Returns whether a page of the reference is written by hand.
fn is_by_hand(path: &Path) -> bool {
    !read(path).starts_with("<!-- Written by `cargo xtask codegen`")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(root().join(path))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Collects the Markdown files below a folder, by their paths from the root.
fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(root().join(folder)).expect("the folder is there");
    let mut names: Vec<_> = entries.map(|entry| entry.expect("it can be read")).collect();
    names.sort_by_key(std::fs::DirEntry::file_name);
    for entry in names {
        let path = folder.join(entry.file_name());
        if entry.path().is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(path);
        }
    }
}

/// Compares the page with the words in the source, which has no list of them.
fn server_page() {
    let page = read(Path::new("docs/reference/server.md"));
    let source = read(Path::new("crates/server/src/observe.rs"));
    let metrics = source.split("# HELP ").skip(1).filter_map(|rest| rest.split(' ').next());
    for metric in metrics {
        assert!(page.contains(&format!("`{metric}`")), "{metric}");
    }
    let fields = source
        .split("tracing::$level!(")
        .nth(1)
        .and_then(|rest| rest.split("\"request\"").next())
        .expect("the log has one line for each request");
    let fields: Vec<_> = fields
        .lines()
        .filter_map(|line| line.trim().split([' ', ',']).next())
        .filter(|name| !name.is_empty())
        .collect();
    assert!(fields.len() > 8, "{fields:?}");
    for field in fields {
        assert!(page.contains(&format!("`{field}`")), "{field}");
    }
}
