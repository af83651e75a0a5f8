//! Checks that no library names a command or a flag of `remote-state`: another program may be using
//! the library. This reads each string in the sources of the libraries, except in comments, docs
//! and tests.

use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use crate::Result;

/// The packages whose sources are read.
pub(crate) const LIBRARIES: &[&str] = &[
    "remote-state",
    "remote-state-core",
    "remote-state-operations",
    "remote-state-oss",
    "remote-state-s3",
    "remote-state-server",
    "remote-state-spaces",
];

/// The flags of the vendors' tools that messages name.
const VENDORS_FLAGS: &[&str] = &[
    "bucket",
    "endpoint-url",
    "format",
    "key",
    "profile",
    "region",
    "serial-number",
    "table-name",
    "token-code",
    "upload-id",
];

/// Returns a line for each string below a folder of sources that names a command or a flag.
pub(crate) fn violations(folder: &Path, root: &Path) -> Result<Vec<String>> {
    let mut violations = Vec::new();
    for path in sources(folder)? {
        let text = std::fs::read_to_string(&path)?;
        let shown = path.strip_prefix(root).unwrap_or(&path).display();
        let found = named_in(&text).map_err(|error| format!("cannot parse {shown}: {error}"))?;
        violations.extend(found.into_iter().map(|(line, name)| {
            format!("{shown}:{line}: a library's string names `{name}`; use `Advice` instead")
        }));
    }
    Ok(violations)
}

/// Returns the source files below a folder, except test files.
fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let stem = path.file_stem().unwrap_or_default();
        if stem == "tests" {
            continue;
        }
        if path.is_dir() {
            files.extend(sources(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Returns the commands and flags in the strings of a source file, each with its line.
fn named_in(text: &str) -> Result<Vec<(usize, String)>> {
    let tokens: TokenStream = text.parse().map_err(|error| format!("{error}"))?;
    let mut found = Vec::new();
    visit(tokens, &mut found);
    Ok(found)
}

fn visit(tokens: TokenStream, found: &mut Vec<(usize, String)>) {
    let mut tokens = tokens.into_iter();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) if is_doc(&group) => {}
            TokenTree::Group(group) if is_for_tests(&group) => skip_item(&mut tokens),
            TokenTree::Group(group) => visit(group.stream(), found),
            TokenTree::Literal(literal) => {
                let line = literal.span().start().line;
                found.extend(named(&literal.to_string()).map(|name| (line, name)));
            }
            TokenTree::Punct(_) | TokenTree::Ident(_) => {}
        }
    }
}

/// Returns whether a group is that of `#[doc = "…"]`, the parsed form of a doc comment.
fn is_doc(attribute: &Group) -> bool {
    attribute.delimiter() == Delimiter::Bracket
        && attribute.stream().to_string().starts_with("doc =")
}

fn is_for_tests(attribute: &Group) -> bool {
    attribute.delimiter() == Delimiter::Bracket
        && attribute.stream().to_string().replace(' ', "") == "cfg(test)"
}

/// Skips an item: to its braces, or to its semicolon.
fn skip_item(tokens: &mut impl Iterator<Item = TokenTree>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => return,
            TokenTree::Punct(punct) if punct.as_char() == ';' => return,
            _ => {}
        }
    }
}

/// Returns the command or the flag that a literal names, if any.
fn named(literal: &str) -> Option<String> {
    let word = |rest: &str| -> String {
        rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect()
    };
    for (at, _) in literal.match_indices("remote-state ") {
        let before = literal[..at].chars().next_back();
        if matches!(before, Some('`' | '"')) {
            return Some(format!("remote-state {}", word(&literal[at + "remote-state ".len()..])));
        }
    }
    for (at, _) in literal.match_indices("--") {
        let name = word(&literal[at + 2..]);
        let is_name = name.starts_with(|c: char| c.is_ascii_lowercase());
        let is_within_a_word = literal[..at].ends_with(|c: char| c.is_alphanumeric() || c == '-');
        if is_name && !is_within_a_word && !VENDORS_FLAGS.contains(&name.as_str()) {
            return Some(format!("--{name}"));
        }
    }
    // `-C DIR`, `-w`: one letter. Terraform's options have more.
    for (at, _) in literal.match_indices("`-") {
        let mut letters = literal[at + 2..].chars();
        if let (Some(letter), Some(' ' | '`')) = (letters.next(), letters.next())
            && letter.is_ascii_alphabetic()
        {
            return Some(format!("-{letter}"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_that_names_a_command_or_a_flag_is_found_with_its_line() {
        let text = "fn f() {\n    g(\"see `remote-state locks`\");\n    h(vec![\n        \"pass \
                    `--backend-config x`\",\n        \"--lock-timeout\"])\n}\nconst C: &str = \"in \
                    `-C DIR`\";\nconst D: &str = \"see `remote-state \\\n    config show`\";\n";
        let found = named_in(text).unwrap();
        let expected = [
            (2, "remote-state locks"),
            (4, "--backend-config"),
            (5, "--lock-timeout"),
            (7, "-C"),
            (8, "remote-state "),
        ];
        assert_eq!(found, expected.map(|(line, name)| (line, name.to_owned())));
    }

    #[test]
    fn comments_docs_and_tests_may_name_them_and_so_may_vendors_commands() {
        let text = "//! See `remote-state locks`.\n/// Pass `--yes`.\nfn f() {\n    \
                    // `--force`\n    \
                    g(\"aws s3api x --bucket b\", \"run `terraform init -backend-config \
                    x`\");\n    \
                    g(\"of the crate `remote-state`\", \"a--b\", '-', b'-');\n}\n#[cfg(test)]\nmod \
                    tests {\n    const A: &str = \"--force\";\n}\n#[cfg(test)]\nmod other;\n";
        assert_eq!(named_in(text).unwrap(), []);
    }

    #[test]
    fn what_follows_a_test_module_is_read_again() {
        let text = "#[cfg(test)]\nmod tests {}\nconst A: &str = \"--force\";\n";
        assert_eq!(named_in(text).unwrap(), [(3, "--force".to_owned())]);
    }
}
