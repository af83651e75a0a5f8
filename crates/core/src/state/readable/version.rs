//! Names of releases.

/// Returns whether a text is a version: `1.11.4`, `1.17.0-dev`, `0.12.29+ent`, `1.0beta1`. It
/// consists of numbers between dots, the name of a prerelease, and build metadata.
pub(super) fn is_version(text: &str) -> bool {
    let text = text.strip_prefix('v').unwrap_or(text);
    let (release, build) = match text.split_once('+') {
        Some((release, build)) => (release, Some(build)),
        None => (text, None),
    };
    let end = release.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(release.len());
    let (numbers, name) = release.split_at(end);
    let is_name = match name.strip_prefix('-') {
        Some("") => true,
        Some(name) => are_words(name),
        None => name.is_empty() || are_words(name),
    };
    numbers.split('.').all(|number| number.parse::<i64>().is_ok())
        && is_name
        && build.is_none_or(are_words)
}

fn are_words(text: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty()
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'~'))
    };
    text.split('.').all(is_word)
}
