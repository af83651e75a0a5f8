//! The names that OpenTofu evaluates in a `backend` block, as far as this library knows their
//! values: variables and their defaults, locals, paths and the workspace.
//!
//! Only a block that is compared with the record of `init` is evaluated in this way, never one that
//! is used. See
//! <https://opentofu.org/docs/language/values/variables/#variable-definition-precedence>.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use hcl_edit::Span;
use hcl_edit::expr::{
    Array, Expression, Object, ObjectKey, ObjectValue, Traversal, TraversalOperator,
};
use hcl_edit::parser::{parse_body, parse_expr};
use hcl_edit::structure::Body;
use hcl_edit::visit_mut::{self, VisitMut};
use hcl_edit::{Ident, Number};

use crate::config::{Environment, Layer, Origin, Setting, Sourced};
use crate::directory::arguments::words_of_variables;
use crate::directory::evaluate::evaluate;
use crate::directory::source::{Accept, Names, SourceText};
use crate::directory::{hcl, json};
use crate::workspace::Workspace;

/// The most bytes of a value to follow: two names that occur twice in each other's values would
/// double them without end.
const MOST_BYTES: usize = 4096;

/// How many names may refer to one another in a chain.
const DEEPEST: usize = 16;

/// The values of names. A name without a value here stays a name.
#[derive(Debug)]
pub(super) struct Scope {
    variables: Variables,
    locals: RefCell<BTreeMap<String, Sourced<Local>>>,
    workspace: Sourced<String>,
    uses: RefCell<Vec<Use>>,
}

/// A name in an expression that was replaced by its value.
#[derive(Clone, Debug)]
pub(super) struct Use {
    /// Where the expression is.
    pub(super) place: Origin,
    /// The name, such as `var.x`.
    pub(super) name: String,
    /// Where its value was set.
    pub(super) origin: Origin,
}

type Variables = BTreeMap<String, Sourced<Setting>>;

#[derive(Clone, Debug)]
enum Local {
    Written(Expression),
    Known(Option<Setting>),
}

/// The declaration of a variable.
#[derive(Debug, Default)]
struct Declared {
    default: Option<Sourced<Setting>>,
    /// Whether its value in a variable or on a command line is an expression instead of text.
    is_expression: bool,
}

impl Scope {
    /// Collects the names of a directory. `files` are its configuration, overrides last.
    pub(super) fn gather(
        directory: &Path,
        files: &[SourceText],
        env: &Environment,
        workspace: &Sourced<Workspace>,
    ) -> Self {
        let mut declared = BTreeMap::new();
        let mut locals = BTreeMap::new();
        for file in files {
            // A file that cannot be parsed declares nothing here; the code that needs the file
            // reports the error.
            if file.path.extension().is_some_and(|extension| extension == "json") {
                if let Ok(found) = json::names(file) {
                    json_declarations(found, &mut declared, &mut locals);
                }
            } else if let Ok(body) = parse_body(file.text()) {
                declarations(file, &body, &mut declared, &mut locals);
            }
        }
        let mut variables = Variables::new();
        let set =
            |variables: &mut Variables, name: &str, value: Option<Sourced<Setting>>| match value {
                Some(value) => drop(variables.insert(name.to_owned(), value)),
                None => drop(variables.remove(name)),
            };
        for (name, declared) in &declared {
            set(&mut variables, name, declared.default.clone());
        }
        let text = |name: &str, text: &str, origin: Origin| {
            let setting = match declared.get(name) {
                Some(declared) if declared.is_expression => expression(text)?,
                _ => Setting::from(text),
            };
            Some(Sourced::new(setting, origin))
        };
        for variable in env.names() {
            if let (Some(name), Some(value)) = (variable.strip_prefix("TF_VAR_"), env.get(variable))
            {
                let origin = Origin::Environment(variable.to_owned());
                set(&mut variables, name, text(name, value, origin));
            }
        }
        let include = |variables: &mut Variables, file: &str, is_named: bool| {
            match definitions(directory, file, is_named) {
                Some(settings) => variables.extend(settings),
                // The file may set any of them. Values that are read later are known again.
                None => variables.clear(),
            }
        };
        for file in definition_files(directory) {
            include(&mut variables, &file, false);
        }
        for (origin, option, value) in words_of_variables(env) {
            match (option.as_str(), value.split_once('=')) {
                ("var", Some((name, value))) => {
                    set(&mut variables, name, text(name, value, origin));
                }
                ("var-file", _) => include(&mut variables, &value, true),
                _ => {}
            }
        }
        variables.retain(|_, given| !matches!(given.value, Setting::Deferred(_) | Setting::Null));
        let workspace = Sourced::new(workspace.value.as_str().to_owned(), workspace.origin.clone());
        let (locals, uses) = (RefCell::new(locals), RefCell::default());
        Self { variables, locals, workspace, uses }
    }

