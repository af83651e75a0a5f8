//! Input that occurs only as an attack: always an error, never a crash.

use crate::fixture::{Dir, message};

fn nested(open: &str, close: &str, depth: usize) -> String {
    format!("region = {}1{}", open.repeat(depth), close.repeat(depth))
}

#[test]
fn deep_nesting_is_refused() {
    for depth in [100, 10_000, 200_000] {
        for (open, close) in
            [("[", "]"), ("{a=", "}"), ("(", ")"), ("\"${", "}\""), ("!", ""), ("-", "")]
        {
            let error = Dir::block(&nested(open, close, depth)).error();
            assert!(error.contains("main.tf"), "{open} × {depth}: {error}");
        }
        assert!(
            Dir::main(&format!("# backend\n{}", "a {\n".repeat(depth))).error().contains("main.tf")
        );
        assert!(
            Dir::block(&format!("region = {}1", "1+".repeat(depth + 100)))
                .error()
                .contains("main.tf")
        );
        assert!(
            Dir::block(&format!("region = {}1", "true ? 1 : ".repeat(depth)))
                .error()
                .contains("main.tf")
        );
    }
}

#[test]
fn numbers_out_of_range_never_panic() {
    for expression in [
        "9223372036854775807 + 1",
        "-9223372036854775807 - 9",
        "9223372036854775807 * 9",
        "18446744073709551615 + 1",
        "1e308 * 10",
        "1e999",
        "0 - 18446744073709551615",
        "5 % 0.0",
        "-9223372036854775808 / -1",
        "-9223372036854775808 % -1",
        "[1][18446744073709551615]",
        "[1][-1]",
        "[1][0.5]",
    ] {
        let _outcome = Dir::block(&format!("region = {expression}")).discover();
    }
}

#[test]
fn long_traversals_are_an_error() {
    for tail in [".a".repeat(100_000), "[0]".repeat(100_000)] {
        assert!(!Dir::block(&format!("region = x{tail}")).error().is_empty());
        assert!(!Dir::block(&format!("region = []{tail}")).error().is_empty());
    }
}

#[test]
fn deep_nesting_in_json_is_refused() {
    for depth in [100, 10_000, 200_000] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let value = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            let content =
                format!("{{\"terraform\":{{\"backend\":{{\"alpha\":{{\"key\":{value}}}}}}}}}");
            assert!(!Dir::new().file("main.tf.json", &content).error().is_empty());
            assert!(
                !Dir::new()
                    .file("main.tf.json", format!("{{\"backend\":1,\"terraform\":{value}}}"))
                    .error()
                    .is_empty()
            );
            assert!(!Dir::new().initialised("alpha", &value).error().is_empty());
        }
    }
    let template = format!(
        "{{\"terraform\":{{\"backend\":{{\"alpha\":{{\"key\":\"{}\"}}}}}}}}",
        "${[".repeat(10_000)
    );
    assert!(!Dir::new().file("main.tf.json", template).error().is_empty());
}

#[test]
fn a_million_members_are_read_in_time() {
    let members: String = (0..500_000).map(|number| format!("\"a{number}\":1,\n")).collect();
    let tags = format!(
        "{{\"terraform\":{{\"backend\":{{\"alpha\":{{\"tags\":{{{members}\"z\":1}},\
         \"bucket\":\"b\",\"key\":\"k\"}}}}}}}}"
    );
    let found = Dir::new().file("main.tf.json", tags).discover().unwrap();
    assert_eq!(found.config.named("key").unwrap().origin.to_string(), "main.tf.json:500001");
    let keys = format!("{{\"terraform\":{{\"backend\":{{\"alpha\":{{{members}\"z\":1}}}}}}}}");
    assert!(Dir::new().file("main.tf.json", keys).error().contains("unknown key"));
}

#[test]
fn deep_nesting_in_an_option_is_refused() {
    let argument = format!("role={}", "{a=".repeat(10_000));
    assert!(Dir::block("").with_config(&[argument.as_str()]).is_err());
}

