//! The vendor's SDKs for Python. Each scenario is a function in one of the scripts beside this file, run against an emulator of its own.

use remote_state_tests::{OssServer, Requirement, Sandbox, Setup, Suite};

const SETUP: &str = "oss/emulator";

/// A script, and the versions of the signature that its SDK knows.
struct Judge {
    name: &'static str,
    script: &'static str,
    signatures: [&'static str; 2],
}

const JUDGES: [Judge; 3] = [
    Judge { name: "oss2", script: include_str!("oss2_judge.py"), signatures: ["v1", "v4"] },
    Judge { name: "alibabacloud_oss_v2", script: include_str!("oss_v2_judge.py"), signatures: ["v1", "v4"] },
    Judge { name: "tablestore", script: include_str!("tablestore_judge.py"), signatures: ["v2", "v4"] },
];

/// The keys of somebody whom STS let in for a while.
const TEMPORARY: [(&str, &str); 3] =
    [("STS_ACCESS_KEY", "STS.NUexample"), ("STS_SECRET_KEY", "for-a-while"), ("STS_TOKEN", "TOKEN+/=")];

pub(crate) fn add(suite: &mut Suite) {
    for judge in &JUDGES {
        for signature in judge.signatures {
            for scenario in scenarios(judge.script) {
                let name = format!("{}::{signature}::{scenario}", judge.name);
                suite.test(name, &[Requirement::Setup(SETUP)], move || run(judge, signature, scenario));
            }
        }
    }
}

/// The functions of a script that take nothing and say in their name what they expect: several words.
fn scenarios(script: &'static str) -> impl Iterator<Item = &'static str> {
    script
        .lines()
        .filter_map(|line| line.strip_prefix("def ")?.strip_suffix("():"))
        .filter(|name| name.matches('_').count() > 1)
}

fn run(judge: &Judge, signature: &str, scenario: &str) {
    let [(_, access_key), (_, secret_key), (_, token)] = TEMPORARY;
    let server = OssServer::emulator_with(|builder| {
        builder.with_region(OssServer::REGION).with_temporary_credentials(access_key, secret_key, token)
    });
    let sandbox = Sandbox::new();
    let script = sandbox.write("judge.py", judge.script);
    let mut command = sandbox
        .command(Setup::named(SETUP).told("python"))
        .arg(script)
        .args([signature, scenario])
        .env("ENDPOINT", server.endpoint())
        .env("REGION", OssServer::REGION)
        .env("ACCESS_KEY", server.access_key())
        .env("SECRET_KEY", server.secret_key())
        .env("PLAIN", OssServer::PLAIN)
        .env("VERSIONED", OssServer::VERSIONED)
        .env("SUSPENDED", OssServer::SUSPENDED)
        .env("FRESH", "fresh-bucket")
        .env("TABLE", OssServer::TABLE);
    for (name, value) in TEMPORARY {
        command = command.env(name, value);
    }
    command.run().success();
    // A scenario that ends well without having asked anything would prove nothing.
    let asked = server.requests().take();
    let signed = |mark: &str| asked.iter().any(|request| request.headers.contains_key(mark));
    let is_v4 = signed("x-oss-content-sha256") || signed("x-ots-signaturev4");
    assert!(!asked.is_empty() && is_v4 == (signature == "v4"), "{} asked {asked:#?}", judge.name);
}
