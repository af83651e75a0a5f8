//! Words of a command line, quoted for a shell, for messages that say what to type. A text from a
//! store or another client always stays one word.

/// Returns a flag and its value, separated by a space; by `=` if the value looks like a flag.
pub fn flag(name: &str, value: &str) -> String {
    format!(" {name}{}{}", if value.starts_with('-') { '=' } else { ' ' }, quoted(value))
}

/// Returns a text of another program as the last argument of a command, whatever it begins with.
pub fn operand(word: &str) -> String {
    format!("{}{}", if word.starts_with('-') { "-- " } else { "" }, quoted(word))
}

/// Quotes a word for a shell if necessary.
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:=@+,%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_someone_elses_is_one_word_to_a_shell() {
        let words =
            ["9db590f1-b6fe", "-x", "q; touch /tmp/pwned #", "it's", "$(id)", "~", "", "-$(id)"];
        let quoted = [
            "9db590f1-b6fe",
            "-- -x",
            "'q; touch /tmp/pwned #'",
            r"'it'\''s'",
            "'$(id)'",
            "'~'",
            "''",
            "-- '-$(id)'",
        ];
        assert_eq!(words.map(operand), quoted);
    }
}
