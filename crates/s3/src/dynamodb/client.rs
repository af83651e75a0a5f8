//! One method for each call of the API. No policy here.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use remote_state_core::ErrorKind;
use remote_state_core::config::ResolvedConfig;
use remote_state_core::provider::{TableBackend, TableRow};
use url::Url;

use crate::client::{AttemptCount, in_time, is_about_time};
use crate::config::{S3Config, keys};
use crate::dialect::{Dialect, DialectName};
use crate::dynamodb::failures::{NO_TABLE, meaning};
use crate::error::{About, Failure, Outcome, aws_command, clocks_differ, failure_by};
use crate::layout::item_url;
use crate::transport::Trust;

/// The partition key of the table. There is no sort key.
const KEY: &str = "LockID";

/// The maximum length of a partition key, in bytes:
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>.
const LONGEST_ID: usize = 2048;

/// A connection to one table.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    sdk: aws_sdk_dynamodb::Client,
    settings: Arc<Settings>,
}

#[derive(Debug)]
struct Settings {
    name: String,
    region: String,
    endpoint: Option<String>,
    service: String,
    config: Arc<ResolvedConfig>,
    credentials: String,
    witness: Witness,
}

/// What proves that the replies come from DynamoDB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Witness {
    /// Its certificate: the endpoint is Amazon's.
    Tls,
    /// Nothing. A success holds nothing that only DynamoDB would return, so a created item is read
    /// back.
    None,
}

impl Witness {
    fn of(endpoint: Option<&Url>, trust: &Trust) -> Self {
        let is_amazon = Dialect::choose(None, endpoint).name == DialectName::Aws;
        let has_certificate = endpoint.is_none_or(|url| url.scheme() == "https");
        match trust {
            Trust::System | Trust::Bundle(_) if is_amazon && has_certificate => Self::Tls,
            _ => Self::None,
        }
    }
}

impl Table {
    pub(crate) fn new(sdk: aws_sdk_dynamodb::Client, name: &str, config: &S3Config) -> Self {
        let service = match &config.dynamodb_endpoint {
            Some(url) => format!("`{}`", url.as_str().trim_end_matches('/')),
            None => format!("DynamoDB in `{}`", config.region),
        };
        let endpoint = config.dynamodb_endpoint.as_ref();
        let settings = Settings {
            name: name.to_owned(),
            endpoint: endpoint.map(|url| url.as_str().trim_end_matches('/').to_owned()),
            region: config.region.clone(),
            service,
            config: config.resolved.clone(),
            credentials: config.credentials_origin.clone(),
            witness: Witness::of(config.dynamodb_endpoint.as_ref(), &config.connection.trust),
        };
        Self { sdk, settings: Arc::new(settings) }
    }

    pub(crate) fn name(&self) -> &str {
        &self.settings.name
    }

    /// If no certificate proves that DynamoDB replied, reads the item and fails with an unknown
    /// outcome unless its attribute is as expected.
    async fn witnessed(
        &self,
        operation: &'static str,
        id: &str,
        attribute: &str,
        is_right: impl Fn(Option<&AttributeValue>) -> bool,
    ) -> Result<(), Failure> {
        if self.settings.witness == Witness::Tls {
            return Ok(());
        }
        let error = match self.item(operation, id, attribute).await {
            Ok(item) if is_right(item.as_ref().and_then(|item| item.get(attribute))) => {
                return Ok(());
            }
            Ok(_) => self
                .about(operation, &self.url(id))
                .error(ErrorKind::Unavailable, NO_TABLE)
                .with_context("service", &self.settings.service)
                .with_hint(
                    "look for a proxy or a login page between this machine and DynamoDB, and \
                     check `endpoints.dynamodb`",
                ),
            Err(failure) => failure.error,
        };
        Err(Failure { outcome: Outcome::Unknown, error })
    }

