//! Places on a server that no other test uses.

use std::fmt::Write as _;
use std::sync::Arc;

use remote_state_core::Backend as _;
use remote_state_core::StateStore;
use remote_state_core::config::{ResolvedConfig, Setting};
use remote_state_s3::{PROVIDER, S3Config};

use crate::server::{REGION, S3Server, unique};

impl S3Server {
    /// Returns a key in the bucket that no other test uses.
    pub fn place(&self) -> Place<'_> {
        self.place_in(&self.bucket)
    }

    /// Returns a key in another bucket that no other test uses.
    pub fn place_in(&self, bucket: &str) -> Place<'_> {
        Place {
            server: self,
            bucket: bucket.to_owned(),
            key: format!("{}/terraform.tfstate", unique("test")),
            arguments: Vec::new(),
            hcl: Vec::new(),
        }
    }
}

/// The place of a state: a bucket and a key on a server.
#[derive(Debug, Clone)]
pub struct Place<'a> {
    /// The server.
    pub server: &'a S3Server,
    /// The bucket.
    pub bucket: String,
    /// The key of the default workspace's state.
    pub key: String,
    arguments: Vec<(String, String)>,
    hcl: Vec<(String, String)>,
}

impl Place<'_> {
    /// Sets one more argument of the backend block that is not a string, such as `("encrypt",
    /// "true")` or an object, as HCL writes it. The library ignores it; the command reads it, in a
    /// folder with the block.
    #[must_use]
    pub fn with_hcl(mut self, name: &str, value: &str) -> Self {
        self.hcl.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets one more string of the backend's configuration.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.arguments.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Returns the backend's configuration, without secrets: names and values as HCL writes them.
    fn configuration(&self) -> Vec<(String, String)> {
        let quoted = |text: &str| format!("{text:?}");
        let mut configuration: Vec<_> = [
            ("bucket", quoted(&self.bucket)),
            ("key", quoted(&self.key)),
            ("region", quoted(REGION)),
            ("use_path_style", "true".to_owned()),
            ("use_lockfile", "true".to_owned()),
            ("skip_credentials_validation", "true".to_owned()),
            ("skip_requesting_account_id", "true".to_owned()),
            ("skip_metadata_api_check", "true".to_owned()),
            ("skip_region_validation", "true".to_owned()),
            ("endpoints", self.endpoints()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let trusted = self.server.ca_file.map(|file| ("custom_ca_bundle".to_owned(), quoted(file)));
        configuration.extend(trusted);
        let own = self.arguments.iter().filter(|(name, _)| !name.contains('.'));
        let own =
            own.map(|(name, value)| (name.clone(), quoted(value))).chain(self.hcl.iter().cloned());
        for (name, value) in own {
            // A value that is set again replaces the earlier one.
            configuration.retain(|(known, _)| *known != name);
            configuration.push((name, value));
        }
        configuration
    }

    /// Returns the server for each service that the configuration uses.
    fn endpoints(&self) -> String {
        let mut services = vec![format!("s3 = {:?}", self.server.endpoint)];
        if self.arguments.iter().any(|(name, _)| name == "dynamodb_table") {
            services.extend(
                self.server.dynamodb_endpoint.iter().map(|url| format!("dynamodb = {url:?}")),
            );
        }
        // A service that the test set itself, as in `endpoints.sts`.
        let own = self
            .arguments
            .iter()
            .filter_map(|(name, url)| Some((name.strip_prefix("endpoints.")?, url)));
        services.extend(own.map(|(name, url)| format!("{name} = {url:?}")));
        format!("{{ {} }}", services.join(", "))
    }

    /// Returns `terraform { backend "s3" { … } }`. It does not contain the keys to the server, see
    /// [`Cmd::server`](crate::Cmd::server).
    pub fn backend_block(&self) -> String {
        let mut block = "terraform {\n  backend \"s3\" {\n".to_owned();
        for (name, value) in self.configuration() {
            writeln!(block, "    {name} = {value}").expect("a string takes everything");
        }
        block + "  }\n}\n"
    }

    /// Returns the equivalent flags of `remote-state`, for a folder without a backend block.
    pub fn flags(&self) -> Vec<String> {
        let plain = |value: &str| value.trim_matches('"').to_owned();
        let flag = |(name, value): &(String, String)| match name.as_str() {
            "endpoints" => format!("--backend-config=endpoints={}", self.endpoints()),
            _ => format!("--backend-config={name}={}", plain(value)),
        };
        std::iter::once("--backend=s3".to_owned())
            .chain(self.configuration().iter().map(flag))
            .collect()
    }

    /// Returns the object key of a workspace's state.
    pub fn state_key(&self, workspace: &str) -> String {
        let prefix = self.arguments.iter().rev().find(|(name, _)| name == "workspace_key_prefix");
        let prefix = prefix.map_or("env:", |(_, value)| value.as_str());
        if workspace == "default" {
            self.key.clone()
        } else {
            format!("{prefix}/{workspace}/{}", self.key)
        }
    }

    /// Returns the object key of a workspace's lock file.
    pub fn lock_key(&self, workspace: &str) -> String {
        self.state_key(workspace) + ".tflock"
    }

    /// Opens a store at this place with the library, with more settings such as `("dialect",
    /// "minio")`.
    ///
    /// # Panics
    /// If the configuration is invalid.
    pub fn store(&self, more: &[(&str, &str)]) -> Arc<dyn StateStore> {
        self.store_with(more.iter().map(|(name, value)| (*name, Setting::from(*value))))
    }

    /// Opens a store at this place with one more setting, which is a list.
    ///
    /// # Panics
    /// If the configuration is invalid.
    pub fn store_with_list(&self, name: &str, items: &[&str]) -> Arc<dyn StateStore> {
        self.store_with([(name, Setting::from(items.to_vec()))])
    }

    fn store_with<'a>(
        &'a self,
        more: impl IntoIterator<Item = (&'a str, Setting)>,
    ) -> Arc<dyn StateStore> {
        let endpoint = self.server.endpoint.as_str();
        let tables = self.server.dynamodb_endpoint.as_deref().map(|url| ("dynamodb_endpoint", url));
        let trusted = self.server.ca_file.map(|file| ("custom_ca_bundle", file));
        let mut pairs = std::collections::BTreeMap::from([
            ("bucket", self.bucket.as_str()),
            ("key", &self.key),
            ("region", REGION),
            ("use_path_style", "true"),
            ("use_lockfile", "true"),
            ("endpoint", endpoint),
            ("access_key", &self.server.access_key),
            ("secret_key", &self.server.secret_key),
        ])
        .into_iter()
        .chain(tables)
        .chain(trusted)
        .map(|(name, value)| (name, Setting::from(value)))
        .collect::<std::collections::BTreeMap<_, _>>();
        let arguments = self.arguments.iter();
        pairs.extend(arguments.map(|(name, value)| (name.as_str(), Setting::from(value.as_str()))));
        pairs.extend(more);
        let config = ResolvedConfig::from_pairs(&PROVIDER, pairs).expect("the settings are good");
        S3Config::from_resolved(&config)
            .and_then(|config| config.open())
            .expect("the settings are good")
    }
}
