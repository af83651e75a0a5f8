//! A project moves from `backend "s3"` to `backend "oss"` and back, and native Terraform goes on
//! with the printed blocks.

use remote_state_tests::terraform::CONFIGURATION;
use remote_state_tests::{Cmd, OssServer, Sandbox, Suite};

use crate::project::{APPLY, TERRAFORM};

pub(crate) fn add(suite: &mut Suite) {
    suite.test("a_project_goes_on_in_oss_with_the_printed_block", TERRAFORM, to_oss);
    suite.test("a_project_goes_on_in_oss_with_a_table", TERRAFORM, to_oss_with_table);
}

fn to_oss() {
    moves(&OssServer::emulator(), &[]);
}

fn to_oss_with_table() {
    let server = OssServer::emulator();
    let table = server.tablestore().map(|(name, value)| format!("--to-config={name}={value}"));
    moves(&server, &table);
}

fn moves(server: &OssServer, more: &[String]) {
    let sandbox = Sandbox::new();
    let run = |cmd: Cmd, words: &str| cmd.server(server.as_s3()).oss_server(server).words(words);
    let terraform = |words: &str| run(sandbox.terraform(), words);
    let ours = |words: &str| run(sandbox.remote_state(), words);
    sandbox.write("main.tf", CONFIGURATION);
    let place = server.as_s3().place_in(OssServer::VERSIONED);
    let first = place.backend_block();
    sandbox.write("backend.tf", &first);
    terraform("init -input=false").run().success();
    terraform(APPLY).run().success();
    let before = place.state("default");

    let keys = [
        format!("bucket={}", OssServer::PLAIN),
        format!("region={}", OssServer::REGION),
        format!("endpoint={}", server.endpoint()),
        "prefix=new".to_owned(),
    ];
    let keys = keys.iter().map(|key| format!("--to-config={key}"));
    let migrate = ours("migrate --yes --journal j --to oss").args(keys).args(more);
    migrate.run().success();
    let there = |server: &OssServer| server.object(OssServer::PLAIN, "new/terraform.tfstate");
    assert_eq!(there(server), before);
    let block = ours("migrate --config j").run().success();
    sandbox.write("backend.tf", block.stdout());
    terraform("init -input=false -reconfigure").run().success();
    terraform("plan -input=false -detailed-exitcode").run().code(0);

    ours("migrate --yes --rollback j --accept-unfenced").run().success();
    terraform("plan -input=false -no-color").run().code(1).mentions("moved to s3://");
    sandbox.write("backend.tf", first);
    terraform("init -input=false -reconfigure").run().success();
    terraform("plan -input=false -detailed-exitcode").run().code(0);
    assert_eq!(place.state("default"), before);
    place.assert_unlocked();
}