    /// Reads an item's id and one other attribute; `None` if there is no such item.
    ///
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetItem.html>
    async fn item(
        &self,
        operation: &'static str,
        id: &str,
        attribute: &str,
    ) -> Result<Option<HashMap<String, AttributeValue>>, Failure> {
        let call = self
            .sdk
            .get_item()
            .table_name(self.name())
            .key(KEY, AttributeValue::S(id.to_owned()))
            .projection_expression(format!("{KEY}, {attribute}"))
            .consistent_read(true);
        let sent = in_time(|| call.clone().send()).await;
        let answer = sent.map_err(|error| self.failure(operation, id, error))?;
        Ok(answer.item)
    }

    fn about<'a>(&'a self, operation: &'static str, object: &'a str) -> About<'a> {
        let Settings { name, region, service, config, credentials, .. } = &*self.settings;
        let (bucket, store, endpoint) = (name, service, keys::ENDPOINTS_DYNAMODB);
        About { operation, object, bucket, store, region, config, credentials, endpoint }
    }

    fn failure<E>(
        &self,
        operation: &'static str,
        id: &str,
        error: aws_sdk_dynamodb::error::SdkError<E>,
    ) -> Failure
    where
        E: aws_sdk_dynamodb::error::ProvideErrorMetadata
            + std::error::Error
            + Send
            + Sync
            + 'static,
    {
        let object = self.url(id);
        let about = self.about(operation, &object);
        failure_by(about, error, |status, code, sentence, _| {
            if is_about_time(Some(code), sentence) {
                clocks_differ(about)
            } else {
                meaning(about, status, code)
            }
        })
    }
}

#[async_trait]
impl TableBackend for Table {
    fn lock_name(&self) -> &'static str {
        "lock item"
    }

    fn digest_name(&self) -> &'static str {
        "digest item"
    }

    fn longest_id(&self) -> usize {
        LONGEST_ID
    }

    fn url(&self, id: &str) -> String {
        item_url(self.name(), id)
    }

    fn place(&self, id: &str) -> String {
        format!("dynamodb:{}, item `{id}`", self.name())
    }

    fn how_to_remove(&self, id: &str) -> String {
        let Settings { name, region, endpoint, .. } = &*self.settings;
        let key = format!("{{\"{KEY}\":{{\"S\":{}}}}}", serde_json::Value::from(id));
        let words = ["dynamodb", "delete-item", "--table-name", name, "--key", &key];
        format!("remove the item with `{}`", aws_command(&words, region, endpoint.as_deref()))
    }

    /// Creates an item of two attributes if there is none with its id. Never repeats the request,
    /// since the second could fail because of the first. Reads the item back if no certificate
    /// proves that DynamoDB replied.
    ///
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html>
    async fn create_once(
        &self,
        operation: &'static str,
        id: &str,
        attribute: &'static str,
        text: &str,
    ) -> Result<(), Failure> {
        let call =
            self.sdk.put_item().table_name(self.name()).item(KEY, AttributeValue::S(id.to_owned()));
        let call = call
            .item(attribute, AttributeValue::S(text.to_owned()))
            .condition_expression(format!("attribute_not_exists({KEY})"));
        let sent = in_time(|| call.clone().customize().config_override(once()).send()).await;
        drop(sent.map_err(|error| self.failure(operation, id, error))?);
        let value = AttributeValue::S(text.to_owned());
        self.witnessed(operation, id, attribute, |found| found == Some(&value)).await
    }

    /// Writes an item of two attributes unconditionally. Reads the item back if no certificate
    /// proves that DynamoDB replied.
    ///
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html>
    async fn put(
        &self,
        operation: &'static str,
        id: &str,
        attribute: &'static str,
        text: &str,
    ) -> Result<(), Failure> {
        let call =
            self.sdk.put_item().table_name(self.name()).item(KEY, AttributeValue::S(id.to_owned()));
        let call = call.item(attribute, AttributeValue::S(text.to_owned()));
        let attempts = AttemptCount::default();
        let sent = in_time(|| {
            attempts.begin_call();
            call.clone().customize().interceptor(attempts.clone()).send()
        });
        drop(sent.await.map_err(|error| attempts.in_view_of(self.failure(operation, id, error)))?);
        let value = AttributeValue::S(text.to_owned());
        self.witnessed(operation, id, attribute, |found| found == Some(&value)).await
    }

    async fn get<'a>(
        &'a self,
        operation: &'static str,
        id: &str,
        column: &'static str,
    ) -> Result<Option<Box<dyn TableRow + 'a>>, Failure> {
        let item = self.item(operation, id, column).await?;
        Ok(item.map(|mut item| {
            let value = item.remove(column);
            Box::new(Item { table: self, id: id.to_owned(), attribute: column, value }) as _
        }))
    }

    /// Deletes an item with this attribute. Deleting one that does not exist succeeds. Looks for
    /// the item afterwards if no certificate proves that DynamoDB replied.
    ///
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteItem.html>
    async fn delete(
        &self,
        operation: &'static str,
        id: &str,
        attribute: &'static str,
    ) -> Result<(), Failure> {
        let attempts = AttemptCount::default();
        let call = self
            .sdk
            .delete_item()
            .table_name(self.name())
            .key(KEY, AttributeValue::S(id.to_owned()));
        let sent = in_time(|| {
            attempts.begin_call();
            call.clone().customize().interceptor(attempts.clone()).send()
        });
        drop(sent.await.map_err(|error| attempts.in_view_of(self.failure(operation, id, error)))?);
        self.witnessed(operation, id, attribute, |found| found.is_none()).await
    }
}

