//! File names with `$VAR`, `${VAR}` and a leading `~`.

use std::path::PathBuf;

use crate::config::resolved::ResolvedConfig;
use crate::config::spec::ConfigKeySpec;
use crate::config::value::Environment;
use crate::error::Result;

impl ResolvedConfig {
    /// Expands the file name that a key holds: first variables, then the home folder, both from the
    /// environment of the configuration. A relative name then starts in the
    /// [`directory`](Self::directory) of the configuration, as it does for native clients with
    /// `-chdir`.
    ///
    /// # Errors
    /// `ConfigInvalid` for a variable that is not set. Native clients replace it by an empty text,
    /// and then read a file that the user did not mean.
    pub fn path(&self, key: impl AsRef<ConfigKeySpec>, text: &str) -> Result<PathBuf> {
        let expanded = expand(self.environment(), text).map_err(|missing| {
            self.invalid(key, &format!("it refers to `{missing}`, which is not set")).with_hint(
                format!(
                    "set the environment variable `{missing}`, or write the name of the file out"
                ),
            )
        })?;
        let path = PathBuf::from(expanded);
        // A name without a prefix is shown as it was written.
        let is_complete = path.is_absolute() || self.directory().as_os_str() == ".";
        Ok(if is_complete { path } else { self.directory().join(path) })
    }
}

/// Returns the name of the first variable that is not set.
fn expand<'a>(env: &Environment, text: &'a str) -> Result<String, &'a str> {
    let is_part_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let end = after.find(|c| !is_part_of_name(c)).unwrap_or(after.len());
        let in_braces = after.strip_prefix('{').and_then(|inside| inside.split_once('}'));
        let (name, tail) = match in_braces {
            Some((name, tail)) if !name.is_empty() && name.chars().all(is_part_of_name) => {
                (name, tail)
            }
            _ => after.split_at(end),
        };
        if name.is_empty() {
            expanded.push('$');
        } else {
            expanded.push_str(env.get(name).ok_or(name)?);
        }
        rest = tail;
    }
    expanded.push_str(rest);
    match expanded.strip_prefix('~') {
        Some(below) if below.is_empty() || below.starts_with(['/', '\\']) => {
            let home = env.get("HOME").or_else(|| env.get("USERPROFILE")).ok_or("HOME")?;
            Ok(format!("{home}{below}"))
        }
        _ => Ok(expanded),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_and_the_home_folder_are_expanded() {
        let env: Environment =
            [("HOME", "/home/a"), ("DIR", "d"), ("TILDE", "~/x")].into_iter().collect();
        for (text, expanded) in [
            ("/etc/ca.pem", "/etc/ca.pem"),
            ("~", "/home/a"),
            ("~/ca.pem", "/home/a/ca.pem"),
            ("~other/ca.pem", "~other/ca.pem"),
            ("$HOME/ca.pem", "/home/a/ca.pem"),
            ("/x/${DIR}y/$DIR.pem", "/x/dy/d.pem"),
            ("$TILDE", "/home/a/x"),
            ("a$/b$", "a$/b$"),
            ("a${}b", "a${}b"),
        ] {
            assert_eq!(expand(&env, text).as_deref(), Ok(expanded), "{text}");
        }
        assert_eq!(expand(&env, "/x/$NOT_SET/y"), Err("NOT_SET"));
        assert_eq!(expand(&Environment::default(), "~/x"), Err("HOME"));
    }
}
