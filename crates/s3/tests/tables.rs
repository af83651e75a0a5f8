//! Keeps the tables in `README.md` true: each test that they name exists, and no row is without a
//! test or an answer. The tables of core and of the server are checked against the tests here too,
//! where the whole workspace is available.

use std::collections::BTreeSet;
use std::path::Path;

const TABLES: &str = include_str!("README.md");

/// Returns the folder of the workspace; `None` if this crate is alone, as in a package.
fn workspace() -> Option<&'static Path> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?.parent()?;
    root.join("tests/tests").is_dir().then_some(root)
}

fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
    {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// Returns the name of the function that a line begins, if it begins one.
fn function(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("fn ")?;
    rest.split(['(', '<']).next()
}

/// Returns the names of all tests: functions with the attribute, promises of the conformance suite,
/// and the names that the end-to-end suites get.
fn tests(root: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut files = Vec::new();
    sources(&root.join("crates"), &mut files);
    for file in &files {
        let mut lines = file.lines().map(str::trim);
        while let Some(line) = lines.next() {
            if line == "#[test]" || line.starts_with("#[tokio::test") {
                let name = lines.by_ref().find_map(function).expect("a test is a function");
                names.insert(name.to_owned());
            }
        }
    }
    let mut promises = Vec::new();
    sources(&root.join("crates/conformance/src"), &mut promises);
    let public = promises
        .iter()
        .flat_map(|file| file.lines())
        .filter(|line| line.starts_with("pub async fn "));
    names.extend(public.filter_map(function).map(str::to_owned));
    let mut suites = Vec::new();
    sources(&root.join("tests/tests"), &mut suites);
    let literals = suites.iter().flat_map(|file| file.split('"'));
    let is_name = |text: &&str| {
        text.matches('_').count() > 1
            && text
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_:".contains(c))
    };
    names.extend(literals.filter(is_name).map(str::to_owned));
    names
}

/// Returns the rows: what is covered, and by which tests.
fn rows(tables: &str) -> impl Iterator<Item = (&str, &str)> {
    let cells = tables
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.rsplit_once(" | "));
    cells.filter(|(_, by)| *by != "tests here")
}

#[test]
fn every_test_that_the_tables_name_exists() {
    let Some(root) = workspace() else { return };
    let tests = tests(root);
    assert!(tests.len() > 500, "there are more tests than these {}", tests.len());
    let is_there = |name: &str| {
        // The module of a promise is not part of its function's name.
        tests.contains(name)
            || name.rsplit_once("::").is_some_and(|(_, promise)| tests.contains(promise))
    };
    let others = ["core", "server"].map(|name| {
        std::fs::read_to_string(root.join("crates").join(name).join("tests/README.md")).unwrap()
    });
    let tables = std::iter::once(TABLES).chain(others.iter().map(String::as_str));
    let named = tables.flat_map(rows).flat_map(|(_, by)| {
        by.split_once("Answer:").map_or(by, |(before, _)| before).split('`').skip(1).step_by(2)
    });
    let missing: BTreeSet<_> = named.filter(|name| !is_there(name)).collect();
    assert_eq!(missing, BTreeSet::new());
}

#[test]
fn every_row_has_a_test_or_an_answer() {
    let mut seen = BTreeSet::new();
    for (what, by) in rows(TABLES) {
        assert!(by.starts_with('`') || by.contains("Answer: "), "{what}");
        let _: bool = seen.insert(what);
    }
    assert!(seen.len() > 120, "the tables have more than {} rows", seen.len());
}
