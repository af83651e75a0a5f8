//! Finds the files of a crate that import each other in a circle.
//!
//! Files in a circle can only be understood, tested and changed together. A circle of two related
//! files is harmless; a larger one is really one big file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::Result;
use crate::check_deps::imports::{self, Imports};

/// The maximum number of files in a circle.
const LARGEST: usize = 2;

/// The crates with larger circles, with their present size, so that they cannot grow.
const LARGER: &[(&str, usize)] = &[("remote-state-oss", 3), ("remote-state-s3", 4)];

/// Checks the files below `source`, the folder of a package's sources.
pub(crate) fn violations(package: &str, source: &Path) -> Result<Vec<String>> {
    let larger = LARGER.iter().find(|(name, _)| *name == package);
    let allowed = larger.map_or(LARGEST, |(_, allowed)| *allowed);
    let mut files = Vec::new();
    collect(source, "", &mut files)?;
    let graph = graph(&files)?;
    let circles = circles(&graph).into_iter().filter(|circle| circle.len() > allowed);
    Ok(circles.map(|circle| describe(package, &circle, allowed, &graph)).collect())
}

/// A file, by its path below the sources, with its text.
type File = (String, String);

/// The files that each file imports.
type Graph = BTreeMap<String, BTreeSet<String>>;

fn collect(folder: &Path, prefix: &str, files: &mut Vec<File>) -> Result<()> {
    let failed = |error| format!("cannot read {}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if path.is_dir() {
            collect(&path, &format!("{name}/"), files)?;
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(&path)
                .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            files.push((name, text));
        }
    }
    Ok(())
}

/// Returns the module of a file.
fn module_of(file: &str) -> imports::Path {
    let path = file.strip_suffix(".rs").unwrap_or(file);
    let mut segments: imports::Path = path.split('/').map(str::to_owned).collect();
    if segments.last().is_some_and(|last| last == "mod") || matches!(path, "lib" | "main") {
        segments.pop();
    }
    segments
}

fn graph(files: &[File]) -> Result<Graph> {
    let mut modules = BTreeMap::new();
    for (file, text) in files {
        let module = module_of(file);
        let imports = Imports::scan(text, &module).map_err(|error| format!("{file}: {error}"))?;
        modules.insert(module, (file.as_str(), imports));
    }
    let for_tests: Vec<imports::Path> =
        modules.values().flat_map(|(_, imports)| imports.test_modules.clone()).collect();
    modules.retain(|module, _| !for_tests.iter().any(|test| module.starts_with(test)));
    let mut graph = Graph::new();
    for (file, imports) in modules.values() {
        let found = imports.uses.iter().map(|path| modules[&resolve(path, &modules, 0)].0);
        let others = found.filter(|other| other != file).map(str::to_owned).collect();
        graph.insert((*file).to_owned(), others);
    }
    Ok(graph)
}

type Modules<'a> = BTreeMap<imports::Path, (&'a str, Imports)>;

/// The maximum number of aliases in a row.
const LONGEST_CHAIN: usize = 8;

/// Returns the module in which a path ends, following aliases in the modules on the way.
fn resolve(path: &[String], modules: &Modules<'_>, depth: usize) -> imports::Path {
    let mut module = imports::Path::new();
    for (at, segment) in path.iter().enumerate() {
        let child = [module.as_slice(), std::slice::from_ref(segment)].concat();
        if modules.contains_key(&child) {
            module = child;
            continue;
        }
        let name = modules.get(&module).and_then(|(_, imports)| imports.names.get(segment));
        if let Some(target) = name
            && depth < LONGEST_CHAIN
        {
            return resolve(&[target, &path[at + 1..]].concat(), modules, depth + 1);
        }
        break;
    }
    module
}

