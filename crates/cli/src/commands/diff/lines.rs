//! The answer of `diff` for people.

use anstyle::{AnsiColor, Style};
use remote_state::StateHeader;
use remote_state_operations::diff::{
    AttributeChange, AttributeChangeKind, Change, OutputChange, ProviderChange, Report,
    ResourceChange, SameBy, Summary,
};
use remote_state_operations::masking::Shown;

use crate::exit::Failure;
use crate::terminal::harmless;
use crate::ui::Ui;

/// The most characters of a value on a line.
const LONGEST_VALUE: usize = 120;

/// How many characters before the first difference of two long values are shown.
const BEFORE_DIFFERENCE: usize = 20;

/// The longest path that the values are aligned for.
const LONGEST_ALIGNED: usize = 40;

const GREEN: Style = AnsiColor::Green.on_default();
const RED: Style = AnsiColor::Red.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();
const CYAN: Style = AnsiColor::Cyan.on_default();

pub(super) struct Lines<'u> {
    ui: &'u Ui,
}

/// Writes how the headers differ.
pub(super) fn head(ui: &Ui, a: &StateHeader, b: &StateHeader) -> Result<(), Failure> {
    let pair = |a: &str, b: &str| if a == b { a.to_owned() } else { format!("{a} → {b}") };
    let mut line = format!("serial {}", pair(&a.serial.to_string(), &b.serial.to_string()));
    let program = |header: &StateHeader| {
        header.terraform_version.clone().unwrap_or_else(|| "unknown".to_owned())
    };
    if a.terraform_version.is_some() || b.terraform_version.is_some() {
        line.push_str(&format!(", Terraform {}", pair(&program(a), &program(b))));
    }
    ui.line(&harmless(&line))?;
    if a.lineage != b.lineage {
        ui.line(&harmless(&format!("another lineage: {} → {}", a.lineage, b.lineage)))?;
    }
    Ok(())
}

/// Writes how many differ.
pub(super) fn summary(ui: &Ui, summary: &Summary) -> Result<(), Failure> {
    let counts = [
        (summary.added, "added"),
        (summary.removed, "removed"),
        (summary.moved, "moved"),
        (summary.changed, "changed"),
        (summary.replaced, "replaced"),
        (summary.tainted, "tainted or not"),
        (summary.deposed, "deposed"),
        (summary.schema_versions, "of another schema version"),
    ];
    let mut told: Vec<_> = (counts.iter())
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    match summary.outputs {
        0 => {}
        1 => told.push("1 output".to_owned()),
        outputs => told.push(format!("{outputs} outputs")),
    }
    if told.is_empty() {
        told.push("nothing differs".to_owned());
    }
    ui.line(&format!("{}; {} unchanged", told.join(", "), summary.unchanged))
}

impl<'u> Lines<'u> {
    pub(super) fn new(ui: &'u Ui) -> Self {
        Self { ui }
    }

    fn attribute(&self, change: &AttributeChange, width: usize) -> Result<(), Failure> {
        let path = harmless(&change.path);
        let told = values(change.change, &change.before, &change.after);
        self.ui.coloured_line(format!("    {path:width$}  {told}").trim_end())
    }
}

/// Returns the sign before a change, and its colour.
fn sign(change: Change) -> (&'static str, Style) {
    match change {
        Change::Added => ("+", GREEN),
        Change::Removed => ("-", RED),
        Change::Moved => ("→", CYAN),
        Change::Replaced => ("±", YELLOW),
        _ => ("~", YELLOW),
    }
}

