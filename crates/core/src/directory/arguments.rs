//! `-backend-config`, from this program's command line and from `TF_CLI_ARGS`.

use std::path::Path;

use crate::config::{Environment, Layer, Origin, ProviderSpec, Setting, Sourced, ValueKind};
use crate::directory::block::{is_around_settings, whole_block};
use crate::directory::source::{Accept, SourceText};
use crate::directory::{hcl, json};
use crate::error::{Error, Result};

/// The variables whose options Terraform puts before those of the command line, in Terraform's
/// order: the later one wins, although it is the more general one.
const VARIABLES: [&str; 2] = ["TF_CLI_ARGS_init", "TF_CLI_ARGS"];

/// Converts file names and `key=value` pairs to layers, in order.
///
/// # Errors
/// `ConfigInvalid` or `Local` for a file that cannot be read or parsed.
pub(super) fn layers(
    arguments: &[String],
    origin: &Origin,
    directory: &Path,
    provider: &ProviderSpec,
) -> Result<Vec<Layer>> {
    arguments.iter().map(|argument| layer(argument, origin, directory, provider)).collect()
}

/// Returns the layers that Terraform's own variables add to its `init`.
///
/// # Errors
/// As [`layers`], and `ConfigInvalid` for a variable that a shell could not split.
pub(super) fn layers_of_variables(
    env: &Environment,
    directory: &Path,
    provider: &ProviderSpec,
) -> Result<Vec<Layer>> {
    let mut found = Vec::new();
    for name in VARIABLES {
        let Some(value) = env.get(name) else { continue };
        let origin = Origin::Environment(name.to_owned());
        let words = split(value).ok_or_else(|| {
            Error::config(format!(
                "the options in `{name}` cannot be told apart: a quote is not closed"
            ))
            .with_context("set in", &origin)
        })?;
        found.extend(layers(&backend_configs(words), &origin, directory, provider)?);
    }
    Ok(found)
}

fn layer(
    argument: &str,
    origin: &Origin,
    directory: &Path,
    provider: &ProviderSpec,
) -> Result<Layer> {
    // Scripts pass `-backend-config=$FILE` with an empty `FILE`, and Terraform ignores that.
    if argument.is_empty() {
        return Ok(Layer::new());
    }
    let (name, value) = match argument.split_once('=') {
        // Names of keys contain no slash.
        Some((name, value)) if !name.contains('/') => (name, value),
        _ => return file(argument, origin, directory, provider),
    };
    if provider.row(name).is_none() && !provider.is_object(name) {
        file_instead(argument, name, value, origin, directory)?;
    }
    // A text is used as it is, quotes and further `=` included. Only if the key does not take text
    // is it parsed as an expression.
    let plain = match provider.row(name) {
        Some(key) => !matches!(key.kind, ValueKind::StringList | ValueKind::StringMap),
        None => !provider.is_object(name),
    };
    let setting = if plain {
        Setting::from(value)
    } else {
        // The text has no file of its own, so positions inside it point to the option.
        hcl::expression(&SourceText::new("", value)).map(|setting| setting.placed(origin)).map_err(
            |_| {
                Error::config(format!("the value of `{name}` is not a valid expression"))
                    .with_context("set in", origin)
                    .with_hint(format!("write it as in a file: {}", example(name, provider)))
            },
        )?
    };
    Ok(vec![(name.to_owned(), Sourced::new(setting, origin.clone()))])
}

/// Refuses a pair with an unknown key if the pair or its value is the name of a file.
fn file_instead(
    argument: &str,
    name: &str,
    value: &str,
    origin: &Origin,
    directory: &Path,
) -> Result<()> {
    let is_file = |path: &str| !path.is_empty() && directory.join(path).is_file();
    let Some(file) = [argument, value].into_iter().find(|path| is_file(path)) else {
        return Ok(());
    };
    let prefix = if file == argument { "./" } else { "" };
    Err(Error::config(format!("unknown key `{name}`, but there is a file `{file}`"))
        .with_context("set in", origin)
        .with_context("looked in", directory.display())
        .with_hint(format!("to read the file, give its name alone: `{prefix}{file}`")))
}

fn example(name: &str, provider: &ProviderSpec) -> String {
    match provider.row(name).map(|key| key.kind) {
        Some(ValueKind::StringList) => format!("`'{name}=[\"…\"]'`"),
        Some(_) => format!("`'{name}={{ name = \"…\" }}'`"),
        None => {
            let member = provider.members(name).first().copied().unwrap_or("name");
            format!("`'{name}={{ {member} = \"…\" }}'`, or `{name}.{member}=…`")
        }
    }
}

fn file(path: &str, origin: &Origin, directory: &Path, provider: &ProviderSpec) -> Result<Layer> {
    let Some(source) = SourceText::read(directory, path, Accept::Anything)? else {
        return Err(Error::config(format!("there is no file `{path}`"))
            .with_context("set in", origin)
            .with_context("looked in", directory.display())
            .with_hint("give the name of a file, or a pair `key=value`"));
    };
    let body =
        if path.ends_with(".json") { json::settings(&source)? } else { hcl::settings(&source)? };
    if let Some((name, given)) = body.attributes.iter().find(|(name, _)| is_around_settings(name)) {
        return Err(whole_block(name, &given.origin));
    }
    body.into_layer(provider)
}

fn backend_configs(words: Vec<String>) -> Vec<String> {
    options(words, &["backend-config"]).into_iter().map(|(_, value)| value).collect()
}

/// Returns the values of options with these names, in order.
fn options(words: Vec<String>, names: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        // One dash or two, joined or not, as Go's option parser accepts them.
        let option = word.strip_prefix("--").or_else(|| word.strip_prefix('-')).unwrap_or_default();
        let (name, joined) = match option.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (option, None),
        };
        if names.contains(&name)
            && let Some(value) = joined.or_else(|| words.next())
        {
            found.push((name.to_owned(), value));
        }
    }
    found
}

/// Returns the options of every command that set variables, each with the environment variable that
/// holds it: which command will run is not known.
pub(super) fn words_of_variables(env: &Environment) -> Vec<(Origin, String, String)> {
    let general = VARIABLES[1];
    let special = env.names().filter(|name| name.starts_with(general) && *name != general);
    let texts = special.chain([general]).filter_map(|name| Some((name, split(env.get(name)?)?)));
    texts
        .flat_map(|(name, words)| {
            let origin = Origin::Environment(name.to_owned());
            let options = options(words, &["var", "var-file"]).into_iter();
            options.map(move |(option, value)| (origin.clone(), option, value))
        })
        .collect()
}

/// Splits a text as a POSIX shell does, without expansions; `None` if a quote is not closed.
fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => match chars.next()? {
                            c @ ('"' | '\\' | '$' | '`') => word.push(c),
                            c => word.extend(['\\', c]),
                        },
                        c => word.push(c),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(chars.next()?),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}
