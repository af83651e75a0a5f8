//! Links between pages, checked without a network.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use crate::{OTHERS, collect, read, root};

pub(crate) fn lead_somewhere() {
    let mut paths: Vec<PathBuf> = OTHERS.iter().map(PathBuf::from).collect();
    collect(Path::new("docs"), &mut paths);
    let mut broken = Vec::new();
    for path in &paths {
        for (line, link) in links(&read(path)) {
            if let Some(why) = fault(path, &link) {
                broken.push(format!("{}:{line}: `{link}` {why}", path.display()));
            }
        }
    }
    assert_eq!(broken, [""; 0]);
}

pub(crate) fn summary_is_complete() {
    let mut pages = Vec::new();
    collect(Path::new("docs"), &mut pages);
    let pages: BTreeSet<_> =
        pages.into_iter().filter(|path| path != Path::new("docs/SUMMARY.md")).collect();
    let listed: Vec<_> = links(&read(Path::new("docs/SUMMARY.md")))
        .into_iter()
        .map(|(_, link)| Path::new("docs").join(link))
        .collect();
    let set: BTreeSet<_> = listed.iter().cloned().collect();
    assert_eq!(set.len(), listed.len(), "a page is listed twice: {listed:?}");
    assert_eq!(pages, set, "docs/SUMMARY.md should list each page of docs");
}

pub(crate) fn promises_are_listed() {
    let mut pages = Vec::new();
    collect(Path::new("docs/concepts"), &mut pages);
    let index = links(&read(Path::new("docs/semantics.md")));
    let index: BTreeSet<_> = index.into_iter().map(|(_, link)| link).collect();
    let mut missing = Vec::new();
    for page in pages {
        let name = page.file_name().expect("it is a file").to_string_lossy();
        let all = anchors(&read(&page));
        // The title of a page is a heading too, and is linked by the page alone.
        let questions = all.iter().filter(|_| name != "shared.md").count().saturating_sub(1);
        let listed = all.iter().filter(|a| index.contains(&format!("concepts/{name}#{a}"))).count();
        if listed < questions {
            missing.push(format!("{name}: {listed} of {questions} questions"));
        }
    }
    assert_eq!(missing, [""; 0], "docs/semantics.md should link each question");
}

/// Returns why a link leads nowhere.
fn fault(page: &Path, link: &str) -> Option<&'static str> {
    if link.starts_with("https://") || link.starts_with("http://") || link.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = if file.is_empty() {
        page.to_owned()
    } else {
        plain(&page.parent().unwrap_or(Path::new("")).join(file))
    };
    if page.starts_with("docs") && !target.starts_with("docs") {
        return Some("leaves the book");
    }
    if !root().join(&target).exists() {
        return Some("leads to no file");
    }
    if !anchor.is_empty() && !anchors(&read(&target)).contains(anchor) {
        return Some("leads to no heading");
    }
    None
}

/// Returns a path without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(parts.pop()),
            Component::CurDir => {}
            part => parts.push(part),
        }
    }
    parts.iter().collect()
}

/// Returns the anchors of a page's headings, as mdbook and forges make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = without_code(text);
    let mut anchors = BTreeSet::new();
    for (_, line) in headings {
        let title = line.trim_start_matches('#');
        if !line.starts_with('#') || !title.starts_with(' ') {
            continue;
        }
        // Of a link in a heading, its text counts.
        let title: String = match (title.split_once('['), title.split_once("](")) {
            (Some((before, _)), Some((text, _))) => {
                format!("{before}{}", text.split_once('[').map_or("", |(_, text)| text))
            }
            _ => title.to_owned(),
        };
        let kept = title.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let anchor = kept.collect::<String>().to_lowercase().replace(' ', "-");
        let numbered = (1..).map(|number| format!("{anchor}-{number}"));
        let free = std::iter::once(anchor.clone())
            .chain(numbered)
            .find(|name| !anchors.contains(name))
            .expect("there are more numbers than headings");
        anchors.insert(free);
    }
    anchors
}

/// Returns the links of a page, each with its line.
fn links(text: &str) -> Vec<(usize, String)> {
    // A link may go over the end of a line, so the page is searched as a whole.
    let lines = without_code(text);
    let mut found = Vec::new();
    let mut joined = String::new();
    let mut starts = Vec::new();
    for (number, line) in lines {
        starts.push((joined.len(), number));
        joined.push_str(&without_inline_code(line));
        joined.push('\n');
    }
    for (at, _) in joined.match_indices("](") {
        let rest = &joined[at + 2..];
        let Some(end) = rest.find([')', ' ', '\n']) else { continue };
        let line = starts.iter().rev().find(|(start, _)| *start <= at).map_or(0, |(_, n)| *n);
        found.push((line, rest[..end].to_owned()));
    }
    for (start, number) in starts {
        let line = joined[start..].lines().next().unwrap_or_default();
        // `[name]: target`
        if let Some((name, target)) = line.split_once("]: ")
            && name.starts_with('[')
        {
            found.push((number, target.trim().to_owned()));
        }
    }
    found
}

/// Returns the lines outside of blocks of code, with their numbers.
fn without_code(text: &str) -> Vec<(usize, &str)> {
    let mut is_code = false;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            lines.push((index + 1, line));
        }
    }
    lines
}

/// Returns a line without what stands between backticks.
fn without_inline_code(line: &str) -> String {
    if line.matches('`').count() % 2 == 1 {
        // The code goes on in the next line: leave it, since a link may stand before it.
        return line.to_owned();
    }
    line.split('`').step_by(2).collect::<Vec<_>>().join("`")
}