impl Report for Lines<'_> {
    type Error = Failure;

    fn resource(&mut self, change: &ResourceChange) -> Result<(), Failure> {
        let (sign, style) = sign(change.change);
        let mut line = format!("{style}{sign}{style:#} ");
        if let Some(previous) = &change.previous_address {
            line.push_str(&format!("{} → ", harmless(previous)));
        }
        line.push_str(&harmless(&change.address));
        let mut notes = Vec::new();
        match &change.same_by {
            None => {}
            Some(SameBy::Identity) => notes.push("same identity".to_owned()),
            Some(SameBy::Id(Shown::Value(id))) => {
                notes.push(format!("same id {}", shortened(id.get().trim_matches('"'), 0)));
            }
            Some(SameBy::Id(_)) => notes.push("same id".to_owned()),
            Some(_) => notes.push("same attributes".to_owned()),
        }
        if let Some(key) = &change.deposed {
            notes.push(format!("deposed {key}"));
        }
        if change.change == Change::Replaced {
            notes.push("replaced".to_owned());
        }
        match change.tainted {
            Some(true) => notes.push("tainted".to_owned()),
            Some(false) => notes.push("no longer tainted".to_owned()),
            None => {}
        }
        if let Some((before, after)) = change.schema_versions {
            notes.push(format!("schema version {before} → {after}"));
        }
        if !notes.is_empty() {
            line.push_str(&format!("   ({})", harmless(&notes.join(", "))));
        }
        self.ui.coloured_line(&line)?;
        let width = change.attributes.iter().map(|change| change.path.chars().count()).max();
        let width = width.unwrap_or(0).min(LONGEST_ALIGNED);
        change.attributes.iter().try_for_each(|change| self.attribute(change, width))
    }

    fn output(&mut self, change: &OutputChange) -> Result<(), Failure> {
        let (sign, style) = sign(match change.change {
            AttributeChangeKind::Added => Change::Added,
            AttributeChangeKind::Removed => Change::Removed,
            _ => Change::Changed,
        });
        let name = harmless(&change.name);
        let told = values(change.change, &change.before, &change.after);
        let line = format!("{style}{sign}{style:#} output {name}   {told}");
        self.ui.coloured_line(line.trim_end())
    }

    fn provider(&mut self, change: &ProviderChange) -> Result<(), Failure> {
        let ProviderChange { before, after, instances, .. } = change;
        let noun = if *instances == 1 { "instance" } else { "instances" };
        let line = format!("{} → {}   ({instances} {noun})", harmless(before), harmless(after));
        self.ui.coloured_line(&format!("{YELLOW}~{YELLOW:#} provider {line}"))
    }
}

/// Returns the values of a change on one line.
fn values(change: AttributeChangeKind, before: &Shown, after: &Shown) -> String {
    if matches!(before, Shown::Hidden) || matches!(after, Shown::Hidden) {
        return format!(
            "(sensitive) {}",
            match change {
                AttributeChangeKind::Added => "added",
                AttributeChangeKind::Removed => "removed",
                AttributeChangeKind::Sensitivity => "marked differently",
                _ => "changed",
            }
        );
    }
    if change == AttributeChangeKind::Reordered {
        return "reordered".to_owned();
    }
    match (before.json(), after.json()) {
        (Some(before), Some(after)) => {
            let (before, after) = (before.get(), after.get());
            let same = before.chars().zip(after.chars()).take_while(|(one, other)| one == other);
            let start = same.count().saturating_sub(BEFORE_DIFFERENCE);
            format!(
                "{RED}{}{RED:#} → {GREEN}{}{GREEN:#}",
                shortened(before, start),
                shortened(after, start)
            )
        }
        (Some(before), None) => format!("{RED}- {}{RED:#}", shortened(before.get(), 0)),
        (None, Some(after)) => format!("{GREEN}+ {}{GREEN:#}", shortened(after.get(), 0)),
        (None, None) => match change {
            AttributeChangeKind::Changed => String::new(),
            change => change.as_str().to_owned(),
        },
    }
}

/// Returns a value as it is if it is short. Of a long one it returns a part that begins at `start`.
fn shortened(value: &str, start: usize) -> String {
    let length = value.chars().count();
    if length <= LONGEST_VALUE {
        return harmless(value);
    }
    let start = start.min(length.saturating_sub(LONGEST_VALUE));
    let part: String = value.chars().skip(start).take(LONGEST_VALUE).collect();
    let before = if start > 0 { "…" } else { "" };
    let after = if start + LONGEST_VALUE < length { "…" } else { "" };
    format!("{before}{}{after}", harmless(&part))
}
