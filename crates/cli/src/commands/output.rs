//! `output`: prints root outputs, reading the state no further than necessary.

use std::collections::BTreeMap;
use std::fmt;

use futures_util::TryStreamExt as _;
use remote_state::{
    Error, ErrorKind, Output as StateOutput, OutputReader, Outputs, Progress, ReadOptions,
};

use crate::args::{Output, OutputFormat, is_variable, operand};
use crate::commands::common::{look_at_it, no_state, unreadable, unsealed};
use crate::exit::Failure;
use crate::session::Session;
use crate::terminal::{harmless, harmless_lines};
use crate::tfvars;
use crate::ui::Ui;
use crate::values::{as_written, compact, pretty, readable};

pub(crate) async fn run(session: &Session, args: &Output) -> Result<(), Failure> {
    session.may_read();
    let outputs = read(session).await?;
    let ui = &session.ui;
    if let Some(name) = &args.name {
        let output = outputs.get(name).ok_or_else(|| missing(session, &outputs, name))?;
        return if args.raw {
            ui.answer(plain(ui, name, output)?.as_bytes())
        } else if args.format == Some(OutputFormat::Env) {
            let variable = variable(args, name).map_err(|reason| no_variable(name, &reason))?;
            let line = env_line(&variable, output).map_err(|reason| no_variable(name, &reason))?;
            ui.line(&line)
        } else if args.format == Some(OutputFormat::Tfvars) {
            let line = tfvars_line(args, name, output);
            ui.line(&line.ok_or_else(|| no_variable(name, &NoVariable::NoIdentifier))?)
        } else if ui.is_json {
            ui.json_text(&compact(&output.value))
        } else {
            ui.line(&harmless_lines(&pretty(&output.value)))
        };
    }
    for name in outputs.unreadable() {
        ui.warn(&format!(
            "output `{}` is left out: it has no form that an output can have",
            harmless(name)
        ));
    }
    if ui.is_json {
        return ui.json(
            &outputs
                .iter()
                .map(|(name, output)| (name, Described(output)))
                .collect::<Listing<'_>>(),
        );
    }
    if args.format == Some(OutputFormat::Env) {
        return env_lines(session, args, &outputs);
    }
    if args.format == Some(OutputFormat::Tfvars) {
        return tfvars_lines(session, args, &outputs);
    }
    if outputs.is_empty() {
        ui.note("the state has no outputs");
        return Ok(());
    }
    let shown = |output: &StateOutput| {
        if output.is_sensitive && !args.show_sensitive {
            "<sensitive>".to_owned()
        } else {
            readable(&output.value)
        }
    };
    ui.table(
        &["name", "value"],
        outputs.iter().map(|(name, output)| vec![name.to_owned(), shown(output)]).collect(),
    )
}

/// Outputs in the form of `terraform output -json`, with unchanged values.
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
    let read = read.ok_or_else(|| no_state(session, &session.workspace))?;
    let mut read = unsealed(session, read).await?;
    let mut reader = OutputReader::new();
    let is_verified_at_its_end = session.store.capabilities().has_digests();
    let mut is_done = false;
    while let Some(bytes) = read.body.try_next().await? {
        if !is_done {
            let progress =
                reader.feed(&bytes).map_err(|error| unreadable(session, &read.meta, error))?;
            is_done = progress == Progress::Done;
        }
        if is_done && !is_verified_at_its_end {
            break;
        }
    }
    reader.finish().map_err(|error| unreadable(session, &read.meta, error))
}

fn missing(session: &Session, outputs: &Outputs, name: &str) -> Failure {
    if outputs.unreadable().any(|other| other == name) {
        let location = session.store.location(&session.workspace);
        let reason =
            format!("output `{name}` in `{}` has no form that an output can have", location.state);
        return Error::new(ErrorKind::InvalidState, "read outputs", reason)
            .with_hint(look_at_it(session))
            .into();
    }
    let error = Error::new(
        ErrorKind::NotFound,
        "read outputs",
        format!("the state has no output `{name}`"),
    );
    let names: Vec<_> = outputs.iter().map(|(name, _)| format!("`{}`", harmless(name))).collect();
    if names.is_empty() {
        error.with_hint("it has no outputs at all")
    } else {
        error.with_hint(format!("it has {}", names.join(", ")))
    }
    .into()
}