/// An item as it was read.
struct Item<'a> {
    table: &'a Table,
    id: String,
    attribute: &'static str,
    value: Option<AttributeValue>,
}

#[async_trait]
impl TableRow for Item<'_> {
    fn text(&self) -> Result<&[u8], String> {
        match &self.value {
            Some(AttributeValue::S(text)) => Ok(text.as_bytes()),
            Some(_) => Err(format!("its attribute `{}` is not a string", self.attribute)),
            None => Err(format!("it has no attribute `{}`", self.attribute)),
        }
    }

    /// Looks for the item afterwards if no certificate proves that DynamoDB replied.
    ///
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteItem.html>
    async fn delete_if_unchanged(&self, operation: &'static str) -> Result<(), Failure> {
        let Self { table, id, attribute, value } = self;
        let call = table
            .sdk
            .delete_item()
            .table_name(table.name())
            .key(KEY, AttributeValue::S(id.clone()));
        let call = match value {
            Some(value) => call
                .condition_expression(format!("{attribute} = :{}", attribute.to_ascii_lowercase()))
                .expression_attribute_values(
                    format!(":{}", attribute.to_ascii_lowercase()),
                    value.clone(),
                ),
            None => call.condition_expression(format!("attribute_not_exists({attribute})")),
        };
        let sent = in_time(|| call.clone().customize().config_override(once()).send()).await;
        drop(sent.map_err(|error| table.failure(operation, id, error))?);
        // By now the item may be the next holder's.
        let is_gone = |found: Option<&AttributeValue>| found.is_none() || found != value.as_ref();
        table.witnessed(operation, id, attribute, is_gone).await
    }
}

fn once() -> aws_sdk_dynamodb::config::Builder {
    aws_sdk_dynamodb::config::Builder::new().retry_config(RetryConfig::disabled())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_amazon_behind_a_certificate_is_taken_at_its_word() {
        for (endpoint, witness) in [
            (None, Witness::Tls),
            (Some("https://dynamodb.eu-west-1.amazonaws.com"), Witness::Tls),
            (Some("https://vpce-1.dynamodb.eu-west-1.vpce.amazonaws.com"), Witness::Tls),
            (Some("http://dynamodb.eu-west-1.amazonaws.com"), Witness::None),
            (Some("https://dynamodb.example.com"), Witness::None),
            (Some("http://localhost:8000"), Witness::None),
        ] {
            let url = endpoint.map(|text| Url::parse(text).unwrap());
            assert_eq!(Witness::of(url.as_ref(), &Trust::System), witness, "{endpoint:?}");
            assert_eq!(Witness::of(url.as_ref(), &Trust::Anybody), Witness::None, "{endpoint:?}");
        }
    }
}
