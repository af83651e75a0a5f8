//! Blocks and values in JSON.
//!
//! The parser takes the document apart level by level and borrows each piece from the text, so that
//! every value's line is known.

use std::collections::BTreeMap;
use std::fmt;

use hcl_edit::expr::Expression;
use hcl_edit::parser::{parse_expr, parse_template};
use hcl_edit::template::StringTemplate;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::config::{Layer, Origin, Setting, Sourced, TEMPLATE_IN_JSON};
use crate::directory::block::{BlockBody, Declaration, DeclarationKind};
use crate::directory::evaluate::evaluate;
use crate::directory::source::SourceText;
use crate::error::{Error, Result};

/// How to read a string in the document.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Strings {
    /// Possibly a template: that depends on the client.
    Templates,
    /// Plain text, as in the record of `init`.
    Text,
}

/// The deepest nesting; deeper documents are refused.
const MAX_DEPTH: usize = 32;

/// Returns the backends that a Terraform file in JSON syntax declares.
pub(super) fn declarations(source: &SourceText) -> Result<Vec<Declaration>> {
    if !source.text().contains("backend") && !source.text().contains("cloud") {
        return Ok(Vec::new());
    }
    let mut declarations = Vec::new();
    for terraform in members(source, document(source)?, "terraform")? {
        for backend in members(source, terraform, "backend")? {
            for (name, value) in objects(source, backend)?.into_iter().flatten() {
                for entries in objects(source, value)? {
                    let body = BlockBody {
                        attributes: layer(source, &entries, Strings::Templates)?,
                        blocks: Vec::new(),
                    };
                    let kind = DeclarationKind::Backend { name: name.clone(), body };
                    declarations.push(Declaration { origin: source.origin_of(value.get()), kind });
                }
            }
        }
        for cloud in members(source, terraform, "cloud")? {
            declarations.push(Declaration {
                origin: source.origin_of(cloud.get()),
                kind: DeclarationKind::Cloud,
            });
        }
    }
    Ok(declarations)
}

/// The variables and locals of a configuration.
pub(super) struct Names {
    pub(super) variables: Vec<(String, Variable)>,
    pub(super) locals: Vec<(String, Sourced<Expression>)>,
}

/// The declaration of a variable.
#[derive(Default)]
pub(super) struct Variable {
    pub(super) default: Option<Sourced<Setting>>,
    /// Its type, an expression in a string.
    pub(super) kind: Option<String>,
}

/// Returns the variables and locals that a Terraform file in JSON syntax declares. A default stays
/// as written; a local that is no expression is omitted.
pub(super) fn names(source: &SourceText) -> Result<Names> {
    let (mut variables, mut locals) = (Vec::new(), Vec::new());
    for declared in members(source, document(source)?, "variable")? {
        for (name, value) in objects(source, declared)?.into_iter().flatten() {
            let mut variable = Variable::default();
            for (member, raw) in objects(source, value)?.into_iter().flatten() {
                match member.as_str() {
                    "default" => {
                        let value = setting(source, raw, Strings::Text, 0)?;
                        let origin = source.origin_of(raw.get());
                        variable.default = Some(Sourced::new(value, origin));
                    }
                    "type" => variable.kind = parse(source, raw).ok(),
                    _ => {}
                }
            }
            variables.push((name, variable));
        }
    }
    for declared in members(source, document(source)?, "locals")? {
        for (name, raw) in objects(source, declared)?.into_iter().flatten() {
            if let Ok(expression) = parse_expr(raw.get()) {
                locals.push((name, Sourced::new(expression, source.origin_of(raw.get()))));
            }
        }
    }
    Ok(Names { variables, locals })
}

/// Returns the settings of a document that holds the contents of a `backend` block.
pub(super) fn settings(source: &SourceText) -> Result<BlockBody> {
    let entries = objects(source, document(source)?)?.into_iter().flatten().collect::<Vec<_>>();
    Ok(BlockBody { attributes: layer(source, &entries, Strings::Templates)?, blocks: Vec::new() })
}

/// The parts of `{"backend": {"type": …, "config": {…}}}`, as `init` records it.
pub(super) struct RecordedBackend {
    pub(super) name: String,
    pub(super) origin: Origin,
    pub(super) config: Layer,
}

/// Returns the backend in a data directory's record, if it has one.
pub(super) fn recorded(source: &SourceText) -> Result<Option<RecordedBackend>> {
    let Some(backend) =
        members(source, document(source)?, "backend")?.into_iter().find(|raw| raw.get() != "null")
    else {
        return Ok(None);
    };
    let mut recorded = RecordedBackend {
        name: String::new(),
        origin: source.origin_of(backend.get()),
        config: Layer::new(),
    };
    for (name, value) in objects(source, backend)?.into_iter().flatten() {
        match name.as_str() {
            "type" => recorded.name = parse(source, value)?,
            "config" => {
                for entries in objects(source, value)? {
                    recorded.config.extend(layer(source, &entries, Strings::Text)?);
                }
            }
            _ => {}
        }
    }
    Ok(Some(recorded).filter(|recorded| !recorded.name.is_empty()))
}

