//! `push` refuses a state that no client could read afterwards exactly if the real Terraform
//! refuses to store it.
//!
//! Covers every member of a state that clients parse before they store it. Attributes are not among
//! them, nor are members that clients correct themselves.

use remote_state_tests::{S3Server, Sandbox, Suite};

use crate::project::TERRAFORM;

pub(crate) fn add(suite: &mut Suite) {
    suite.on_emulator(
        "a_state_that_terraform_refuses_to_store_is_refused_by_push",
        TERRAFORM,
        refused,
    );
    suite.on_emulator("a_state_that_terraform_stores_is_stored_by_push", TERRAFORM, stored);
}

const RESOURCE: &str = r#""mode":"managed","type":"terraform_data","name":"a","provider":"provider[\"terraform.io/builtin/terraform\"]","instances":[]"#;

/// What is wrong, its place in the state, and the text there.
type Row = (&'static str, &'static str, &'static str);

const REFUSED: &[Row] = &[
    ("a mode that is none", "resource", r#""mode":"manged""#),
    ("an instance twice", "instances", r#"{},{}"#),
    ("a key twice", "instances", r#"{"index_key":"a"},{"index_key":"b"},{"index_key":"a"}"#),
    ("a number twice", "instances", r#"{"index_key":1.0},{"index_key":1}"#),
    ("a deposed object twice", "instances", r#"{"deposed":"0a1b2c3d"},{"deposed":"0a1b2c3d"}"#),
    ("two instances that are null", "instances", r#"null,null"#),
    ("a resource twice", "resources", r#"R,R"#),
    ("a resource that is null", "resources", r#"null"#),
    ("a module without its word", "resource", r#""module":"m""#),
    ("a module without a name", "resource", r#""module":"module.""#),
    ("a module whose name begins with a digit", "resource", r#""module":"module.1a""#),
    ("a module with a fraction as its key", "resource", r#""module":"module.a[1.5]""#),
    ("a module with a template as its key", "resource", r#""module":"module.a[\"${x}\"]""#),
    ("a key that is a bool", "instances", r#"{"index_key":true}"#),
    ("a key that is an object", "instances", r#"{"index_key":{}}"#),
    ("a status that is none", "instances", r#"{"status":"broken"}"#),
    ("a deposed key that is too short", "instances", r#"{"deposed":"x"}"#),
    ("a schema version below zero", "instances", r#"{"schema_version":-1}"#),
    ("private data that is not in base64", "instances", r#"{"private":"!!"}"#),
    ("a dependency that is no address", "instances", r#"{"dependencies":["nonsense"]}"#),
    ("a dependency with a key", "instances", r#"{"dependencies":["terraform_data.b[0]"]}"#),
    ("a dependency on a variable", "instances", r#"{"dependencies":["var.a"]}"#),
    ("a sensitive path of texts", "instances", r#"{"sensitive_attributes":["x"]}"#),
    (
        "a sensitive step of no kind",
        "instances",
        r#"{"sensitive_attributes":[[{"type":"x","value":"y"}]]}"#,
    ),
    ("an output without a type", "output", r#""value":1"#),
    ("an output without a value", "output", r#""type":"number""#),
    ("a number that is text", "output", r#""type":"number","value":"x""#),
    ("a number with another base", "output", r#""type":"number","value":"0x10""#),
    ("a bool in capitals", "output", r#""type":"bool","value":"TRUE""#),
    ("a list with a wrong item", "output", r#""type":["list","number"],"value":["x"]"#),
    ("a tuple that is too short", "output", r#""type":["tuple",["bool"]],"value":[]"#),
    (
        "an object with too many members",
        "output",
        r#""type":["object",{"a":"string"}],"value":{"a":"x","b":"y"}"#,
    ),
    ("a type that is none", "output", r#""type":"frob","value":1"#),
    ("a type with too many parts", "output", r#""type":["list","string","x"],"value":[]"#),
    ("a value of any type that does not say which", "output", r#""type":"dynamic","value":1"#),
    ("a mark that is text", "output", r#""type":"string","value":"x","sensitive":"true""#),
    ("a version that is a word", "top", r#""terraform_version":"abc""#),
    ("a version with a part missing", "top", r#""terraform_version":"1..2""#),
    ("a version with white space", "top", r#""terraform_version":"1.2.3 ""#),
    ("check results that are no list", "top", r#""check_results":{}"#),
    ("resources that are no list", "top", r#""resources":{}"#),
    (
        "resources of another kind that come once more",
        "top",
        r#""resources":[{"instances":"x"}],"resources":null"#,
    ),
    (
        "a mode that is none, under a name with capitals",
        "top",
        r#""Resources":[{"Mode":"manged","Type":"t","Name":"n"}]"#,
    ),
];

const STORED: &[Row] = &[
    ("nothing at all", "top", r#""terraform_version":"1.11.4""#),
    ("a release between releases", "top", r#""terraform_version":"1.17.0-dev""#),
    ("an edition", "top", r#""terraform_version":"0.12.29+ent""#),
    ("lists that are null", "top", r#""resources":null,"outputs":null,"check_results":null"#),
    ("a member of the future", "top", r#""later":[1]"#),
    (
        "names with capitals",
        "top",
        r#""Resources":[{"Mode":"data","TYPE":"t","Name":"n","Instances":[{"Status":"tainted"}]}],"Outputs":{"o":{"Type":"number","VALUE":1}}"#,
    ),
    (
        "a mode that is `null` the second time",
        "top",
        r#""resources":[{"mode":"data","mode":null,"type":"t","name":"n"}]"#,
    ),
    ("a resource in two parts", "resources", r#"A,B"#),
    ("a resource and its data source", "resources", r#"R,D"#),
    (
        "modules with keys of every kind",
        "resource",
        r#""module":"module.a[\"x.]\\\"$${y}\"].module.b[0].module._c-d""#,
    ),
    ("white space in an address", "resource", r#""module":"module. a [ 0 ]""#),
    ("a provider that is none", "resource", r#""provider":"p""#),
    ("a name that is none", "resource", r#""name":"1 a""#),
    (
        "keys that only look alike",
        "instances",
        r#"{"index_key":1},{"index_key":"1"},{"index_key":1,"deposed":"0a1b2c3d"}"#,
    ),
    ("an instance that is null", "instances", r#"null"#),
    (
        "dependencies of every kind",
        "instances",
        r#"{"dependencies":["terraform_data.b","data.x.y","module.a.module.b.data.x.y"],"status":"tainted","private":"e30="}"#,
    ),
    (
        "sensitive paths of every kind",
        "instances",
        r#"{"sensitive_attributes":[[],[{"type":"get_attr","value":"a"},{"type":"index","value":{"value":0,"type":"number"}}]]}"#,
    ),
    (
        "numbers of every form",
        "output",
        r#""type":["list","number"],"value":[1,"2","-.5","1e999","1p3",null]"#,
    ),
    (
        "an object with a member missing",
        "output",
        r#""type":["object",{"a":"string","b":"string"},["b"]],"value":{"a":1}"#,
    ),
    (
        "a value that says its type",
        "output",
        r#""type":"dynamic","value":{"value":["a"],"type":["list","string"]}"#,
    ),
    (
        "check results",
        "top",
        r#""check_results":[{"object_kind":"output","config_addr":"module.m.output.a","status":"pass","objects":[{"object_addr":"module.m[0].output.a","status":"pass"}]}]"#,
    ),
];

/// Returns a state with the text in its place. Values in the text replace the default ones.
fn state(place: &str, text: &str) -> String {
    let with = |text: &str| {
        let object = |text: &str| -> serde_json::Map<String, serde_json::Value> {
            serde_json::from_str(&format!("{{{text}}}"))
                .unwrap_or_else(|error| panic!("{text}: {error}"))
        };
        let mut resource = object(RESOURCE);
        resource.extend(object(text));
        serde_json::Value::from(resource).to_string()
    };
    let members = match place {
        "top" => text.to_owned(),
        "output" => format!(r#""outputs":{{"o":{{{text}}}}}"#),
        "resource" => format!(r#""resources":[{}]"#, with(text)),
        "instances" => format!(r#""resources":[{}]"#, with(&format!(r#""instances":[{text}]"#))),
        "resources" => {
            let of = |word: &str| match word {
                "R" => with(r#""instances":[{}]"#),
                "D" => with(r#""mode":"data","instances":[{}]"#),
                "A" => with(r#""instances":[{"index_key":0}]"#),
                "B" => with(r#""instances":[{"index_key":1}]"#),
                other => other.to_owned(),
            };
            format!(r#""resources":[{}]"#, text.split(',').map(of).collect::<Vec<_>>().join(","))
        }
        other => panic!("{other}"),
    };
    format!(
        r#"{{"version":4,"serial":1,"lineage":"11111111-2222-3333-4444-555555555555",{members}}}"#
    )
}

/// Passes one state to both, each without a stored one, and returns whether they stored it.
fn both(server: &S3Server, place: &str, text: &str) -> [bool; 2] {
    let sandbox = Sandbox::new();
    let state = state(place, text);
    sandbox.write("new.json", &state);
    let theirs = sandbox.terraform().words("state push new.json").run();
    let at = server.place();
    let ours = sandbox.remote_state().server(server).args(at.flags()).words("push new.json").run();
    if ours.status.code() != Some(0) {
        let ours = ours.code(1).says("no client can read this state");
        assert!(at.state("default").is_none(), "{ours}");
        let forced =
            sandbox.remote_state().server(server).args(at.flags()).words("push --force new.json");
        forced.run().success();
        assert_eq!(at.state("default").expect("it is stored"), state);
        return [theirs.status.code() == Some(0), false];
    }
    assert_eq!(at.state("default").expect("it is stored"), state);
    [theirs.status.code() == Some(0), true]
}

fn hold(server: &S3Server, rows: &[Row], are_stored: bool) {
    let others: Vec<_> = (rows.iter())
        .map(|(what, place, text)| (what, both(server, place, text)))
        .filter(|(_, [theirs, ours])| (*theirs, *ours) != (are_stored, are_stored))
        .collect();
    assert!(others.is_empty(), "what, stored by Terraform, stored by us: {others:#?}");
}

fn refused(server: &S3Server) {
    hold(server, REFUSED, false);
}

fn stored(server: &S3Server) {
    hold(server, STORED, true);
}
