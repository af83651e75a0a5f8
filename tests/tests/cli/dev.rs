//! `--dev`: the embedded store, which needs no setup and keeps its data.

use remote_state_tests::terraform::{CONFIGURATION, HTTP_BACKEND};
use remote_state_tests::{Cmd, Requirement, Sandbox, Suite};

use crate::support::state;

pub(crate) fn tests(suite: &mut Suite) {
    suite.test("the_embedded_store_survives_between_commands", &[], || {
        let sandbox = Sandbox::new();
        let run = |words: &str| dev(&sandbox, words).run();
        run("pull").code(4);
        dev(&sandbox, "push -").stdin(state(3)).run().success();
        assert_eq!(run("pull").success().stdout, state(3).as_bytes());
        assert_eq!(run("output -raw big").success().stdout(), "12345678901234567890.10");
        run("workspace new prod").success();
        assert_eq!(run("workspace list -w prod").success().stdout(), "  default\n* prod\n");
        let id = run("lock").success().stdout().trim_end().to_owned();
        dev(&sandbox, "push -")
            .stdin(state(4))
            .run()
            .code(3)
            .says(&format!("`remote-state --dev unlock {id}`"));
        run(&format!("unlock {id}")).success();
        dev(&sandbox, "push -").stdin(state(4)).run().success();
        assert_eq!(run("pull").success().stdout, state(4).as_bytes());
    });
    suite.test("the_embedded_store_is_oss_on_request", &[], || {
        let sandbox = Sandbox::new();
        let oss = |words: &str| sandbox.remote_state().arg("--dev=oss").words(words);
        oss("pull").run().code(4);
        oss("push -")
            .stdin(state(3))
            .run()
            .success()
            .says("`oss://remote-state-dev-oss/env:/terraform.tfstate`");
        assert_eq!(oss("pull").run().success().stdout, state(3).as_bytes());
        oss("workspace new prod").run().success();
        assert_eq!(oss("workspace list -w prod").run().success().stdout(), "  default\n* prod\n");
        let id = oss("lock").run().success().stdout().trim_end().to_owned();
        oss("push -")
            .stdin(state(4))
            .run()
            .code(3)
            .says(&format!("`remote-state --dev=oss unlock {id}`"));
        oss(&format!("unlock {id}")).run().success();
        // The same file holds both, and neither sees the other's states.
        dev(&sandbox, "pull").run().code(4);
        dev(&sandbox, "workspace list").run().success();
        dev(&sandbox, "pull --backend oss")
            .run()
            .code(2)
            .says("hint: to have one that does, give `--dev=oss`");
        oss("pull --backend s3").run().code(2).says("hint: to have one that does, give `--dev=s3`");
    });
    suite.test("the_embedded_store_asks_for_no_identity", &[], || {
        let sandbox = Sandbox::new();
        for kind in ["s3", "oss", "spaces"] {
            let whoami = sandbox.remote_state().arg(format!("--dev={kind}")).words("whoami --json");
            let found = whoami.run().success().json();
            assert_eq!(
                (&found["backend"], found["account"].is_null()),
                (&kind.into(), true),
                "{found}"
            );
            let because = found["unknown_because"].as_str().expect("it is text");
            assert!(because.starts_with("the store is not "), "{because}");
        }
    });
    suite.test("the_embedded_oss_locks_in_a_table_on_request", &[], || {
        let sandbox = Sandbox::new();
        let oss = |words: &str| {
            let table = ["--dev=oss", "--backend-config", "tablestore_table=statelock"];
            sandbox.remote_state().args(table).words(words)
        };
        oss("push -").stdin(state(3)).run().success();
        let id = oss("lock").run().success().stdout().trim_end().to_owned();
        oss("lock").run().code(3).says(&id).says("statelock");
        oss(&format!("unlock {id}")).run().success();
        assert_eq!(oss("pull").run().success().stdout, state(3).as_bytes());
    });
    suite.test("the_embedded_store_is_spaces_on_request", &[], || {
        let sandbox = Sandbox::new();
        let spaces = |words: &str| sandbox.remote_state().arg("--dev=spaces").words(words);
        spaces("pull").run().code(4);
        let pushed = spaces("push -").stdin(state(3)).run().success();
        assert!(
            !pushed.stderr().contains("warning"),
            "a new bucket keeps no versions, and no secret is written down: {pushed}"
        );
        assert_eq!(spaces("pull").run().success().stdout, state(3).as_bytes());
        spaces("workspace new prod").run().success();
        assert_eq!(
            spaces("workspace list -w prod").run().success().stdout(),
            "  default\n* prod\n"
        );
        let id = spaces("lock").run().success().stdout().trim_end().to_owned();
        spaces("push -")
            .stdin(state(4))
            .run()
            .code(3)
            .says(&format!("`remote-state --dev=spaces unlock {id}`"));
        spaces(&format!("unlock {id}")).run().success();
        dev(&sandbox, "pull").run().code(4);
        dev(&sandbox, "pull --backend spaces")
            .run()
            .code(2)
            .says("hint: to have one that does, give `--dev=spaces`");
        let shown = spaces("config show --json").run().success().json();
        assert_eq!(shown["backend"], "spaces");
        spaces("pull --backend-config kms_key_id=x")
            .run()
            .code(2)
            .says("Spaces has no key management service");
    });
    suite.test("the_embedded_spaces_are_native", &[Requirement::Terraform], || {
        let sandbox = Sandbox::new();
        let exec = |words: &str| {
            let terraform = sandbox.terraform().words(words);
            sandbox.remote_state().words("exec --dev=spaces").then(&terraform).run()
        };
        sandbox.write("main.tf", CONFIGURATION);
        sandbox.write("backend.tf", HTTP_BACKEND);
        exec("init -input=false").success();
        exec("apply -auto-approve -input=false -var v=deep").success();
        let output = sandbox.remote_state().words("--dev=spaces output -raw a").run().success();
        assert_eq!(output.stdout(), "deep");
    });
    suite.test("the_embedded_oss_is_native", &[Requirement::Terraform], || {
        let sandbox = Sandbox::new();
        let exec = |words: &str| {
            let terraform = sandbox.terraform().words(words);
            sandbox.remote_state().words("exec --dev=oss").then(&terraform).run()
        };
        sandbox.write("main.tf", CONFIGURATION);
        sandbox.write("backend.tf", HTTP_BACKEND);
        exec("init -input=false").success();
        exec("apply -auto-approve -input=false").success();
        sandbox.write("native/main.tf", CONFIGURATION);
        let block =
            "terraform {\n  backend \"oss\" {\n    bucket = \"remote-state-dev-oss\"\n  }\n}\n";
        sandbox.write("native/backend.tf", block);
        exec("-chdir=native init -input=false").success();
        exec("-chdir=native plan -input=false -detailed-exitcode").success();
        exec("-chdir=native apply -auto-approve -input=false -var v=2").success();
        let output = sandbox.remote_state().words("--dev=oss output a --raw").run().success();
        assert_eq!(output.stdout(), "2");
    });
    suite.test("the_embedded_store_keeps_to_its_folder", &[], || {
        let sandbox = Sandbox::new();
        let inner = sandbox.folder("inner");
        dev(&sandbox, "push - -C inner").stdin(state(3)).run().success();
        assert_eq!(names(&sandbox.path()), ["inner"]);
        assert_eq!(names(&inner), [".remote-state"]);
        assert_eq!(names(&inner.join(".remote-state")), ["dev"]);
        // The states must not enter a repository by accident.
        assert_eq!(sandbox.read("inner/.remote-state/dev/.gitignore"), b"*\n");
        assert_eq!(names(&sandbox.home()), [""; 0]);
    });
    suite.test("the_embedded_store_asks_nothing_of_the_directory_and_the_environment", &[], || {
        let sandbox = Sandbox::new();
        sandbox.write(
            "main.tf",
            "terraform {\n  backend \"s3\" {\n    bucket = \"production\"\n    key = \"k\"\n  \
             }\n}\n",
        );
        let run = |words: &str| {
            dev(&sandbox, words)
                .env("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
                .env("AWS_ACCESS_KEY_ID", "x")
                .env("TF_CLI_ARGS_init", "-backend-config=bucket=other")
                .stdin(state(3))
                .run()
        };
        run("push -").success().says("`s3://remote-state-dev/terraform.tfstate`");
        run("push - -backend-config=key=other").success().says("`s3://remote-state-dev/other`");
        assert_eq!(
            run("config show --json").success().json()["values"]["bucket"]["value"],
            "remote-state-dev"
        );
        run("pull --backend gcs")
            .code(2)
            .says("the embedded store speaks `s3`, not `gcs`")
            .says("hint: leave out `--backend`");
        // No command creates a missing directory.
        for words in [
            "pull -C nowhere-at-all",
            "-C nowhere-at-all/below list",
            "exec -C nowhere-at-all -- pwd",
        ] {
            run(words).code(1).says("error: cannot read the directory `nowhere-at-all");
            assert!(!sandbox.path().join("nowhere-at-all").exists());
        }
    });
    suite.test("an_embedded_store_that_cannot_be_used_is_named", &[], || {
        let sandbox = Sandbox::new();
        sandbox.write("a/.remote-state", "a file");
        let output = dev(&sandbox, "-C a pull").run().code(1);
        output.says("error: cannot use `").says("/a/.remote-state/dev`: ").says("(os error ");
        sandbox.write("b/.remote-state/dev/store.redb", "this is no store at all");
        let output = dev(&sandbox, "-C b pull")
            .run()
            .code(1)
            .says("error: cannot start the embedded store: ");
        output.says("/b/.remote-state/dev/store.redb\n").says(
            "hint: if it is damaged, move it away; the next command starts with an empty one\n",
        );
        assert_eq!(sandbox.read("b/.remote-state/dev/store.redb"), b"this is no store at all");

        sandbox.folder("c");
        dev(&sandbox, "-C c push -").stdin(state(3)).run().success();
        let intact = sandbox.read("c/.remote-state/dev/store.redb");
        // The first page is the index; the others hold the data.
        for from in [16, 4096] {
            let mut damaged = intact.clone();
            damaged[from..].fill(0x5a);
            sandbox.write("c/.remote-state/dev/store.redb", damaged);
            dev(&sandbox, "-C c pull")
                .run()
                .code(1)
                .says("error: cannot start the embedded store: ")
                .says("hint: if it is damaged, move it away");
        }
    });
    suite.test(
        "the_embedded_store_follows_no_link_and_overwrites_nothing_of_the_users",
        &[],
        || {
            use std::os::unix::fs::{PermissionsExt as _, symlink};
            let sandbox = Sandbox::new();
            let victim = sandbox.write("victim", "precious");
            let elsewhere = sandbox.folder("elsewhere");
            for (number, link) in
                ["", "/dev", "/dev/.gitignore", "/dev/store.redb", "/dev/store.redb.lock"]
                    .into_iter()
                    .enumerate()
            {
                let link = format!("{number}/.remote-state{link}");
                let path = sandbox.path().join(&link);
                std::fs::create_dir_all(path.parent().expect("it is below the sandbox"))
                    .expect("it is new");
                let target = if number < 2 { &elsewhere } else { &victim };
                symlink(target, path).expect("nothing is there yet");
                dev(&sandbox, &format!("-C {number} push -"))
                    .stdin(state(3))
                    .run()
                    .code(1)
                    .says(&format!("/{link}`: it is a symbolic link\n\nhint: "));
                assert_eq!(sandbox.read("victim"), b"precious");
                assert_eq!(names(&elsewhere), [""; 0]);
            }
            sandbox.write("own/.remote-state/dev/.gitignore", "store.redb\n");
            dev(&sandbox, "-C own push -").stdin(state(3)).run().success();
            assert_eq!(sandbox.read("own/.remote-state/dev/.gitignore"), b"store.redb\n");

            sandbox.folder("new");
            dev(&sandbox, "-C new push -").stdin(state(3)).run().success();
            for (name, expected) in [
                ("", 0o700),
                ("/.gitignore", 0o600),
                ("/store.redb", 0o600),
                ("/store.redb.lock", 0o600),
            ] {
                let path = sandbox.path().join(format!("new/.remote-state/dev{name}"));
                let mode = path.metadata().expect("it is there").permissions().mode();
                assert_eq!(mode & 0o777, expected, "{}", path.display());
            }
        },
    );
    suite.test("two_processes_use_the_embedded_store_at_once", &[], || {
        let sandbox = Sandbox::new();
        let waiting = sandbox.path().join("go");
        // A waiting command holds the file open, while others read and write.
        let mut held = dev(&sandbox, "exec")
            .env("GO", &waiting)
            .args(["--", "sh", "-c", "echo begun; while ! test -e \"$GO\"; do sleep 0.05; done"])
            .start();
        held.wait_for("begun");
        dev(&sandbox, "push -").stdin(state(3)).run().success();
        assert_eq!(dev(&sandbox, "pull").run().success().stdout, state(3).as_bytes());
        std::fs::write(&waiting, "").expect("the folder is there");
        held.wait().success();
    });
    suite.test("of_many_processes_one_gets_the_lock_of_the_embedded_store", &[], || {
        let sandbox = Sandbox::new();
        let running: Vec<_> = (0..8).map(|_| dev(&sandbox, "lock").start()).collect();
        let codes: Vec<_> =
            running.into_iter().map(|running| running.wait().status.code()).collect();
        assert_eq!(codes.iter().filter(|code| **code == Some(0)).count(), 1, "{codes:?}");
        assert_eq!(codes.iter().filter(|code| **code == Some(3)).count(), 7, "{codes:?}");
    });
}

fn dev(sandbox: &Sandbox, words: &str) -> Cmd {
    sandbox.remote_state().arg("--dev").words(words)
}

fn names(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
