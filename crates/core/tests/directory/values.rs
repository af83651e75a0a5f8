//! Which expressions a value may have.

use crate::fixture::{Dir, message};

#[test]
fn four_strings_are_bools() {
    for (written, expected) in [("true", "true"), ("1", "true"), ("false", "false"), ("0", "false")]
    {
        assert_eq!(
            Dir::block(&format!("use_lock = \"{written}\"")).value("use_lock").as_deref(),
            Some(expected)
        );
    }
}

#[test]
fn other_strings_are_no_bools() {
    for written in ["TRUE", "yes", "", "on", "tru"] {
        let dir = Dir::block(&format!("use_lock = \"{written}\""));
        let error = dir.error();
        assert!(
            error.contains(&format!(
                "invalid value `{written}` for `use_lock`: expected `true` or `false`"
            )),
            "{error}"
        );
        assert!(error.contains("set in: main.tf:5"), "{error}");
    }
}

#[test]
fn strings_and_numbers_become_each_other() {
    assert_eq!(Dir::block("retries = \"7\"").value("retries").as_deref(), Some("7"));
    assert_eq!(Dir::block("region = 5").value("region").as_deref(), Some("5"));
    assert_eq!(Dir::block("region = 1.50").value("region").as_deref(), Some("1.5"));
    assert_eq!(Dir::block("region = true").value("region").as_deref(), Some("true"));
    assert!(Dir::block("retries = \"seven\"").error().contains("expected a number"));
}

#[test]
fn null_is_as_if_not_set() {
    assert_eq!(Dir::block("use_lock = null").value("use_lock").as_deref(), Some("false"));
    assert_eq!(Dir::block("endpoints = null").value("endpoints.store"), None);
    assert_eq!(Dir::block("endpoints = { store = null }").value("endpoints.store"), None);
    let found =
        Dir::block("region = null").with(&[("ALPHA_REGION", "r")], &Default::default()).unwrap();
    assert_eq!(found.config.string("region"), Some("r"));
}

#[test]
fn what_holds_neither_name_nor_call_is_evaluated() {
    for (expression, expected) in [
        ("\"tf${\"state\"}\"", "tfstate"),
        ("true ? \"a\" : \"b\"", "a"),
        ("true ? \"a\" : var.b", "a"),
        ("(1 + 2)", "3"),
        ("1e21", "1000000000000000000000"),
        ("1.0", "1"),
        ("-5", "-5"),
        ("\"x${true}y\"", "xtruey"),
        ("\"${1}\"", "1"),
        ("[\"a\"].0", "a"),
        ("<<EOT\r\ntext\r\nEOT\r", "text\r\n"),
        ("<<-EOT\n      a\n        b\n    EOT", "a\n  b\n"),
        ("10 / 4", "2.5"),
        ("4 / 2", "2"),
        ("<<EOT\ntext\nEOT", "text\n"),
        ("<<-EOT\n      text\n    EOT", "text\n"),
        ("\"$${a}\"", "${a}"),
        ("[\"a\", \"b\"][1]", "b"),
        ("{ a = \"x\" }.a", "x"),
        ("\"%{ if true }yes%{ else }no%{ endif }\"", "yes"),
        ("\"line\\nbreak\"", "line\nbreak"),
        ("\"ü\\u00fc\"", "üü"),
    ] {
        assert_eq!(
            Dir::block(&format!("region = {expression}")).value("region").as_deref(),
            Some(expected),
            "{expression}"
        );
    }
}

#[test]
fn a_name_or_a_call_is_an_error_that_says_who_evaluates_it() {
    for (expression, what) in [
        ("var.bucket", "the name `var.bucket`"),
        ("local.x.y", "the name `local.x`"),
        ("path.module", "the name `path.module`"),
        ("terraform.workspace", "the name `terraform.workspace`"),
        ("\"a-${var.b}-c\"", "the name `var.b`"),
        ("lower(\"A\")", "a call of `lower`"),
        ("upper(var.x)", "a call of `upper`"),
        ("somename", "the name `somename`"),
        ("false ? \"a\" : var.b", "the name `var.b`"),
        ("[for x in [\"a\"] : x][0]", "`for`"),
        ("join(\",\", [for x in [\"a\"] : x])", "a call of `join`"),
        ("<<EOT\n${var.b}\nEOT", "the name `var.b`"),
    ] {
        let error = Dir::block(&format!("region = {expression}")).error();
        for part in [
            &format!("`region` is set by an expression with {what}"),
            "main.tf:5",
            "Terraform refuses",
            "OpenTofu",
            "tofu init",
            "to set `region` for this run",
        ] {
            assert!(error.contains(part), "{expression}: {part}: {error}");
        }
    }
}

