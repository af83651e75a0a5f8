//! The table at the end of a run, also as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::bench::places::Places;
use crate::bench::rows::{Bar, Row};

/// The maximum size of the program, in bytes.
const LONGEST: u64 = 25_000_000;

/// The measurements of one program.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    pub(crate) name: &'static str,
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    pub(crate) peak_bytes: u64,
}

/// A row, compared with its bar.
#[derive(Debug)]
struct Line {
    name: &'static str,
    measured: Vec<Measured>,
    /// The result and the bar.
    bar: String,
    is_fast_enough: bool,
    peak_bytes: Option<u64>,
    is_small_enough: bool,
}

#[derive(Debug)]
pub(crate) struct Report {
    lines: Vec<Line>,
    size_bytes: Option<u64>,
    absences: Vec<String>,
}

impl Report {
    pub(crate) fn new(places: &Places) -> Self {
        Self { lines: Vec::new(), size_bytes: None, absences: places.absences() }
    }

    pub(crate) fn add(&mut self, row: &Row, measured: Vec<Measured>) {
        let Some(ours) = measured.first() else { return };
        let other = measured.get(1).map_or(f64::NAN, |other| other.seconds);
        let (bar, is_fast_enough) = match row.bar {
            Bar::AtMost(most) => {
                let ratio = ours.seconds / other;
                (format!("{ratio:.2} × (at most {most:.1})"), ratio <= most)
            }
            Bar::TimesFaster(least) => {
                let ratio = other / ours.seconds;
                (format!("{ratio:.1} × faster (at least {least:.0})"), ratio >= least)
            }
            Bar::Seconds(most) => (format!("at most {}", seconds(most)), ours.seconds <= most),
        };
        let is_small_enough = row.peak_bytes.is_none_or(|most| ours.peak_bytes <= most);
        let peak_bytes = row.peak_bytes;
        self.lines.push(Line {
            name: row.name,
            measured,
            bar,
            is_fast_enough,
            peak_bytes,
            is_small_enough,
        });
    }

    pub(crate) fn size(&mut self, size_bytes: u64) {
        self.size_bytes = Some(size_bytes);
    }

    /// Returns the number of missed bars.
    pub(crate) fn missed(&self) -> usize {
        let lines = self
            .lines
            .iter()
            .map(|line| usize::from(!line.is_fast_enough) + usize::from(!line.is_small_enough));
        lines.sum::<usize>() + usize::from(self.size_bytes.is_some_and(|size| size > LONGEST))
    }

    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        let mut say = |line: String| {
            writeln!(text, "{}", line.trim_end()).expect("a string takes everything");
        };
        for line in &self.lines {
            say(format!("\n{}: {} {}", line.name, line.bar, mark(line.is_fast_enough)));
            for (number, measured) in line.measured.iter().enumerate() {
                let peak = measured.peak_bytes as f64 / f64::from(1 << 20);
                let bar = match line.peak_bytes {
                    Some(most) if number == 0 => {
                        format!(" (at most {}) {}", most >> 20, mark(line.is_small_enough))
                    }
                    _ => String::new(),
                };
                say(format!(
                    "  {:20} {:>9}  {peak:>7.1} MiB{bar}  {} rounds",
                    measured.name,
                    seconds(measured.seconds),
                    measured.rounds
                ));
            }
        }
        if let Some(size) = self.size_bytes {
            let megabytes = size as f64 / 1e6;
            say(format!(
                "\nbinary: {megabytes:.1} MB (at most {}) {}",
                LONGEST / 1_000_000,
                mark(size <= LONGEST)
            ));
        }
        say(String::new());
        for absence in &self.absences {
            say(format!("skipped: {absence}"));
        }
        say(format!("{} bars missed, {} programs skipped", self.missed(), self.absences.len()));
        text
    }

    pub(crate) fn json(&self) -> Value {
        let lines: Vec<_> = self
            .lines
            .iter()
            .map(|line| {
                let measured: Vec<_> = line
                    .measured
                    .iter()
                    .map(|measured| {
                        json!({
                            "program": measured.name,
                            "rounds": measured.rounds,
                            "median_seconds": measured.seconds,
                            "peak_bytes": measured.peak_bytes,
                        })
                    })
                    .collect();
                json!({
                    "name": line.name,
                    "bar": line.bar,
                    "is_fast_enough": line.is_fast_enough,
                    "peak_bytes_at_most": line.peak_bytes,
                    "is_small_enough": line.is_small_enough,
                    "programs": measured,
                })
            })
            .collect();
        json!({
            "version": 1,
            "rows": lines,
            "binary_bytes": self.size_bytes,
            "missed": self.missed(),
            "skipped": self.absences,
        })
    }
}

fn mark(is_met: bool) -> &'static str {
    if is_met { "✓" } else { "MISSED" }
}

fn seconds(seconds: f64) -> String {
    if seconds < 0.1 { format!("{:.1} ms", seconds * 1e3) } else { format!("{seconds:.2} s") }
}
