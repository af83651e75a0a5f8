//! `pull`: byte for byte, whole or not at all.

use std::os::unix::fs::PermissionsExt as _;

use remote_state_tests::Suite;

use crate::support::{Case, state};

pub(crate) fn tests(suite: &mut Suite) {
    suite.on_each_server("pull_prints_the_very_bytes", &[], |server| {
        let case = Case::new(server);
        // No newline at the end, a carriage return, text beyond ASCII, and larger than any buffer on the way.
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
        let mode =
            std::fs::metadata(case.sandbox.path().join("state.json")).expect("it is there").permissions();
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
            "error: no state has been written to `s3://BUCKET/env:/nobody/KEY`\n  \
             workspace  nobody\n\n\
             hint: see which workspaces have one with `remote-state -w nobody workspace list`\n",
        );
        case.run(case.remote_state("pull -o state.json")).code(4);
        assert!(!case.sandbox.path().join("state.json").exists());
    });
    suite.on_emulator("a_file_that_cannot_be_written_is_named_with_the_reason", &[], |server| {
        let case = Case::stored(server);
        case.expect(
            case.remote_state("pull -o nowhere/state.json"),
            1,
            "",
            "error: cannot write `nowhere/state.json`: No such file or directory (os error 2)[..]\n",
        );
    });
}