#[test]
fn a_name_inside_an_object_is_said_of_the_member() {
    let error = Dir::block("endpoints = {\n store = var.e\n}").error();
    assert!(
        error.contains("`endpoints.store` is set by") && error.contains("main.tf:6"),
        "{error}"
    );
    let error = Dir::block("endpoints = var.e").error();
    assert!(error.contains("`endpoints` is set by") && error.contains("main.tf:5"), "{error}");
    assert!(Dir::block("config_files = [var.e]").error().contains("`config_files` is set by"));
}

#[test]
fn an_option_stands_in_for_an_expression_with_names() {
    let dir = Dir::block("region = var.region\nendpoints = var.e");
    let found = dir.with_config(&["region=r", "endpoints={store=\"s\"}"]).unwrap();
    assert_eq!(found.config.string("region"), Some("r"));
    assert_eq!(found.config.string("endpoints.store"), Some("s"));
}

#[test]
fn an_expression_without_a_value_is_an_error_that_does_not_quote_it() {
    for expression in
        ["1 / 0", "1 % 0", "\"x${null}\"", "[][0]", "{}.a", "!\"a\"", "null ? 1 : 2", "-\"a\""]
    {
        let error = Dir::block(&format!("region = {expression}")).error();
        assert!(
            error.contains("cannot be evaluated") && error.contains("main.tf:5"),
            "{expression}: {error}"
        );
    }
    let error = Dir::block("secret_key = 1 + \"hunter2\"").error();
    assert!(error.contains("cannot be evaluated") && error.contains("main.tf:5"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn an_attribute_that_is_set_twice_is_an_error_with_its_line() {
    let error = Dir::block("region = \"a\"\nregion = \"b\"").error();
    assert!(error.contains("main.tf:6") && error.contains("`region` is set twice"), "{error}");
    let content = "{\"terraform\":{\"backend\":{\"alpha\":{\n\"key\":\"a\",\n\"key\":\"b\"}}}}";
    let error = Dir::new().file("main.tf.json", content).error();
    assert!(error.contains("`key` is set twice") && error.contains("main.tf.json:3"), "{error}");
}

#[test]
fn an_object_as_a_block_is_an_error_that_shows_the_attribute() {
    let error = Dir::block("endpoints {\n store = \"s\"\n}").error();
    assert!(
        error.contains("unsupported block type `endpoints`") && error.contains("main.tf:5"),
        "{error}"
    );
    assert!(error.contains("`endpoints = { store = … }`"), "{error}");
    assert!(Dir::block("other {\n}").error().contains("unsupported block type `other`"));
}

#[test]
fn a_provider_may_have_blocks() {
    let block = "terraform {\nbackend \"beta\" {\nbucket = \"b\"\nassume {\narn = \"a\"\n}\n}\n}";
    let dir = Dir::main(block);
    assert_eq!(dir.value("assume.arn").as_deref(), Some("a"));
    assert_eq!(
        dir.discover().unwrap().config.named("assume.arn").unwrap().origin.to_string(),
        "main.tf:5"
    );
    let json =
        "{\"terraform\":{\"backend\":{\"beta\":{\"bucket\":\"b\",\"assume\":[{\"arn\":\"a\"}]}}}}";
    assert_eq!(Dir::new().file("main.tf.json", json).value("assume.arn").as_deref(), Some("a"));
    let twice = block.replace("assume {", "assume {\n}\nassume {");
    assert!(Dir::main(&twice).error().contains("more than one `assume` block"));
}

#[test]
fn objects_are_flattened_and_members_keep_their_lines() {
    let found =
        Dir::block("endpoints = {\n  store = \"s\"\n  \"tokens\" : \"t\"\n}").discover().unwrap();
    assert_eq!(found.config.string("endpoints.store"), Some("s"));
    assert_eq!(found.config.string("endpoints.tokens"), Some("t"));
    assert_eq!(found.config.named("endpoints.store").unwrap().origin.to_string(), "main.tf:6");
    assert_eq!(found.config.named("endpoints.tokens").unwrap().origin.to_string(), "main.tf:7");
}

#[test]
fn an_unknown_member_of_an_object_is_ignored_with_a_note() {
    let found = Dir::block("endpoints = { store = \"s\", bogus = \"x\" }").discover().unwrap();
    assert_eq!(found.config.string("endpoints.store"), Some("s"));
    assert!(
        found.config.notes().iter().any(|note| note.contains("`endpoints.bogus` (main.tf:5)")),
        "{:?}",
        found.config.notes()
    );
}

#[test]
fn lists_and_maps_are_read() {
    assert_eq!(
        Dir::block("config_files = [\"a\", \"b\"]").value("config_files").as_deref(),
        Some("a,b")
    );
    assert_eq!(Dir::block("tags = { a = \"x\", b = 2 }").value("tags").as_deref(), Some("a=x,b=2"));
    assert!(
        Dir::block("config_files = \"a\"")
            .error()
            .contains("expected a list of strings, found a string")
    );
    assert!(
        Dir::block("endpoints = [{ store = \"s\" }]")
            .error()
            .contains("expected an object, found a list")
    );
    assert!(Dir::block("endpoints = \"a\"").error().contains("expected an object, found a string"));
}

#[test]
fn an_unknown_argument_is_an_error_with_file_and_line() {
    let error = Dir::block("reigon = \"x\"").error();
    assert!(error.contains("unknown key `reigon` for provider `alpha`"), "{error}");
    assert!(
        error.contains("set in: main.tf:5") && error.contains("did you mean `region`?"),
        "{error}"
    );
    assert!(
        Dir::block("beta_table = \"x\"")
            .error()
            .contains("`beta_table` belongs to provider `beta`")
    );
    let error = Dir::block("tag_list = 1").error();
    assert!(error.contains("the key that is most like it is `tags`"), "{error}");
    assert!(
        error.contains("see all keys of provider `alpha`") && !error.contains("`retries`"),
        "{error}"
    );
}

#[test]
fn templates_in_json_are_literal_for_one_client_and_not_for_the_other() {
    let with = |value: &str| {
        let content = format!(
            "{{\"terraform\":{{\"backend\":{{\"alpha\":{{\"bucket\":\"b\",\"key\":{value}}}}}}}}}"
        );
        Dir::new().file("main.tf.json", content)
    };
    for value in
        ["\"a${\\\"b\\\"}\"", "\"$${x}\"", "\"${var.x}\"", "\"%{ if true }a%{ endif }\"", "\"${\""]
    {
        let error = with(value).error();
        for part in [
            "`key` is set by an expression with a template in JSON",
            "main.tf.json:1",
            "Terraform takes it literally",
        ] {
            assert!(error.contains(part), "{error}");
        }
        let initialised =
            with(value).initialised("alpha", "{\"bucket\":\"b\",\"key\":\"recorded\"}");
        assert_eq!(initialised.value("key").as_deref(), Some("recorded"));
    }
    assert_eq!(with("5").value("key").as_deref(), Some("5"));
    assert_eq!(with("\"$x{}\"").value("key").as_deref(), Some("$x{}"));
}

#[test]
fn a_required_value_that_is_nowhere_is_named() {
    let error = Dir::main("terraform {\n  backend \"alpha\" {}\n}").error();
    assert!(
        error.contains("`bucket` is not set") && error.contains("also not set: `key`"),
        "{error}"
    );
    let error =
        message(&Dir::block("role = {}\nregion = \"r\"").with_config(&["key="]).unwrap_err());
    assert!(
        error.contains("`key` is not set") && error.contains("empty in: option `backend_config`"),
        "{error}"
    );
}

#[test]
fn a_required_member_is_required_only_if_its_object_is_used() {
    for role in ["{ secret = \"s\" }", "{}", "{ bogus = \"x\" }", "{ arn = null }"] {
        let error = Dir::block(&format!("role = {role}")).error();
        assert!(
            error.contains("`role.arn` is not set") && error.contains("object in: main.tf:5"),
            "{error}"
        );
    }
    assert!(Dir::block("role = null").discover().is_ok());
}

#[test]
fn secrets_are_not_in_errors() {
    let error = Dir::block("secret_key = [\"hunter2\"]").error();
    assert!(error.contains("`secret_key`") && !error.contains("hunter2"), "{error}");
    let error = Dir::block("role = { arn = \"a\", secret = [\"hunter2\"] }").error();
    assert!(error.contains("`role.secret`") && !error.contains("hunter2"), "{error}");
}
