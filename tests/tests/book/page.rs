//! A page and its blocks.

use std::path::{Path, PathBuf};

/// Languages of shells; a block without a language counts as one, too.
const SHELLS: [&str; 5] = ["", "sh", "bash", "shell", "console"];

#[derive(Clone, Debug)]
pub(crate) struct Page {
    /// From the root of the workspace.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    pub(crate) blocks: Vec<Block>,
}

#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// The line of the first line of code.
    pub(crate) line: usize,
    pub(crate) kind: Kind,
    /// It shows what its commands print.
    pub(crate) is_console: bool,
    pub(crate) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Commands that a test runs.
    Run,
    /// Commands that no test can run; the block says why.
    NoRun,
    /// No commands.
    Other,
    /// Commands that do not say whether they are run.
    Unmarked,
}

impl Page {
    pub(crate) fn read(root: &Path, path: &Path) -> Self {
        let text = std::fs::read_to_string(root.join(path))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let blocks = blocks(&text);
        Self { path: path.to_owned(), text, blocks }
    }
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_open = false;
    for (index, line) in text.lines().enumerate() {
        if let Some(info) = line.trim_start().strip_prefix("```") {
            if !is_open {
                blocks.push(Block {
                    line: index + 2,
                    kind: kind(info),
                    is_console: info.starts_with("console"),
                    text: String::new(),
                });
            }
            is_open = !is_open;
        } else if let (true, Some(block)) = (is_open, blocks.last_mut()) {
            block.text.push_str(line);
            block.text.push('\n');
        }
    }
    assert!(!is_open, "a block has no end");
    blocks
}

fn kind(info: &str) -> Kind {
    let mut words = info.split([' ', ',']);
    if !SHELLS.contains(&words.next().unwrap_or_default()) {
        return Kind::Other;
    }
    match words.next() {
        Some("run") => Kind::Run,
        Some(word) if word.strip_prefix("no-run=").is_some_and(|why| !why.is_empty()) => {
            Kind::NoRun
        }
        _ => Kind::Unmarked,
    }
}
