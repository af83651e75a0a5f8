//! The commands and their options.

use serde_json::Value;

use super::markdown::{NOTICE, anchor, array, cell, prose, table, text, wrapped};

/// Returns the page of all commands.
pub(super) fn page(program: &Value) -> String {
    let mut page = format!("{NOTICE}# Commands\n\n");
    page.push_str(&prose(&description(program)));
    page.push_str("\n## All commands\n\n");
    let mut all = Vec::new();
    collect(program, &mut all);
    let row = |command: &&Value| {
        let path = text(&command["path"]);
        vec![format!("[`{path}`](#{})", anchor(path)), cell(text(&command["about"]))]
    };
    page.push_str(&table(&["command", "what it does"], all.iter().map(row)));
    page.push_str("\n## Options of every command\n\n");
    page.push_str(&arguments(program));
    for command in all {
        page.push_str(&format!(
            "\n## `{}`\n\n```text\n{}\n```\n\n{}",
            text(&command["path"]),
            text(&command["usage"]),
            prose(&description(command))
        ));
        let arguments = arguments(command);
        if !arguments.is_empty() {
            page.push_str(&format!("\n{arguments}"));
        }
    }
    page
}

/// Collects the commands that do something themselves, in order.
fn collect<'a>(command: &'a Value, all: &mut Vec<&'a Value>) {
    for below in array(&command["commands"]) {
        if array(&below["commands"]).is_empty() {
            all.push(below);
        }
        collect(below, all);
    }
}

fn description(command: &Value) -> String {
    let long = command["long_about"].as_str();
    let text = long.unwrap_or(text(&command["about"])).trim_end();
    // The first paragraph, which lists show too, has no period.
    let with_period = |paragraph: &str| {
        if paragraph.ends_with('.') { paragraph.to_owned() } else { format!("{paragraph}.") }
    };
    text.split("\n\n").map(with_period).collect::<Vec<_>>().join("\n\n")
}

/// Returns a list of arguments.
fn arguments(command: &Value) -> String {
    let mut list = String::new();
    for argument in array(&command["arguments"]) {
        let value = argument["value"].as_str();
        let mut names: Vec<String> = Vec::new();
        if let Some(short) = argument["short"].as_str() {
            names.push(format!("-{short}"));
        }
        if let Some(long) = argument["long"].as_str() {
            names.push(format!("--{long}"));
        }
        let name = match (names.is_empty(), value) {
            (true, value) => value.unwrap_or_default().to_owned(),
            (false, Some(value)) if argument["value_is_optional"] == true => {
                format!("{}[={value}]", names.join(", "))
            }
            (false, Some(value)) => format!("{} {value}", names.join(", ")),
            (false, None) => names.join(", "),
        };
        let mut said = text(&argument["help"]).to_owned();
        if !said.ends_with('.') {
            said.push('.');
        }
        for default in array(&argument["default"]) {
            said.push_str(&format!(" The default is `{}`.", text(default)));
        }
        list.push_str(&wrapped(&format!("`{name}`: {said}"), "- ", "  "));
        list.push('\n');
        for value in array(&argument["values"]) {
            let help = value["help"].as_str().map(|help| format!(": {help}")).unwrap_or_default();
            let line = format!("`{}`{help}", text(&value["name"]));
            list.push_str(&wrapped(&line, "  - ", "    "));
            list.push('\n');
        }
    }
    list
}