    /// Returns the names that were replaced by values.
    pub(super) fn uses(&self) -> Vec<Use> {
        self.uses.borrow().clone()
    }

    fn substitute_below(&self, mut expression: Expression, depth: usize) -> Expression {
        Substitution { scope: self, depth }.visit_expr_mut(&mut expression);
        expression
    }

    fn value(&self, root: &str, member: &str, depth: usize) -> Option<Setting> {
        let (value, origin) = match (root, member) {
            ("var", name) => {
                let given = self.variables.get(name)?;
                (given.value.clone(), given.origin.clone())
            }
            ("local", name) => self.local(name, depth)?,
            ("path", "module" | "root") => (Setting::from("."), Origin::Default),
            ("terraform" | "tofu", "workspace") => {
                (Setting::from(self.workspace.value.as_str()), self.workspace.origin.clone())
            }
            _ => return None,
        };
        if origin != Origin::Default {
            let name = format!("{root}.{member}");
            self.uses.borrow_mut().push(Use { place: Origin::Default, name, origin });
        }
        Some(value)
    }

    fn local(&self, name: &str, depth: usize) -> Option<(Setting, Origin)> {
        let Sourced { value, origin } = self.locals.borrow().get(name)?.clone();
        let written = match value {
            Local::Known(value) => return Some((value?, origin)),
            Local::Written(_) if depth >= DEEPEST => return None,
            Local::Written(written) => written,
        };
        let know = |value| {
            let known = Sourced::new(Local::Known(value), origin.clone());
            drop(self.locals.borrow_mut().insert(name.to_owned(), known));
        };
        // A name has no value while it is being evaluated, so a name that refers to itself has
        // none.
        know(None);
        let value = evaluate(&SourceText::new("", ""), &self.substitute_below(written, depth + 1));
        let value =
            value.ok().filter(|value| !matches!(value, Setting::Deferred(_)) && is_short(value));
        know(value.clone());
        Some((value?, origin))
    }
}

impl Names for Scope {
    fn substitute(&self, expression: Expression, place: &Origin) -> Expression {
        let before = self.uses.borrow().len();
        let expression = self.substitute_below(expression, 0);
        for found in self.uses.borrow_mut().iter_mut().skip(before) {
            found.place = place.clone();
        }
        expression
    }
}

struct Substitution<'a> {
    scope: &'a Scope,
    depth: usize,
}

impl VisitMut for Substitution<'_> {
    fn visit_expr_mut(&mut self, expression: &mut Expression) {
        visit_mut::visit_expr_mut(self, expression);
        let Expression::Traversal(traversal) = expression else { return };
        let Some(value) = self.value_of(traversal) else { return };
        if traversal.operators.len() == 1 {
            *expression = value;
        } else {
            drop(traversal.operators.remove(0));
            traversal.expr = value;
        }
    }
}

impl Substitution<'_> {
    fn value_of(&self, traversal: &Traversal) -> Option<Expression> {
        let Expression::Variable(root) = &traversal.expr else { return None };
        let TraversalOperator::GetAttr(member) = traversal.operators.first()?.value() else {
            return None;
        };
        let value = self.scope.value(root.as_str(), member.as_str(), self.depth)?;
        literal(&value)
    }
}

