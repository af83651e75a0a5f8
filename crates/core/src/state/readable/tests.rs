use std::io::Cursor;

use super::*;

fn check(members: &str) -> Result<(), String> {
    let state = format!(r#"{{"version":4,"serial":1,"lineage":"l",{members}}}"#);
    check_readable(Cursor::new(state)).map_err(|error| error.message().to_owned())
}

#[test]
fn of_members_that_are_there_twice_the_last_is_checked_and_so_is_all_else() {
    let good = r#""resources":[]"#;
    for bad in [
        r#""resources":[{"mode":"m","type":"t","name":"n","instances":[]}]"#,
        r#""outputs":{"a":{"value":1}}"#,
    ] {
        let name = &bad[..bad.find(':').unwrap()];
        let harmless = format!("{name}:null");
        assert!(check(&format!("{bad},{harmless}")).is_ok(), "{bad}");
        assert!(check(&format!("{harmless},{bad}")).is_err(), "{bad}");
        assert!(
            check(&format!("{bad},\"serial\":1,\"check_results\":null,\"check_results\":null"))
                .is_err()
        );
    }
    assert!(check(&format!("{good},{good}")).is_ok());
    let of_another_kind = r#""resources":[{"mode":"managed","instances":"x"}],"resources":null"#;
    assert!(check(of_another_kind).is_err(), "clients remember that the first did not fit");
}

#[test]
fn bytes_that_are_no_utf_8_do_not_keep_the_rest_from_being_checked() {
    for (mode, is_readable) in [("managed", true), ("data", true), ("manged", false)] {
        let state = [
            br#"{"version":4,"serial":1,"lineage":"l","resources":[{"mode":""#.as_slice(),
            mode.as_bytes(),
            br#"","type":"t","name":"n","provider":"provider[\"registry.terraform.io/hashicorp/null\"]","instances":[{"private":null,"attributes":{"a":"caf"#,
            b"\xe9\"}}]}]}",
        ]
        .concat();
        assert_eq!(check_readable(Cursor::new(state)).is_ok(), is_readable, "{mode}");
    }
}

fn resource(members: &str) -> String {
    format!(r#"{{"mode":"managed","type":"t","name":"n","provider":"p",{members}}}"#)
}

/// A native client's `state push` refused each of these. They cover everything that a client
/// decodes strictly before it stores a state: addresses, keys, output types and the version, but no
/// attribute.
#[test]
fn what_no_client_can_read_is_refused() {
    let twice = format!(r#""resources":[{0},{0}]"#, resource(r#""instances":[{"index_key":0}]"#));
    for (members, says) in [
        (r#""resources":[{"mode":"manged","type":"t","name":"n"}]"#.to_owned(), "`mode`"),
        (r#""resources":[{"type":"t","name":"n"}]"#.to_owned(), "`mode`"),
        (twice, "twice"),
        (format!(r#""resources":[{}]"#, resource(r#""instances":[{},{}]"#)), "twice"),
        (
            format!(
                r#""resources":[{}]"#,
                resource(r#""instances":[{"index_key":"a"},{"index_key":1},{"index_key":"a"}]"#)
            ),
            "twice",
        ),
        (format!(r#""resources":[{}]"#, resource(r#""module":"m""#)), "`module`"),
        (format!(r#""resources":[{}]"#, resource(r#""module":"module.""#)), "`module`"),
        (format!(r#""resources":[{}]"#, resource(r#""module":"module.a[0""#)), "`module`"),
        (
            format!(r#""resources":[{}]"#, resource(r#""instances":[{"index_key":true}]"#)),
            "`index_key`",
        ),
        (r#""outputs":{"o":{"value":1}}"#.to_owned(), "`type`"),
        (r#""outputs":{"o":{"type":"number"}}"#.to_owned(), "`value`"),
        (r#""outputs":{"o":{"type":"number","value":"hunter2"}}"#.to_owned(), "not of its `type`"),
        (
            r#""outputs":{"o":{"type":["list","number"],"value":[1,"x"]}}"#.to_owned(),
            "not of its `type`",
        ),
        (
            r#""outputs":{"o":{"type":["tuple",["bool"]],"value":[]}}"#.to_owned(),
            "not of its `type`",
        ),
        (r#""outputs":{"o":{"type":["list","hunter2"],"value":[]}}"#.to_owned(), "no type"),
        (r#""terraform_version":"abc""#.to_owned(), "`terraform_version`"),
        (
            format!(r#""resources":[{}]"#, resource(r#""instances":[{"status":"hunter2"}]"#)),
            "`status`",
        ),
        (format!(r#""resources":[{}]"#, resource(r#""instances":[{"deposed":"d"}]"#)), "`deposed`"),
        (format!(r#""resources":[{}]"#, resource(r#""instances":[{"private":"!"}]"#)), "`private`"),
        (
            format!(r#""resources":[{}]"#, resource(r#""instances":[{"dependencies":["x"]}]"#)),
            "`dependencies`",
        ),
        (
            format!(
                r#""resources":[{}]"#,
                resource(r#""instances":[{"sensitive_attributes":[[{"type":"x"}]]}]"#)
            ),
            "`sensitive_attributes`",
        ),
        (
            r#""check_results":[{"object_kind":"output","config_addr":"x"}]"#.to_owned(),
            "check result number 1",
        ),
        (r#""resources":{}"#.to_owned(), "another kind"),
    ] {
        let said = check(&members).unwrap_err();
        assert!(said.contains(says) && !said.contains("hunter2"), "{members}: {said}");
    }
}

#[test]
fn what_clients_read_is_let_through() {
    for members in [
        r#""resources":[],"outputs":{}"#.to_owned(),
        r#""resources":null,"outputs":null,"terraform_version":"1.17.0-dev""#.to_owned(),
        r#""terraform_version":"0.12.29+ent""#.to_owned(),
        r#""outputs":{"o":{"type":"string","value":null,"sensitive":null}}"#.to_owned(),
        r#""outputs":{"o":{"type":["object",{"a":"number","b":["set","string"]}],"value":{"a":1e400,"b":["x"]}}}"#
            .to_owned(),
        r#""outputs":{"o":{"type":"dynamic","value":{"value":1,"type":"number"}}}"#.to_owned(),
        format!(
            r#""resources":[{}]"#,
            resource(
                r#""module":"module.a[\"x.]\\\"\"].module.b[0]","instances":[{"index_key":1},{"index_key":"1"},{"index_key":1,"deposed":"0a1b2c3d"}]"#
            )
        ),
        format!(r#""resources":[{}]"#, resource(r#""instances":null"#)),
        format!(r#""resources":[{0},{0}]"#, resource(r#""instances":[]"#)),
    ] {
        assert_eq!(check(&members), Ok(()), "{members}");
    }
}

#[test]
fn what_is_refused_is_named_by_its_address() {
    let in_module = |instances: &str| {
        format!(
            r#""resources":[{}]"#,
            resource(&format!(r#""module":"module.a[\"x\"]","instances":[{instances}]"#))
        )
    };
    for (members, says) in [
        (in_module(r#"{"status":"x"}"#), r#"`module.a["x"].t.n`"#),
        (in_module(r#"{"index_key":"k","status":"x"}"#), r#"`module.a["x"].t.n["k"]`"#),
        (in_module(r#"{"index_key":3},{"index_key":3}"#), r#"`module.a["x"].t.n[3]` is there"#),
        (in_module(r#"{"index_key":true}"#), r#"of `module.a["x"].t.n` is neither"#),
        (r#""resources":[{"mode":"x","type":"t","name":"n"}]"#.to_owned(), "the `mode` of `t.n`"),
        (r#""resources":[{"mode":"x","type":"t"}]"#.to_owned(), "resource number 1"),
        (
            r#""check_results":[{"object_kind":"output","config_addr":"output.o","objects":[{}]}]"#
                .to_owned(),
            "`output.o`",
        ),
        (r#""resources":{}"#.to_owned(), "(line 1, column "),
    ] {
        let said = check(&members).unwrap_err();
        assert!(said.contains(says), "{members}: {said}");
    }
}

#[test]
fn names_with_capitals_are_checked_like_those_in_small_letters() {
    let state = |mode: &str| {
        format!(
            r#""Resources":[{{"Mode":"{mode}","TYPE":"t","name":"n","Instances":[{{}}]}}],"OutputS":{{"O":{{"Type":"number","Value":1}}}}"#
        )
    };
    assert_eq!(check(&state("managed")), Ok(()));
    assert!(check(&state("manged")).unwrap_err().contains("`mode` of `t.n`"));
}
