//! Patterns that people type.

/// A pattern without regard to case: `*` stands for any text, `?` for any character. Brackets stand
/// for themselves, since addresses hold them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// In lower case.
    text: Vec<char>,
    has_wildcards: bool,
}

impl Pattern {
    /// Reads a pattern. Every text is one.
    pub fn new(text: &str) -> Self {
        let text: Vec<_> = text.chars().flat_map(char::to_lowercase).collect();
        let has_wildcards = text.iter().any(|c| matches!(c, '*' | '?'));
        Self { text, has_wildcards }
    }

    /// Returns whether the whole text matches.
    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<_> = text.chars().flat_map(char::to_lowercase).collect();
        is_match(&self.text, &text)
    }

    /// Returns whether the text contains the pattern; with wildcards, whether it matches as a
    /// whole.
    pub fn is_found_in(&self, text: &str) -> bool {
        if self.has_wildcards || self.text.is_empty() {
            return self.matches(text);
        }
        let text: Vec<_> = text.chars().flat_map(char::to_lowercase).collect();
        text.windows(self.text.len()).any(|window| window == self.text)
    }

    /// Returns whether an address matches; without wildcards, whether it is this one or one below
    /// it: an instance of a resource, or what a module holds.
    pub fn covers(&self, address: &str) -> bool {
        if self.has_wildcards {
            return self.matches(address);
        }
        let address: Vec<_> = address.chars().flat_map(char::to_lowercase).collect();
        let rest = address.strip_prefix(&*self.text);
        rest.is_some_and(|rest| matches!(rest.first(), None | Some('.' | '[')))
    }
}

/// Matches in time that grows with the product of both lengths at most: it goes back only to the
/// last `*`.
fn is_match(pattern: &[char], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(c) = text.get(t) {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(wanted) if *wanted == '?' || wanted == c => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((star_p, star_t)) = star else { return false };
                star = Some((star_p, star_t + 1));
                p = star_p + 1;
                t = star_t + 1;
            }
        }
    }
    pattern.get(p..).is_none_or(|rest| rest.iter().all(|c| *c == '*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_stand_for_text_and_brackets_for_themselves() {
        for (pattern, text, expected) in [
            ("aws_*", "AWS_vpc", true),
            ("*[0]", "a.b[0]", true),
            ("*[0]", "a.b0", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b", "xxaxxbx", false),
            ("", "", true),
            ("", "x", false),
            ("Ü*", "über", true),
        ] {
            assert_eq!(Pattern::new(pattern).matches(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_without_wildcards_is_found_anywhere_and_covers_what_is_below() {
        assert!(Pattern::new("VPC").is_found_in("aws_vpc.main"));
        assert!(!Pattern::new("vpc*").is_found_in("aws_vpc.main"));
        for (address, expected) in [
            ("module.net", true),
            ("module.net.aws_vpc.a", true),
            ("module.net[0].aws_vpc.a", true),
            ("module.network.aws_vpc.a", false),
        ] {
            assert_eq!(Pattern::new("module.net").covers(address), expected, "{address}");
        }
    }
}
