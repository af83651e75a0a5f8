//! Parses the output of a test binary.

use crate::test::requirement::Requirement;

/// The sum over all `test result:` lines of one program.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) ignored: Vec<Ignored>,
    /// The number of `test result:` lines.
    results: usize,
}

/// A test that did not run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Ignored {
    /// The text in brackets before the name: libtest-mimic's kind of test.
    kind: String,
    pub(crate) name: String,
    reason: Option<String>,
}

impl Outcome {
    /// Parses the output of libtest, of libtest-mimic, or of `cargo test --doc`, which prints
    /// several results.
    pub(crate) fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Self {
        let mut outcome = Self::default();
        let mut announced = 0;
        for line in lines {
            if let Some(result) = line.strip_prefix("test result: ") {
                outcome.results += 1;
                outcome.passed += count(result, "passed");
                outcome.failed += count(result, "failed");
                announced += count(result, "ignored");
            } else if let Some(ignored) = Ignored::parse(line) {
                outcome.ignored.push(ignored);
            }
        }
        // Trust the result line: a test may print in the middle of another's line, and a quiet run
        // prints none.
        outcome.ignored.truncate(announced);
        outcome.ignored.resize_with(announced, Ignored::default);
        outcome
    }

    /// Returns a failure that the counts do not show.
    pub(crate) fn unreported_failure(&self, success: bool) -> Option<&'static str> {
        match (self.results, success) {
            (0, _) => Some("ended without a result, so it crashed"),
            (_, false) if self.failed == 0 => Some("failed without a failing test"),
            _ => None,
        }
    }
}

impl Ignored {
    fn parse(line: &str) -> Option<Self> {
        let (name, outcome) = line.strip_prefix("test ")?.rsplit_once(" ... ignored")?;
        let reason = match outcome.strip_prefix(", ") {
            Some(reason) => Some(reason.to_owned()),
            None if outcome.is_empty() => None,
            None => Some(outcome.strip_prefix(" (")?.strip_suffix(')')?.to_owned()),
        };
        let name = name.trim();
        let (kind, name) = name
            .strip_prefix('[')
            .and_then(|rest| rest.split_once(']'))
            .map_or(("", name), |(kind, name)| (kind, name.trim()));
        Some(Self { kind: kind.to_owned(), name: name.to_owned(), reason })
    }

    /// Returns what the test lacked, by its kind, else by a word of its name, else by its suite.
    pub(crate) fn requirement(&self, suite: &str) -> Option<Requirement> {
        let words = self.name.split(|c: char| !c.is_ascii_alphanumeric());
        std::iter::once(self.kind.as_str()).chain(words).chain([suite]).find_map(Requirement::parse)
    }

    pub(crate) fn own_reason(&self) -> String {
        self.reason.clone().unwrap_or_else(|| "marked as ignored".to_owned())
    }
}

/// Returns the number before a word in `ok. 3 passed; 0 failed; …`.
fn count(result: &str, word: &str) -> usize {
    result
        .split([';', '.'])
        .find_map(|part| part.trim().strip_suffix(word)?.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::requirement::Program;

    fn parse(text: &str) -> Outcome {
        Outcome::parse(text.lines())
    }

    #[test]
    fn libtest_results_are_counted() {
        let outcome = parse(
            "running 4 tests\ntest a ... ok\ntest b ... FAILED\ntest c ... ignored, needs a \
             moon\ntest d ... ignored\n\ntest result: FAILED. 1 passed; 1 failed; 2 ignored; 0 \
             measured; 7 filtered out; finished in 0.10s",
        );
        assert_eq!((outcome.passed, outcome.failed), (1, 1));
        assert_eq!(outcome.ignored[0].own_reason(), "needs a moon");
        assert_eq!(outcome.ignored[1].own_reason(), "marked as ignored");
        assert_eq!(outcome.unreported_failure(false), None);
    }

    #[test]
    fn several_results_are_summed() {
        let line = "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(parse(&format!("{line}\n{line}")).passed, 4);
    }

    #[test]
    fn libtest_mimic_tells_the_kind_and_the_reason() {
        let outcome = parse(
            "test [s3/minio]  native state is read      ... ignored (no endpoint)\ntest result: \
             ok. 0 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        );
        let ignored = &outcome.ignored[0];
        assert_eq!(
            (ignored.kind.as_str(), ignored.name.as_str()),
            ("s3/minio", "native state is read")
        );
        assert_eq!(ignored.own_reason(), "no endpoint");
        assert_eq!(ignored.requirement("cli"), Some(Requirement::Setup("s3/minio".into())));
    }

    #[test]
    fn a_requirement_is_told_by_the_name_or_the_suite() {
        let named = |name: &str| Ignored { name: name.into(), ..Ignored::default() };
        assert_eq!(
            named("tofu::plan_is_empty").requirement("cli"),
            Some(Requirement::Program(Program::Tofu))
        );
        assert_eq!(
            named("plan_is_empty").requirement("terraform"),
            Some(Requirement::Program(Program::Terraform))
        );
        assert_eq!(named("plan_is_empty").requirement("cli"), None);
    }

    #[test]
    fn a_program_without_a_result_crashed() {
        assert!(parse("running 3 tests\ntest a ... ").unreported_failure(true).is_some());
    }

    #[test]
    fn a_bad_end_is_a_failure_even_with_good_counts() {
        let outcome =
            parse("test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
        assert!(outcome.unreported_failure(false).is_some());
        assert!(outcome.unreported_failure(true).is_none());
    }

    #[test]
    fn the_result_line_decides_how_many_were_ignored() {
        let outcome =
            parse("test result: ok. 0 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out");
        assert_eq!(outcome.ignored.len(), 2);
    }
}
