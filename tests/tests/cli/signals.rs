//! Signals that end a process by default: of a closed terminal, and of the file size limit. Neither
//! leaves a lock, a partial state or a temporary file behind. Under `nohup` a closed terminal does
//! not end the process.

use std::time::Duration;

use remote_state_emulator::{Fault, Misbehaviour};
use remote_state_tests::{Cmd, Running, S3Server, Signal, Suite};

use crate::support::{Case, state};

/// How long the store delays a request.
const DELAY: Duration = Duration::from_secs(2);

pub(crate) fn tests(suite: &mut Suite) {
    suite.on_emulator(
        "a_closed_terminal_lets_a_push_finish_and_give_its_lock_back",
        &[],
        |server| {
            let case = Case::stored(server);
            case.sandbox.write("new.tfstate", state(4));
            let mut push =
                delayed(server, "PUT", ".tfstate", case.remote_state("push new.tfstate"));
            push.signal(Signal::HUP);
            push.wait().code(0).says("finishing first");
            assert_eq!(case.place.state("default").as_deref(), Some(state(4).as_bytes()));
            assert_eq!(case.place.holder("default"), None);
        },
    );
    suite.on_emulator("a_closed_terminal_ends_a_server_well", &[], |server| {
        let case = Case::new(server);
        let mut running = case.remote_state("serve --listen 127.0.0.1:0 --no-auth").start();
        running.wait_for("stop with Ctrl-C");
        running.signal(Signal::HUP);
        running.wait().code(0);
    });
    suite.on_emulator("under_nohup_a_closed_terminal_ends_nothing", &[], |server| {
        let case = Case::stored(server);
        let ignoring = |cmd: Cmd| {
            let shell = case.sandbox.command("sh").server(server);
            shell.args(["-c", "trap '' HUP; exec \"$@\"", "sh"]).words_of(&cmd)
        };
        let mut pull =
            delayed(server, "GET", ".tfstate", ignoring(case.remote_state("pull -o out.json")));
        pull.signal(Signal::HUP);
        pull.wait().code(0);
        assert_eq!(names(&case), ["out.json"]);
        let script = "echo begun; until test -e gate; do sleep 0.05; done; echo done";
        let mut exec = ignoring(case.remote_state("exec").args(["--", "sh", "-c", script])).start();
        exec.wait_for("begun");
        exec.signal(Signal::HUP);
        case.sandbox.write("gate", "");
        assert!(exec.wait().code(0).stdout().contains("done"));
    });
    suite.on_emulator("a_file_that_may_not_grow_is_an_error", &[], |server| {
        let case = Case::new(server);
        let long = state(3).replace("line 2", &"x".repeat(200_000));
        case.place.put_state("default", long.clone());
        let limited = |cmd: Cmd| {
            let shell = case.sandbox.command("sh").server(server);
            shell.args(["-c", "ulimit -f 8; exec \"$@\"", "sh"]).words_of(&cmd)
        };
        case.run(limited(case.remote_state("pull -o out.json"))).code(1).says("File too large");
        assert_eq!(names(&case), [""; 0]);
        case.run(limited(case.remote_state("exec -- true"))).code(0);
    });
}

/// Starts a command against a store that delays one request, and waits until that request has
/// arrived.
fn delayed(server: &S3Server, method: &str, suffix: &str, cmd: Cmd) -> Running {
    let slow = Fault::new(Misbehaviour::Delay(DELAY)).with_method(method).with_key_suffix(suffix);
    server.faults().inject(slow.with_times(1));
    let mut running = cmd.start();
    running.wait_until("the request arrives", || server.faults().count() == 0);
    running
}

fn names(case: &Case<'_>) -> Vec<String> {
    let listed = std::fs::read_dir(case.sandbox.path()).expect("it can be listed");
    let mut names: Vec<_> = listed
        .map(|entry| entry.expect("it can be listed").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
