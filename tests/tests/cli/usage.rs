//! Help, flags and completions.

use remote_state_tests::{Sandbox, Suite};

use crate::support::{Case, state};

pub(crate) fn tests(suite: &mut Suite) {
    suite.test("help_is_an_answer", &[], || {
        let sandbox = Sandbox::new();
        for words in [
            "--help",
            "-h",
            "help",
            "help pull",
            "pull --help",
            "workspace delete -h",
            "config --help",
        ] {
            let output = sandbox.remote_state().words(words).run().success();
            assert!(output.stdout().contains("Usage: remote-state"), "{output}");
            assert_eq!(output.stderr(), "");
        }
        let output = sandbox.remote_state().arg("-V").run().success();
        assert_eq!(output.stdout(), concat!("remote-state ", env!("CARGO_PKG_VERSION"), "\n"));
        let output = sandbox.remote_state().arg("--help").run().success();
        output.mentions(
            "Exit status: 0 done, 1 failed, 2 usage or configuration, 3 lock held by someone \
             else, 4 not found",
        );
    });
    suite.test("a_wrong_command_line_ends_with_2_and_an_empty_answer", &[], || {
        let sandbox = Sandbox::new();
        for (words, said) in [
            ("", "Usage: remote-state"),
            ("bogus", "unrecognized subcommand 'bogus'"),
            ("pul", "some similar subcommands exist: 'push', 'pull'"),
            ("pull --bogus", "unexpected argument '--bogus'"),
            ("output --raw", "<NAME>"),
            ("output x --raw --format env", "cannot be used with"),
            ("output x --format xml", "possible values: env"),
            ("lock --lock-timeout 5minuts", "expected a duration such as `30s` or `5m`"),
            ("unlock x --unreadable", "cannot be used with"),
            ("push", "<FILE>"),
            ("workspace", "Usage: remote-state workspace"),
            ("serve --no-auth --token-file x", "cannot be used with"),
            ("completions tcsh", "possible values: "),
            ("pull --color sometimes", "possible values: auto, always, never"),
        ] {
            let output = sandbox.remote_state().words(words).run().code(2).says(said);
            assert_eq!(output.stdout(), "", "{words}");
        }
    });
    suite.on_each_server("terraforms_flags_are_understood_with_one_dash", &[], |server| {
        let case = Case::stored(server);
        let dir = case.sandbox.folder("elsewhere");
        std::fs::write(dir.join("main.tf"), case.place.backend_block())
            .expect("the folder is there");
        case.expect(
            case.bare("-chdir=elsewhere output -json big"),
            0,
            "12345678901234567890.10\n",
            "",
        );
        case.expect(
            case.bare("output -raw big -C elsewhere -lock-timeout=0s"),
            0,
            "12345678901234567890.10",
            "",
        );
        case.expect(
            case.bare("-chdir=elsewhere workspace list -backend-config=workspace_key_prefix=x"),
            0,
            "* default\n",
            "",
        );
    });
    suite.on_emulator("settings_before_and_behind_the_subcommand_add_up", &[], |server| {
        let case = Case::stored(server);
        let words = "-backend-config max_retries=1 -backend-config=key=other pull";
        let cmd =
            case.remote_state(words).arg("-backend-config").arg(format!("key={}", case.place.key));
        case.run(cmd).code(0);
        let words =
            "--backend-config max_retries=1 config show --json --backend-config max_retries=2";
        let json = case.run(case.remote_state(words)).code(0).json();
        assert_eq!(json["values"]["max_retries"]["value"], 2);
        assert_eq!(json["values"]["use_lockfile"]["value"], true);
        case.run(case.remote_state("pull --backend-config"))
            .code(2)
            .says("a value is required for '--backend-config");
    });
    suite.on_emulator("hints_name_the_state_as_the_command_did", &[], |server| {
        let case = Case::new(server);
        let dir = case.sandbox.folder("else where");
        std::fs::write(dir.join("main.tf"), case.place.backend_block())
            .expect("the folder is there");
        let id = case.run(case.bare("lock -w dev").arg("-C").arg("else where")).code(0);
        let id = id.stdout().trim_end().to_owned();
        let refused = case.run(case.bare("lock -w dev").arg("-C").arg("else where")).code(3);
        refused.says(&format!("`remote-state -C 'else where' -w dev unlock {id}`"));
    });
    suite.on_emulator("hints_name_the_backend_as_the_command_did", &[], |server| {
        let case = Case::new(server);
        let id = case.run(case.remote_state("lock")).code(0).stdout().trim_end().to_owned();
        let (key, secret) = (server.access_key(), server.secret_key());
        let lock = case.remote_state("lock --backend-config").arg(format!("access_key={key}"));
        let refused = case.run(lock.arg(format!("--backend-config=secret_key={secret}"))).code(3);
        let given = format!(" --backend-config access_key={key} --backend-config secret_key=…");
        let refused =
            refused.says(&format!("`remote-state{}{given} unlock {id}`", case.selection()));
        // Typed as it is, it acts on the same state; here the secret comes from the environment.
        let hint =
            refused.stderr().lines().find(|line| line.contains(" unlock ")).expect("it was said");
        let command = hint.split('`').nth(1).expect("a command is quoted").replace(&given, "");
        let words = command.strip_prefix("remote-state").expect("it is ours");
        let shell = case.sandbox.command("sh").server(server).args([
            "-c",
            &format!("shift; \"$1\"{words}"),
            "sh",
        ]);
        case.run(shell.then(&case.bare(""))).code(0);
        case.place.assert_unlocked();
    });
    suite.on_each_server("quiet_says_nothing_but_answers_and_errors", &[], |server| {
        let case = Case::new(server);
        case.sandbox.write("new.json", state(4));
        case.expect(case.remote_state("push -q new.json"), 0, "", "");
        case.expect(case.remote_state("workspace new dev --quiet"), 0, "", "");
        case.expect(case.remote_state("locks -q"), 0, "", "");
        case.expect(case.remote_state("output -q --raw big"), 0, "12345678901234567890.10", "");
        case.expect(
            case.remote_state("unlock -q x"),
            4,
            "",
            "error: no lock is held on `s3://BUCKET/KEY`\n\nhint: see the locks of all workspaces \
             with `remote-state locks`\n",
        );
    });
    suite.on_emulator("a_cause_is_told_when_more_is_asked_for", &[], |server| {
        let case = Case::stored(server);
        let cmd = || case.remote_state("pull").env("AWS_SECRET_ACCESS_KEY", "not-the-secret");
        assert!(!case.run(cmd()).code(1).stderr().contains("caused by"));
        let verbose = case.run(cmd().arg("-v")).code(1).says("caused by: service error\n");
        // Details of the SDK's error stay out: Amazon repeats the refused request in them, session
        // token included.
        assert!(
            !verbose.stderr().contains("SdkBody") && !verbose.stderr().contains("<Error>"),
            "{verbose}"
        );
    });
    for (shell, marks) in [
        ("bash", ["complete -F _remote__state", "workspace"]),
        ("zsh", ["#compdef remote-state", "workspace"]),
        ("fish", ["complete -c remote-state", "workspace"]),
    ] {
        suite.test(format!("completions_for_{shell}_name_our_words"), &[], move || {
            let sandbox = Sandbox::new();
            let output = sandbox.remote_state().args(["completions", shell]).run().success();
            for mark in marks {
                assert!(output.stdout().contains(mark), "{mark}: {output}");
            }
            assert_eq!(output.stderr(), "");
        });
    }
    suite.test("the_completions_of_bash_are_a_script", &[], || {
        let sandbox = Sandbox::new();
        let script = sandbox.remote_state().args(["completions", "bash"]).run().success();
        sandbox.write("completions.bash", &script.stdout);
        sandbox.command("bash").args(["-n", "completions.bash"]).run().success();
    });
}