fn plain(ui: &Ui, name: &str, output: &StateOutput) -> Result<String, Failure> {
    let print_it = || {
        let json = ui.command(&format!("output --json {}", operand(&harmless(name))));
        format!("print it with {json}")
    };
    output.as_plain_text().ok_or_else(|| {
        if is_null(output) {
            return Error::new(
                ErrorKind::Unsupported,
                "print",
                format!("the value of output `{name}` is null"),
            )
            .with_hint(print_it())
            .into();
        }
        Error::new(
            ErrorKind::Unsupported,
            "print",
            format!("output `{name}` is neither a string nor a number nor a bool"),
        )
        .with_hint(print_it())
        .into()
    })
}

/// Prints a line for each output whose name a variable can have.
fn tfvars_lines(session: &Session, args: &Output, outputs: &Outputs) -> Result<(), Failure> {
    let mut lines = String::new();
    for (name, output) in outputs.iter() {
        match tfvars_line(args, name, output) {
            Some(line) => lines.extend([&*line, "\n"]),
            None => {
                let (name, reason) = (harmless(name), NoVariable::NoIdentifier);
                session.ui.warn(&format!("output `{name}` is left out: {reason}"));
            }
        }
    }
    session.ui.answer(lines.as_bytes())
}

fn tfvars_line(args: &Output, name: &str, output: &StateOutput) -> Option<String> {
    let prefix = args.prefix.as_deref().unwrap_or_default();
    tfvars::line(&format!("{prefix}{name}"), &output.value)
}

/// Prints a line for each output whose name is valid in a shell.
fn env_lines(session: &Session, args: &Output, outputs: &Outputs) -> Result<(), Failure> {
    let mut seen = BTreeMap::new();
    let mut lines = String::new();
    for (name, output) in outputs.iter() {
        let line = variable(args, name)
            .and_then(|variable| env_line(&variable, output).map(|line| (variable, line)));
        let (variable, line) = match line {
            Ok(line) => line,
            Err(reason) => {
                let advice = if reason.would_pass_with_a_prefix() {
                    "; give the variables a `--prefix`"
                } else {
                    ""
                };
                session.ui.warn(&format!("output `{name}` is left out: {reason}{advice}"));
                continue;
            }
        };
        lines.push_str(&line);
        lines.push('\n');
        if let Some(other) = seen.insert(variable.clone(), name) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "print",
                format!("outputs `{other}` and `{name}` would both be the variable `{variable}`"),
            )
            .with_hint(format!(
                "print them one by one with {}",
                session.ui.command(&format!("output --raw {}", operand(name)))
            ))
            .into());
        }
    }
    session.ui.answer(lines.as_bytes())
}

/// Why an output cannot become a variable.
enum NoVariable {
    /// The name is invalid in every shell.
    Impossible,
    /// The name is invalid in HCL.
    NoIdentifier,
    /// Shells or programs act on the variable.
    Taken(String),
    /// Without a prefix, shells or programs may act on a name in capitals. No list of such names is
    /// complete.
    Capitals(String),
    /// The value is `null`: a variable set to nothing would still be set.
    Null,
    /// The value contains a NUL, which a shell drops.
    Nul,
}

impl NoVariable {
    fn would_pass_with_a_prefix(&self) -> bool {
        matches!(self, Self::Taken(_) | Self::Capitals(_))
    }
}

