//! Requests to end `exec` at any moment of an apply, by any signal, alone or with its group, below
//! or above a wrapper: the resources made so far are stored, and the lock is released.
//!
//! The signals are those of a user, a supervisor and a closed terminal. The wrappers pass them on
//! in different ways: `sh` dies of them and leaves its children, `make` passes on what all
//! processes have already received, `timeout` sends everything twice. A first signal has to reach
//! Terraform exactly once, for a second one makes it give up its state.

use std::thread::sleep;
use std::time::Duration;

use remote_state_tests::{Requirement, Running, S3Server, Signal, Suite};

use crate::project::Project;

/// A resource that is created at once, and one that begins and ends only when told.
const CONFIGURATION: &str = r#"variable "v" {}

resource "terraform_data" "quick" {
  input = var.v
}

resource "terraform_data" "slow" {
  input = terraform_data.quick.output

  provisioner "local-exec" {
    command = "touch 'begun-${var.v}'; until test -e 'gate-${var.v}'; do sleep 0.05; done"
  }
}
"#;

const SIGNALS: [(&str, Signal); 3] =
    [("TERM", Signal::TERM), ("INT", Signal::INT), ("HUP", Signal::HUP)];

/// The moments of the signal: milliseconds after the start.
const MOMENTS: [u64; 7] = [0, 40, 80, 120, 180, 260, 400];

/// The same, after the slow resource has begun.
const LATE_MOMENTS: [u64; 3] = [0, 30, 150];

/// How long a resource continues without an interruption.
const GRACE: Duration = Duration::from_secs(1);

/// The target of the signal.
#[derive(Clone, Copy)]
enum Target {
    Process,
    Group,
}

/// Wraps `exec` and Terraform: `{exec}` stands for the `exec` part of the command line, `{apply}`
/// for Terraform's.
const SCRIPTS: [(&str, &str, Target); 10] = [
    ("terraform_alone", "exec {exec} {apply}", Target::Process),
    ("the_whole_group", "exec {exec} {apply}", Target::Group),
    ("make_inside", "exec {exec} make -f \"$MAKEFILE\" apply", Target::Process),
    ("a_plain_recipe_inside", "exec {exec} make -f \"$MAKEFILE\" plain", Target::Process),
    ("a_shell_inside", "exec {exec} sh -c '{apply}; true'", Target::Process),
    ("a_background_job_inside", "exec {exec} sh -c '{apply} & wait'", Target::Group),
    ("timeout_outside", "exec timeout 80 {exec} {apply}", Target::Process),
    ("make_outside", "exec make -f \"$MAKEFILE\" outer", Target::Group),
    ("a_shell_outside", "{exec} {apply}; true", Target::Group),
    ("a_background_job_outside", "{exec} {apply} & wait", Target::Group),
];

pub(crate) fn add(suite: &mut Suite) {
    for (name, script, target) in SCRIPTS {
        let needs =
            [Requirement::Terraform, Requirement::Command("make"), Requirement::Command("timeout")];
        suite.on_emulator(
            &format!("whenever_exec_is_asked_to_end::{name}"),
            &needs,
            move |server| {
                whenever(server, script, target);
            },
        );
    }
}

fn whenever(server: &S3Server, script: &str, target: Target) {
    let project = Project::http(server.place());
    project.sandbox.write("main.tf", CONFIGURATION);
    for (name, signal) in SIGNALS {
        std::thread::scope(|threads| {
            for (number, moment) in MOMENTS.iter().chain(&LATE_MOMENTS).enumerate() {
                let project = &project;
                let workspace = format!("{name}-{number}");
                let is_late = number >= MOMENTS.len();
                threads.spawn(move || {
                    let mut running = start(project, &workspace, script);
                    if is_late {
                        running
                            .wait_until("the resource begins", || has_begun(project, &workspace));
                    }
                    sleep(Duration::from_millis(*moment));
                    match target {
                        Target::Process => running.signal(signal),
                        Target::Group => running.signal_group(signal),
                    }
                    // A background job that is not ready yet ignores an interrupt, and continues.
                    if !is_late {
                        sleep(GRACE);
                        project.sandbox.write(format!("gate-{workspace}"), "");
                    }
                    nothing_is_lost(project, &workspace, running, is_late);
                });
            }
        });
    }
}

fn start(project: &Project<'_>, workspace: &str, script: &str) -> Running {
    let words = format!("apply -auto-approve -input=false -no-color -var v={workspace}");
    let line = |words: &[String]| {
        words
            .iter()
            .map(|word| format!("\"{}\"", word.replace('"', "\\\"")))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let apply = line(&project.terraform(&words).line());
    // Without its last word, which is the program.
    let exec = project.exec_in(workspace, "").line();
    let exec = line(&exec[..exec.len() - 1]);
    // Without quotes `make` needs no shell for it.
    let plain = project.terraform(&words).line().join(" ");
    let fill = |text: &str| {
        text.replace("{exec}", &exec).replace("{apply}", &apply).replace("{plain}", &plain)
    };
    let makefile = fill("apply:\n\t{apply}\n\nplain:\n\t{plain}\n\nouter:\n\t{exec} {apply}\n")
        .replace('$', "$$");
    let makefile = project.sandbox.write(format!("Makefile-{workspace}"), makefile);
    let shell =
        project.sandbox.command("sh").server(project.place.server).env("MAKEFILE", makefile);
    shell.args(["-c", &fill(script)]).start()
}

fn has_begun(project: &Project<'_>, workspace: &str) -> bool {
    project.sandbox.path().join(format!("begun-{workspace}")).exists()
}

#[track_caller]
fn nothing_is_lost(project: &Project<'_>, workspace: &str, running: Running, is_late: bool) {
    let output = running.wait_for_all();
    let said = format!("{}{}", output.stdout(), output.stderr());
    assert!(!said.contains("Two interrupts received"), "{workspace}: {output}");
    assert_eq!(project.place.holder(workspace), None, "{workspace}: {output}");
    assert!(!project.sandbox.path().join("errored.tfstate").exists(), "{workspace}: {output}");
    let begun = has_begun(project, workspace);
    assert!(begun || !is_late, "{workspace}: {output}");
    if begun {
        let state = project.place.state_json(workspace);
        let stored = state["resources"].as_array().map(Vec::len);
        assert_eq!(stored, Some(2), "{workspace}: {state} {output}");
    }
}
