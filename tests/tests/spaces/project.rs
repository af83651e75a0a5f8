//! A folder that stores its state as the vendor's guide says, and the same place for the provider
//! `spaces`.

use remote_state_tests::terraform::{CONFIGURATION, HTTP_BACKEND};
use remote_state_tests::{Cmd, Place, Proxy, Running, S3Server, Sandbox};

/// The guide's block: <https://docs.digitalocean.com/products/spaces/reference/terraform-backend/>.
const BLOCK: &str = r#"terraform {
required_version = "<required_version>"

  backend "s3" {
    endpoints = {
      s3 = "https://<your_bucket_region>.digitaloceanspaces.com"
    }

    bucket = "<your_bucket_name>"
    key    = "<state_file_name>"

    # Deactivate a few AWS-specific checks
    skip_credentials_validation = true
    skip_requesting_account_id  = true
    skip_metadata_api_check     = true
    skip_region_validation      = true
    skip_s3_checksum            = true
    region                      = "us-east-1"
<lock>
  }
}
"#;

const LOCK: &str = r"
    # Enable state locking with a lockfile
    use_lockfile                = true";

/// The two blocks of the guide.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guide {
    WithoutLock,
    WithLock,
}

/// See the module.
pub(crate) struct Project<'a> {
    pub(crate) sandbox: Sandbox,
    pub(crate) place: Place<'a>,
    proxy: Option<Proxy>,
}

impl<'a> Project<'a> {
    /// Creates a folder with the guide's block, with the server's address in place of the host; no
    /// command has run in it.
    pub(crate) fn new(place: Place<'a>, guide: Guide) -> Self {
        let endpoint = place.server.endpoint.clone();
        let project = Self::with_endpoint(place, guide, &endpoint, None);
        let block = String::from_utf8(project.sandbox.read("backend.tf")).expect("a block is text");
        // A server at an IP address has no host for each bucket.
        let region = "    region                      = ";
        let block = block.replace(region, &format!("    use_path_style = true\n{region}"));
        project.sandbox.write("backend.tf", block);
        project
    }

    /// The same with the unchanged block, host included. Only the scheme differs: a proxy sends the
    /// host's name to the server.
    pub(crate) fn word_for_word(place: Place<'a>, guide: Guide) -> Self {
        let proxy = Proxy::to(&place.server.endpoint);
        Self::with_endpoint(place, guide, "http://nyc3.digitaloceanspaces.com", Some(proxy))
    }

    fn with_endpoint(place: Place<'a>, guide: Guide, endpoint: &str, proxy: Option<Proxy>) -> Self {
        let sandbox = Sandbox::new();
        sandbox.write("main.tf", CONFIGURATION);
        let (version, lock) = match guide {
            Guide::WithoutLock => (">= 1.6.3", ""),
            Guide::WithLock => ("~> 1.11", LOCK),
        };
        let block = BLOCK
            .replace("<required_version>", version)
            .replace("https://<your_bucket_region>.digitaloceanspaces.com", endpoint)
            .replace("<your_bucket_name>", &place.bucket)
            .replace("<state_file_name>", &place.key)
            .replace("<lock>", lock);
        assert!(!block.contains('<'), "{block}");
        sandbox.write("backend.tf", block);
        Self { sandbox, place, proxy }
    }

    /// The same, initialised.
    pub(crate) fn initialised(place: Place<'a>) -> Self {
        let project = Self::new(place, Guide::WithLock);
        project.terraform("init -input=false").run().success();
        project
    }

    /// Returns Terraform, with the keys in the variables of the guide.
    pub(crate) fn terraform(&self, words: &str) -> Cmd {
        self.proxied(self.sandbox.terraform()).server(self.place.server).words(words)
    }

    /// Returns `remote-state`, which finds the guide's block by itself.
    pub(crate) fn ours(&self, words: &str) -> Cmd {
        self.proxied(self.sandbox.remote_state()).server(self.place.server).words(words)
    }

    fn proxied(&self, command: Cmd) -> Cmd {
        match &self.proxy {
            Some(proxy) => command.env("HTTP_PROXY", &proxy.url),
            None => command,
        }
    }

    /// Returns `remote-state` with the provider `spaces` on the same place, and the keys in its own
    /// variables.
    pub(crate) fn spaces(&self, words: &str) -> Cmd {
        spaces(&self.sandbox, &self.place).words(words)
    }

    /// Returns Terraform through `exec` with the provider `spaces`, in a folder of its own.
    pub(crate) fn exec(&self, words: &str) -> Cmd {
        let folder = self.sandbox.folder("http");
        self.sandbox.write("http/main.tf", CONFIGURATION);
        self.sandbox.write("http/backend.tf", HTTP_BACKEND);
        let terraform = self.sandbox.terraform().words(words);
        spaces(&self.sandbox, &self.place).dir(folder).arg("exec").then(&terraform)
    }

    /// Starts an apply that holds the lock until [`let_go`](Self::let_go), and waits until it does.
    pub(crate) fn hold(&self, apply: impl FnOnce(&str) -> Cmd, value: &str) -> Running {
        let gate = self.sandbox.path().join("gate");
        let words = format!(
            "apply -auto-approve -input=false -var v={value} -var until={}",
            gate.display()
        );
        let mut holding = apply(&words).start();
        holding.wait_for_times("begun", 2);
        holding
    }

    /// Lets the apply that holds the lock continue.
    pub(crate) fn let_go(&self) {
        self.sandbox.write("gate", "");
    }
}

/// Returns `remote-state` with the provider `spaces`, and the keys in its own variables.
pub(crate) fn spaces(sandbox: &Sandbox, place: &Place<'_>) -> Cmd {
    let server: &S3Server = place.server;
    sandbox
        .remote_state()
        .env("SPACES_ACCESS_KEY_ID", server.access_key())
        .env("SPACES_SECRET_ACCESS_KEY", server.secret_key())
        .args(["--backend", "spaces", "--backend-config", "region=nyc3"])
        .args(["--backend-config", &format!("bucket={}", place.bucket)])
        .args(["--backend-config", &format!("key={}", place.key)])
        .args(["--backend-config", &format!("endpoint={}", server.endpoint)])
}
