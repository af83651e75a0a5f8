//! Exit codes, environment variables and dialects.

use std::collections::BTreeMap;

use serde_json::Value;

use super::markdown::{NOTICE, anchor, array, cell, prose, table, text};

pub(super) fn exit_codes(tables: &Value) -> String {
    let intro = prose(
        "The exit status says how a command went; the error on standard error says why. They \
         stay the same over all releases.",
    );
    let row = |code: &Value| vec![code["code"].to_string(), cell(text(&code["meaning"]))];
    let rows = table(&["status", "meaning"], array(&tables["exit_codes"]).iter().map(row));
    let outro = prose(
        "`exec` ends with the status of its command. A command that a signal ends has 128 and the \
         number of the signal, as in shells. `find` ends with 4 only if all states could be read; \
         `diff --exit-code` ends with 5 on a difference.",
    );
    format!("{NOTICE}# Exit status\n\n{intro}\n{rows}\n{outro}")
}

pub(super) fn variables(tables: &Value) -> String {
    let intro = prose(
        "What stands in the environment goes after the command line, the configuration of the \
         directory and `remote-state.hcl`, unless said otherwise. `remote-state config show` says \
         for each value where it was set.",
    );
    let row = |variable: &Value| {
        vec![format!("`{}`", text(&variable["name"])), cell(text(&variable["meaning"]))]
    };
    let own = table(&["variable", "meaning"], array(&tables["variables"]).iter().map(row));
    format!(
        "{NOTICE}# Environment variables\n\n{intro}\n{own}\n## Of keys\n\n{}",
        table(&["variable", "stands in for"], of_keys(tables))
    )
}

/// Returns a row for each variable that stands in for a key, with the keys of each provider.
fn of_keys(tables: &Value) -> Vec<Vec<String>> {
    let mut variables: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for provider in array(&tables["providers"]) {
        for key in array(&provider["keys"]) {
            for variable in array(&key["environment"]) {
                let (name, provider) = (text(&key["name"]), text(&provider["name"]));
                let page = format!("keys-{provider}.md#{}", anchor(name));
                let of = format!("[`{name}` of `{provider}`]({page})");
                variables.entry(text(variable)).or_default().push(of);
            }
        }
    }
    variables.into_iter().map(|(name, of)| vec![format!("`{name}`"), of.join(", ")]).collect()
}

pub(super) fn dialects(tables: &Value) -> String {
    let intro = prose(
        "How the stores that speak S3 differ, and what is done about it. The endpoint gives the \
         dialect away, or the key `dialect` or the option `--dialect` says it. The page of the \
         crate `remote-state-s3` explains the columns.",
    );
    format!("{NOTICE}# Dialects of S3\n\n{intro}\n{}", dialect_table(tables))
}

pub(super) fn dialect_table(tables: &Value) -> String {
    let rows = array(&tables["dialects"]);
    let column = |row: &Value, index: usize| -> Vec<String> {
        array(row).iter().map(|pair| text(&pair[index]).to_owned()).collect()
    };
    let titles = rows.first().map(|row| column(row, 0)).unwrap_or_default();
    let titles: Vec<_> = titles.iter().map(String::as_str).collect();
    table(&titles, rows.iter().map(|row| column(row, 1)))
}
