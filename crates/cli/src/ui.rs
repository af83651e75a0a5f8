//! All output: answers on stdout, messages on stderr.

use std::io::{self, IsTerminal as _, Write as _};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table, presets};
use remote_state::{Error, ErrorKind};
use serde::Serialize;

use crate::advice::Commands;
use crate::args::{Color, Global};
use crate::exit::Failure;
use crate::terminal::{escaped, harmless, harmless_lines};

const RED: Style = AnsiColor::Red.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
const GREEN: Style = AnsiColor::Green.on_default();
const CYAN: Style = AnsiColor::Cyan.on_default().bold();

/// The output of the program.
#[derive(Clone, Debug)]
pub(crate) struct Ui {
    color: ColorChoice,
    pub(crate) is_json: bool,
    is_quiet: bool,
    is_verbose: bool,
    commands: Commands,
}

impl Ui {
    pub(crate) fn new(global: &Global) -> Self {
        Self {
            color: match global.color {
                Color::Auto => ColorChoice::Auto,
                Color::Always => ColorChoice::Always,
                Color::Never => ColorChoice::Never,
            },
            is_json: global.json,
            is_quiet: global.quiet,
            is_verbose: global.verbose > 0,
            commands: Commands::new(global),
        }
    }

    /// Returns the commands for hints.
    pub(crate) fn commands(&self) -> &Commands {
        &self.commands
    }

    /// Returns a command for a hint, in backticks and with the flags that select the state.
    pub(crate) fn command(&self, words: &str) -> String {
        self.commands.named(words)
    }

    /// Returns whether to print more than the essential messages.
    pub(crate) fn is_verbose(&self) -> bool {
        self.is_verbose
    }

