//! The tables in `README.md` stay true: each test that they name exists.

use std::path::Path;

const TABLES: &str = include_str!("README.md");

fn sources(folder: &Path, found: &mut String) {
    for entry in
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
    {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_test_that_the_tables_name_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    // The published package has neither the other crates nor the suites.
    if !root.join("tests/tests").is_dir() {
        return;
    }
    let mut code = String::new();
    for folder in ["crates/core/src", "crates/conformance/src", "crates/oss", "tests/tests"] {
        sources(&root.join(folder), &mut code);
    }
    let last_cells = TABLES.lines().filter_map(|line| line.strip_suffix(" |")?.rsplit_once(" | "));
    let named: Vec<_> =
        last_cells.flat_map(|(_, tests)| tests.split('`').skip(1).step_by(2)).collect();
    assert!(named.len() > 50, "{}", named.len());
    let is_there = |name: &str| {
        code.contains(&format!("fn {name}("))
            || code.contains(&format!("\"{name}\""))
            || code.contains(&format!("::{name}\""))
    };
    let missing: Vec<_> = named.into_iter().filter(|name| !is_there(name)).collect();
    assert_eq!(missing, [""; 0]);
}
