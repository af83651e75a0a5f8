//! Commands from the README, in the shells on this machine.
//!
//! Covers every line that should stop when a command in it fails.

use std::os::unix::fs::PermissionsExt as _;

use remote_state_tests::Suite;

use crate::support::{Case, state};

const README: &str = include_str!("../../../README.md");

/// Common shells; the first two are on every system that runs the tests.
const SHELLS: [&str; 7] = ["sh", "bash", "dash", "zsh", "mksh", "ksh93", "yash"];

pub(crate) fn tests(suite: &mut Suite) {
    suite.on_emulator(
        "the_recipe_for_outputs_in_a_shell_stops_where_the_command_fails",
        &[],
        |server| {
            let recipe =
                README.lines().find(|line| line.contains("--format env") && line.contains("eval"));
            let recipe = recipe.expect("the README has a recipe for shells");
            let case = Case::new(server);
            let flags: String = case
                .place
                .flags()
                .iter()
                .map(|flag| format!(" \"{}\"", flag.replace('"', "\\\"")))
                .collect();
            let program = remote_state_tests::remote_state();
            let script = format!("#!/bin/sh\nexec '{}'{flags} \"$@\"\n", program.display());
            let path = case.sandbox.write("bin/remote-state", script);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700))
                .expect("it is ours");
            let search = std::env::var("PATH").unwrap_or_default();
            let search = format!("{}:{search}", path.parent().expect("it has one").display());
            let has = |shell: &str| {
                std::env::split_paths(&search).any(|folder| folder.join(shell).is_file())
            };
            let shells: Vec<_> = SHELLS.into_iter().filter(|shell| has(shell)).collect();
            assert!(shells.contains(&"sh"), "{shells:?}");
            for shell in shells {
                let script = format!("{recipe} && echo goes on");
                let run = || {
                    case.sandbox
                        .command(shell)
                        .server(server)
                        .env("PATH", &search)
                        .arg("-c")
                        .arg(&script)
                        .run()
                };
                // First no state, then one that cannot be read.
                let nothing = run();
                assert!(
                    nothing.status.code() != Some(0) && nothing.stdout().is_empty(),
                    "{shell}: {nothing}"
                );
                case.place.put_state("default", "no state");
                let broken = run();
                assert!(
                    broken.status.code() != Some(0) && broken.stdout().is_empty(),
                    "{shell}: {broken}"
                );
                case.place.put_state(
                    "default",
                    state(3)
                        .replace("\"zones\"", "\"vpc_id\"")
                        .replace("[\"a\", \"ü\"]", "\"vpc-1; echo\""),
                );
                let good = run().success();
                assert_eq!(good.stdout(), "vpc-1; echo\ngoes on\n", "{shell}");
                forget(&case);
            }
        },
    );
}

/// Deletes the state, for the next shell.
fn forget(case: &Case<'_>) {
    let (bucket, key) = (&case.place.bucket, &case.place.key);
    let delete = case.server.client().delete_object().bucket(bucket).key(key);
    drop(remote_state_tests::block_on(delete.send()).expect("the server deletes it"));
}
