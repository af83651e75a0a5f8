//! A command that prompts at the terminal, whatever its own streams are: for approval, for a
//! passphrase, for a password.
//!
//! In a process group of its own it is in the background there, where reading stops it. The
//! terminal starts with `sh`, in place of a user's shell, and the input is typed after the
//! question.

use remote_state_tests::{Cmd, Output, Requirement, S3Server, Sandbox, Suite, Terminal};

use crate::project::Project;

const ON_A_TERMINAL: &[Requirement] = &[Requirement::Terraform, Requirement::Setsid];

pub(crate) fn add(suite: &mut Suite) {
    suite.on_emulator(
        "a_command_may_ask_at_the_terminal_whatever_its_streams_are",
        ON_A_TERMINAL,
        asks,
    );
    suite.on_emulator("terraform_asks_for_approval_through_exec", ON_A_TERMINAL, approval);
    suite.on_emulator(
        "the_terminal_is_given_back_when_the_command_has_ended",
        ON_A_TERMINAL,
        given_back,
    );
    suite.on_emulator("who_shares_the_terminal_keeps_it", ON_A_TERMINAL, shared);
}

/// Returns a shell with `remote-state`, its flags and `exec --` in `"$@"`.
fn shell(sandbox: &Sandbox, server: &S3Server, script: &str) -> Cmd {
    let place = server.place();
    let ours = sandbox.remote_state().args(place.flags()).args(["exec", "--"]);
    sandbox.command("sh").server(server).args(["-c", script, "sh"]).words_of(&ours)
}

/// Starts it, waits for the question, and answers.
fn answered(command: Cmd, question: &str) -> Output {
    let (mut terminal, mut running) = Terminal::start(command);
    running.wait_for(question);
    terminal.type_line("yes");
    let output = running.wait();
    // The keyboard must stay connected until the end: closing it is a signal.
    drop(terminal);
    output
}

fn asks(server: &S3Server) {
    let sandbox = Sandbox::new();
    for inner in [
        // All streams are elsewhere, and the command opens the terminal by name.
        "sh -c 'echo question; read x </dev/tty; echo got $x' </dev/null 2>log",
        // A grandchild, in the middle of other work.
        "sh -c 'true | sh -c \"echo question; read x </dev/tty; echo got \\$x\"' </dev/null",
        // Standard input is the terminal.
        "sh -c 'echo question; read x; echo got $x'",
    ] {
        for script in [format!("exec \"$@\" {inner}"), format!("\"$@\" {inner}; true")] {
            let output = answered(shell(&sandbox, server, &script), "question").success();
            assert!(output.stdout().contains("got yes"), "{script}: {output}");
        }
    }
}

fn approval(server: &S3Server) {
    let project = Project::http(server.place());
    let output = answered(project.exec("apply -no-color"), "Enter a value:").success();
    assert!(output.stdout().contains("Apply complete!"), "{output}");
    assert_eq!(project.place.state_json("default")["outputs"]["a"]["value"], "1");
    project.place.assert_unlocked();
}

fn given_back(server: &S3Server) {
    let sandbox = Sandbox::new();
    for inner in ["true", "sh -c 'exit 3'", "sh -c 'kill -9 $$'", "no-such-command"] {
        let script = format!("\"$@\" {inner}; echo question; read x; echo got $x");
        let output = answered(shell(&sandbox, server, &script), "question").success();
        assert!(output.stdout().contains("got yes"), "{script}: {output}");
    }
}

/// A pager reads from the terminal while the command still writes more than a pipe holds.
fn shared(server: &S3Server) {
    let sandbox = Sandbox::new();
    let writes = "sh -c 'i=0; while test $i -lt 20000; do echo 0123456789; i=$((i + 1)); done'";
    let pager = "sh -c 'echo question; read x </dev/tty; echo got $x; cat | wc -l'";
    let output =
        answered(shell(&sandbox, server, &format!("\"$@\" {writes} | {pager}")), "question")
            .success();
    assert!(output.stdout().contains("got yes") && output.stdout().contains("20000"), "{output}");
}
