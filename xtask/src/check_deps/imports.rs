//! The imports of one source file.
//!
//! The scan reads tokens, so it ignores comments and strings, and sees paths in macros. It does not
//! see paths that macros create, nor names that `use x::*` imports.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::Result;

/// The segments of a path from the root of its crate.
pub(crate) type Path = Vec<String>;

/// What one file imports, without its tests.
#[derive(Debug, Default)]
pub(crate) struct Imports {
    /// The paths that the file uses or imports.
    pub(crate) uses: Vec<Path>,
    /// The names that the file imports into its module, with their paths.
    pub(crate) names: BTreeMap<String, Path>,
    /// The names that the file reexports.
    reexports: BTreeMap<String, Path>,
    /// The identifiers outside of imports.
    identifiers: BTreeSet<String>,
    /// The modules that the file declares for tests only.
    pub(crate) test_modules: Vec<Path>,
}

impl Imports {
    /// Scans the file of the module `module` of its crate.
    pub(crate) fn scan(source: &str, module: &[String]) -> Result<Self> {
        let tokens: TokenStream =
            source.parse().map_err(|error| format!("cannot read the tokens: {error}"))?;
        let mut imports = Self::default();
        imports.items(tokens, module);
        // Reexporting a name is not an import of the file's own.
        for (name, path) in &imports.reexports {
            if imports.identifiers.contains(name) {
                imports.uses.push(path.clone());
            }
        }
        Ok(imports)
    }

    fn items(&mut self, tokens: TokenStream, module: &[String]) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        let mut is_public = false;
        while at < tokens.len() {
            if is_test_attribute(&tokens[at..]) {
                at += 2;
                let rest = &tokens[at..];
                if let [TokenTree::Ident(word), TokenTree::Ident(name), ..] = rest
                    && word == "mod"
                {
                    self.test_modules.push(below(module, &name.to_string()));
                }
                at += rest.iter().take_while(|token| !ends_item(token)).count() + 1;
                continue;
            }
            match &tokens[at] {
                TokenTree::Ident(word) if word == "use" => {
                    let end = at + tokens[at..].iter().take_while(|t| !is_punct(t, ';')).count();
                    for (name, path) in tree(&tokens[at + 1..end]) {
                        self.import(name, &path, module, is_public);
                    }
                    at = end;
                }
                TokenTree::Ident(word) if word == "pub" => {
                    is_public = true;
                    at += 1;
                    // `pub(crate)`
                    if matches!(tokens.get(at), Some(TokenTree::Group(_))) {
                        at += 1;
                    }
                    continue;
                }
                TokenTree::Ident(word) if word == "mod" => {
                    if let [TokenTree::Ident(name), TokenTree::Group(body), ..] = &tokens[at + 1..]
                    {
                        self.items(body.stream(), &below(module, &name.to_string()));
                        at += 2;
                    }
                }
                TokenTree::Ident(_) => {
                    let (path, length) = path(&tokens[at..]);
                    self.identifiers.extend(path.iter().cloned());
                    self.uses.extend(absolute(&path, module));
                    at += length - 1;
                }
                TokenTree::Group(group) => self.items(group.stream(), module),
                TokenTree::Literal(_) | TokenTree::Punct(_) => {}
            }
            is_public = false;
            at += 1;
        }
    }

    fn import(&mut self, name: String, path: &[String], module: &[String], is_public: bool) {
        let Some(path) = absolute(path, module) else { return };
        if is_public && name != "*" {
            self.reexports.insert(name.clone(), path.clone());
        } else {
            self.uses.push(path.clone());
        }
        self.names.insert(name, path);
    }
}

/// Returns whether `#[cfg(test)]` is next.
fn is_test_attribute(tokens: &[TokenTree]) -> bool {
    matches!(tokens, [TokenTree::Punct(hash), TokenTree::Group(group), ..]
        if hash.as_char() == '#'
            && group.delimiter() == Delimiter::Bracket
            && group.stream().to_string().replace(' ', "") == "cfg(test)")
}

fn ends_item(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
        || is_punct(token, ';')
}

fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

/// Returns the path at the beginning, and its number of tokens.
fn path(tokens: &[TokenTree]) -> (Path, usize) {
    let mut segments = Path::new();
    let mut length = 0;
    while let Some(TokenTree::Ident(segment)) = tokens.get(length) {
        segments.push(segment.to_string());
        length += 1;
        match &tokens[length..] {
            [first, second, TokenTree::Ident(_), ..]
                if is_punct(first, ':') && is_punct(second, ':') =>
            {
                length += 2;
            }
            _ => break,
        }
    }
    (segments, length)
}

