//! `output`: root outputs, read from the stream and no further.

use futures_util::TryStreamExt as _;
use remote_state::{Error, ErrorKind, Output as StateOutput, OutputReader, Outputs, Progress, ReadOptions};

use crate::args::{Output, OutputFormat};
use crate::commands::no_state;
use crate::exit::Failure;
use crate::session::Session;
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
            ui.line(&env_line(name, output))
        } else if ui.is_json {
            ui.line(output.value.get())
        } else {
            ui.line(&crate::ui::harmless(&pretty(&output.value)))
        };
    }
    if ui.is_json {
        return ui
            .json(&outputs.iter().map(|(name, output)| (name, Described(output))).collect::<Listing<'_>>());
    }
    if args.format == Some(OutputFormat::Env) {
        return outputs.iter().try_for_each(|(name, output)| ui.line(&env_line(name, output)));
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
type Listing<'a> = std::collections::BTreeMap<&'a str, Described<'a>>;

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
    let names: Vec<_> = outputs.iter().map(|(name, _)| format!("`{name}`")).collect();
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
        .with_hint(format!("print it with `remote-state output {name} --json`"))
        .into()
    })
}

/// A line that a POSIX shell reads back as the same text, whatever is in it.
fn env_line(name: &str, output: &StateOutput) -> String {
    let text = output.as_plain_text().unwrap_or_else(|| compact(&output.value));
    format!("{}='{}'", name.replace('-', "_"), text.replace('\'', r"'\''"))
}
