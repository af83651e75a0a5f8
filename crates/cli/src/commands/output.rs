//! `output`: root outputs, read from the stream and no further.

use std::collections::BTreeMap;

use futures_util::TryStreamExt as _;
use remote_state::{Error, ErrorKind, Output as StateOutput, OutputReader, Outputs, Progress, ReadOptions};

use crate::args::{Output, OutputFormat, operand};
use crate::commands::no_state;
use crate::exit::Failure;
use crate::session::Session;
use crate::ui::{harmless, harmless_lines};
use crate::values::{as_written, compact, pretty};

pub(crate) async fn run(session: &Session, args: &Output) -> Result<(), Failure> {
    session.may_read();
    let outputs = read(session).await?;
    let ui = session.ui;
    if let Some(name) = &args.name {
        let output = outputs.get(name).ok_or_else(|| missing(&outputs, name))?;
        return if args.raw {
            ui.answer(plain(name, output)?.as_bytes())
        } else if args.format == Some(OutputFormat::Env) {
            let variable = variable(name).ok_or_else(|| no_variable(name))?;
            ui.line(&env_line(&variable, output))
        } else if ui.is_json {
            ui.json_text(output.value.get())
        } else {
            ui.line(&harmless_lines(&pretty(&output.value)))
        };
    }
    if ui.is_json {
        return ui
            .json(&outputs.iter().map(|(name, output)| (name, Described(output))).collect::<Listing<'_>>());
    }
    if args.format == Some(OutputFormat::Env) {
        return env_lines(session, &outputs);
    }
    if outputs.is_empty() {
        ui.note("the state has no outputs");
        return Ok(());
    }
    let shown = |output: &StateOutput| {
        if output.is_sensitive && !args.show_sensitive {
            "<sensitive>".to_owned()
        } else {
            compact(&output.value)
        }
    };
    ui.table(
        &["name", "value"],
        outputs.iter().map(|(name, output)| vec![name.to_owned(), shown(output)]).collect(),
    )
}

/// Outputs in the form of `terraform output -json`, values as they were written.
type Listing<'a> = BTreeMap<&'a str, Described<'a>>;

struct Described<'a>(&'a StateOutput);

impl serde::Serialize for Described<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut output = serializer.serialize_struct("Output", 3)?;
        output.serialize_field("sensitive", &self.0.is_sensitive)?;
        if let Some(type_expression) = &self.0.type_expression {
            output.serialize_field("type", &as_written(type_expression))?;
        }
        output.serialize_field("value", &as_written(&self.0.value))?;
        output.end()
    }
}

async fn read(session: &Session) -> Result<Outputs, Failure> {
    let read = session.store.read(&session.workspace, &ReadOptions::default()).await?;
    let mut read = read.ok_or_else(|| no_state(session, &session.workspace))?;
    let mut reader = OutputReader::new();
    while let Some(bytes) = read.body.try_next().await? {
        if reader.feed(&bytes)? == Progress::Done {
            break;
        }
    }
    Ok(reader.finish()?)
}

fn missing(outputs: &Outputs, name: &str) -> Failure {
    let error = Error::new(ErrorKind::NotFound, "read outputs", format!("the state has no output `{name}`"));
    let names: Vec<_> = outputs.iter().map(|(name, _)| format!("`{}`", harmless(name))).collect();
    if names.is_empty() {
        error.with_hint("it has no outputs at all")
    } else {
        error.with_hint(format!("it has {}", names.join(", ")))
    }
    .into()
}

fn plain(name: &str, output: &StateOutput) -> Result<String, Failure> {
    output.as_plain_text().ok_or_else(|| {
        Error::new(
            ErrorKind::Unsupported,
            "print",
            format!("output `{name}` is neither a string nor a number nor a bool"),
        )
        .with_hint(format!("print it with `remote-state output --json {}`", operand(&harmless(name))))
        .into()
    })
}

/// Prints a line for each output that a shell can name.
fn env_lines(session: &Session, outputs: &Outputs) -> Result<(), Failure> {
    let mut seen = BTreeMap::new();
    let mut lines = String::new();
    for (name, output) in outputs.iter() {
        let Some(variable) = variable(name) else {
            session
                .ui
                .warn(&format!("output `{name}` is left out: a shell cannot have a variable of that name"));
            continue;
        };
        lines.push_str(&env_line(&variable, output));
        lines.push('\n');
        if let Some(other) = seen.insert(variable.clone(), name) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "print",
                format!("outputs `{other}` and `{name}` would both be the variable `{variable}`"),
            )
            .with_hint(format!("print them one by one with `remote-state output --raw {}`", operand(name)))
            .into());
        }
    }
    session.ui.answer(lines.as_bytes())
}

/// Returns the name of the variable for an output. Whoever wrote the state chose the output's name, and the line goes to a shell.
fn variable(name: &str) -> Option<String> {
    let variable = name.replace('-', "_");
    let is_name = variable.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && variable.starts_with(|c: char| !c.is_ascii_digit());
    is_name.then_some(variable)
}

fn no_variable(name: &str) -> Failure {
    Error::new(
        ErrorKind::Unsupported,
        "print",
        format!("a shell cannot have a variable with the name of output `{name}`"),
    )
    .with_hint("print its value alone with `--raw`")
    .into()
}

/// A line that a POSIX shell reads back as the same text, whatever is in it.
fn env_line(variable: &str, output: &StateOutput) -> String {
    let text = output.as_plain_text().unwrap_or_else(|| compact(&output.value));
    format!("{variable}='{}'", text.replace('\'', r"'\''"))
}
