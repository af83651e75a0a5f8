//! The paths that a state marks as sensitive, and the way along them.

use remote_state_core::secret_attributes;

use crate::json::Json;

/// Parts of names of secrets, in lower case and without `_` and `-`.
const NAMES: [&str; 8] = [
    "password",
    "passwd",
    "secret",
    "token",
    "privatekey",
    "accesskey",
    "credential",
    "connectionstring",
];

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Member(String),
    Element(usize),
}

/// The marked paths of an instance or an output.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks {
    paths: Vec<Vec<Step>>,
}

impl Marks {
    /// Returns the marks of an instance: those of the state, and attributes that the provider is
    /// known to hide.
    pub(crate) fn of_instance(kind: &str, instance: &Json<'_>) -> Self {
        let known = secret_attributes(kind).iter().map(|name| vec![Step::Member((*name).into())]);
        let mut paths: Vec<_> = known.collect();
        match instance.get("sensitive_attributes") {
            None | Some(Json::Null) => {}
            Some(Json::Array(marked)) => paths.extend(marked.iter().map(path)),
            // Whatever it means, it may mean all attributes.
            Some(_) => paths.push(Vec::new()),
        }
        Self { paths }
    }

    /// Returns the marks of an output, whose value is below its name.
    pub(crate) fn of_output(output: &Json<'_>) -> Self {
        let is_plain =
            matches!(output.get("sensitive"), None | Some(Json::Null | Json::Bool(false)));
        Self { paths: if is_plain { Vec::new() } else { vec![Vec::new()] } }
    }

    /// Returns the place of all attributes.
    pub(crate) fn root(&self) -> Place<'_> {
        let paths: Vec<_> = self.paths.iter().map(Vec::as_slice).collect();
        let is_marked = paths.iter().any(|path| path.is_empty());
        Place { paths, is_marked, has_secret_name: false, is_root: true }
    }
}

/// Reads a path. It ends before a step that cannot be read: all that it may mean is marked.
fn path(path: &Json<'_>) -> Vec<Step> {
    let Json::Array(steps) = path else { return Vec::new() };
    steps.iter().map_while(step).collect()
}

/// Reads `{"type":"get_attr","value":"m"}` or
/// `{"type":"index","value":{"value":1,"type":"number"}}`.
fn step(step: &Json<'_>) -> Option<Step> {
    let value = step.get("value")?;
    let value = match step.text("type")? {
        "get_attr" => value,
        "index" => value.get("value")?,
        _ => return None,
    };
    match value {
        Json::Text(name) => Some(Step::Member(name.clone().into_owned())),
        Json::Number(number) => number.parse().ok().map(Step::Element),
        _ => None,
    }
}

/// A place in the attributes, and the marks that are still ahead of it.
#[derive(Clone, Debug)]
pub(crate) struct Place<'m> {
    paths: Vec<&'m [Step]>,
    is_marked: bool,
    has_secret_name: bool,
    is_root: bool,
}

impl<'m> Place<'m> {
    /// Returns whether values here are hidden.
    pub(crate) fn is_hidden(&self) -> bool {
        self.is_marked || self.has_secret_name
    }

    /// Returns whether they are hidden by more than a name.
    pub(crate) fn is_marked(&self) -> bool {
        self.is_marked
    }

    /// Returns whether a name on the way here is one of secrets.
    pub(crate) fn has_secret_name(&self) -> bool {
        self.has_secret_name
    }

    /// Returns whether this is the place of all attributes.
    pub(crate) fn is_root(&self) -> bool {
        self.is_root
    }

    pub(crate) fn member(&self, name: &str) -> Self {
        let mut place = self.below(|step| matches!(step, Step::Member(marked) if marked == name));
        place.has_secret_name |= is_name_of_secrets(name);
        place
    }

    pub(crate) fn element(&self, number: usize) -> Self {
        self.below(|step| *step == Step::Element(number))
    }

    /// Returns the place inside of a text that is JSON, which no mark leads into.
    pub(crate) fn inside(&self) -> Self {
        self.below(|_| false)
    }

    fn below(&self, is_next: impl Fn(&Step) -> bool) -> Self {
        let paths: Vec<&'m [Step]> = (self.paths.iter())
            .filter_map(|path| {
                let (first, rest) = path.split_first()?;
                is_next(first).then_some(rest)
            })
            .collect();
        let is_marked = self.is_marked || paths.iter().any(|path| path.is_empty());
        Place { paths, is_marked, has_secret_name: self.has_secret_name, is_root: false }
    }
}

fn is_name_of_secrets(name: &str) -> bool {
    let plain: String = (name.chars())
        .filter(|c| !matches!(c, '_' | '-'))
        .map(|c| c.to_ascii_lowercase())
        .collect();
    NAMES.iter().any(|secret| plain.contains(secret))
}
