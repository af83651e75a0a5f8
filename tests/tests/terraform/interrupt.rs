//! Ctrl-C while Terraform works through `exec`: once is enough, and nothing stays locked.

use remote_state_tests::{Output, Requirement, S3Server, Signal, Suite, Terminal};

use crate::project::{Project, TERRAFORM};

const ON_A_TERMINAL: &[Requirement] = &[Requirement::Terraform, Requirement::Setsid];

pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_server(
        "an_interrupt_sent_to_exec_reaches_terraform_and_frees_the_lock",
        TERRAFORM,
        |server| {
            sent(server, Signal::INT);
        },
    );
    suite.on_emulator(
        "a_request_to_end_sent_to_exec_reaches_terraform_and_frees_the_lock",
        TERRAFORM,
        |server| {
            sent(server, Signal::TERM);
        },
    );
    suite.on_emulator(
        "a_signal_sent_to_the_whole_process_group_is_one_interrupt_and_frees_the_lock",
        TERRAFORM,
        |server| {
            let project = Project::http(server.place());
            let mut holding = project.hold(|words| project.exec(words));
            holding.signal_group(Signal::TERM);
            ended_well(&project, &holding.wait());
        },
    );
    suite.on_each_server(
        "ctrl_c_on_a_terminal_is_one_interrupt_and_frees_the_lock",
        ON_A_TERMINAL,
        pressed,
    );
    suite.on_emulator("a_killed_command_leaves_its_lock_to_be_released_by_id", TERRAFORM, killed);
}

fn sent(server: &S3Server, signal: Signal) {
    let project = Project::http(server.place());
    let mut holding = project.hold(|words| project.exec(words));
    holding.signal(signal);
    ended_well(&project, &holding.wait());
}

fn pressed(server: &S3Server) {
    let project = Project::http(server.place());
    let gate = project.sandbox.path().join("gate");
    let words = format!("apply -auto-approve -input=false -var until={}", gate.display());
    let (mut terminal, mut holding) = Terminal::start(project.exec(&words));
    // Terraform prints it once when it announces the command, and the command prints it once.
    holding.wait_for_times("begun", 2);
    terminal.press_ctrl_c();
    ended_well(&project, &holding.wait());
}

/// Expects that Terraform was interrupted once, stored its state, and released the lock.
fn ended_well(project: &Project<'_>, output: &Output) {
    let output = output.clone().code(1).mentions("Interrupt received");
    assert!(!output.to_string().contains("Two interrupts received"), "{output}");
    project.place.assert_unlocked();
    if project.place.state("default").is_some() {
        assert_eq!(project.place.state_json("default")["version"], 4);
    }
    project.exec("apply -auto-approve -input=false").run().success();
    project.exec("plan -input=false -detailed-exitcode").run().success();
    project.place.assert_unlocked();
}

fn killed(server: &S3Server) {
    let project = Project::http(server.place());
    project.hold(|words| project.exec(words)).kill();
    let holder = project.holder();
    project.exec("plan -input=false").run().code(1).mentions(holder.id.as_str());
    project.ours(&format!("unlock {}", holder.id)).run().success();
    project.exec("apply -auto-approve -input=false").run().success();
    project.place.assert_unlocked();
}
