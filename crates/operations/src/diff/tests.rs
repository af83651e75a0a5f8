//! Comparisons of literal states.

use bytes::Bytes;
use remote_state_core::Error;

use super::*;
use crate::masking::{Shown, Values};
use crate::pattern::Pattern;

/// Writes a line for each difference.
#[derive(Default)]
struct Lines(Vec<String>);

fn text(shown: &Shown) -> String {
    match shown {
        Shown::Absent => "-".to_owned(),
        Shown::Hidden => "hidden".to_owned(),
        Shown::Omitted => "omitted".to_owned(),
        Shown::Value(json) => json.get().to_owned(),
    }
}

impl Report for Lines {
    type Error = Error;

    fn resource(&mut self, change: &ResourceChange) -> Result<()> {
        let mut line = format!("{} {}", change.change.as_str(), change.address);
        if let Some(deposed) = &change.deposed {
            line.push_str(&format!(" ({deposed})"));
        }
        if let Some(previous) = &change.previous_address {
            line.push_str(&format!(" from {previous}"));
        }
        match &change.same_by {
            None => {}
            Some(SameBy::Identity) => line.push_str(" by identity"),
            Some(SameBy::Id(id)) => line.push_str(&format!(" by id {}", text(id))),
            Some(SameBy::Attributes) => line.push_str(" by attributes"),
        }
        if let Some((before, after)) = change.schema_versions {
            line.push_str(&format!(" schema {before} {after}"));
        }
        self.0.push(line);
        for change in &change.attributes {
            let (before, after) = (text(&change.before), text(&change.after));
            self.0.push(format!("  {} {before} {after}", change.path));
        }
        Ok(())
    }

    fn output(&mut self, change: &OutputChange) -> Result<()> {
        let (before, after) = (text(&change.before), text(&change.after));
        let line = format!("{} output {} {before} {after}", change.change.as_str(), change.name);
        self.0.push(line);
        Ok(())
    }

    fn provider(&mut self, change: &ProviderChange) -> Result<()> {
        let ProviderChange { before, after, instances } = change;
        self.0.push(format!("provider {before} {after} {instances}"));
        Ok(())
    }
}

fn compare_states(a: &str, b: &str, options: &DiffOptions) -> (Vec<String>, Summary) {
    let text = |state: &str| StateText::from(Bytes::from(state.to_owned()));
    let (a, b) = (text(a), text(b));
    let mut lines = Lines::default();
    let summary = Comparison::new(&a, &b, options).unwrap().run(&mut lines).unwrap();
    (lines.0, summary)
}