/// The members of an object in order, repeated names included.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;

        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(entries)
            }
        }

        deserializer.deserialize_map(EntriesVisitor).map(Entries)
    }
}

fn document(source: &SourceText) -> Result<&RawValue> {
    serde_json::from_str(source.text()).map_err(|error| unreadable(source, 0, &error))
}

fn parse<'a, T: Deserialize<'a>>(source: &SourceText, raw: &'a RawValue) -> Result<T> {
    let offset = (raw.get().as_ptr() as usize).saturating_sub(source.text().as_ptr() as usize);
    serde_json::from_str(raw.get()).map_err(|error| unreadable(source, offset, &error))
}

/// Keeps only the position: the parser's message may quote a value.
fn unreadable(source: &SourceText, offset: usize, error: &serde_json::Error) -> Error {
    let reason = match error.classify() {
        serde_json::error::Category::Eof => "the JSON ends too early",
        serde_json::error::Category::Data => "a value has another type than expected",
        _ => "invalid JSON",
    };
    let before = source.text().get(..offset).unwrap_or_default();
    let line = before.matches('\n').count() + error.line().max(1);
    let column =
        if error.line() > 1 { 0 } else { before.chars().rev().take_while(|c| *c != '\n').count() }
            + error.column();
    source.unreadable(line, column, reason)
}

/// Returns an object, or each object of an array of them, as HCL allows for blocks.
fn objects<'a>(source: &SourceText, raw: &'a RawValue) -> Result<Vec<Vec<(String, &'a RawValue)>>> {
    match raw.get().as_bytes().first() {
        Some(b'[') => {
            let items: Vec<&RawValue> = parse(source, raw)?;
            items.into_iter().map(|item| Ok(parse::<Entries<'_>>(source, item)?.0)).collect()
        }
        Some(b'n') => Ok(Vec::new()),
        _ => Ok(vec![parse::<Entries<'_>>(source, raw)?.0]),
    }
}

fn members<'a>(source: &SourceText, raw: &'a RawValue, name: &str) -> Result<Vec<&'a RawValue>> {
    let entries = objects(source, raw)?.into_iter().flatten();
    Ok(entries.filter(|(key, _)| key == name).map(|(_, value)| value).collect())
}

fn layer(source: &SourceText, entries: &[(String, &RawValue)], strings: Strings) -> Result<Layer> {
    let mut layer: Layer = Vec::with_capacity(entries.len());
    let mut places = BTreeMap::new();
    for (name, raw) in entries {
        // This is the only form of a comment in Terraform's JSON syntax.
        if name == "//" && strings == Strings::Templates {
            continue;
        }
        let origin = source.origin_of(raw.get());
        if let Some(first) = places.insert(name, origin.clone()) {
            return Err(Error::config(format!("`{name}` is set twice"))
                .with_context("set in", first)
                .with_context("and in", &origin)
                .with_hint("keep one of the two"));
        }
        let value = setting(source, raw, strings, 0)
            .map_err(|error| error.with_context("value of", format_args!("`{name}`")))?;
        layer.push((name.clone(), Sourced::new(value, origin)));
    }
    Ok(layer)
}

/// Formats a number as Terraform converts it to a string: without an exponent, and without zeros at
/// the end of a fraction.
fn number_text(text: &str) -> String {
    match text.parse::<f64>() {
        Ok(float) if float.is_finite() && text.contains(['.', 'e', 'E']) => float.to_string(),
        _ => text.to_owned(),
    }
}

fn setting(source: &SourceText, raw: &RawValue, strings: Strings, depth: usize) -> Result<Setting> {
    let origin = source.origin_of(raw.get());
    if depth > MAX_DEPTH {
        return Err(Error::config("a value is nested too deeply").with_context("found in", origin));
    }
    Ok(match raw.get().as_bytes().first() {
        Some(b'n') => Setting::Null,
        Some(b't') => Setting::Bool(true),
        Some(b'f') => Setting::Bool(false),
        Some(b'"') => {
            let text: String = parse(source, raw)?;
            match strings {
                // Terraform takes the template literally, OpenTofu evaluates it: the two clients
                // would use two states.
                Strings::Templates if text.contains("${") || text.contains("%{") => {
                    match source.scope.as_ref().and(parse_template(&text).ok()) {
                        Some(template) => evaluate(source, &StringTemplate::from(template).into())?,
                        None => Setting::Deferred(TEMPLATE_IN_JSON.to_owned()),
                    }
                }
                Strings::Templates => Setting::String(text),
                Strings::Text => Setting::String(text),
            }
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = parse(source, raw)?;
            let items = items.into_iter().map(|item| setting(source, item, strings, depth + 1));
            Setting::list(items.collect::<Result<_>>()?)
        }
        Some(b'{') => {
            let Entries(entries) = parse(source, raw)?;
            let member = |(name, raw): (String, &RawValue)| {
                Ok((
                    name,
                    Sourced::new(
                        setting(source, raw, strings, depth + 1)?,
                        source.origin_of(raw.get()),
                    ),
                ))
            };
            Setting::Object(entries.into_iter().map(member).collect::<Result<_>>()?)
        }
        _ => Setting::Number(number_text(raw.get())),
    })
}
