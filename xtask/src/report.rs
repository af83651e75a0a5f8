//! The table at the end of a run, and the summary line for machines.

use std::fmt::Write;
use std::time::Duration;

/// The result of one suite, or of one step of `ci`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    /// Why each skipped test was skipped, one entry per test.
    pub(crate) skipped: Vec<String>,
    /// Other facts, such as that a binary crashed.
    pub(crate) notes: Vec<String>,
    pub(crate) elapsed: Duration,
}

impl Row {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Creates the row of a step that counts as one: it passed, or it failed for the given reasons.
    pub(crate) fn step(name: impl Into<String>, elapsed: Duration, failures: Vec<String>) -> Self {
        let failed = usize::from(!failures.is_empty());
        Self { passed: 1 - failed, failed, notes: failures, elapsed, ..Self::new(name) }
    }

    pub(crate) fn run(&self) -> usize {
        self.passed + self.failed
    }
}

/// All rows of a run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
}

impl Report {
    pub(crate) fn failed(&self) -> bool {
        self.rows.iter().any(|row| row.failed > 0)
    }

    /// Returns the table, then the summary alone on the very last line.
    pub(crate) fn render(&self) -> String {
        let width = self
            .rows
            .iter()
            .map(|row| row.name.chars().count())
            .max()
            .unwrap_or(0)
            .max("suite".len());
        let mut out = format!(
            "\n{:width$}  {:>6}  {:>6}  {:>7}  {:>8}\n",
            "suite", "run", "failed", "skipped", "time"
        );
        for row in &self.rows {
            let seconds = format!("{:.1} s", row.elapsed.as_secs_f64());
            let line = format!(
                "{:width$}  {:>6}  {:>6}  {:>7}  {seconds:>8}",
                row.name,
                row.run(),
                row.failed,
                row.skipped.len(),
            );
            push_line(&mut out, &line);
            for note in &row.notes {
                push_line(&mut out, &format!("  failed: {note}"));
            }
            for (reason, count) in counted(&row.skipped) {
                push_line(&mut out, &format!("  skipped {count}: {reason}"));
            }
        }
        push_line(&mut out, "");
        push_line(&mut out, &self.summary());
        out
    }

    fn summary(&self) -> String {
        let passed: usize = self.rows.iter().map(|row| row.passed).sum();
        let failed: usize = self.rows.iter().map(|row| row.failed).sum();
        let skipped: usize = self.rows.iter().map(|row| row.skipped.len()).sum();
        format!("{passed} passed, {failed} failed, {skipped} skipped")
    }
}

fn push_line(out: &mut String, line: &str) {
    writeln!(out, "{line}").expect("writing to a string does not fail");
}

/// Groups equal reasons, in the order of their first appearance.
fn counted(reasons: &[String]) -> Vec<(&str, usize)> {
    let mut counted: Vec<(&str, usize)> = Vec::new();
    for reason in reasons {
        match counted.iter_mut().find(|(known, _)| known == reason) {
            Some((_, count)) => *count += 1,
            None => counted.push((reason, 1)),
        }
    }
    counted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let skipped =
            vec!["minio: not found".to_owned(), "minio: not found".to_owned(), "slow".to_owned()];
        Report {
            rows: vec![
                Row { passed: 3, ..Row::new("unit") },
                Row {
                    passed: 1,
                    failed: 1,
                    skipped,
                    notes: vec!["crashed".into()],
                    ..Row::new("minio")
                },
            ],
        }
    }

    #[test]
    fn the_summary_is_alone_on_the_last_line() {
        assert_eq!(report().render().lines().last(), Some("4 passed, 1 failed, 3 skipped"));
        assert!(report().render().ends_with("skipped\n"));
    }

    #[test]
    fn each_reason_for_skipping_is_said_once_with_its_count() {
        let text = report().render();
        assert!(text.contains("  skipped 2: minio: not found\n"), "{text}");
        assert!(text.contains("  skipped 1: slow\n"), "{text}");
        assert!(text.contains("  failed: crashed\n"), "{text}");
    }

    #[test]
    fn an_empty_run_still_ends_in_the_summary() {
        assert_eq!(
            Report::default().render().lines().last(),
            Some("0 passed, 0 failed, 0 skipped")
        );
        assert!(!Report::default().failed());
    }
}
