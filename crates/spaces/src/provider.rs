//! The provider as a value.

use std::sync::Arc;

use async_trait::async_trait;
use remote_state_core::config::{ForeignEndpoint, ProviderSpec, ResolvedConfig};
use remote_state_core::{
    Backend, Embedded, EmbeddedService, EmbeddedVariables, Identity, Provider, Result, StateStore,
};

use crate::config::SpacesConfig;
use crate::keys::{self, PROVIDER};

/// DigitalOcean Spaces.
#[derive(Clone, Copy, Debug)]
pub struct Spaces;

impl Provider for Spaces {
    fn spec(&self) -> &'static ProviderSpec {
        &PROVIDER
    }

    fn parse(&self, config: &ResolvedConfig) -> Result<Box<dyn Backend>> {
        Ok(Box::new(SpacesConfig::from_resolved(config)?))
    }

    fn embedded(&self) -> Option<&'static Embedded> {
        Some(&Embedded {
            service: EmbeddedService::Ceph,
            settings: &[
                ("bucket", "remote-state-dev-spaces"),
                ("key", "terraform.tfstate"),
                ("region", "nyc3"),
            ],
            access_keys: [keys::ACCESS_KEY, keys::SECRET_KEY],
            endpoint_keys: &[keys::ENDPOINT],
            table_key: None,
            table_endpoint_keys: &[],
            switches_without_table: &[],
            variables: EmbeddedVariables {
                endpoints: &["AWS_ENDPOINT_URL_S3"],
                access_key: "AWS_ACCESS_KEY_ID",
                secret_key: "AWS_SECRET_ACCESS_KEY",
                region: "AWS_REGION",
            },
        })
    }
}

#[async_trait]
impl Backend for SpacesConfig {
    fn warnings(&self) -> &[String] {
        &self.notes
    }

    fn foreign_endpoints(&self) -> &[ForeignEndpoint] {
        &self.foreign
    }

    async fn identity(&self) -> Result<Identity> {
        self.s3().identity().await
    }

    fn open(&self) -> Result<Arc<dyn StateStore>> {
        self.s3().open()
    }
}
