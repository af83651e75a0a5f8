//! Markdown: rows, cells, and parts of pages that are written by a program.

use serde_json::Value;

/// The first line of a page that is written whole.
pub(super) const NOTICE: &str = "<!-- Written by `cargo xtask codegen`; do not edit. -->\n\n";

/// The columns that lines of prose have at most.
const COLUMNS: usize = 100;

/// Returns the lines between which a part of a page is written.
pub(super) fn marks(name: &str) -> (String, String) {
    (
        format!("<!-- {name}: written by `cargo xtask codegen` -->"),
        format!("<!-- end of {name} -->"),
    )
}

/// Returns a page with a part replaced; `None` if the page does not have the part's marks.
pub(super) fn with_part(page: &str, name: &str, part: &str) -> Option<String> {
    let (start, end) = marks(name);
    let (before, rest) = page.split_once(&start)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{start}\n\n{}\n\n{end}{after}", part.trim_end()))
}

/// Returns a table.
pub(super) fn table(titles: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut text = format!("| {} |\n|{}\n", titles.join(" | "), "---|".repeat(titles.len()));
    for row in rows {
        text.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    text
}

/// Returns text for a cell: on one line, and without a bar that would end it.
pub(super) fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// Returns names as code, separated by commas.
pub(super) fn names(value: &Value) -> String {
    let names = array(value).iter().map(|name| format!("`{}`", text(name)));
    names.collect::<Vec<_>>().join(", ")
}

/// Returns paragraphs, in lines of at most [`COLUMNS`].
pub(super) fn prose(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(|paragraph| wrapped(paragraph, "", ""));
    paragraphs.collect::<Vec<_>>().join("\n\n") + "\n"
}

/// Returns words in lines, the first of which begins with `first` and all others with `rest`.
pub(super) fn wrapped(text: &str, first: &str, rest: &str) -> String {
    let mut lines = vec![first.to_owned()];
    let mut is_empty = true;
    for word in text.split_whitespace() {
        let length = lines.last().map_or(0, |line| line.chars().count());
        if !is_empty && length + 1 + word.chars().count() > COLUMNS {
            lines.push(rest.to_owned());
            is_empty = true;
        }
        if let Some(line) = lines.last_mut() {
            if !is_empty {
                line.push(' ');
            }
            line.push_str(word);
        }
        is_empty = false;
    }
    lines.join("\n")
}

/// Returns the anchor of a heading.
pub(super) fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

pub(super) fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_wrapped_by_words_and_keeps_its_paragraphs() {
        let text = prose(&format!("{}\n\nlast", "word ".repeat(30)));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert!(lines[0].len() <= COLUMNS && lines[0].len() > COLUMNS - 5, "{text}");
        assert_eq!(lines[2..], ["", "last"]);
    }

    #[test]
    fn a_part_is_replaced_and_what_is_around_it_stays() {
        let (start, end) = marks("x");
        let page = format!("a\n{start}\nold\n{end}\nb\n");
        let new = with_part(&page, "x", "new\n").expect("it has the part");
        assert_eq!(new, format!("a\n{start}\n\nnew\n\n{end}\nb\n"));
        assert_eq!(with_part(&new, "x", "new\n").as_ref(), Some(&new));
        assert_eq!(with_part(&page, "y", "new"), None);
    }
}
