//! Checks that lines of Rust and of Markdown have at most 100 characters.
//!
//! `rustfmt` splits neither strings nor comments, and leaves a whole expression unformatted if one
//! string in it is too long, so its own check passes such lines.
//!
//! A line is measured without what cannot be split: addresses, data in hexadecimal or base64, and
//! raw strings. Tables and the code blocks of Markdown are not measured.

use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};

use crate::Result;

const MOST_COLUMNS: usize = 100;

/// The shortest word that is taken for data. No name and no word of a language is so long.
const DATA_COLUMNS: usize = 60;

/// Returns one line of output for each line of the sources and pages that is too long.
pub(crate) fn violations(root: &Path) -> Result<Vec<String>> {
    let mut violations = Vec::new();
    for path in texts(root)? {
        let shown = path.strip_prefix(root).unwrap_or(&path);
        let text = std::fs::read_to_string(&path)
            .map_err(|error| format!("cannot read {}: {error}", shown.display()))?;
        let shown = shown.display();
        let found = if path.extension().is_some_and(|extension| extension == "md") {
            in_markdown(&text)
        } else {
            in_rust(&text).map_err(|error| format!("cannot parse {shown}: {error}"))?
        };
        violations.extend(found.into_iter().map(|(line, columns)| {
            format!(
                "{shown}:{line}: the line has {columns} characters, and {MOST_COLUMNS} are \
                 allowed; split the string or the sentence"
            )
        }));
    }
    Ok(violations)
}

/// Returns the Rust and Markdown files below a folder, except those of builds and hidden ones.
fn texts(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_hidden = name.starts_with('.') && name != ".github";
        if is_hidden || path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            if name != "target" && name != "node_modules" {
                files.extend(texts(&path)?);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "md") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Returns the number and the length of each line of Rust that is too long.
fn in_rust(text: &str) -> Result<Vec<(usize, usize)>> {
    let mut found = Vec::new();
    // Parsing all sources takes seconds, and few files have a long line.
    let mut raw = None;
    for (line, columns, measured) in long_lines(text) {
        if is_row(text_of_comment(line.1)) {
            continue;
        }
        let raw = match &raw {
            Some(raw) => raw,
            None => raw.insert(raw_strings(text)?),
        };
        let covered: usize = raw.iter().map(|string| string.columns_in(line)).sum();
        if measured.saturating_sub(covered) > MOST_COLUMNS {
            found.push((line.0, columns));
        }
    }
    Ok(found)
}

/// Returns the number and the length of each line of Markdown that is too long.
fn in_markdown(text: &str) -> Vec<(usize, usize)> {
    let mut is_code = false;
    let prose: Vec<bool> = text
        .lines()
        .map(|line| {
            let is_fence = line.trim_start().starts_with("```");
            is_code ^= is_fence;
            !is_code && !is_fence && !is_row(line)
        })
        .collect();
    long_lines(text)
        .filter(|((number, _), _, _)| prose[number - 1])
        .map(|((number, _), columns, _)| (number, columns))
        .collect()
}

/// Returns the lines that are too long even without what cannot be split: the number and the text
/// of each, its length, and its length without that.
fn long_lines(text: &str) -> impl Iterator<Item = ((usize, &str), usize, usize)> {
    text.lines().enumerate().filter_map(|(index, line)| {
        let columns = line.chars().count();
        let measured = columns - unsplittable_columns(line);
        (measured > MOST_COLUMNS).then_some(((index + 1, line), columns, measured))
    })
}

/// Returns how many characters of a line belong to addresses or data.
fn unsplittable_columns(line: &str) -> usize {
    let is_end = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '`' | '(' | ')');
    let of_word = |word: &str| match word.find("https://").or_else(|| word.find("http://")) {
        Some(start) => word[start..].chars().count(),
        None => word.split(|c| !is_data(c)).map(str::len).filter(|n| *n >= DATA_COLUMNS).sum(),
    };
    line.split(is_end).map(of_word).sum()
}

/// Returns whether a character occurs in hexadecimal or base64. Underscores do not, so names of
/// tests are no data.
fn is_data(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=')
}

/// Returns a line without the marks of a comment.
fn text_of_comment(line: &str) -> &str {
    line.trim_start().trim_start_matches('/').trim_start_matches('!')
}

/// Returns whether a line is a row of a table.
fn is_row(line: &str) -> bool {
    line.trim_start().starts_with('|')
}

/// Where a raw string begins and ends: line and column of its first character, and of the one
/// behind its last.
struct RawString {
    start: (usize, usize),
    end: (usize, usize),
}

impl RawString {
    /// Returns how many columns of a line the string covers.
    fn columns_in(&self, (number, line): (usize, &str)) -> usize {
        if number < self.start.0 || number > self.end.0 {
            return 0;
        }
        let start = if number == self.start.0 { self.start.1 } else { 0 };
        let end = if number == self.end.0 { self.end.1 } else { line.chars().count() };
        end.saturating_sub(start)
    }
}

