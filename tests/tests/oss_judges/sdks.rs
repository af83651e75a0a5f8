//! The vendor's SDKs for Python and JavaScript. Each scenario is a function in one of the scripts
//! beside this file, and runs against an emulator of its own.

use remote_state_tests::{Cmd, OssServer, Requirement, Sandbox, Setup, Suite};

/// A script, and the signature versions of its SDK.
struct Judge {
    name: &'static str,
    language: Language,
    script: &'static str,
    signatures: [&'static str; 2],
}

#[derive(Clone, Copy)]
enum Language {
    JavaScript,
    Python,
}

const JUDGES: [Judge; 4] = [
    Judge {
        name: "ali_oss",
        language: Language::JavaScript,
        script: include_str!("ali_oss_judge.js"),
        signatures: ["v1", "v4"],
    },
    Judge {
        name: "alibabacloud_oss_v2",
        language: Language::Python,
        script: include_str!("oss_v2_judge.py"),
        signatures: ["v1", "v4"],
    },
    Judge {
        name: "oss2",
        language: Language::Python,
        script: include_str!("oss2_judge.py"),
        signatures: ["v1", "v4"],
    },
    Judge {
        name: "tablestore",
        language: Language::Python,
        script: include_str!("tablestore_judge.py"),
        signatures: ["v2", "v4"],
    },
];

impl Language {
    /// Returns the setup with the SDK.
    fn setup(self) -> &'static str {
        match self {
            Self::JavaScript => "oss/emulator-node",
            Self::Python => "oss/emulator",
        }
    }

    /// Returns the names of the scenarios in a script: functions without parameters, named in
    /// several words after what they expect.
    fn scenarios(self, script: &'static str) -> impl Iterator<Item = &'static str> {
        let (before, behind) = match self {
            Self::JavaScript => ("  async ", "() {"),
            Self::Python => ("def ", "():"),
        };
        script
            .lines()
            .filter_map(move |line| line.strip_prefix(before)?.strip_suffix(behind))
            .filter(|name| name.matches('_').count() > 1)
    }

    /// Runs a script.
    fn command(self, sandbox: &Sandbox, script: &str) -> Cmd {
        let setup = Setup::named(self.setup());
        match self {
            Self::JavaScript => sandbox
                .command(setup.told("node"))
                .env("NODE_PATH", setup.told("node_modules"))
                .arg(sandbox.write("judge.js", script)),
            Self::Python => {
                sandbox.command(setup.told("python")).arg(sandbox.write("judge.py", script))
            }
        }
    }
}

/// Temporary keys from STS.
const TEMPORARY: [(&str, &str); 3] = [
    ("STS_ACCESS_KEY", "STS.NUexample"),
    ("STS_SECRET_KEY", "for-a-while"),
    ("STS_TOKEN", "TOKEN+/="),
];

pub(crate) fn add(suite: &mut Suite) {
    for judge in &JUDGES {
        for signature in judge.signatures {
            for scenario in judge.language.scenarios(judge.script) {
                let name = format!("{}::{signature}::{scenario}", judge.name);
                let needs = [Requirement::Setup(judge.language.setup())];
                suite.test(name, &needs, move || run(judge, signature, scenario));
            }
        }
    }
}

fn run(judge: &Judge, signature: &str, scenario: &str) {
    let [(_, access_key), (_, secret_key), (_, token)] = TEMPORARY;
    let server = OssServer::emulator_with(|builder| {
        builder
            .with_region(OssServer::REGION)
            .with_temporary_credentials(access_key, secret_key, token)
    });
    let sandbox = Sandbox::new();
    let mut command = judge
        .language
        .command(&sandbox, judge.script)
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
    // A scenario that sends no request proves nothing.
    let asked = server.requests().take();
    let signed = |mark: &str| asked.iter().any(|request| request.headers.contains_key(mark));
    let is_v4 = signed("x-oss-content-sha256") || signed("x-ots-signaturev4");
    assert!(!asked.is_empty() && is_v4 == (signature == "v4"), "{} asked {asked:#?}", judge.name);
}
