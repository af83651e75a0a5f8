//! `pull`: byte for byte, whole or not at all.

use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};

use remote_state_emulator::{Fault, Misbehaviour};
use remote_state_tests::{Signal, Suite, TABLE};

use crate::support::{Case, state};

pub(crate) fn tests(suite: &mut Suite) {
    suite.on_each_server("pull_prints_the_very_bytes", &[], |server| {
        let case = Case::new(server);
        // No newline at the end, a carriage return, text beyond ASCII, and longer than any buffer.
        let filler = "ü\r\n".repeat(200_000);
        let bytes = format!("{}{filler} ", state(3));
        case.place.put_state("default", bytes.clone());
        let output = case.run(case.remote_state("pull")).code(0);
        assert!(output.stdout == bytes.as_bytes(), "{} bytes", output.stdout.len());
        assert_eq!(output.stderr(), "");
    });
    suite.on_each_server("pull_writes_a_file_that_only_its_owner_can_read", &[], |server| {
        let case = Case::stored(server);
        case.sandbox.write("state.json", "an older one");
        case.expect(
            case.remote_state("pull -o state.json"),
            0,
            "",
            &format!("wrote {} bytes to `state.json`\n", state(3).len()),
        );
        assert_eq!(case.sandbox.read("state.json"), state(3).as_bytes());
        let mode = std::fs::metadata(case.sandbox.path().join("state.json"))
            .expect("it is there")
            .permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
        let json = case.run(case.remote_state("pull --output=other.json --json")).code(0).json();
        assert_eq!((&json["version"], &json["file"]), (&1.into(), &"other.json".into()));
        assert_eq!(json["size_bytes"], state(3).len());
    });
    suite.on_each_server("pull_of_nothing_prints_nothing", &[], |server| {
        let case = Case::new(server);
        case.expect(
            case.remote_state("pull -w nobody"),
            4,
            "",
            "error: no state has been written to `s3://BUCKET/env:/nobody/KEY`\n  workspace  \
             nobody\n\nhint: see which workspaces have one with `remote-state -w nobody workspace \
             list`\n",
        );
        case.run(case.remote_state("pull -o state.json")).code(4);
        assert!(!case.sandbox.path().join("state.json").exists());
    });
    suite.on_emulator("a_digest_that_may_not_be_read_is_a_warning_of_the_command", &[], |server| {
        let mut case = Case::stored(server);
        case.place = case.place.with("dynamodb_table", TABLE);
        let denied = Misbehaviour::AnswerWithoutWork {
            status: 400,
            code: "AccessDeniedException".to_owned(),
        };
        server.faults().inject(Fault::new(denied).with_operation("GetItem"));
        case.expect(
            case.remote_state("pull"),
            0,
            &state(3),
            "warning: the state is read without looking at its digest\n  because  [..]\n",
        );
    });
    suite.on_emulator("pull_writes_into_what_is_no_file_and_leaves_it_there", &[], |server| {
        let case = Case::stored(server);
        let path = case.sandbox.path();
        let made = case.sandbox.command("mkfifo").arg("fifo").run().success();
        assert_eq!(made.stderr(), "");
        let reader = case.sandbox.command("cat").arg("fifo").start();
        let said = format!("wrote {} bytes to `fifo`\n", state(3).len());
        case.expect(case.remote_state("pull -o fifo"), 0, "", &said);
        assert_eq!(reader.wait().code(0).stdout(), state(3));
        let kind = |name: &str| {
            std::fs::symlink_metadata(path.join(name)).expect("it is there").file_type()
        };
        assert!(kind("fifo").is_fifo());
        std::os::unix::fs::symlink("/dev/null", path.join("null")).expect("a link can be made");
        case.run(case.remote_state("pull -o null")).code(0);
        assert!(kind("null").is_symlink());
        // A link of the test's own: a failing test must not replace the system's.
        std::os::unix::fs::symlink("/proc/self/fd/1", path.join("stdout"))
            .expect("a link can be made");
        let to_stdout = case.remote_state("pull -q -o stdout");
        case.expect(to_stdout, 0, &state(3), "");
        case.run(case.remote_state("pull -o ."))
            .code(1)
            .says("error: cannot write `.`: Is a directory");
    });
    suite.on_emulator("pull_into_an_open_file_adds_to_it", &[], |server| {
        let case = Case::stored(server);
        case.sandbox.write("state.json", "before\n");
        let shell = case.sandbox.command("sh").server(server).args([
            "-c",
            "shift; \"$@\" >> state.json",
            "sh",
        ]);
        std::os::unix::fs::symlink("/proc/self/fd/1", case.sandbox.path().join("stdout"))
            .expect("a link can be made");
        case.run(shell.then(&case.remote_state("pull -o stdout"))).code(0);
        assert_eq!(case.sandbox.read("state.json"), format!("before\n{}", state(3)).as_bytes());
    });
    suite.on_emulator("pull_replaces_what_a_link_points_to_and_not_the_link", &[], |server| {
        let case = Case::stored(server);
        let path = case.sandbox.path();
        case.sandbox.write("real/old.json", "an older one");
        for (target, link) in [
            ("real/old.json", "link.json"),
            ("real/new.json", "dangling.json"),
            ("link.json", "second.json"),
        ] {
            std::os::unix::fs::symlink(target, path.join(link)).expect("a link can be made");
            case.sandbox.write("real/old.json", "an older one");
            case.run(case.remote_state("pull -o").arg(link)).code(0);
            assert_eq!(
                std::fs::read_link(path.join(link)).expect("it is a link"),
                std::path::Path::new(target)
            );
            assert_eq!(case.sandbox.read(link), state(3).as_bytes());
        }
        std::os::unix::fs::symlink("round.json", path.join("round.json"))
            .expect("a link can be made");
        case.run(case.remote_state("pull -o round.json"))
            .code(1)
            .says("error: cannot write `round.json`: ");
        let left: Vec<_> = [path.clone(), path.join("real")]
            .iter()
            .flat_map(|folder| std::fs::read_dir(folder).expect("it is a folder"))
            .map(|entry| entry.expect("it can be read").file_name())
            .filter(|name| name.to_string_lossy().starts_with('.'))
            .collect();
        assert!(left.is_empty(), "{left:?}");
    });
    for (name, signal, code) in [
        ("an_interrupted_pull_leaves_nothing_behind", Signal::INT, 130),
        ("a_pull_whose_terminal_is_closed_leaves_nothing_behind", Signal::HUP, 129),
        ("a_terminated_pull_leaves_nothing_behind", Signal::TERM, 143),
    ] {
        suite.on_emulator(name, &[], move |server| {
            let case = Case::new(server);
            case.place
                .put_state("default", state(3).replace("line 2", &"long line".repeat(1_000_000)));
            let folder = case.sandbox.folder("to");
            std::fs::write(folder.join("state.json"), "an older one").expect("the folder is there");
            let entries = || std::fs::read_dir(&folder).expect("it is a folder").count();
            server.faults().set_bytes_per_second(Some(1_000_000));
            let mut running = case.remote_state("pull -o to/state.json").start();
            running.wait_until("the transfer should begin", || entries() == 2);
            running.signal(signal);
            running.wait().code(code).says("interrupted; `to/state.json` is as it was\n");
            server.faults().clear();
            assert_eq!(entries(), 1);
            assert_eq!(case.sandbox.read("to/state.json"), b"an older one");
        });
    }
    suite.on_emulator("a_full_disk_behind_standard_output_is_told", &[], |server| {
        let case = Case::stored(server);
        let shell = case.sandbox.command("sh").server(server).args([
            "-c",
            "shift; \"$@\" > /dev/full",
            "sh",
        ]);
        let said =
            "error: cannot write to standard output: No space left on device (os error 28)\n";
        case.expect(shell.then(&case.remote_state("pull")), 1, "", said);
    });
    suite.on_emulator(
        "a_name_that_is_no_text_is_written_to_and_told_as_far_as_it_is_text",
        &[],
        |server| {
            use std::os::unix::ffi::OsStrExt as _;
            let case = Case::stored(server);
            for (name, told) in [
                (&b"\xff.json"[..], "\u{fffd}.json"),
                (b"\xc3\x28\xff", "\u{fffd}(\u{fffd}"),
                (b"a\n\xe2\x82.json", "a\n\u{fffd}.json"),
            ] {
                let name = std::ffi::OsStr::from_bytes(name);
                let json = case.run(case.remote_state("--json pull -o").arg(name)).code(0).json();
                assert_eq!(json["file"], told);
                assert_eq!(case.sandbox.read(name), state(3).as_bytes());
                case.run(case.remote_state("pull -o").arg(name)).code(0).says("wrote ");
            }
        },
    );
    suite.on_emulator(
        "a_state_that_does_not_match_its_digest_is_handed_out_if_that_is_asked_for",
        &[],
        |server| {
            let mut case = Case::new(server);
            case.place = case.place.with("dynamodb_table", TABLE);
            case.run(case.remote_state("push -").stdin(state(3))).code(0);
            let ignoring = || case.remote_state("pull --ignore-digest");
            case.expect(ignoring(), 0, &state(3), "");
            for (serial, file) in [(4, None), (3, Some("state.json")), (5, Some("other.json"))] {
                let altered = state(serial).replace("line 2", "line two");
                case.place.put_state("default", altered.clone());
                let refused = case
                    .run(case.remote_state("pull"))
                    .code(5)
                    .says("`remote-state ")
                    .says("--ignore-digest`");
                assert_eq!(refused.stdout(), "");
                let cmd = file.iter().fold(ignoring(), |cmd, file| cmd.arg("-o").arg(file));
                let output = case.run(cmd).code(5);
                let output = output.says(
                    "warning: the state was handed out without holding it against its digest",
                );
                let output = output.says("digest");
                let handed = file.map_or(output.stdout.clone(), |file| case.sandbox.read(file));
                assert_eq!(String::from_utf8_lossy(&handed), altered);
            }
        },
    );
    suite.on_emulator("a_file_that_cannot_be_written_is_named_with_the_reason", &[], |server| {
        let case = Case::stored(server);
        case.expect(
            case.remote_state("pull -o nowhere/state.json"),
            1,
            "",
            "error: cannot write `nowhere/state.json`: No such file or directory (os error \
             2)[..]\n",
        );
    });
}
