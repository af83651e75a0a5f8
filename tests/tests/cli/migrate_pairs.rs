//! `migrate` from each provider to each other one, on the emulator.

use remote_state_tests::{Cmd, OssServer, Sandbox, Suite};
use serde_json::Value;

use crate::support::state;

pub(crate) fn tests(suite: &mut Suite) {
    suite.test("migrate_goes_from_s3_to_oss_and_back", &[], || there_and_back(Side::s3, Side::oss));
    suite.test("migrate_goes_from_s3_to_spaces_and_back", &[], || {
        there_and_back(Side::s3, Side::spaces);
    });
    suite.test("migrate_goes_from_spaces_to_oss_and_back", &[], || {
        there_and_back(Side::spaces, Side::oss);
    });
    suite.test("migrate_goes_from_one_layout_of_oss_to_the_other", &[], || {
        there_and_back(Side::oss, Side::old_oss);
    });
    suite.test("migrate_finds_two_names_of_one_object_in_oss", &[], one_object);
}

/// One side of a migration: a kind of backend, its keys, and where its states are.
#[derive(Clone)]
struct Side {
    backend: &'static str,
    keys: Vec<(&'static str, String)>,
    bucket: &'static str,
    /// The keys of the states of `default` and of `dev`.
    states: [&'static str; 2],
}

impl Side {
    fn s3(server: &OssServer) -> Self {
        let keys = [
            ("key", "a/terraform.tfstate"),
            ("region", "us-east-1"),
            ("use_path_style", "true"),
            ("use_lockfile", "true"),
            ("dialect", "minio"),
            ("endpoint", server.endpoint()),
        ];
        let states = ["a/terraform.tfstate", "env:/dev/a/terraform.tfstate"];
        Self::of("s3", OssServer::VERSIONED, &keys, states)
    }

    fn spaces(server: &OssServer) -> Self {
        let keys = [("key", "s.tfstate"), ("region", "nyc3"), ("endpoint", server.endpoint())];
        Self::of("spaces", "tfstate", &keys, ["s.tfstate", "env:/dev/s.tfstate"])
    }

    fn oss(server: &OssServer) -> Self {
        let keys = [
            ("prefix", "new"),
            ("key", "terraform.tfstate"),
            ("region", OssServer::REGION),
            ("endpoint", server.endpoint()),
        ];
        let states = ["new/terraform.tfstate", "new/dev/terraform.tfstate"];
        Self::of("oss", OssServer::PLAIN, &keys, states)
    }

    fn old_oss(server: &OssServer) -> Self {
        let keys = [
            ("path", "old"),
            ("name", "terraform.tfstate"),
            ("region", OssServer::REGION),
            ("endpoint", server.endpoint()),
        ];
        let states = ["old/terraform.tfstate", "old/dev/terraform.tfstate"];
        Self::of("oss", OssServer::PLAIN, &keys, states)
    }

    fn of(
        backend: &'static str,
        bucket: &'static str,
        keys: &[(&'static str, &str)],
        states: [&'static str; 2],
    ) -> Self {
        let keys = keys.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self { backend, keys, bucket, states }
    }

    fn flags(&self, kind: &str, config: &str) -> Vec<String> {
        let mut flags = vec![format!("--{kind}={}", self.backend)];
        flags.push(format!("--{config}=bucket={}", self.bucket));
        flags.extend(self.keys.iter().map(|(name, value)| format!("--{config}={name}={value}")));
        flags
    }

    fn state(&self, server: &OssServer, number: usize) -> Option<String> {
        let bytes = server.object(self.bucket, self.states[number])?;
        Some(String::from_utf8(bytes.to_vec()).expect("a state is text"))
    }

    #[track_caller]
    fn seal(&self, server: &OssServer, number: usize) -> Value {
        let text = self.state(server, number).expect("the seal is there");
        let json: Value = serde_json::from_str(&text).expect("a seal is JSON");
        assert_eq!(json["remote_state"]["sealed"], 1, "{json}");
        json["remote_state"].clone()
    }
}

fn command(sandbox: &Sandbox, server: &OssServer) -> Cmd {
    sandbox.remote_state().server(server.as_s3()).oss_server(server)
}

fn there_and_back(from: impl Fn(&OssServer) -> Side, to: impl Fn(&OssServer) -> Side) {
    let server = OssServer::emulator();
    let (from, to, sandbox) = (from(&server), to(&server), Sandbox::new());
    for (number, workspace) in ["default", "dev"].into_iter().enumerate() {
        let file = sandbox.write("state.json", state(3 + number as u64));
        let push = command(&sandbox, &server).args(from.flags("backend", "backend-config"));
        push.args(["push", "-w", workspace]).arg(file).run().success();
    }
    let migrate = |from: &Side, to: &Side| {
        let command = command(&sandbox, &server).words("migrate --yes --json --accept-unfenced");
        command.args(from.flags("from", "from-config")).args(to.flags("to", "to-config"))
    };
    for (from, to) in [(&from, &to), (&to, &from)] {
        let answer = migrate(from, to).run().success().json();
        assert_eq!(answer["result"], "moved", "{answer}");
        for number in [0, 1] {
            assert_eq!(to.state(&server, number), Some(state(3 + number as u64)));
            let url = &answer["items"][number]["to"];
            assert_eq!(&from.seal(&server, number)["to"], url);
        }
        for (side, number) in [(from, 0), (from, 1), (to, 0), (to, 1)] {
            let lock = format!("{}.tflock", side.states[number]);
            assert_eq!(server.object(side.bucket, &lock), None, "{lock} is left");
        }
    }
}

/// `path` and `prefix` of OSS may mean the same object.
fn one_object() {
    let server = OssServer::emulator();
    let (new, sandbox) = (Side::oss(&server), Sandbox::new());
    let file = sandbox.write("state.json", state(3));
    let push = command(&sandbox, &server).args(new.flags("backend", "backend-config"));
    push.arg("push").arg(file).run().success();
    let mut old = Side::old_oss(&server);
    old.keys[0].1 = "new".to_owned();
    let migrate = command(&sandbox, &server).words("migrate --yes --accept-unfenced");
    let migrate = migrate.args(new.flags("from", "from-config")).args(old.flags("to", "to-config"));
    migrate.run().code(5);
    assert_eq!(new.state(&server, 0), Some(state(3)));
}