#[test]
fn a_file_that_is_too_large_is_refused() {
    let large = vec![b'#'; (16 << 20) + 1];
    let error = Dir::new().file("main.tf", &large).error();
    assert!(error.contains("`main.tf` is larger than 16 MiB"), "{error}");
    let error = message(&Dir::block("").file("x", &large).with_config(&["x"]).unwrap_err());
    assert!(error.contains("`x` is larger than 16 MiB"), "{error}");
}

#[test]
fn what_is_not_text_is_refused_with_its_place() {
    for (content, part) in [
        (&b"# a\n# \0"[..], "NUL"),
        (b"# a\n# \xff\xfe", "invalid UTF-8"),
        (b"\n\xed\xa0\x80", "UTF-8"),
    ] {
        for name in [
            "main.tf",
            "main.tf.json",
            "remote-state.hcl",
            ".terraform/terraform.tfstate",
            ".terraform/environment",
        ] {
            let dir = if name.ends_with("environment") { Dir::block("") } else { Dir::new() };
            let error = dir.file(name, content).error();
            assert!(
                error.contains(part) && error.contains(&format!("{name}:2")),
                "{name}: {error}"
            );
        }
    }
}

#[test]
fn strange_bytes_are_an_error_and_never_a_panic() {
    let valid = "terraform {\n  backend \"alpha\" {\n    bucket = \"b${\"ü\"}\"\n    \
                 key = <<EOT\nk\nEOT\n    endpoints = { store = \"s\" }\n  }\n}\n";
    let json = r#"{"terraform":{"backend":{"alpha":{"bucket":"b\u00fc","key":"${\"k\"}","tags":{"a":[1,null,true]}}}}}"#;
    for (name, content) in [("main.tf", valid), ("main.tf.json", json)] {
        for (end, _) in content.char_indices() {
            let _cut = Dir::new().file(name, &content[..end]).discover();
            for strange in
                ["\"", "{", "}", "\\", "$", "%{", "\u{2028}", "\r", "<<", "[", "\u{feff}"]
            {
                let changed = format!("{}{strange}{}", &content[..end], &content[end..]);
                let _changed = Dir::new().file(name, changed).discover();
            }
        }
    }
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use crate::fixture::Dir;

    #[test]
    fn a_loop_of_links_is_an_error() {
        for name in ["main.tf", "remote-state.hcl", ".terraform"] {
            let dir = Dir::new();
            symlink(name, dir.path().join(name)).unwrap();
            let error = dir.error();
            assert!(error.contains(&format!("cannot read `{name}")), "{name}: {error}");
        }
    }

    #[test]
    fn a_link_to_a_file_is_followed() {
        let dir = Dir::new()
            .file("elsewhere", "terraform {\n backend \"beta\" {\n bucket = \"b\"\n }\n}");
        symlink("elsewhere", dir.path().join("main.tf")).unwrap();
        assert_eq!(dir.value("bucket").as_deref(), Some("b"));
    }

    #[test]
    fn a_link_that_leads_nowhere_is_an_error() {
        let dir = Dir::new();
        symlink("nowhere", dir.path().join("main.tf")).unwrap();
        assert!(dir.error().contains("cannot read `main.tf`"));
    }

    #[test]
    fn a_pipe_given_as_an_option_is_read_once() {
        let dir = Dir::block("").initialised("alpha", r#"{"bucket":"b","key":"k"}"#);
        let pipe = dir.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let writer = std::thread::spawn(move || std::fs::write(pipe, "region = \"r\"\n").unwrap());
        let found = dir.with_config(&["pipe"]).unwrap();
        writer.join().unwrap();
        assert_eq!(found.config.string("region"), Some("r"));
    }

    #[test]
    fn a_pipe_in_the_directory_is_not_waited_for() {
        let dir = Dir::new();
        assert!(Command::new("mkfifo").arg(dir.path().join("main.tf")).status().unwrap().success());
        assert!(dir.error().contains("it is not a regular file"));
    }

    #[test]
    fn a_directory_that_does_not_exist_is_an_error() {
        let dir = Dir::new();
        std::fs::remove_dir(dir.path()).unwrap();
        assert!(dir.error().contains("cannot read the directory"));
    }
}
