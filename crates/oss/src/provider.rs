//! The provider as a value.

use std::sync::Arc;

use async_trait::async_trait;
use remote_state_core::config::{ForeignEndpoint, ProviderSpec, ResolvedConfig};
use remote_state_core::{
    Backend, Embedded, EmbeddedService, EmbeddedVariables, Identity, Provider, Result, StateStore,
};

use crate::config::{OssConfig, PROVIDER, keys};

/// Alibaba Cloud OSS.
#[derive(Clone, Copy, Debug)]
pub struct Oss;

impl Provider for Oss {
    fn spec(&self) -> &'static ProviderSpec {
        &PROVIDER
    }

    fn parse(&self, config: &ResolvedConfig) -> Result<Box<dyn Backend>> {
        Ok(Box::new(OssConfig::from_resolved(config)?))
    }

    fn embedded(&self) -> Option<&'static Embedded> {
        Some(&Embedded {
            service: EmbeddedService::Oss,
            settings: &[("bucket", "remote-state-dev-oss"), ("region", "cn-hangzhou")],
            access_keys: [keys::ACCESS_KEY, keys::SECRET_KEY],
            endpoint_keys: &[keys::ENDPOINT],
            table_key: Some(keys::TABLESTORE_TABLE),
            table_endpoint_keys: &[keys::TABLESTORE_ENDPOINT],
            // It asserts that no native client without a table writes the same state: such a client
            // would neither take nor see the lock.
            switches_without_table: &[(keys::LOCK, true)],
            variables: EmbeddedVariables {
                endpoints: &["ALICLOUD_OSS_ENDPOINT", "ALICLOUD_TABLESTORE_ENDPOINT"],
                access_key: "ALICLOUD_ACCESS_KEY",
                secret_key: "ALICLOUD_SECRET_KEY",
                region: "ALICLOUD_REGION",
            },
        })
    }
}

#[async_trait]
impl Backend for OssConfig {
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
        Ok(Arc::new(self.store()?))
    }
}
