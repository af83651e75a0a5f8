//! Object names as native clients join them.

/// Joins the non-empty parts with slashes and cleans the result: no empty part, no `.`, and `..`
/// removes the part before it.
///
/// See <https://pkg.go.dev/path#Join>.
pub fn join_clean(parts: &[&str]) -> String {
    let joined =
        parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("/");
    let mut clean: Vec<&str> = Vec::new();
    for part in joined.split('/') {
        match part {
            "" | "." => {}
            ".." if clean.last().is_some_and(|last| *last != "..") => drop(clean.pop()),
            part => clean.push(part),
        }
    }
    clean.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_as_go_cleans_them() {
        for (parts, clean) in [
            (&["a", "", "b"][..], "a/b"),
            (&["a/./b", "c"], "a/b/c"),
            (&["a/b", "../c"], "a/c"),
            (&["..", "c"], "../c"),
            (&["a/../..", "c"], "../c"),
        ] {
            assert_eq!(join_clean(parts), clean);
        }
    }
}
