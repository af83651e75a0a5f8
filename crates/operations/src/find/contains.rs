//! Where a text is in an instance or an output.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::json::Json;
use crate::path;

/// The most places that are told of one instance.
const MOST_PLACES: usize = 20;

/// Returns the paths at which an instance holds the text. What is no attribute stands in
/// parentheses.
pub(crate) fn places(instance: &Json<'_>, attributes: &Json<'_>, text: &str) -> Vec<String> {
    let mut found = in_output(attributes, text);
    if instance.text("index_key").is_some_and(|key| key.contains(text)) {
        found.push("(key)".to_owned());
    }
    if let Some(identity) = instance.get("identity") {
        search("(identity)", identity, text, &mut found);
    }
    // Providers keep JSON there, in base64.
    let private = instance.text("private").and_then(|private| STANDARD.decode(private).ok());
    if let Some(private) = private {
        let private = String::from_utf8_lossy(&private);
        search("(private)", &Json::Text(private), text, &mut found);
    }
    found
}

/// Returns the paths at which a value holds the text. The value itself has the empty path.
pub(crate) fn in_output(value: &Json<'_>, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    search("", value, text, &mut found);
    found
}

fn search(path: &str, value: &Json<'_>, text: &str, found: &mut Vec<String>) {
    if found.len() >= MOST_PLACES {
        return;
    }
    match value {
        Json::Text(value) => {
            if value.contains(text) {
                found.push(path.to_owned());
            } else if let Some(inner) = Json::parse_inside(value) {
                // Inside, the text may be escaped.
                search(&path::decoded(path), &inner, text, found);
            }
        }
        Json::Number(number) if *number == text => found.push(path.to_owned()),
        Json::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                search(&path::element(path, number), item, text, found);
            }
        }
        // A path must not hold the text, which may be a secret.
        Json::Object(members) if members.keys().any(|name| name.contains(text)) => {
            found.push(path.to_owned());
        }
        Json::Object(members) => {
            for (name, value) in members {
                search(&path::member(path, name), value, text, found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_in_longer_ones_in_json_and_in_what_providers_keep() {
        let private = STANDARD.encode(r#"{"k":"a-hunter2"}"#);
        let instance = format!(
            r#"{{"attributes":{{"a":"hunter2","l":[{{"b c":"x-hunter2-y"}}],"j":"{{\"p\":\"hunter\\u0032\"}}","m":{{"hunter2":1}},"o":"other"}},
            "identity":{{"i":"hunter2"}},"private":"{private}"}}"#
        );
        let instance = Json::parse(&instance).unwrap();
        let attributes = instance.get("attributes").unwrap();
        assert_eq!(
            places(&instance, attributes, "hunter2"),
            ["a", "jsondecode(j).p", "l[0][\"b c\"]", "m", "(identity).i", "(private)"]
        );
        assert_eq!(places(&instance, attributes, "hunter3"), Vec::<String>::new());
        assert_eq!(in_output(&Json::parse("5432").unwrap(), "5432"), [""]);
        assert_eq!(in_output(&Json::parse("54321").unwrap(), "5432"), Vec::<String>::new());
    }
}
