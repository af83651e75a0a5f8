//! The provider as a value.

use std::sync::Arc;

use async_trait::async_trait;
use remote_state_core::config::{ForeignEndpoint, ProviderSpec, ResolvedConfig};
use remote_state_core::{
    Backend, Embedded, EmbeddedService, EmbeddedVariables, Identity, Provider, Result, StateStore,
};

use crate::config::{PROVIDER, S3Config, completed, keys};

/// Amazon S3 and stores that speak its protocol.
#[derive(Clone, Copy, Debug)]
pub struct S3;

impl Provider for S3 {
    fn spec(&self) -> &'static ProviderSpec {
        &PROVIDER
    }

    fn complete(&self, config: ResolvedConfig) -> Result<ResolvedConfig> {
        completed(&config)
    }

    fn parse(&self, config: &ResolvedConfig) -> Result<Box<dyn Backend>> {
        Ok(Box::new(S3Config::from_resolved(config)?))
    }

    fn embedded(&self) -> Option<&'static Embedded> {
        Some(&Embedded {
            service: EmbeddedService::S3,
            settings: &[
                ("bucket", "remote-state-dev"),
                ("key", "terraform.tfstate"),
                ("region", "us-east-1"),
                ("use_path_style", "true"),
                ("use_lockfile", "true"),
                ("dialect", "aws"),
            ],
            access_keys: [keys::ACCESS_KEY, keys::SECRET_KEY],
            endpoint_keys: &[keys::ENDPOINTS_S3, keys::ENDPOINTS_DYNAMODB],
            table_key: Some(keys::DYNAMODB_TABLE),
            table_endpoint_keys: &[],
            switches_without_table: &[],
            variables: EmbeddedVariables {
                endpoints: &["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_DYNAMODB"],
                access_key: "AWS_ACCESS_KEY_ID",
                secret_key: "AWS_SECRET_ACCESS_KEY",
                region: "AWS_REGION",
            },
        })
    }
}

#[async_trait]
impl Backend for S3Config {
    fn warnings(&self) -> &[String] {
        &self.notes
    }

    fn foreign_endpoints(&self) -> &[ForeignEndpoint] {
        &self.foreign
    }

    async fn identity(&self) -> Result<Identity> {
        self.find_identity().await
    }

    fn open(&self) -> Result<Arc<dyn StateStore>> {
        Ok(Arc::new(self.store()))
    }
}
