//! One directory, given to `remote-state` and to `terraform`, and the expected result of each.

use std::collections::BTreeMap;

use remote_state_tests::{Cmd, Output, Requirement, S3Server, Sandbox, Suite};
use serde_json::Value;

/// The common part of each configuration. The rest is in the environment, see
/// [`Directory::client`].
const COMMON: &str = "skip_credentials_validation = true\n    \
                      skip_requesting_account_id = true\n    \
     use_path_style = true";
const COMMON_JSON: &str = "\"skip_credentials_validation\": true, \"skip_requesting_account_id\": \
                           true, \"use_path_style\": true";

/// Settings by name; the members of objects have dotted names.
pub(crate) type Values = BTreeMap<String, Value>;

/// A directory and its expected meaning. In contents and arguments, `COMMON`, `COMMON_JSON` and
/// `ENDPOINT` are placeholders for what differs from run to run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Case {
    name: &'static str,
    files: Vec<(&'static str, String)>,
    env: Vec<(&'static str, &'static str)>,
    backend_config: Vec<&'static str>,
    ours: Ours,
    theirs: Theirs,
}

/// The result of `remote-state`.
#[derive(Clone, Debug, Default)]
enum Ours {
    #[default]
    Unsaid,
    /// It finds at least these values; null is a value that is not set.
    Finds(Vec<(&'static str, Value)>),
    /// It refuses, with these words.
    Refuses(Vec<&'static str>),
}

/// The result of `terraform`.
#[derive(Clone, Debug, Default)]
enum Theirs {
    /// The same: the same values, or a refusal.
    #[default]
    Same,
    /// It refuses, with these words.
    Refuses(&'static str),
    /// It has a backend with this key.
    UsesKey(&'static str),
    /// It finds no backend.
    FindsNone,
    /// It would need the network.
    Unasked,
}

impl Case {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, ..Self::default() }
    }

    pub(crate) fn file(mut self, name: &'static str, content: impl Into<String>) -> Self {
        self.files.push((name, content.into()));
        self
    }

    /// Adds `main.tf` with these lines in its block.
    pub(crate) fn block(self, lines: &str) -> Self {
        self.file("main.tf", block(lines))
    }

    pub(crate) fn env(mut self, name: &'static str, value: &'static str) -> Self {
        self.env.push((name, value));
        self
    }

    /// Adds an argument of `-backend-config`.
    pub(crate) fn given(mut self, argument: &'static str) -> Self {
        self.backend_config.push(argument);
        self
    }

    /// Expects that both find these values.
    pub(crate) fn is(mut self, values: &[(&'static str, Value)]) -> Self {
        self.ours = Ours::Finds(values.to_vec());
        self
    }

    /// Returns whether the case has no expectation yet.
    pub(crate) fn is_unsaid(&self) -> bool {
        matches!(self.ours, Ours::Unsaid)
    }

    /// Expects that both find this key.
    pub(crate) fn has_key(self, key: &'static str) -> Self {
        self.is(&[("key", key.into())])
    }

    /// Expects that `remote-state` refuses with these words; so must `terraform`, unless the case
    /// says otherwise.
    pub(crate) fn refused(mut self, words: &[&'static str]) -> Self {
        self.ours = Ours::Refuses(words.to_vec());
        self
    }

    /// Expects that `terraform` refuses with these words.
    pub(crate) fn terraform_refuses(mut self, words: &'static str) -> Self {
        self.theirs = Theirs::Refuses(words);
        self
    }

    /// Expects that `terraform` uses another key.
    pub(crate) fn terraform_uses(mut self, key: &'static str) -> Self {
        self.theirs = Theirs::UsesKey(key);
        self
    }

    /// Expects that `terraform` finds no backend.
    pub(crate) fn terraform_finds_none(mut self) -> Self {
        self.theirs = Theirs::FindsNone;
        self
    }

    pub(crate) fn terraform_is_not_asked(mut self) -> Self {
        self.theirs = Theirs::Unasked;
        self
    }

    /// Adds a test of `remote-state`, and one of `terraform`.
    pub(crate) fn add_to(self, suite: &mut Suite) {
        let case = self.clone();
        suite.on_emulator(self.name, &[], move |server| {
            case.judge_ours(&Directory::new(&case, server));
        });
        if !matches!(self.theirs, Theirs::Unasked) {
            let name = format!("terraform::{}", self.name);
            suite.on_emulator(&name, &[Requirement::Terraform], move |server| {
                self.judge_theirs(&Directory::new(&self, server));
            });
        }
    }

    fn judge_ours(&self, directory: &Directory<'_>) {
        let output = directory.show();
        match &self.ours {
            Ours::Finds(expected) => {
                let json = output.clone().success().json();
                assert_eq!(
                    (&json["version"], &json["backend"]),
                    (&1.into(), &"s3".into()),
                    "{output}"
                );
                for (name, value) in expected {
                    assert_eq!(&json["values"][name]["value"], value, "{name}: {output}");
                }
            }
            Ours::Refuses(words) => {
                let output = output.code(2);
                assert_eq!(output.stdout(), "", "{output}");
                words.iter().fold(output, |output, words| output.says(words));
            }
            Ours::Unsaid => panic!("the test should say what to expect"),
        }
    }

    fn judge_theirs(&self, directory: &Directory<'_>) {
        let before = directory.show();
        let init = directory.init();
        match (&self.theirs, &self.ours) {
            (Theirs::Same, Ours::Finds(_)) => {
                init.success();
                let recorded = directory.recorded().expect("init records the backend");
                assert_same(&found(&before.success().json()), &recorded);
                // From now on `remote-state` uses the record, without a warning.
                let after = directory.show().success();
                assert_eq!(after.stderr(), "", "{after}");
                assert_same(&found(&after.json()), &recorded);
                directory.remote_state("workspace list").run().success();
            }
            (Theirs::Same, _) => {
                init.code(1);
                before.code(2);
            }
            (Theirs::Refuses(words), _) => drop(init.code(1).mentions(words)),
            (Theirs::UsesKey(key), _) => {
                init.success();
                assert_eq!(directory.recorded().expect("init records the backend")["key"], *key);
            }
            (Theirs::FindsNone, _) => {
                init.success();
                assert_eq!(directory.recorded(), None);
            }
            (Theirs::Unasked, _) => {}
        }
    }
}

/// A case in a folder, with the server of its backend.
pub(crate) struct Directory<'a> {
    pub(crate) sandbox: Sandbox,
    server: &'a S3Server,
    env: Vec<(&'static str, &'static str)>,
    backend_config: Vec<String>,
}

impl<'a> Directory<'a> {
    fn new(case: &Case, server: &'a S3Server) -> Self {
        let mut directory = Self::empty(server);
        for (name, content) in &case.files {
            directory.write(name, content);
        }
        directory.env.clone_from(&case.env);
        directory.backend_config =
            case.backend_config.iter().map(|text| directory.filled_in(text)).collect();
        directory
    }

    pub(crate) fn empty(server: &'a S3Server) -> Self {
        Self { sandbox: Sandbox::new(), server, env: Vec::new(), backend_config: Vec::new() }
    }

    /// Creates `main.tf`, whose block contains these lines from line 3 on.
    pub(crate) fn with_block(server: &'a S3Server, lines: &str) -> Self {
        let directory = Self::empty(server);
        directory.write("main.tf", &block(lines));
        directory
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        self.sandbox.write(name, self.filled_in(content));
    }

    fn filled_in(&self, text: &str) -> String {
        text.replace("COMMON_JSON", COMMON_JSON)
            .replace("COMMON", COMMON)
            .replace("ENDPOINT", &self.server.endpoint)
    }

    /// Adds what the client needs for the server besides the configuration.
    fn client(&self, cmd: Cmd) -> Cmd {
        let cmd = cmd
            .server(self.server)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ENDPOINT_URL_S3", &self.server.endpoint);
        self.env.iter().fold(cmd, |cmd, (name, value)| cmd.env(name, value))
    }

    pub(crate) fn remote_state(&self, words: &str) -> Cmd {
        self.client(self.sandbox.remote_state()).words(words)
    }

    pub(crate) fn terraform(&self, words: &str) -> Cmd {
        self.client(self.sandbox.terraform()).words(words)
    }

    pub(crate) fn show(&self) -> Output {
        let cmd = self.remote_state("config show --json");
        self.backend_config
            .iter()
            .fold(cmd, |cmd, given| cmd.arg(format!("--backend-config={given}")))
            .run()
    }

    pub(crate) fn init(&self) -> Output {
        let cmd = self.terraform("init -input=false -no-color");
        self.backend_config
            .iter()
            .fold(cmd, |cmd, given| cmd.arg(format!("-backend-config={given}")))
            .run()
    }

    /// Returns the record of `init`: every argument that is not null.
    pub(crate) fn recorded(&self) -> Option<Values> {
        let data = self
            .env
            .iter()
            .find(|(name, _)| *name == "TF_DATA_DIR")
            .map_or(".terraform", |(_, path)| path);
        let path = self.sandbox.path().join(data).join("terraform.tfstate");
        let record: Value =
            serde_json::from_slice(&std::fs::read(path).ok()?).expect("the record is JSON");
        let backend = record.get("backend").filter(|backend| !backend.is_null())?;
        assert_eq!(backend["type"], "s3");
        let mut values = Values::new();
        flatten("", &backend["config"], &mut values);
        Some(values)
    }
}

/// Returns `main.tf` with these lines in its block, which start on line 3.
pub(crate) fn block(lines: &str) -> String {
    format!("terraform {{\n  backend \"s3\" {{\n    {lines}\n    {COMMON}\n  }}\n}}\n")
}

fn flatten(prefix: &str, value: &Value, values: &mut Values) {
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (name, value) in members {
                let name =
                    if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                flatten(&name, value, values);
            }
        }
        value => drop(values.insert(prefix.to_owned(), value.clone())),
    }
}

/// Returns the values that were configured; the record has neither defaults nor the environment.
fn found(json: &Value) -> Values {
    let values = json["values"].as_object().expect("an object");
    let is_configured =
        |origin: &Value| origin.as_str().is_some_and(|o| o != "default" && !o.starts_with("$AWS_"));
    values
        .iter()
        .filter(|(_, shown)| is_configured(&shown["origin"]))
        .map(|(name, shown)| (name.clone(), shown["value"].clone()))
        .collect()
}

/// Expects that both have the same values, where newer names replace the older ones.
#[track_caller]
fn assert_same(ours: &Values, theirs: &Values) {
    let renamed = |(name, value): (&String, &Value)| {
        let name = match name.as_str() {
            "endpoint" => "endpoints.s3",
            "force_path_style" => "use_path_style",
            other => other,
        };
        (name.to_owned(), value.clone())
    };
    assert_eq!(ours, &theirs.iter().map(renamed).collect::<Values>());
}
