//! A project that is upgraded from release to release: the newer one rewrites the state of the
//! older one in its own format, with the same serial.

use remote_state_tests::S3Server;
use serde_json::Value;

use crate::project::Project;
use crate::served::Serving;
use crate::table::Client;

/// From format 3 to the newest.
pub(crate) const PATH: [&str; 6] = [
    "terraform-0.11.11",
    "terraform-0.12.29",
    "terraform-0.13.4",
    "terraform-0.14.6",
    "terraform-1.6.6",
    "terraform-1.15.5",
];

/// 0.12 cannot read what 0.11 stores for the built-in data source.
const OUTPUTS_ALONE: &str =
    "variable \"v\" {\n  default = \"1\"\n}\n\noutput \"value\" {\n  value = \"${var.v}\"\n}\n";

pub(crate) fn goes_up() {
    let server = S3Server::emulator();
    let served = Serving::start(&server);
    let mut project = Project::new(Client::named(PATH[0]), &served.block);
    project.sandbox.write("main.tf", OUTPUTS_ALONE);
    for (step, name) in PATH.into_iter().enumerate() {
        if step > 0 {
            project = project.upgraded(Client::named(name));
        }
        let run = |words: &str| project.client(words).run();
        run("init -input=false").success();
        run(&Project::apply("1")).success();
        assert_eq!(served.value(), "1", "after {name}");
        if step > 0 {
            run("refresh -input=false -var v=1").success();
        }
        served.assert_free();
    }
    let state: Value = served.ours("pull").run().success().json();
    assert_eq!(state["version"], 4, "{state}");
    project.client(&Project::apply("2")).run().success();
    assert_eq!(served.value(), "2");
}
