//! Parses just enough of `Cargo.toml` to see what is inherited, which `cargo metadata` no longer
//! shows.
//!
//! It reads the form of this workspace: a key and its value on one line, and arrays over several
//! lines. A manifest in another form appears as a violation, not as a pass.

/// The settings of one manifest, in order.
#[derive(Debug)]
pub(crate) struct Manifest {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    section: String,
    key: String,
    value: String,
}

impl Manifest {
    pub(crate) fn parse(text: &str) -> Self {
        let mut entries: Vec<Entry> = Vec::new();
        let mut section = String::new();
        let mut open_brackets = 0_usize;
        for line in text.lines() {
            let line = without_comment(line).trim();
            if open_brackets > 0 {
                // Inside an array over several lines; its items do not matter here.
                open_brackets = (open_brackets + line.matches('[').count())
                    .saturating_sub(line.matches(']').count());
            } else if let Some(header) = line.strip_prefix('[') {
                section = header.trim_start_matches('[').trim_end_matches(']').trim().to_owned();
            } else if let Some((key, value)) = line.split_once('=') {
                let value = value.trim();
                open_brackets =
                    value.matches('[').count().saturating_sub(value.matches(']').count());
                let key = key.trim().trim_matches('"').to_owned();
                entries.push(Entry { section: section.clone(), key, value: value.to_owned() });
            }
        }
        Self { entries }
    }

    pub(crate) fn value(&self, section: &str, key: &str) -> Option<&str> {
        let entry =
            self.entries.iter().find(|entry| entry.section == section && entry.key == key)?;
        Some(&entry.value)
    }

    /// Returns whether a key is inherited from the workspace, in any of TOML's three spellings.
    pub(crate) fn inherits(&self, section: &str, key: &str) -> bool {
        let dotted = self.value(section, &format!("{key}.workspace"));
        let table = self.value(&format!("{section}.{key}"), "workspace");
        let inline = self.value(section, key).is_some_and(|value| {
            let items = value.trim_start_matches('{').trim_end_matches('}').split(',');
            value.starts_with('{')
                && items.map(|item| item.replace(' ', "")).any(|item| item == "workspace=true")
        });
        dotted == Some("true") || table == Some("true") || inline
    }

    /// Returns each dependency of any kind, with the section that names it.
    pub(crate) fn dependencies(&self) -> Vec<(&str, &str)> {
        let mut found: Vec<(&str, &str)> = Vec::new();
        for entry in &self.entries {
            let dependency = if is_dependencies(&entry.section) {
                (entry.section.as_str(), entry.key.split('.').next().unwrap_or(&entry.key))
            } else if let Some((section, name)) =
                entry.section.rsplit_once('.').filter(|(section, _)| is_dependencies(section))
            {
                (section, name)
            } else {
                continue;
            };
            if !found.contains(&dependency) {
                found.push(dependency);
            }
        }
        found
    }
}

fn is_dependencies(section: &str) -> bool {
    ["dependencies", "dev-dependencies", "build-dependencies"].iter().any(|kind| {
        section == *kind || section.strip_suffix(kind).is_some_and(|rest| rest.ends_with('.'))
    })
}

/// Removes a comment, unless its `#` is in a string.
fn without_comment(line: &str) -> &str {
    let mut in_string = false;
    for (index, character) in line.char_indices() {
        match character {
            '"' => in_string = !in_string,
            '#' if !in_string => return &line[..index],
            _ => {}
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"
[package]
name = "x" # not "y"
version.workspace = true
keywords = [
    "a", # first
    "version = 2",
]

[dependencies]
dotted.workspace = true
inline = { workspace = true, features = ["x"] }
own = { version = "1", default-features = false }

[target.'cfg(unix)'.dependencies]
unix = "1"

[dev-dependencies.table]
workspace = true
features = ["x"]
"#;

    #[test]
    fn every_spelling_of_inheritance_is_seen() {
        let manifest = Manifest::parse(MANIFEST);
        assert!(manifest.inherits("package", "version"));
        assert!(manifest.inherits("dependencies", "dotted"));
        assert!(manifest.inherits("dependencies", "inline"));
        assert!(manifest.inherits("dev-dependencies", "table"));
        assert!(!manifest.inherits("dependencies", "own"));
        assert!(!manifest.inherits("package", "name"));
    }

    #[test]
    fn every_kind_of_dependency_is_listed_once() {
        let manifest = Manifest::parse(MANIFEST);
        assert_eq!(
            manifest.dependencies(),
            [
                ("dependencies", "dotted"),
                ("dependencies", "inline"),
                ("dependencies", "own"),
                ("target.'cfg(unix)'.dependencies", "unix"),
                ("dev-dependencies", "table"),
            ]
        );
    }

    #[test]
    fn comments_and_long_arrays_are_skipped() {
        let manifest = Manifest::parse(MANIFEST);
        assert_eq!(manifest.value("package", "name"), Some("\"x\""));
        assert_eq!(manifest.value("package", "version = 2"), None);
    }
}
