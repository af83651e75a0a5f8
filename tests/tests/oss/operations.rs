//! `diff` and `find` over OSS.

use remote_state_tests::{OssServer, Sandbox, Suite};

pub(crate) fn add(suite: &mut Suite) {
    suite.test("versions_in_oss_are_compared_and_states_found", &[], versions);
}

fn state(serial: u64, size: &str) -> String {
    format!(
        r#"{{"version":4,"terraform_version":"1.11.4","serial":{serial},"lineage":"l","outputs":{{}},"resources":[
        {{"mode":"managed","type":"alicloud_vpc","name":"main","provider":"provider[\"registry.terraform.io/aliyun/alicloud\"]",
        "instances":[{{"schema_version":0,"attributes":{{"id":"vpc-1","cidr_block":"10.0.0.0/{size}"}}}}]}}],"check_results":null}}"#
    )
}

fn versions() {
    let server = OssServer::emulator();
    let sandbox = Sandbox::new();
    let keys = [("prefix", "net"), ("key", "terraform.tfstate")];
    sandbox.write("main.tf", server.backend_block(OssServer::VERSIONED, &keys));
    let ours = |words: &str| sandbox.remote_state().oss_server(&server).words(words);
    for (serial, size) in [(1, "16"), (2, "20")] {
        ours("push -").stdin(state(serial, size)).run().success();
    }
    assert_eq!(
        ours("diff").run().success().stdout(),
        "serial 1 → 2, Terraform 1.11.4\n\
         ~ alicloud_vpc.main\n    \
             cidr_block  \"10.0.0.0/16\" → \"10.0.0.0/20\"\n\
         1 changed; 0 unchanged\n"
    );
    ours("diff serial:7").run().code(4);
    for words in
        ["find vpc-1", "find --here vpc-1", "find --prefix net/ --attribute cidr_block=*/20"]
    {
        let found = ours(words).run().success();
        assert!(found.stdout().contains("alicloud_vpc.main"), "{words}\n{found}");
    }
    ours("find --prefix other/ vpc-1").run().code(4);
}