    /// Writes a part of the answer, byte for byte.
    pub(crate) fn answer(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|error| {
            if error.kind() == io::ErrorKind::BrokenPipe {
                Failure::BrokenPipe
            } else {
                Error::new(
                    ErrorKind::Local,
                    "print",
                    format!("cannot write to standard output: {error}"),
                )
                .with_source(error)
                .into()
            }
        })
    }

    /// Writes a line of the answer.
    pub(crate) fn line(&self, text: &str) -> Result<(), Failure> {
        self.answer(format!("{text}\n").as_bytes())
    }

    /// Writes a line of the answer in which text is coloured, where colours are wanted. What came
    /// from a store is safe in it already.
    pub(crate) fn coloured_line(&self, text: &str) -> Result<(), Failure> {
        let choice = match self.color {
            ColorChoice::Auto => AutoStream::choice(&io::stdout()),
            choice => choice,
        };
        match choice {
            ColorChoice::Never => self.line(&anstream::adapter::strip_str(text).to_string()),
            _ => self.line(text),
        }
    }

    /// Writes the answer as JSON.
    pub(crate) fn json(&self, value: &impl Serialize) -> Result<(), Failure> {
        self.json_text(&serde_json::to_string_pretty(value).map_err(not_as_json)?)
    }

    /// Writes a piece of an answer in JSON.
    pub(crate) fn json_piece(&self, text: &str) -> Result<(), Failure> {
        self.answer(escaped(text).as_bytes())
    }

    /// Writes an answer that is already JSON.
    pub(crate) fn json_text(&self, text: &str) -> Result<(), Failure> {
        self.line(&escaped(text))
    }

    /// Writes the answer as a table. Text from a store is made safe for the terminal first.
    pub(crate) fn table(&self, head: &[&str], rows: Vec<Vec<String>>) -> Result<(), Failure> {
        self.line(&table(head, rows))
    }

    /// Shows a table before a question. It is no answer.
    pub(crate) fn note_table(&self, head: &[&str], rows: Vec<Vec<String>>) {
        self.say_lines(Style::new(), "", &table(head, rows));
    }

    /// Reports a completed action.
    pub(crate) fn done(&self, text: &str) {
        self.say(GREEN, "", text);
    }

    /// Reports progress.
    pub(crate) fn note(&self, text: &str) {
        self.say(Style::new(), "", text);
    }

    /// Prints a warning.
    pub(crate) fn warn(&self, text: &str) {
        self.say(YELLOW, "warning: ", text);
    }

    fn say(&self, style: Style, label: &str, text: &str) {
        self.say_lines(style, label, &harmless(text));
    }

    /// Prints text that is already safe.
    fn say_lines(&self, style: Style, label: &str, text: &str) {
        if !self.is_quiet {
            self.converse(&if label.is_empty() {
                format!("{style}{text}{style:#}\n")
            } else {
                format!("{style}{label}{style:#}{text}\n")
            });
        }
    }

    /// Prints an error: the message, its details, and what to do next.
    pub(crate) fn error(
        &self,
        message: &str,
        lines: &[(String, String)],
        hints: &[String],
        causes: &[String],
    ) {
        let mut text = format!("{RED}error:{RED:#} {}\n", harmless(message));
        let width = lines.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
        for (label, value) in lines {
            text.push_str(&format!("  {label:width$}  {}\n", harmless(value)));
        }
        if self.is_verbose {
            for cause in causes {
                text.push_str(&format!("  caused by: {}\n", harmless(cause)));
            }
        }
        if !hints.is_empty() {
            text.push('\n');
        }
        for hint in hints {
            text.push_str(&format!("{CYAN}hint:{CYAN:#} {}\n", harmless_lines(hint)));
        }
        self.converse(&text);
    }

    /// Prints an error that does not end the command as a warning.
    pub(crate) fn warn_error(&self, error: &Error) {
        self.warn(error.message());
        self.lines(&crate::exit::lines(error));
        for hint in self.commands.hints(error) {
            self.say_lines(CYAN, "hint: ", &harmless_lines(&hint));
        }
    }

    /// Prints the details of a warning.
    pub(crate) fn lines(&self, lines: &[(String, String)]) {
        for (label, value) in lines {
            self.note(&format!("  {label}  {value}"));
        }
    }

    /// Asks for consent. Without a user to ask, there is none.
    pub(crate) fn confirm(&self, question: &str, is_agreed: bool) -> Result<(), Failure> {
        if is_agreed {
            return Ok(());
        }
        let refuse = |reason: &str| {
            Failure::from(
                Error::new(ErrorKind::ConfigInvalid, "ask", reason)
                    .with_hint("to agree beforehand, pass `--yes`"),
            )
        };
        if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
            return Err(refuse("this needs your consent, and there is no terminal to ask on"));
        }
        self.converse(&format!("{} Type `yes` to go on: ", harmless(question)));
        let mut reply = String::new();
        match io::stdin().read_line(&mut reply) {
            Ok(_) if reply.trim() == "yes" => Ok(()),
            _ => Err(refuse("not agreed; nothing was changed")),
        }
    }

    /// Returns whether to show progress: only if a person watches, and no other output goes there.
    pub(crate) fn shows_progress(&self) -> bool {
        !self.is_quiet && !self.is_json && !self.is_verbose && io::stderr().is_terminal()
    }

    fn converse(&self, text: &str) {
        // If stderr is closed, there is nowhere to report that.
        drop(AutoStream::new(io::stderr().lock(), self.color).write_all(text.as_bytes()));
    }
}

/// Lays out a table. Text from a store is made safe for the terminal.
fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    let _: &mut Table = table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(head.iter().map(|name| name.to_uppercase()));
    for row in rows {
        let _: &mut Table = table.add_row(row.iter().map(|cell| harmless(cell)));
    }
    let text: Vec<String> = table
        .lines()
        .map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned())
        .collect();
    text.join("\n")
}

/// Returns a value as JSON on one line.
pub(crate) fn json_line(value: &impl Serialize) -> Result<String, Failure> {
    Ok(serde_json::to_string(value).map_err(not_as_json)?)
}

fn not_as_json(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Unexpected, "print", "the answer cannot be written as JSON")
        .with_source(error)
}
