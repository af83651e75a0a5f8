//! A state on a server and a folder to work in, and comparisons of a command's whole output.

use remote_state_tests::{Cmd, Output, Place, S3Server, Sandbox};

/// A secret in states that no message may contain.
pub(crate) const SECRET: &str = "hunter2";

/// The lineage of [`state`].
pub(crate) const LINEAGE: &str = "11111111-2222-3333-4444-555555555555";

/// A state with outputs of several kinds and two resources.
pub(crate) fn state(serial: u64) -> String {
    r#"{
  "version": 4,
  "terraform_version": "1.11.4",
  "serial": SERIAL,
  "lineage": "LINEAGE",
  "outputs": {
    "big": {
      "value": 12345678901234567890.10,
      "type": "number"
    },
    "name": {
      "value": "it's \"5\" $(id) `id` \\ ${x}\nline 2\n",
      "type": "string"
    },
    "pass-word": {
      "value": "hunter2",
      "type": "string",
      "sensitive": true
    },
    "zones": {
      "value": ["a", "ü"],
      "type": ["tuple", ["string", "string"]]
    }
  },
  "resources": [
    {
      "mode": "managed",
      "type": "terraform_data",
      "name": "a",
      "provider": "provider[\"terraform.io/builtin/terraform\"]",
      "instances": [
        {
          "schema_version": 0,
          "attributes": {"id": "one", "input": "hunter2"},
          "sensitive_attributes": [[{"type": "get_attr", "value": "input"}]]
        }
      ]
    },
    {
      "module": "module.net",
      "mode": "managed",
      "type": "terraform_data",
      "name": "b",
      "provider": "provider[\"terraform.io/builtin/terraform\"]",
      "instances": [
        {"index_key": 0, "schema_version": 0, "attributes": {"id": "two"}, "sensitive_attributes": []},
        {"index_key": 1, "status": "tainted", "schema_version": 0, "attributes": {"id": "three"}, "sensitive_attributes": []}
      ]
    }
  ],
  "check_results": null
}
"#
    .replace("SERIAL", &serial.to_string())
    .replace("LINEAGE", LINEAGE)
}

/// Returns an empty state.
pub(crate) fn empty_state(serial: u64) -> String {
    format!(
        "{{\"version\":4,\"terraform_version\":\"1.11.4\",\"serial\":{serial},\"lineage\":\"\
         {LINEAGE}\",\"outputs\":{{}},\"resources\":[]}}\n"
    )
}

/// A folder, and a place on a server.
pub(crate) struct Case<'a> {
    pub(crate) sandbox: Sandbox,
    pub(crate) server: &'a S3Server,
    pub(crate) place: Place<'a>,
}

impl<'a> Case<'a> {
    /// Creates a case without a state.
    pub(crate) fn new(server: &'a S3Server) -> Self {
        Self { sandbox: Sandbox::new(), server, place: server.place() }
    }

    /// Creates a case with [`state`] of serial 3.
    pub(crate) fn stored(server: &'a S3Server) -> Self {
        let case = Self::new(server);
        case.place.put_state("default", state(3));
        case
    }

    /// Returns the binary with the keys to the server, its backend named by flags.
    pub(crate) fn remote_state(&self, words: &str) -> Cmd {
        self.bare("").args(self.place.flags()).words(words)
    }

    /// Returns the binary with the keys to the server, its backend named in the folder.
    pub(crate) fn bare(&self, words: &str) -> Cmd {
        self.sandbox.remote_state().server(self.server).words(words)
    }

    /// Runs a command and compares its whole output, with these words for what differs from run to
    /// run: `ENDPOINT`, `BUCKET`, `KEY`, `DIR`. In the expected text, `[..]` matches any text on a
    /// line.
    #[track_caller]
    pub(crate) fn expect(&self, cmd: Cmd, code: i32, stdout: &str, stderr: &str) -> Output {
        let output = self.run(cmd).code(code);
        let said = |text: &str| {
            text.replace(&self.selection(), "")
                .replace(&self.server.endpoint, "ENDPOINT")
                .replace(&self.place.key, "KEY")
                .replace(&format!("s3://{}/", self.place.bucket), "s3://BUCKET/")
                .replace(&self.sandbox.path().display().to_string(), "DIR")
        };
        assert_same("standard output", &said(output.stdout()), stdout);
        assert_same("standard error", &said(output.stderr()), stderr);
        output
    }

    /// Returns the flags of [`remote_state`](Self::remote_state) as hints repeat them. Expected
    /// texts omit them.
    pub(crate) fn selection(&self) -> String {
        let mut selection = String::new();
        for flag in self.place.flags() {
            let (name, value) = flag.split_once('=').expect("each has a value");
            let quote = if value.contains('"') { "'" } else { "" };
            selection.push_str(&format!(" {name} {quote}{value}{quote}"));
        }
        selection
    }

    /// Runs a command and checks that it reveals no secret.
    #[track_caller]
    pub(crate) fn run(&self, cmd: Cmd) -> Output {
        let output = cmd.run();
        assert_discreet(&output, self.server);
        output
    }
}

/// Expects that neither stream contains the secret key, and that messages contain nothing of a
/// state.
#[track_caller]
pub(crate) fn assert_discreet(output: &Output, server: &S3Server) {
    assert!(!output.stdout().contains(server.secret_key()), "{output}");
    assert!(!output.stderr().contains(server.secret_key()), "{output}");
    assert!(!output.stderr().contains(SECRET), "{output}");
}

/// Compares line by line; `[..]` matches any text.
#[track_caller]
pub(crate) fn assert_same(what: &str, said: &str, expected: &str) {
    let mut said_lines = said.split('\n');
    let mut expected_lines = expected.split('\n');
    let is_same = loop {
        match (said_lines.next(), expected_lines.next()) {
            (None, None) => break true,
            (Some(said), Some(expected)) if matches(said, expected) => {}
            _ => break false,
        }
    };
    assert!(is_same, "{what}\n--- said\n{said}\n--- expected\n{expected}\n---");
}

fn matches(said: &str, expected: &str) -> bool {
    let Some((start, rest)) = expected.split_once("[..]") else { return said == expected };
    let Some(mut said) = said.strip_prefix(start) else { return false };
    let mut rest = rest;
    while let Some((middle, more)) = rest.split_once("[..]") {
        let Some((_, after)) = said.split_once(middle) else { return false };
        (said, rest) = (after, more);
    }
    said.ends_with(rest)
}
