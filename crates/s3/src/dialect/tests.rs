//! How requests are sent to each store, and how a store's host identifies it.

use super::*;

fn choose(endpoint: &str) -> DialectName {
    Dialect::choose(None, Some(&endpoint.parse().unwrap())).name
}

#[test]
fn endpoints_of_known_services_give_their_dialect_away_and_others_do_not() {
    assert_eq!(Dialect::choose(None, None).name, DialectName::Aws);
    for (endpoint, name) in [
        ("https://s3.eu-central-1.amazonaws.com", DialectName::Aws),
        ("https://s3.cn-north-1.amazonaws.com.cn", DialectName::Aws),
        ("https://nyc3.digitaloceanspaces.com", DialectName::Spaces),
        ("https://NYC3.DigitalOceanSpaces.com.", DialectName::Spaces),
        ("https://0123456789abcdef.r2.cloudflarestorage.com", DialectName::R2),
        ("https://0123456789abcdef.eu.r2.cloudflarestorage.com", DialectName::R2),
        ("http://127.0.0.1:9000", DialectName::Generic),
        ("https://amazonaws.com.evil.example", DialectName::Generic),
        ("https://notdigitaloceanspaces.com", DialectName::Generic),
    ] {
        assert_eq!(choose(endpoint), name, "{endpoint}");
    }
}

#[test]
fn what_was_named_goes_before_what_the_endpoint_gives_away() {
    let endpoint = "https://nyc3.digitaloceanspaces.com".parse().unwrap();
    assert_eq!(Dialect::choose(Some(DialectName::Ceph), Some(&endpoint)).name, DialectName::Ceph);
}

#[test]
fn names_are_read_as_they_are_written() {
    for row in Dialect::ALL {
        assert_eq!(row.label.parse(), Ok(row.name));
        assert_eq!(row.name.to_string(), row.label);
    }
    assert_eq!(Dialect::ALL[0].name, DialectName::Aws);
    assert_eq!(Dialect::ALL.map(|row| row.name).last(), Some(&DialectName::Generic));
    assert!("azure".parse::<DialectName>().unwrap_err().contains("`spaces`"));
}

#[test]
fn only_what_wants_bare_entity_tags_gets_them_bare() {
    for row in Dialect::ALL {
        let expected = if row.updates == Updates::Bare { "0123" } else { "\"0123\"" };
        assert_eq!(row.if_match("\"0123\""), expected, "{}", row.label);
    }
}

/// Returns a row as the README's table shows it.
fn described(row: &Dialect) -> String {
    format!("| {} |", row.in_words().map(|(_, cell)| cell).join(" | "))
}

#[test]
fn readme_shows_the_table() {
    let readme = include_str!("../../README.md");
    let rows = Dialect::ALL.map(|row| described(&row)).join("\n");
    assert!(readme.contains(&rows), "the README should show these rows:\n{rows}");
}

#[test]
fn the_key_names_every_dialect() {
    let spec = crate::PROVIDER.keys.iter().find(|spec| spec.name == "dialect").unwrap();
    for row in Dialect::ALL {
        assert!(spec.doc.contains(&format!("`{}`", row.label)), "{}", row.label);
    }
}