impl fmt::Display for NoVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoIdentifier => f.write_str("no variable of Terraform can have that name"),
            Self::Impossible => f.write_str("a shell cannot have a variable of that name"),
            Self::Taken(variable) => {
                write!(f, "the variable `{variable}` has a meaning of its own")
            }
            Self::Capitals(variable) => {
                write!(
                    f,
                    "the variable `{variable}` has capitals, and may have a meaning of its own"
                )
            }
            Self::Null => f.write_str("its value is null"),
            Self::Nul => f.write_str("its value has a NUL character, which a shell drops"),
        }
    }
}

/// Returns the name of the variable for an output. The author of the state chose the output's name,
/// and the line goes to a shell.
fn variable(args: &Output, name: &str) -> Result<String, NoVariable> {
    let variable =
        format!("{}{}", args.prefix.as_deref().unwrap_or_default(), name.replace('-', "_"));
    if !is_variable(&variable) {
        Err(NoVariable::Impossible)
    } else if is_taken(&variable) {
        Err(NoVariable::Taken(variable))
    } else if args.prefix.is_none() && variable.contains(|c: char| c.is_ascii_uppercase()) {
        Err(NoVariable::Capitals(variable))
    } else {
        Ok(variable)
    }
}

/// Returns whether shells, or programs that they start, act on a variable. The list cannot be
/// complete; a prefix avoids such names.
fn is_taken(variable: &str) -> bool {
    /// Some are numbers to a shell, which evaluates the assigned value, including commands in it.
    const NAMES: &str = " BROWSER CDPATH COLUMNS EDITOR ENV EUID FCEDIT FIGNORE FPATH GLOBIGNORE \
                         HISTCMD HISTFILE HISTSIZE HOME IFS GCONV_PATH JAVA_TOOL_OPTIONS KSHEGID \
                         KSHGID KSHUID KUBECONFIG PGRP PIPESTATUS REQUESTS_CA_BUNDLE USER_ID \
                         INPUTRC LINENO LINES MAIL MAILPATH MANPATH NODE_OPTIONS NODE_PATH OPTERR \
                         OPTIND PAGER PATH PPID PS0 PS1 PS2 PS3 PS4 PWD RANDOM RUBYLIB RUBYOPT \
                         SAVEHIST SECONDS SHELL SHELLOPTS SHLVL SRANDOM TMOUT TMPDIR UID VISUAL \
                         ZDOTDIR _ cdpath fpath mailpath manpath module_path path prompt ";
    const STARTS: [&str; 19] = [
        "ALIBABA_CLOUD_",
        "ALICLOUD_",
        "AWS_",
        "BASH",
        "CURL_",
        "DOCKER_",
        "DOTNET_",
        "DYLD_",
        "EPOCH",
        "GIT_",
        "LD_",
        "OSS_",
        "PERL5",
        "PROMPT",
        "PYTHON",
        "REMOTE_STATE_",
        "SPACES_",
        "SSL_CERT_",
        "TF_",
    ];
    NAMES.split_ascii_whitespace().any(|name| name == variable)
        || STARTS.iter().any(|start| variable.starts_with(start))
        || variable.to_ascii_lowercase().ends_with("_proxy")
}

fn no_variable(name: &str, reason: &NoVariable) -> Failure {
    Error::new(ErrorKind::Unsupported, "print", format!("output `{name}` is left out: {reason}"))
        .with_hint(match reason {
            NoVariable::Null | NoVariable::Nul => "print the value as JSON with `--json`",
            _ => {
                "give the variable a prefix, such as `--prefix out_`, or print the value alone \
                 with `--raw`"
            }
        })
        .into()
}

/// Returns a line that a POSIX shell reads back as the same text, whatever the text contains.
fn env_line(variable: &str, output: &StateOutput) -> Result<String, NoVariable> {
    if is_null(output) {
        return Err(NoVariable::Null);
    }
    let text = output.as_plain_text().unwrap_or_else(|| compact(&output.value));
    if text.contains('\0') {
        return Err(NoVariable::Nul);
    }
    Ok(format!("{variable}='{}'", text.replace('\'', r"'\''")))
}

fn is_null(output: &StateOutput) -> bool {
    output.value.get() == "null"
}