/// Returns the circles: each is a maximal set of files in which each file reaches all others.
fn circles(graph: &Graph) -> Vec<Vec<&str>> {
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        graph.keys().map(|file| (file.as_str(), reach(file, graph))).collect();
    let mut found: Vec<Vec<&str>> = Vec::new();
    for file in graph.keys() {
        if found.iter().flatten().any(|known| known == file) {
            continue;
        }
        let circle: Vec<&str> = reached[file.as_str()]
            .iter()
            .filter(|other| reached[*other].contains(file.as_str()))
            .copied()
            .collect();
        if !circle.is_empty() {
            found.push(circle);
        }
    }
    found
}

/// Returns the files that a file imports, directly or through others.
fn reach<'a>(file: &str, graph: &'a Graph) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&str> = vec![file];
    while let Some(next) = open.pop() {
        let Some((_, others)) = graph.get_key_value(next) else { continue };
        for other in others {
            if reached.insert(other.as_str()) {
                open.push(other);
            }
        }
    }
    reached
}

fn describe(package: &str, circle: &[&str], allowed: usize, graph: &Graph) -> String {
    let mut text = format!(
        "{package}: {} files import each other in a circle, and at most {allowed} may:",
        circle.len()
    );
    for file in circle {
        let others = graph[*file].iter().filter(|other| circle.contains(&other.as_str()));
        let others = others.cloned().collect::<Vec<_>>().join(", ");
        text.push_str(&format!("\n    {file} imports {others}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<Vec<String>> {
        let files: Vec<File> =
            files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let graph = graph(&files).expect("these are tokens");
        let circles = circles(&graph).into_iter();
        circles.map(|circle| circle.into_iter().map(str::to_owned).collect()).collect()
    }

    #[test]
    fn a_circle_is_found_through_folders_and_names_that_are_passed_on() {
        let circles = found(&[
            ("lib.rs", "mod a; mod b; mod c; pub use a::A;"),
            ("a.rs", "use crate::b::B; pub struct A;"),
            ("b/mod.rs", "mod inner; pub(crate) use self::inner::B;"),
            ("b/inner.rs", "use crate::c; pub(crate) struct B;"),
            ("c.rs", "fn f(a: crate::A) {}"),
        ]);
        assert_eq!(circles, [["a.rs", "b/inner.rs", "c.rs"]]);
    }

    #[test]
    fn layers_have_no_circle() {
        let circles = found(&[
            ("main.rs", "mod a; mod b; fn main() { a::run(); b::run(); }"),
            ("a.rs", "use crate::b::B;"),
            ("b.rs", "pub struct B; #[cfg(test)] mod tests { use crate::a; }"),
        ]);
        assert_eq!(circles, Vec::<Vec<String>>::new());
    }

    #[test]
    fn two_circles_are_told_apart() {
        let circles = found(&[
            ("lib.rs", ""),
            ("a.rs", "use crate::b;"),
            ("b.rs", "use crate::a; use crate::c;"),
            ("c.rs", "use crate::d;"),
            ("d.rs", "use crate::c;"),
        ]);
        assert_eq!(circles, [["a.rs", "b.rs"], ["c.rs", "d.rs"]]);
    }

    #[test]
    fn a_circle_that_is_too_large_is_named_with_its_imports() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        for (file, text) in [("lib.rs", ""), ("a.rs", "use crate::b;"), ("b.rs", "use crate::c;")] {
            fs::write(folder.path().join(file), text).expect("the folder is ours");
        }
        fs::write(folder.path().join("c.rs"), "use crate::a;").expect("the folder is ours");
        let expected = "remote-state-core: 3 files import each other in a circle, and at most 2 \
                        may:\n    a.rs imports b.rs\n    b.rs imports c.rs\n    c.rs imports a.rs";
        assert_eq!(
            violations("remote-state-core", folder.path()).expect("the files can be read"),
            [expected]
        );
        assert_eq!(
            violations("remote-state-s3", folder.path()).expect("the files can be read"),
            [""; 0]
        );
    }
}