/// Converts a value to an expression.
fn literal(value: &Setting) -> Option<Expression> {
    Some(match value {
        Setting::Bool(value) => Expression::from(*value),
        Setting::Number(text) => match text.parse::<u64>() {
            Ok(number) => Expression::from(Number::from(number)),
            Err(_) => Expression::from(Number::from_f64(text.parse().ok()?)?),
        },
        Setting::String(text) => Expression::from(text.as_str()),
        Setting::List(items) => Expression::from(
            items.iter().map(literal).collect::<Option<Vec<_>>>().map(Array::from)?,
        ),
        Setting::Object(members) => {
            let mut object = Object::new();
            for (name, member) in members {
                let key = match Ident::try_new(name.as_str()) {
                    Ok(name) => ObjectKey::from(name),
                    Err(_) => ObjectKey::from(Expression::from(name.as_str())),
                };
                drop(object.insert(key, ObjectValue::new(literal(&member.value)?)));
            }
            Expression::from(object)
        }
        Setting::Null => parse_expr("null").ok()?,
        Setting::Deferred(_) => return None,
    })
}

fn is_short(value: &Setting) -> bool {
    fn bytes(value: &Setting) -> usize {
        match value {
            Setting::String(text) | Setting::Number(text) => text.len(),
            Setting::List(items) => items.iter().map(bytes).sum::<usize>() + items.len(),
            Setting::Object(members) => {
                members.iter().map(|(name, member)| name.len() + bytes(&member.value)).sum()
            }
            _ => 1,
        }
    }
    bytes(value) <= MOST_BYTES
}

fn expression(text: &str) -> Option<Setting> {
    hcl::expression(&SourceText::new("", text)).ok()
}

fn declarations(
    source: &SourceText,
    body: &Body,
    variables: &mut BTreeMap<String, Declared>,
    locals: &mut BTreeMap<String, Sourced<Local>>,
) {
    let place = |span: Option<Range<usize>>| source.origin(span.map_or(0, |span| span.start));
    for block in body.blocks() {
        match (block.ident.as_str(), block.labels.as_slice()) {
            ("variable", [name]) => {
                let declared = variables.entry(name.as_str().to_owned()).or_default();
                if let Some(default) = block.body.get_attribute("default") {
                    let value = evaluate(source, &default.value).ok();
                    declared.default =
                        value.map(|value| Sourced::new(value, place(default.span())));
                }
                if let Some(kind) = block.body.get_attribute("type") {
                    declared.is_expression = !is_string(&kind.value);
                }
            }
            ("locals", []) => {
                for attribute in block.body.attributes() {
                    let written = Local::Written(attribute.value.clone());
                    let written = Sourced::new(written, place(attribute.span()));
                    drop(locals.insert(attribute.key.as_str().to_owned(), written));
                }
            }
            _ => {}
        }
    }
}

/// Returns whether the type of a variable is written as `string`.
fn is_string(kind: &Expression) -> bool {
    matches!(kind, Expression::Variable(name) if name.as_str() == "string")
}

fn json_declarations(
    found: json::Names,
    variables: &mut BTreeMap<String, Declared>,
    locals: &mut BTreeMap<String, Sourced<Local>>,
) {
    for (name, variable) in found.variables {
        let declared = variables.entry(name).or_default();
        declared.default = variable.default.or(declared.default.take());
        if let Some(kind) = variable.kind {
            declared.is_expression = kind != "string";
        }
    }
    for (name, Sourced { value, origin }) in found.locals {
        locals.insert(name, Sourced::new(Local::Written(value), origin));
    }
}

/// Returns the files of definitions that clients read by default, in their order.
fn definition_files(directory: &Path) -> Vec<String> {
    let mut named = vec!["terraform.tfvars".to_owned(), "terraform.tfvars.json".to_owned()];
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.ends_with(".auto.tfvars") || name.ends_with(".auto.tfvars.json"))
        .collect();
    found.sort();
    named.extend(found);
    named
}

/// Returns the settings of a file of definitions, or `None` if they are unknown: the file cannot be
/// read, is no regular file, or cannot be parsed. A missing file that no option names has no
/// settings.
fn definitions(
    directory: &Path,
    file: &str,
    is_named: bool,
) -> Option<Vec<(String, Sourced<Setting>)>> {
    let Some(source) = SourceText::read(directory, file, Accept::RegularFile).ok()? else {
        return (!is_named).then(Vec::new);
    };
    let body =
        if file.ends_with(".json") { json::settings(&source) } else { hcl::settings(&source) };
    let attributes: Layer = body.ok()?.attributes;
    let unplaced = Origin::file("", None);
    let unplaced =
        |given: Sourced<Setting>| Sourced::new(given.value.placed(&unplaced), given.origin);
    Some(attributes.into_iter().map(|(name, given)| (name, unplaced(given))).collect())
}
