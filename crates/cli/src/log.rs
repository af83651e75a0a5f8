//! The log: events as single lines on stderr, or as the warnings of a command.

use std::collections::HashSet;
use std::fmt::Debug;
use std::io;
use std::sync::{Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer};

use crate::terminal::harmless;
use crate::ui::Ui;

/// Prints events of the libraries like the command's own warnings, each once.
#[derive(Debug)]
pub(crate) struct Warnings {
    ui: Ui,
    printed: Mutex<HashSet<Warning>>,
}

impl Warnings {
    pub(crate) fn new(ui: Ui) -> Self {
        Self { ui, printed: Mutex::default() }
    }
}

impl<S: tracing::Subscriber> Layer<S> for Warnings {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut warning = Warning::default();
        event.record(&mut warning);
        let mut printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        if printed.insert(warning.clone()) {
            self.ui.warn(&warning.message);
            self.ui.lines(&warning.fields);
        }
    }
}

/// The message of an event, and the values that it records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Warning {
    message: String,
    fields: Vec<(String, String)>,
}

impl Warning {
    fn add(&mut self, field: &Field, value: String) {
        match field.name() {
            "message" => self.message = value,
            "error" => self.fields.push(("because".to_owned(), value)),
            name => self.fields.push((name.replace('_', " "), value)),
        }
    }
}

impl Visit for Warning {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add(field, format!("{value:?}"));
    }
}

/// A writer of log lines that removes everything that makes a terminal do more than show text, or
/// that makes one line look like two.
///
/// Clients, stores and states influence what is logged. The calls record such text as values, which
/// are escaped; this covers calls that do not, in the libraries too.
#[derive(Debug)]
pub(crate) struct Lines<W> {
    pub(crate) to: W,
    /// Keeps colours: only this program writes them.
    pub(crate) has_colours: bool,
}

impl<W: io::Write> io::Write for Lines<W> {
    /// Each call writes one whole event, with its line end.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let mut rest = text.strip_suffix('\n').unwrap_or(&text);
        let mut line = String::with_capacity(rest.len() + 1);
        while let Some(at) = self.has_colours.then(|| rest.find("\x1b[")).flatten() {
            let after = &rest[at + 2..];
            let codes =
                after.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(after.len());
            let length = if after[codes..].starts_with('m') { at + 2 + codes + 1 } else { 0 };
            if length == 0 {
                line.push_str(&harmless(&rest[..at + 2]));
                rest = after;
            } else {
                line.push_str(&harmless(&rest[..at]));
                line.push_str(&rest[at..length]);
                rest = &rest[length..];
            }
        }
        line.push_str(&harmless(rest));
        line.push('\n');
        self.to.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn written(has_colours: bool, event: &str) -> String {
        let mut lines = Lines { to: Vec::new(), has_colours };
        lines.write_all(event.as_bytes()).unwrap();
        String::from_utf8(lines.to).unwrap()
    }

    /// A line of its own, a cleared screen, the clipboard (OSC 52), a title, and right-to-left
    /// text.
    #[test]
    fn an_event_is_one_line_and_does_nothing_to_a_terminal() {
        for event in [
            "WARN x=a\n2026-01-01 INFO forged\n",
            "WARN x=a\r\x1b[2Jb\n",
            "WARN x=\x1b]52;c;Zm9v\x07\n",
            "WARN x=\u{9b}2J\u{202e}b\n",
        ] {
            for has_colours in [false, true] {
                let line = written(has_colours, event);
                assert_eq!(line.matches('\n').count(), 1, "{line:?}");
                assert!(
                    line.ends_with('\n') && !line.trim_end().contains(char::is_control),
                    "{line:?}"
                );
                assert!(!line.contains('\u{202e}'), "{line:?}");
            }
        }
    }

    #[test]
    fn colours_are_let_through_where_they_are_our_own() {
        let event = "\x1b[2m2026\x1b[0m \x1b[1;33m WARN\x1b[0m a\x1b[2Jb\n";
        assert_eq!(
            written(true, event),
            format!("\x1b[2m2026\x1b[0m \x1b[1;33m WARN\x1b[0m a{}b\n", harmless("\x1b[2J"))
        );
        assert!(!written(false, event).contains('\x1b'));
    }
}
