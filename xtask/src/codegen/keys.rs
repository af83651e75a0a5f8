//! The keys of a provider.

use serde_json::Value;

use super::markdown::{NOTICE, array, cell, names, prose, table as rows, text};

/// Returns the page of a provider.
pub(super) fn page(provider: &Value) -> String {
    let (name, title) = (text(&provider["name"]), text(&provider["title"]));
    let mut page = format!("{NOTICE}# Keys of `{name}`\n\n");
    page.push_str(&prose(&format!(
        "What a block `backend \"{name}\"` ({title}) can say, in a Terraform directory or in \
         `remote-state.hcl`. `--backend-config KEY=VALUE` sets a key for one run, and \
         `remote-state config show` says where each value comes from."
    )));
    for key in array(&provider["keys"]) {
        page.push_str(&format!("\n## `{}`\n\n{}", text(&key["name"]), prose(&facts(key))));
    }
    let refused = array(&provider["refused"]);
    if !refused.is_empty() {
        page.push_str("\n## Keys of other providers\n\n");
        let row =
            |key: &Value| vec![format!("`{}`", text(&key["name"])), cell(text(&key["reason"]))];
        page.push_str(&rows(&["key", "why it is refused"], refused.iter().map(row)));
    }
    page
}

/// Returns what there is to say of a key, so that each has a heading that can be linked.
fn facts(key: &Value) -> String {
    let [_, kind, default, environment, meaning] = row(key);
    let mut facts = vec![kind];
    match default.as_str() {
        "" => {}
        "required" => facts.push(default),
        _ => facts.push(format!("default {default}")),
    }
    if key["secret"] == true {
        facts.push("never shown".to_owned());
    }
    let mut text = format!("{meaning}\n\nType: {}.", facts.join(", "));
    if !environment.is_empty() {
        text.push_str(&format!(" Environment: {environment}."));
    }
    if !array(&key["aliases"]).is_empty() {
        text.push_str(&format!(" Older name: {}.", names(&key["aliases"])));
    }
    text
}

/// Returns the table of a provider's keys.
pub(super) fn table(provider: &Value) -> String {
    rows(
        &["key", "type", "default", "environment", "meaning"],
        array(&provider["keys"]).iter().map(|key| row(key).to_vec()),
    )
}

fn row(key: &Value) -> [String; 5] {
    let mut name = format!("`{}`", text(&key["name"]));
    if !array(&key["aliases"]).is_empty() {
        name.push_str(&format!(", older {}", names(&key["aliases"])));
    }
    let default = match key["default"].as_str() {
        _ if key["required"] == true && !text(&key["name"]).contains('.') => "required".to_owned(),
        Some(default) => format!("`{default}`"),
        None => String::new(),
    };
    let mut meaning = cell(text(&key["doc"]));
    if let Some(instead) = key["deprecated"].as_str() {
        meaning.push_str(&format!(" Deprecated: {}.", cell(instead)));
    }
    [name, text(&key["type"]).to_owned(), default, names(&key["environment"]), meaning]
}