fn raw_strings(text: &str) -> Result<Vec<RawString>> {
    let tokens: TokenStream = text.parse().map_err(|error| format!("{error}"))?;
    let mut found = Vec::new();
    collect(tokens, &mut found);
    Ok(found)
}

fn collect(tokens: TokenStream, found: &mut Vec<RawString>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => collect(group.stream(), found),
            TokenTree::Literal(literal) => {
                let written = literal.to_string();
                if ["r\"", "r#", "br\"", "br#", "cr\"", "cr#"]
                    .iter()
                    .any(|start| written.starts_with(start))
                {
                    let (start, end) = (literal.span().start(), literal.span().end());
                    found.push(RawString {
                        start: (start.line, start.column),
                        end: (end.line, end.column),
                    });
                }
            }
            TokenTree::Punct(_) | TokenTree::Ident(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(word: &str) -> String {
        format!("{word} ").repeat(110 / (word.len() + 1) + 1)
    }

    #[track_caller]
    fn assert_rust(text: &str, lines: &[usize]) {
        let found: Vec<_> = in_rust(text).unwrap().into_iter().map(|(line, _)| line).collect();
        assert_eq!(found, lines, "{text}");
    }

    #[track_caller]
    fn assert_markdown(text: &str, lines: &[usize]) {
        let found: Vec<_> = in_markdown(text).into_iter().map(|(line, _)| line).collect();
        assert_eq!(found, lines, "{text}");
    }

    #[test]
    fn a_long_line_of_rust_is_found_with_its_number_and_its_length() {
        let words = long("word");
        assert_rust(&format!("fn f() {{}}\n/// {words}\nfn g() {{}}\n"), &[2]);
        assert_rust(&format!("fn f() {{\n    g(\"{words}\");\n}}\n"), &[2]);
        let name = "a_".repeat(50);
        assert_rust(&format!("fn f() {{}}\n\nfn {name}() {{}}\n"), &[3]);
        assert_eq!(in_rust(&format!("fn {name}() {{}}\n")).unwrap(), [(1, 108)]);
    }

    #[test]
    fn a_line_of_a_hundred_characters_is_not_too_long() {
        for c in ["x ", "ü ", "— "] {
            let comment = format!("// {}", c.repeat(49));
            assert_eq!(comment.chars().count(), 101);
            assert_rust(&comment, &[1]);
            assert_rust(comment.trim_end(), &[]);
            assert_markdown(comment.trim_end(), &[]);
        }
    }

    #[test]
    fn a_raw_string_is_not_measured() {
        let data = long(r#"{"a": 1},"#);
        assert_rust(&format!("const A: &str = r#\"{data}\"#;\n"), &[]);
        assert_rust(&format!("fn f() {{\n    g(br#\"{data}\"#, 1);\n}}\n"), &[]);
        assert_rust(&format!("const A: &str = r#\"a\n{data}\n{data}\"#;\nconst B: u8 = 1;\n"), &[]);
        // The rest of the line is.
        assert_rust(&format!("const A: &str = r#\"{data}\"#; // {}\n", long("word")), &[1]);
    }

    #[test]
    fn an_address_is_not_measured() {
        let url = format!("https://example.com/{}", "path/".repeat(20));
        assert_rust(&format!("//! See <{url}>.\n"), &[]);
        assert_rust(&format!("const A: &str = \"{url}\";\n"), &[]);
        assert_rust(&format!("/// [The page]({url}#part) says so.\nfn f() {{}}\n"), &[]);
        assert_rust(&format!("//! {}{url}\n", long("word")), &[1]);
    }

    #[test]
    fn data_is_not_measured() {
        for data in ["0a09ff".repeat(20), "eyJzYWx0Ijoi".repeat(9) + "QQ==", "A".repeat(120)] {
            assert_rust(&format!("const A: &str = \"{data}\";\n"), &[]);
            assert_rust(&format!("// {}{data}\n", long("word")), &[1]);
        }
    }

    #[test]
    fn a_row_of_a_table_in_a_comment_is_not_measured() {
        let words = long("word");
        for marks in ["///", "//!", "    ///"] {
            assert_rust(&format!("{marks} | {words} | b |\nfn f() {{}}\n"), &[]);
        }
    }

    #[test]
    fn a_long_line_of_prose_is_found() {
        let words = long("word");
        assert_markdown(&format!("# Title\n\n{words}\n"), &[3]);
        assert_markdown(&format!("- item\n\n  {words}\n"), &[3]);
        assert_markdown(&format!("```\n{words}\n```\n{words}\n"), &[4]);
    }

    #[test]
    fn tables_code_and_addresses_of_markdown_are_not_measured() {
        let words = long("word");
        for row in ["|", "  |", "| `a` |"] {
            assert_markdown(&format!("{row} {words} |\n"), &[]);
        }
        for fence in ["```", "```rust,no_run", "  ```sh"] {
            assert_markdown(&format!("{fence}\n{words}\n  ```\n"), &[]);
        }
        let url = format!("https://example.com/{}", "path/".repeat(20));
        for line in [format!("<{url}>"), format!("See [it]({url})."), format!("[it]: {url}")] {
            assert_markdown(&line, &[]);
        }
    }
}