/// Returns a state with these resources.
fn state(resources: &str) -> String {
    format!(r#"{{"version":4,"serial":1,"lineage":"l","outputs":{{}},"resources":[{resources}]}}"#)
}

/// Returns a state with these outputs.
fn with_outputs(outputs: &str) -> String {
    format!(r#"{{"version":4,"serial":1,"lineage":"l","outputs":{{{outputs}}},"resources":[]}}"#)
}

/// Returns a resource with one instance.
fn resource(name: &str, instance: &str) -> String {
    format!(
        r#"{{"mode":"managed","type":"t","name":"{name}","provider":"p","instances":[{instance}]}}"#
    )
}

fn instance(attributes: &str) -> String {
    format!(r#"{{"schema_version":0,"attributes":{{{attributes}}}}}"#)
}

/// Returns the lines for two lists of resources.
#[track_caller]
fn lines(before: &[String], after: &[String]) -> Vec<String> {
    let options = DiffOptions::default();
    compare_states(&state(&before.join(",")), &state(&after.join(",")), &options).0
}

#[test]
fn instances_of_one_state_alone_are_added_or_removed() {
    let one = resource("a", &instance(r#""id":"1""#));
    let other = r#"{"type":"u","name":"b","instances":[{"index_key":"k","attributes":{"id":"2"}},{"index_key":0,"attributes":{"id":"3"}}]}"#;
    let module = r#"{"module":"module.m[1]","mode":"managed","type":"t","name":"c","instances":[{"attributes":{}}]}"#;
    assert_eq!(lines(&[], std::slice::from_ref(&one)), ["added t.a"]);
    assert_eq!(
        lines(&[other.to_owned(), one.clone()], &[one]),
        ["removed u.b[0]", "removed u.b[\"k\"]"]
    );
    assert_eq!(lines(&[module.to_owned()], &[]), ["removed module.m[1].t.c"]);
}

#[test]
fn differences_come_in_the_order_of_the_addresses() {
    let one = |name: &str| resource(name, &instance(&format!(r#""id":"{name}""#)));
    assert_eq!(
        lines(&[one("c"), one("a"), one("e")], &[one("e"), one("d"), one("b")]),
        ["removed t.a", "added t.b", "removed t.c", "added t.d"]
    );
}

#[test]
fn an_instance_with_another_address_has_moved_if_one_sign_is_unique() {
    for (before, after, expected) in [
        // By identity, though the id differs.
        (
            vec![resource("a", r#"{"attributes":{"id":"1"},"identity":{"arn":"x"}}"#)],
            vec![resource("b", r#"{"attributes":{"id":"2"},"identity":{"arn":"x"}}"#)],
            vec!["moved t.b from t.a by identity", "  id \"1\" \"2\""],
        ),
        // By id, with another attribute.
        (
            vec![resource("a", &instance(r#""id":"1","x":1"#))],
            vec![resource("b", &instance(r#""id":"1","x":2"#))],
            vec!["moved t.b from t.a by id \"1\"", "  x 1 2"],
        ),
        // By all attributes.
        (
            vec![resource("a", &instance(r#""x":1"#)), resource("z", &instance(r#""x":2"#))],
            vec![resource("b", &instance(r#""x":2"#)), resource("c", &instance(r#""x":1"#))],
            vec!["moved t.b from t.z by attributes", "moved t.c from t.a by attributes"],
        ),
        // Two have the id: which one is it?
        (
            vec![resource("a", &instance(r#""id":"1","x":1"#))],
            vec![
                resource("b", &instance(r#""id":"1","x":2"#)),
                resource("c", &instance(r#""id":"1","x":3"#)),
            ],
            vec!["removed t.a", "added t.b", "added t.c"],
        ),
        // An empty id is none.
        (
            vec![resource("a", &instance(r#""id":"","x":1"#))],
            vec![resource("b", &instance(r#""id":"","x":2"#))],
            vec!["removed t.a", "added t.b"],
        ),
    ] {
        assert_eq!(lines(&before, &after), expected);
    }
}

#[test]
fn another_type_is_never_a_move() {
    let other = resource("a", &instance(r#""id":"1""#)).replace("\"t\"", "\"u\"");
    assert_eq!(
        lines(&[resource("a", &instance(r#""id":"1""#))], &[other]),
        ["removed t.a", "added u.a"]
    );
}

#[test]
fn attributes_that_differ_are_named() {
    for (before, after, expected) in [
        (
            r#""id":"1","v":"15.4""#,
            r#""id":"1","v":"15.5""#,
            vec!["changed t.a", "  v \"15.4\" \"15.5\""],
        ),
        (
            r#""id":"1""#,
            r#""id":"1","tags":{"A b":"c"}"#,
            vec!["changed t.a", "  tags - {\"A b\":\"c\"}"],
        ),
        (r#""id":"1","n":1.10"#, r#""id":"1","n":1.1"#, vec!["changed t.a", "  n 1.10 1.1"]),
    ] {
        let one = |attributes| [resource("a", &instance(attributes))];
        assert_eq!(lines(&one(before), &one(after)), expected);
    }
}

#[test]
fn another_id_at_the_same_address_is_a_replacement() {
    for (before, after) in [("1", "2"), ("a", "b"), ("i-0", "i-1")] {
        let one = |id: &str| [resource("a", &instance(&format!(r#""id":"{id}""#)))];
        assert_eq!(
            lines(&one(before), &one(after)),
            ["replaced t.a".to_owned(), format!("  id \"{before}\" \"{after}\"")]
        );
    }
}

#[test]
fn taint_deposed_objects_and_schema_versions_are_told() {
    let plain = resource("a", r#"{"schema_version":1,"attributes":{"id":"1"}}"#);
    let tainted =
        resource("a", r#"{"status":"tainted","schema_version":1,"attributes":{"id":"1"}}"#);
    let newer = resource("a", r#"{"schema_version":2,"attributes":{"id":"1","n":null}}"#);
    let deposed = resource(
        "a",
        r#"{"schema_version":1,"attributes":{"id":"1"}},{"deposed":"00ff","attributes":{"id":"0"}}"#,
    );
    let one = std::slice::from_ref;
    assert_eq!(lines(one(&plain), one(&tainted)), ["tainted t.a"]);
    assert_eq!(lines(one(&tainted), one(&plain)), ["untainted t.a"]);
    assert_eq!(lines(one(&plain), one(&newer)), ["schema_version t.a schema 1 2"]);
    assert_eq!(lines(one(&plain), one(&deposed)), ["deposed t.a (00ff)"]);
    assert_eq!(lines(one(&deposed), one(&plain)), ["removed t.a (00ff)"]);
}

#[test]
fn another_provider_is_told_once_for_each_pair() {
    let before = ["a", "b"].map(|name| resource(name, &instance(r#""x":1"#)));
    let after = before.clone().map(|one| one.replace("\"p\"", "\"q\""));
    let third = resource("c", &instance(r#""x":2"#));
    let before = [before.as_slice(), std::slice::from_ref(&third)].concat();
    let after = [after.as_slice(), &[third.replace("\"p\"", "\"r\"")]].concat();
    assert_eq!(lines(&before, &after), ["provider p q 2", "provider p r 1"]);
}

#[test]
fn what_clients_write_differently_is_no_difference() {
    let before = resource(
        "a",
        r#"{"attributes":{"s":["x","y"],"n":null,"policy":"{\"a\":[1,2]}"},"private":"AAAA","dependencies":["t.b","t.c"],"sensitive_attributes":[]}"#,
    );
    let after = resource(
        "a",
        r#" { "dependencies": ["t.c","t.b"], "private":"BBBB", "attributes": {"policy":"{ \"a\": [2, 1] }", "s":["y","x"]}}"#,
    );
    let one = std::slice::from_ref;
    let (found, summary) =
        compare_states(&state(one(&before)[0].as_str()), &state(&after), &DiffOptions::default());
    assert_eq!(found, Vec::<String>::new());
    assert!(!summary.has_differences() && summary.unchanged == 1, "{summary:?}");
    let checked =
        |state: String| state.replace("\"resources\"", "\"check_results\":[1],\"resources\"");
    assert!(
        !compare_states(&checked(state(&before)), &state(&before), &DiffOptions::default())
            .1
            .has_differences()
    );
}

#[test]
fn dependencies_that_differ_are_told_in_parentheses() {
    let with =
        |all: &str| [resource("a", &format!(r#"{{"attributes":{{}},"dependencies":[{all}]}}"#))];
    assert_eq!(
        lines(&with(r#""t.b""#), &with(r#""t.b","t.c""#)),
        ["changed t.a", "  (dependencies)[1] - \"t.c\""]
    );
}

#[test]
fn data_sources_are_compared_if_asked_for() {
    let one =
        |x| state(&resource("a", &instance(&format!(r#""x":{x}"#))).replace("managed", "data"));
    let options = DiffOptions::default();
    assert_eq!(compare_states(&one(1), &one(2), &options).0, Vec::<String>::new());
    let (found, _) = compare_states(&one(1), &one(2), &options.with_data(true));
    assert_eq!(found, ["changed data.t.a", "  x 1 2"]);
}

#[test]
fn outputs_are_compared_by_their_values_and_marks() {
    let options = DiffOptions::default();
    let before = with_outputs(
        r#""a":{"value":"x","type":"string"},"b":{"value":[1,2]},"c":{"value":1},"s":{"value":"same-value"}"#,
    );
    let after = with_outputs(
        r#""a":{"value":"y","type":"string"},"b":{"value":[2,1]},"d":{"value":1.0},"s":{"value":"same-value","sensitive":true}"#,
    );
    let (found, summary) = compare_states(&before, &after, &options);
    assert_eq!(
        found,
        [
            "changed output a \"x\" \"y\"",
            "removed output c 1 -",
            "added output d - 1.0",
            "sensitivity output s hidden hidden",
        ]
    );
    assert_eq!(summary.outputs, 4);
}

#[test]
fn one_part_or_some_addresses_can_be_compared_alone() {
    let state = |x: u8| {
        state(&["a", "b"].map(|name| resource(name, &instance(&format!(r#""x":{x}"#)))).join(","))
            .replace("\"outputs\":{}", &format!("\"outputs\":{{\"o\":{{\"value\":{x}}}}}"))
    };
    let found = |options: DiffOptions| compare_states(&state(1), &state(2), &options).0;
    assert_eq!(
        found(DiffOptions::default().with_only(Some(Only::Outputs))),
        ["changed output o 1 2"]
    );
    assert_eq!(found(DiffOptions::default().with_only(Some(Only::Resources))).len(), 4);
    let options = DiffOptions::default().with_address(Some(Pattern::new("t.a")));
    assert_eq!(found(options.with_only(Some(Only::Resources))), ["changed t.a", "  x 1 2"]);
}

#[test]
fn a_move_is_told_for_either_of_its_addresses() {
    let one = |name: &str| {
        state(&[resource(name, &instance(r#""id":"1""#)), resource("z", "{}")].join(","))
    };
    for pattern in ["t.a", "t.b"] {
        let options = DiffOptions::default().with_address(Some(Pattern::new(pattern)));
        let (found, summary) = compare_states(&one("a"), &one("b"), &options);
        assert_eq!(found, ["moved t.b from t.a by id \"1\""]);
        assert_eq!((summary.moved, summary.unchanged), (1, 0));
    }
}

#[test]
fn nothing_sensitive_is_shown_on_either_side() {
    let before = resource(
        "a",
        r#"{"attributes":{"id":"1","input":"marker-one","output":"marker-one","url":"u","deep":{"map":{"k":"marker-one"}}},
            "sensitive_attributes":[[{"type":"get_attr","value":"input"}]]}"#,
    );
    // The mark is gone, and the new value was never marked.
    let after = before.replace("marker-one", "marker-two").replace("\"u\"", "\"x-marker-one-y\"");
    let after = after.replace("[[{", "[], \"was\":[[{");
    let (found, _) = compare_states(&state(&before), &state(&after), &DiffOptions::default());
    assert_eq!(
        found,
        [
            "changed t.a",
            "  deep.map.k hidden hidden",
            "  input hidden hidden",
            "  output hidden hidden",
            "  url hidden hidden",
        ]
    );
    let options = DiffOptions::default().with_values(Values::All);
    let (found, _) = compare_states(&state(&before), &state(&after), &options);
    assert_eq!(found[1], "  deep.map.k \"marker-one\" \"marker-two\"");
    let options = DiffOptions::default().with_values(Values::None);
    let (found, _) = compare_states(&state(&before), &state(&after), &options);
    assert_eq!(found[1], "  deep.map.k omitted omitted");
    let marked = |key: &str| {
        let instance = r#"{"attributes":{"m":{"KEY":"x"}},"sensitive_attributes":[[{"type":"get_attr","value":"m"}]]}"#;
        state(&resource("a", &instance.replace("KEY", key)))
    };
    let (found, _) = compare_states(&marked("one"), &marked("two"), &options);
    assert_eq!(found, ["changed t.a", "  m omitted omitted"]);
}

#[test]
fn a_state_of_version_3_is_compared_too() {
    let old = |x: u8| {
        format!(
            r#"{{"version":3,"serial":{x},"modules":[{{"path":["root"],"outputs":{{"o":{{"value":"v","type":"string"}}}},"resources":{{
            "t.a":{{"type":"t","provider":"p","primary":{{"id":"1","attributes":{{"id":"1","x":"{x}"}}}}}}}}}}]}}"#
        )
    };
    let (found, _) = compare_states(&old(1), &old(2), &DiffOptions::default());
    assert_eq!(found, ["changed t.a", "  x \"1\" \"2\""]);
}

#[test]
fn names_may_come_after_the_instances() {
    let sorted = |x: u8| {
        format!(
            r#"{{"outputs":{{}},"resources":[{{"instances":[{{"attributes":{{"result":"{x}"}}}}],"mode":"managed","name":"a","provider":"p","type":"random_password"}}],"serial":{x},"version":4}}"#
        )
    };
    let (found, _) = compare_states(&sorted(1), &sorted(2), &DiffOptions::default());
    assert_eq!(found, ["changed random_password.a", "  result hidden hidden"]);
}

#[test]
fn encrypted_states_show_their_headers_alone() {
    let text = |state: &'static str| StateText::from(Bytes::from_static(state.as_bytes()));
    let a = text(r#"{"serial":3,"lineage":"x","encrypted_data":"AAAA","encryption_version":"v0"}"#);
    let b = text(r#"{"version":4,"serial":4,"lineage":"x","resources":[]}"#);
    let comparison = Comparison::new(&a, &b, &DiffOptions::default()).unwrap();
    assert!(comparison.is_encrypted());
    let (one, other) = comparison.headers();
    assert_eq!((one.serial.0, other.serial.0), (3, 4));
    assert!(!comparison.run(&mut Lines::default()).unwrap().has_differences());
}

#[test]
fn what_is_no_state_is_refused_with_its_side() {
    let text = |state: &'static str| StateText::from(Bytes::from_static(state.as_bytes()));
    let good = text(r#"{"version":4}"#);
    let bad = text(r#"{"version":4,"resources":[{"instances":[{"attributes":hunter2}]}]}"#);
    let error = Comparison::new(&good, &bad, &DiffOptions::default()).unwrap_err();
    assert_eq!(error.context(), [("state", "the second one".to_owned())]);
    assert!(!format!("{error:?}").contains("hunter2"));
}

/// The number inside is no scalar that the whole state hides, but the text around it is.
#[test]
fn a_copy_of_a_hidden_text_is_hidden_as_a_whole_also_if_it_is_json() {
    let states = ["123456", "654321"].map(|pin| {
        let json = format!(r#"{{\"pin\":{pin}}}"#);
        [
            resource("a", &instance(&format!(r#""id":"1","db_credentials":"{json}""#))),
            resource("b", &instance(&format!(r#""id":"2","content":"{json}""#))),
        ]
    });
    let [before, after] = &states;
    assert_eq!(
        lines(before, after),
        ["changed t.a", "  db_credentials hidden hidden", "changed t.b", "  content hidden hidden"]
    );
}