/// Returns the names that the tree of a `use` imports, each with its path.
fn tree(tokens: &[TokenTree]) -> Vec<(String, Path)> {
    let (prefix, length) = path(tokens);
    let rest: Vec<&TokenTree> =
        tokens[length..].iter().skip_while(|token| is_punct(token, ':')).collect();
    match rest.as_slice() {
        [TokenTree::Group(group), ..] => {
            let items: Vec<TokenTree> = group.stream().into_iter().collect();
            let items = items.split(|token| is_punct(token, ',')).flat_map(tree);
            items
                .map(|(name, path)| match name.as_str() {
                    // `use a::{self}`
                    "self" => (prefix.last().cloned().unwrap_or_default(), prefix.clone()),
                    _ => (name, [prefix.as_slice(), &path].concat()),
                })
                .collect()
        }
        [TokenTree::Punct(star), ..] if star.as_char() == '*' => vec![("*".to_owned(), prefix)],
        rest => {
            let name = match rest {
                // `use a::b as c`
                [TokenTree::Ident(_), TokenTree::Ident(name), ..] => Some(name.to_string()),
                _ => prefix.last().cloned(),
            };
            name.map(|name| (name, prefix)).into_iter().collect()
        }
    }
}

/// Resolves `crate`, `self` and `super`. Other paths begin with a name: from the file, or of
/// another crate.
fn absolute(path: &[String], module: &[String]) -> Option<Path> {
    match path.first()?.as_str() {
        "crate" => Some(path[1..].to_vec()),
        "self" if path.len() > 1 => Some([module, &path[1..]].concat()),
        "super" => {
            let ups = path.iter().take_while(|segment| *segment == "super").count();
            let parent = &module[..module.len().checked_sub(ups)?];
            Some([parent, &path[ups..]].concat())
        }
        _ if path.len() > 1 => Some([module, path].concat()),
        _ => None,
    }
}

fn below(module: &[String], name: &str) -> Path {
    [module, &[name.to_owned()]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(source: &str) -> Imports {
        Imports::scan(source, &["a".to_owned(), "b".to_owned()]).expect("these are tokens")
    }

    fn uses(source: &str) -> Vec<String> {
        scan(source).uses.iter().map(|path| path.join("::")).collect()
    }

    #[test]
    fn imports_are_found_however_they_are_written() {
        assert_eq!(uses("use crate::c::D;"), ["c::D"]);
        assert_eq!(uses("use crate::{c::{self, D as E}, f::*};"), ["c", "c::D", "f"]);
        assert_eq!(
            uses("use super::c::D; use super::super::E; use self::f::G;"),
            ["a::c::D", "E", "a::b::f::G"]
        );
    }

    #[test]
    fn paths_in_code_and_in_macros_count() {
        assert_eq!(uses("fn f() { crate::c::d(1); }"), ["c::d"]);
        assert_eq!(
            uses("fn f() { m!(x, super::c::D { y: [self::e::G] }) }"),
            ["a::c::D", "a::b::e::G"]
        );
        assert_eq!(uses("macro_rules! m { () => { $crate::c::D } }"), ["c::D"]);
        assert_eq!(uses("fn f() { child::g() }"), ["a::b::child::g"]);
    }

    #[test]
    fn comments_strings_and_tests_do_not_count() {
        let source = r#"
            //! See [`D`](crate::c::D).
            const TEXT: &str = "crate::e::F";
            #[cfg(test)]
            mod tests { use crate::g::H; }
            #[cfg(test)]
            mod vectors;
        "#;
        assert_eq!(uses(source), [""; 0]);
        let modules = scan(source).test_modules;
        assert_eq!(modules, [["a", "b", "tests"], ["a", "b", "vectors"]]);
    }

    #[test]
    fn a_name_that_is_only_passed_on_is_no_import() {
        assert_eq!(uses("pub(crate) use self::c::D;"), [""; 0]);
        assert_eq!(uses("pub use self::c::D; fn f(d: D) {}"), ["a::b::c::D"]);
        let imports = scan("pub use self::c::D as E;");
        assert_eq!(imports.names["E"], ["a", "b", "c", "D"]);
    }

    #[test]
    fn modules_inside_of_a_file_have_a_parent_in_it() {
        assert_eq!(uses("mod m { use super::super::c::D; }"), ["a::c::D"]);
    }
}
