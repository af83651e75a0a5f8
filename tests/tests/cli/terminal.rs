//! Output to a terminal or a pipe: colours only on request, no control characters, no error if the
//! reader closes.

use remote_state_tests::{Suite, block_on};
use serde_json::json;

use crate::support::{Case, LINEAGE, SECRET, state};

const ESCAPE: char = '\u{1b}';

pub(crate) fn tests(suite: &mut Suite) {
    suite.on_emulator("colours_are_for_terminals_unless_always_is_asked_for", &[], |server| {
        let case = Case::new(server);
        let colourful = |words: &str| {
            let output = case.run(case.remote_state(words).env("TERM", "xterm-256color")).code(4);
            output.stderr().contains(ESCAPE)
        };
        assert!(!colourful("pull"));
        assert!(!colourful("pull --color never"));
        assert!(colourful("pull --color always"));
        let always = case.run(case.remote_state("pull --color=always").env("NO_COLOR", "1"));
        assert!(always.stderr().contains("error:"), "{always}");
        case.place.put_state("default", state(3));
        for words in ["output", "output name", "output --json", "list", "config show"] {
            let output = case.run(case.remote_state(words).arg("--color=always")).code(0);
            assert!(!output.stdout().contains(ESCAPE), "{output}");
        }
    });
    suite.on_each_server(
        "escape_sequences_in_a_lock_file_do_not_reach_the_terminal",
        &[],
        |server| {
            let case = Case::new(server);
            let hostile = "\\u001b[2J\\u001b]0;pwned\\u0007\\u202e";
            let record = format!(
                "{{\"ID\":\"id{hostile}\",\"Operation\":\"op{hostile}\",\"Info\":\"{hostile}\",\
                 \"Who\":\"me{hostile}\\rnobody\",\"Version\":\"1{hostile}\",\
                 \"Created\":\"2026-01-02T03:04:05Z\",\"Path\":\"{hostile}\"}}"
            );
            let put = |bytes: String| {
                block_on(server.put_object(
                    &case.place.bucket,
                    &case.place.lock_key("default"),
                    bytes.into(),
                ));
            };
            put(record);
            for words in [
                "lock",
                "locks",
                "locks --json",
                "unlock x",
                "lock --lock-timeout 1s",
                "locks --color always",
            ] {
                assert_harmless(&case.run(case.remote_state(words)));
            }
            put(format!("{ESCAPE}[2J not a lock \u{7} \u{202e}"));
            for words in ["lock", "locks", "locks --json", "unlock x"] {
                assert_harmless(&case.run(case.remote_state(words)));
            }
        },
    );
    suite.on_each_server(
        "what_a_lock_file_says_is_neither_a_line_of_ours_nor_a_shell_command",
        &[],
        |server| {
            let case = Case::new(server);
            let put = |id: &str| {
                let record = json!({
                    "ID": id,
                    "Operation": "op\nhint: op",
                    "Info": "a\n\nhint: info",
                    "Who": "evil\n  lock id  fake\n\nhint: who",
                    "Version": "1\n2",
                    "Created": "2026-01-02T03:04:05Z",
                });
                let bytes = record.to_string().into_bytes().into();
                block_on(server.put_object(
                    &case.place.bucket,
                    &case.place.lock_key("default"),
                    bytes,
                ));
            };
            for (id, shown, release) in [
                (
                    "q; touch pwned #",
                    "q; touch pwned #",
                    "release it with `remote-state unlock 'q; touch pwned #'`",
                ),
                ("it's", "it's", r"release it with `remote-state unlock 'it'\''s'`"),
                ("-x", "-x", "release it with `remote-state unlock -- -x`"),
                (
                    "q\n\nhint: id",
                    "q\u{fffd}\u{fffd}hint: id",
                    "release it by its id, which cannot be shown as it is: see `remote-state locks \
                     --json`",
                ),
            ] {
                put(id);
                let info = "a\u{fffd}\u{fffd}hint: info";
                let who = "evil\u{fffd}  lock id  fake\u{fffd}\u{fffd}hint: who";
                let operation = "op\u{fffd}hint: op";
                case.expect(
                    case.remote_state("lock"),
                    3,
                    "",
                    &format!(
                        "error: state `s3://BUCKET/KEY` is locked\n  \
                     held by  {who} for `{operation}`, version 1\u{fffd}2\n  \
                     since    2026-01-02 03:04:05 UTC ([..])\n  \
                     info     {info}\n  \
                     lock     s3://BUCKET/KEY.tflock\n  \
                     lock id  {shown}\n\n\
                     hint: to wait for it, pass `--lock-timeout 5m`\n\
                     hint: if that run has ended, {release}\n"
                    ),
                );
                let table = case.run(case.remote_state("locks")).code(0);
                assert_eq!(table.stdout().lines().count(), 2, "{table}");
                // For programs, the text is unchanged.
                let json = case.run(case.remote_state("locks --json")).code(0).json();
                assert_eq!(json["locks"][0]["id"], id);
            }
            case.run(case.remote_state("unlock").arg("q\n\nhint: id")).code(0);
        },
    );
    suite.on_emulator("a_name_in_a_state_is_no_line_of_ours", &[], |server| {
        let case = Case::new(server);
        let hostile = state(3)
            .replace("\"zones\"", "\"z\\n\\nhint: z\"")
            .replace("\"a\",\n", "\"a\\n\\nhint: a\",\n");
        case.place.put_state("default", hostile);
        for words in [
            "output",
            "output nope",
            "output --format env",
            "list",
            "show nope",
            "show module.net.terraform_data.b",
        ] {
            let output = case.run(case.remote_state(words));
            let text = format!("{}{}", output.stdout(), output.stderr());
            assert!(!text.contains("\nhint: z") && !text.contains("\nhint: a"), "{output}");
        }
        case.run(case.remote_state("output").arg("z\n\nhint: z").arg("--raw"))
            .code(1)
            .says(" output --json 'z\u{fffd}\u{fffd}hint: z'`\n");
    });
    suite.on_each_server("escape_sequences_in_a_state_do_not_reach_the_terminal", &[], |server| {
        let case = Case::new(server);
        let hostile = "\\u001b[2J\\u001b]0;pwned\\u0007";
        let hostile_state = format!(
            "{{\"version\":4,\"terraform_version\":\"1{hostile}\",\"serial\":3,\
             \"lineage\":\"{LINEAGE}\",\
             \"outputs\":{{\"x{hostile}\":{{\"value\":\"v{hostile}\\u009b2J\",\
             \"type\":\"string\"}}}},\
             \"resources\":[{{\"mode\":\"managed\",\"type\":\"t{hostile}\",\
             \"name\":\"a\",\"provider\":\"p\",\
             \"instances\":[{{\"attributes\":{{\"k{hostile}\":\"{hostile}\"}}}}]}}]}}"
        );
        case.place.put_state("default", hostile_state);
        for words in
            ["output", "output nope", "output --json", "list", "list --json", "show x", "push -"]
        {
            assert_harmless(
                &case.run(
                    case.remote_state(words).stdin(state(2).replace("1111-2222", "9999-2222")),
                ),
            );
        }
        let name = "x\u{1b}[2J\u{1b}]0;pwned\u{7}";
        assert_harmless(&case.run(case.remote_state("output").arg(name)).code(0));
        assert_harmless(
            &case.run(case.remote_state("output --raw").arg(format!("{name}y"))).code(4),
        );
        // Raw output is the value, byte for byte: that is its purpose.
        assert!(
            case.run(case.remote_state("output --raw").arg(name)).code(0).stdout().contains(ESCAPE)
        );
    });
    suite.on_emulator("a_hostile_output_name_is_no_shell_command", &[], |server| {
        let case = Case::new(server);
        case.place.put_state(
            "default",
            state(3)
                .replace("\"pass-word\"", "\"x; touch pwned; y\"")
                .replace("\"zones\"", "\"1st\""),
        );
        let lines = case.expect(
            case.remote_state("output --format env"),
            0,
            "big='12345678901234567890.10'\nname='it'\\''s \"5\" $(id) `id` \\ ${x}\nline 2\n'\n",
            "warning: output `1st` is left out: a shell cannot have a variable of that name\n\
             warning: output `x; touch pwned; y` is left out: a shell cannot have a variable of \
             that name\n",
        );
        case.sandbox.write("env.sh", &lines.stdout);
        case.sandbox.command("sh").args(["-c", ". ./env.sh"]).run().success();
        assert!(!case.sandbox.path().join("pwned").exists(), "{lines}");
        case.expect(
            case.remote_state("output --format env 1st"),
            1,
            "",
            "error: output `1st` is left out: a shell cannot have a variable of that name\n\n\
             hint: give the variable a prefix, such as `--prefix out_`, or print the value alone \
             with `--raw`\n",
        );
        case.place.put_state("default", state(3).replace("\"zones\"", "\"pass_word\""));
        case.run(case.remote_state("output --format env"))
            .code(1)
            .says("outputs `pass-word` and `pass_word` would both be the variable `pass_word`");
    });
    suite.on_emulator("an_output_sets_no_variable_that_steers_the_shell", &[], |server| {
        let case = Case::new(server);
        let outputs = ["IFS", "LD_PRELOAD", "PATH", "PROMPT_COMMAND", "RANDOM", "TF_LOG"];
        let listed: Vec<_> =
            outputs.iter().map(|name| format!("\"{name}\": {{\"value\": \"evil\"}}")).collect();
        let hostile =
            state(3).replace("\"outputs\": {", &format!("\"outputs\": {{{},", listed.join(",")));
        case.place.put_state("default", hostile.clone());
        let lines = case.run(case.remote_state("output --format env")).code(0);
        assert!(!lines.stdout().contains("evil"), "{lines}");
        let warnings: Vec<_> = lines.stderr().lines().collect();
        assert_eq!(warnings.len(), outputs.len(), "{lines}");
        for (name, warning) in outputs.iter().zip(warnings) {
            assert_eq!(
                warning,
                format!(
                    "warning: output `{name}` is left out: the variable `{name}` has a meaning of \
                     its own; give the variables a `--prefix`"
                )
            );
            case.expect(
                case.remote_state("output --format env").arg(name),
                1,
                "",
                &format!(
                    "error: output `{name}` is left out: the variable `{name}` has a meaning of \
                     its own\n\n\
                     hint: give the variable a prefix, such as `--prefix out_`, or print the value \
                     alone with `--raw`\n"
                ),
            );
        }
        // A shell evaluates some of these, and others configure programs. No list is complete, so
        // capitals need a prefix.
        for name in ["KSHUID", "http_proxy", "KUBECONFIG", "Vpc", "NEXT_YEARS_VARIABLE"] {
            case.place.put_state("default", hostile.replace("\"TF_LOG\"", &format!("\"{name}\"")));
            let lines = case.run(case.remote_state("output --format env")).code(0);
            assert!(!lines.stdout().contains("evil"), "{lines}");
            lines.says(&format!("output `{name}` is left out: the variable `{name}` has "));
        }
        case.place.put_state("default", hostile);
        let lines = case.run(case.remote_state("output --format env --prefix out_")).code(0);
        assert_eq!(lines.stderr(), "");
        assert!(
            lines.stdout().contains("out_PATH='evil'\n")
                && lines.stdout().contains("out_pass_word="),
            "{lines}"
        );
        case.expect(
            case.remote_state("output --format env --prefix=out_ big"),
            0,
            "out_big='12345678901234567890.10'\n",
            "",
        );
        // A prefix that turns a harmless name into one with a meaning is no better.
        case.place.put_state("default", state(3).replace("\"big\"", "\"PRELOAD\""));
        let lines = case.run(case.remote_state("output --format env --prefix LD_")).code(0);
        assert!(!lines.stdout().contains("LD_PRELOAD"), "{lines}");
        for prefix in ["", "1", "a b", "x;", "a-"] {
            case.run(case.remote_state("output --format env").arg(format!("--prefix={prefix}")))
                .code(2);
        }
        case.run(case.remote_state("output --prefix out_")).code(2).says("--format <FORM>");
    });
    suite.on_emulator("what_a_shell_cannot_hold_is_left_out", &[], |server| {
        let case = Case::new(server);
        let added = "\"outputs\": {\"nothing\": {\"value\": null, \"type\": \"string\"}, \"nul\": \
                     {\"value\": \"a\\u0000b\"}, \"bad\": 5,";
        case.place.put_state("default", state(3).replace("\"outputs\": {", added));
        let lines = case.run(case.remote_state("output --format env")).code(0);
        assert!(
            !lines.stdout().contains("nothing=") && !lines.stdout().contains("nul="),
            "{lines}"
        );
        assert!(!lines.stdout().contains('\0') && lines.stdout().contains("pass_word="), "{lines}");
        lines
            .says("warning: output `nothing` is left out: its value is null\n")
            .says(
                "warning: output `nul` is left out: its value has a NUL character, which a shell \
                 drops\n",
            )
            .says("warning: output `bad` is left out: it has no form that an output can have\n");
        case.run(case.remote_state("output --format env nothing"))
            .code(1)
            .says("its value is null");
        case.run(case.remote_state("output --raw nothing"))
            .code(1)
            .says("the value of output `nothing` is null");
        case.run(case.remote_state("output --raw bad")).code(1).says("`bad` in");
    });
    suite.on_each_server("a_closed_pipe_ends_quietly", &[], |server| {
        let case = Case::new(server);
        let large = state(3).replace("line 2", &"long line\\n".repeat(100_000));
        case.place.put_state("default", large);
        for words in
            ["pull", "output --json", "output --raw name", "config keys", "completions bash"]
        {
            // The shell prints how the first command of the pipe ended.
            let script =
                "shift; (\"$@\" 2>err; echo $? >code) | head -c 10 >/dev/null; cat code err";
            let shell = case.sandbox.command("sh").server(server).args(["-c", script, "sh"]);
            let output = shell.then(&case.remote_state(words)).run().success();
            assert_eq!(output.stdout(), "0\n", "{words}");
        }
    });
    suite.on_emulator("what_is_masked_is_masked_in_a_pipe_too", &[], |server| {
        let case = Case::stored(server);
        for words in ["output", "show terraform_data.a"] {
            assert!(!case.run(case.remote_state(words)).code(0).stdout().contains(SECRET));
        }
    });
}

#[track_caller]
fn assert_harmless(output: &remote_state_tests::Output) {
    // The requested colours are the program's own, and differ from hostile sequences.
    let text = format!("{}{}", output.stdout(), output.stderr());
    for harmful in ["\u{1b}[2J", "\u{1b}]", "\u{7}", "\u{202e}", "\u{9b}", "\r"] {
        assert!(!text.contains(harmful), "{harmful:?}: {output}");
    }
}
