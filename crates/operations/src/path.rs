//! Paths of attributes, as an expression of Terraform spells them.

use remote_state_core::{Error, Result, json_text};

use crate::json::Json;
use crate::masking::Place;

/// Returns the path of a member. A name that is no identifier is an index.
pub(crate) fn member(path: &str, name: &str) -> String {
    match (is_identifier(name), path.is_empty()) {
        (true, true) => name.to_owned(),
        (true, false) => format!("{path}.{name}"),
        (false, _) => format!("{path}[{}]", serde_json::Value::from(name)),
    }
}

/// Returns the path of an element.
pub(crate) fn element(path: &str, number: usize) -> String {
    format!("{path}[{number}]")
}

/// Returns the path of the value that a text holds as JSON.
pub(crate) fn decoded(path: &str) -> String {
    format!("jsondecode({path})")
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
}

/// A path that a person typed: `tags.Name`, `tags["a b"]`, `ingress[0].from_port`, or
/// `ingress[*].from_port` for all elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributePath {
    typed: String,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Member(String),
    Element(usize),
    All,
}

impl AttributePath {
    /// Parses a path.
    ///
    /// # Errors
    /// `ConfigInvalid` if it is none.
    pub fn parse(typed: &str) -> Result<Self> {
        let steps = steps(typed).ok_or_else(|| {
            Error::config(format!("{typed:?} is not the path of an attribute"))
                .with_hint("a path is written as `tags.Name`, `tags[\"a b\"]` or `ingress[0].port`")
        })?;
        Ok(Self { typed: typed.to_owned(), steps })
    }

    /// Returns the path as it was typed.
    pub fn as_str(&self) -> &str {
        &self.typed
    }

    /// Hands over each value that the path leads to, and its place.
    pub(crate) fn visit<'j, 'a>(
        &self,
        place: &Place<'_>,
        value: &'j Json<'a>,
        visit: &mut dyn FnMut(&Place<'_>, &'j Json<'a>),
    ) {
        walk(&self.steps, place, value, visit);
    }
}

fn walk<'j, 'a>(
    steps: &[Step],
    place: &Place<'_>,
    value: &'j Json<'a>,
    visit: &mut dyn FnMut(&Place<'_>, &'j Json<'a>),
) {
    let Some((step, rest)) = steps.split_first() else { return visit(place, value) };
    match (step, value) {
        (Step::Member(name), Json::Object(_)) => {
            if let Some(value) = value.get(name) {
                walk(rest, &place.member(name), value, visit);
            }
        }
        (Step::Element(number), Json::Array(items)) => {
            if let Some(item) = items.get(*number) {
                walk(rest, &place.element(*number), item, visit);
            }
        }
        (Step::All, Json::Array(items)) => {
            for (number, item) in items.iter().enumerate() {
                walk(rest, &place.element(number), item, visit);
            }
        }
        (Step::All, Json::Object(members)) => {
            for (name, value) in members {
                walk(rest, &place.member(name), value, visit);
            }
        }
        _ => {}
    }
}

fn steps(typed: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = typed;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (step, behind) = index(inner)?;
            steps.push(step);
            rest = behind;
            continue;
        }
        let name = if steps.is_empty() { rest } else { rest.strip_prefix('.')? };
        let end = name.find(['.', '[']).unwrap_or(name.len());
        let (name, behind) = name.split_at(end);
        steps.push(match name {
            "" => return None,
            "*" => Step::All,
            // Older spellings have the number of an element after a dot.
            name => match name.parse() {
                Ok(number) => Step::Element(number),
                Err(_) => Step::Member(name.to_owned()),
            },
        });
        rest = behind;
    }
    (!steps.is_empty()).then_some(steps)
}

/// Parses what follows a bracket.
fn index(text: &str) -> Option<(Step, &str)> {
    if !text.starts_with('"') {
        let (inner, behind) = text.split_once(']')?;
        let step = if inner == "*" { Step::All } else { Step::Element(inner.parse().ok()?) };
        return Some((step, behind));
    }
    let mut is_escaped = true;
    let end = text.bytes().position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    })?;
    let name = json_text(text.get(..=end)?)?;
    Some((Step::Member(name), text.get(end + 1..)?.strip_prefix(']')?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::masking::Marks;

    #[test]
    fn a_path_leads_to_values_in_each_spelling() {
        let value = r#"{"tags":{"Name":"n","a b":"c","q\"":1},"l":[{"x":1},{"x":2}],"0":"zero"}"#;
        let value = Json::parse(value).unwrap();
        for (path, expected) in [
            ("tags.Name", vec!["\"n\""]),
            ("tags[\"a b\"]", vec!["\"c\""]),
            ("tags[\"q\\\"\"]", vec!["1"]),
            ("l[1].x", vec!["2"]),
            ("l.1.x", vec!["2"]),
            ("l[*].x", vec!["1", "2"]),
            ("l.*.x", vec!["1", "2"]),
            ("tags.*", vec!["\"n\"", "\"c\"", "1"]),
            ("l[9].x", vec![]),
            ("tags.none.x", vec![]),
        ] {
            let mut found = Vec::new();
            let path = AttributePath::parse(path).unwrap();
            let marks = Marks::default();
            path.visit(&marks.root(), &value, &mut |_, value| {
                found.push(value.to_raw().get().to_owned());
            });
            assert_eq!(found, expected, "{path:?}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for path in ["", ".", "a.", "a..b", "a[", "a[x]", "a[\"b]", "a[\"b\"", "a[0]b"] {
            assert!(AttributePath::parse(path).is_err(), "{path}");
        }
    }
}
