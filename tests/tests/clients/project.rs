//! A folder with a configuration that every version of the client understands, without a plugin.

use remote_state_tests::{Cmd, Output, Running, Sandbox};
use serde_json::Value;

use crate::table::Client;

/// Outputs, and a data source that is built into every release. Each value has a file of its own:
/// in 0.12 an apply that only changes outputs does not store them.
const FOR_ALL: &str = r#"variable "v" {
  default = "1"
}

data "terraform_remote_state" "other" {
  backend = "local"

  config = {
    path = "${path.module}/other-${var.v}.json"
  }
}

output "value" {
  value = "${var.v}"
}
"#;

const RESOURCE: &str = "\nresource \"terraform_data\" \"a\" {\n  input = var.v\n}\n";

/// A client in its folder.
pub(crate) struct Project {
    pub(crate) client: &'static Client,
    pub(crate) sandbox: Sandbox,
}

impl Project {
    /// Creates a folder with a backend; not initialised.
    pub(crate) fn new(client: &'static Client, backend: &str) -> Self {
        let project = Self { client, sandbox: Sandbox::new() };
        for value in ["1", "2", "3", "4"] {
            let other = format!(
                r#"{{"version":3,"serial":1,"lineage":"other-{value}","modules":[{{"path":["root"],"outputs":{{"x":{{"sensitive":false,"type":"string","value":"{value}"}}}},"resources":{{}},"depends_on":[]}}]}}"#
            );
            project.sandbox.write(format!("other-{value}.json"), other);
        }
        let resource = if client.has_resources() { RESOURCE } else { "" };
        project.sandbox.write("main.tf", format!("{FOR_ALL}{resource}"));
        project.sandbox.write("backend.tf", backend);
        project
    }

    /// Returns the same folder with a newer client, as after an upgrade.
    pub(crate) fn upgraded(self, client: &'static Client) -> Self {
        let folder = self.sandbox.path().join(".terraform");
        std::fs::remove_dir_all(folder).expect("the older one has initialised it");
        Self { client, sandbox: self.sandbox }
    }

    /// Returns the client.
    pub(crate) fn client(&self, words: &str) -> Cmd {
        let program = self.client.requirement().program().expect("the test requires it");
        self.sandbox.command(program).words(words)
    }

    /// Returns the words of an apply of a value.
    pub(crate) fn apply(value: &str) -> String {
        format!("apply -auto-approve -input=false -var v={value}")
    }

    /// Returns the words that destroy everything, without a prompt.
    pub(crate) fn destroy(&self) -> &'static str {
        if self.client.age >= (0, 15) { "destroy -auto-approve" } else { "destroy -force" }
    }

    /// Stores another value, with a function that runs the client. In 0.12 an apply stores outputs
    /// only if a resource changes, and no resource is built in; so there the client pushes an
    /// edited state.
    #[track_caller]
    pub(crate) fn change(&self, value: &str, run: impl Fn(&str) -> Output) {
        if self.client.age == (0, 12) {
            let mut state = json(&run("state pull").success());
            state["serial"] = (state["serial"].as_u64().expect("a serial") + 1).into();
            state["outputs"]["value"] = serde_json::json!({ "value": value, "type": "string" });
            self.sandbox.write("edited.json", state.to_string());
            run("state push edited.json").success();
        } else {
            run(&Self::apply(value)).success();
        }
    }

    /// Starts a command that holds the lock until [`let_go`](Self::let_go): a destruction that asks
    /// for an approval, which every release does under the lock, and that is refused. `with` adds
    /// what the client needs.
    pub(crate) fn hold(&self, with: impl Fn(Cmd) -> Cmd) -> Running {
        let program = self.client.requirement().program().expect("the test requires it");
        let script = "(until test -e gate; do sleep 0.05; done; echo no) | \"$@\"";
        let command = self.sandbox.command("sh").args(["-c", script, "sh"]).arg(program);
        let mut holding = with(command.arg("destroy")).start();
        holding.wait_for("Enter a value");
        holding
    }

    pub(crate) fn let_go(&self) {
        self.sandbox.write("gate", "");
    }
}

/// Returns the JSON in a client's output: some builds print other lines before it.
#[track_caller]
pub(crate) fn json_text(output: &Output) -> &str {
    let text = output.stdout();
    let at = text.find('{').unwrap_or_else(|| panic!("there should be an object: {output}"));
    &text[at..]
}

/// Parses that JSON.
#[track_caller]
pub(crate) fn json(output: &Output) -> Value {
    serde_json::from_str(json_text(output)).unwrap_or_else(|error| panic!("{error}: {output}"))
}
