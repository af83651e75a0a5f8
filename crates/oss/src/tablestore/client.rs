//! One method for each call of the API. No policy here.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use prost::Message;
use remote_state_core::provider::{ProxyFailed, TableBackend, TableRow};
use remote_state_core::{Advice, ErrorKind};
use reqwest::Response;
use tokio::time::{sleep, timeout};

use crate::body::read;
use crate::clock::{are_far_apart, parse_http_date};
use crate::config::{OssConfig, Tablestore, keys};
use crate::error::{Failure, Outcome, last_reason};
use crate::http::answer_timeout;
use crate::request::{Doubt, Repeat, Sender, pauses};
use crate::tablestore::message::{
    self, Condition, GetRowRequest, IfMissing, RowExistence, RowResponse, WriteRowRequest,
};
use crate::tablestore::plain_buffer::{RowKind, Value, decode, encode};
use crate::tablestore::sign;

/// The one column of the primary key.
pub(super) const KEY: &str = "LockID";

/// The longest primary key, in bytes:
/// <https://www.alibabacloud.com/help/en/tablestore/product-overview/general-limits>.
const LONGEST_ID: usize = 1024;

/// The maximum length of an answer, in bytes: a lock row has a few hundred.
const MOST_BYTES: usize = 1 << 20;

/// A connection to one table.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(super) sender: Sender,
    pub(super) settings: Arc<Settings>,
}

#[derive(Debug)]
pub(super) struct Settings {
    pub(super) table: Tablestore,
    /// Where the table is set.
    pub(super) origin: String,
    max_retries: usize,
}

/// An attempt that failed.
pub(super) struct Failed {
    failure: Failure,
    /// The same request may succeed in a moment.
    is_passing: bool,
    /// The service's time, if it refused the signature and ours differs much.
    service_time: Option<Timestamp>,
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        let is_passing = match failure.outcome {
            Outcome::Conflict | Outcome::Unknown | Outcome::Unsent => true,
            Outcome::Absent | Outcome::ConditionFailed | Outcome::Refused => false,
        };
        Self { failure, is_passing, service_time: None }
    }
}

/// Returns the time in the service's answer.
fn time_of(answer: &Response) -> Option<Timestamp> {
    let header = |name: &str| answer.headers().get(name)?.to_str().ok();
    let own = header("x-ots-date").and_then(|date| date.parse().ok());
    own.or_else(|| parse_http_date(header("date")?))
}

impl Table {
    pub(crate) fn new(sender: Sender, table: &Tablestore, config: &OssConfig) -> Self {
        let settings = Settings {
            table: table.clone(),
            origin: config.resolved.origin(keys::TABLESTORE_TABLE).to_string(),
            max_retries: config.max_retries,
        };
        Self { sender, settings: Arc::new(settings) }
    }

    pub(crate) fn name(&self) -> &str {
        &self.settings.table.table
    }

    async fn put_row(
        &self,
        operation: &'static str,
        id: &str,
        column: (&str, &str),
        condition: Condition,
        repeat: Repeat,
    ) -> Result<(), Failure> {
        let row = encode((KEY, id), &[column], RowKind::Plain);
        self.row(operation, "PutRow", id, self.write(row, condition), repeat).await.map(drop)
    }

    /// Reads one column of a row; `None` if there is no such row.
    ///
    /// <https://www.alibabacloud.com/help/en/tablestore/developer-reference/getrow>
    async fn column(
        &self,
        operation: &'static str,
        id: &str,
        column: &str,
    ) -> Result<Option<Option<Value>>, Failure> {
        let request = GetRowRequest {
            table_name: self.name().to_owned(),
            primary_key: encode((KEY, id), &[], RowKind::Plain),
            columns_to_get: vec![KEY.to_owned(), column.to_owned()],
            max_versions: Some(1),
        };
        let answer = self
            .row(operation, "GetRow", id, request.encode_to_vec(), Repeat::AsConfigured)
            .await?;
        let unread = |reason: &str| {
            let error =
                self.error(operation, id, ErrorKind::Unavailable, "the answer cannot be read");
            Failure { outcome: Outcome::Unknown, error: error.with_context("because", reason) }
        };
        match answer.row.filter(|row| !row.is_empty()) {
            None => Ok(None),
            Some(row) => {
                let attributes = decode(&row).map_err(unread)?;
                Ok(Some(
                    attributes.into_iter().find(|(name, _)| name == column).map(|(_, value)| value),
                ))
            }
        }
    }

    fn write(&self, row: Vec<u8>, condition: Condition) -> Vec<u8> {
        WriteRowRequest { table_name: self.name().to_owned(), row, condition }.encode_to_vec()
    }

    /// Sends a request about a row, and checks that the service answered.
    async fn row(
        &self,
        operation: &'static str,
        call: &'static str,
        id: &str,
        body: Vec<u8>,
        repeat: Repeat,
    ) -> Result<RowResponse, Failure> {
        let answer = self.send(operation, call, id, body, repeat).await?;
        RowResponse::read(&answer).ok_or_else(|| {
            let reason = "the server at this endpoint does not respond as Tablestore does";
            let error = self
                .error(operation, id, ErrorKind::Unexpected, reason)
                .with_context(
                    "table",
                    format!("`{}` at {}", self.name(), self.settings.table.endpoint.as_str()),
                )
                .with_context("set in", &self.settings.origin)
                .with_hint("look for a proxy or a login page between this machine and the table");
            Failure { outcome: Outcome::Unknown, error }
        })
    }

    async fn send(
        &self,
        operation: &'static str,
        call: &'static str,
        id: &str,
        body: Vec<u8>,
        repeat: Repeat,
    ) -> Result<Vec<u8>, Failure> {
        let retries = if repeat == Repeat::Never { 0 } else { self.settings.max_retries };
        let mut pauses = pauses(retries);
        let mut doubt = Doubt::default();
        let mut has_followed_clock = false;
        loop {
            let attempt = self.attempt(operation, call, id, &body).await;
            let Failed { failure, is_passing, service_time } = match attempt {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            // The service refused before it did anything: with the right time it is another
            // request.
            if let Some(time) = service_time
                && !has_followed_clock
            {
                self.sender.clock.follow_time(time);
                has_followed_clock = true;
                continue;
            }
            let pause = if is_passing { pauses.next() } else { None };
            let Some(pause) = pause else {
                return Err(self.explained(operation, id, doubt.settle(failure)).await);
            };
            tracing::debug!(error = failure.error.to_string(), ?pause, "the request is repeated");
            doubt.note(&failure);
            sleep(pause).await;
        }
    }

    pub(super) async fn attempt(
        &self,
        operation: &'static str,
        call: &'static str,
        id: &str,
        body: &[u8],
    ) -> Result<Vec<u8>, Failed> {
        let Tablestore { endpoint, instance, .. } = &self.settings.table;
        let credentials = self.sender.credentials.credentials().await;
        let credentials =
            credentials.map_err(|error| Failure { outcome: Outcome::Refused, error })?;
        let url = format!("{}/{call}", endpoint.as_str().trim_end_matches('/'));
        let by_proxy = |failed: ProxyFailed| {
            let outcome = if failed.is_unsent { Outcome::Unsent } else { Outcome::Unknown };
            let error = failed.explain(self.error(operation, id, failed.kind, &failed.fault));
            Failed { is_passing: failed.is_passing(), ..Failure { outcome, error }.into() }
        };
        let http = &self.sender.http;
        let mut request = http.client(&url).map_err(by_proxy)?.post(&url);
        // Other requests may correct the clock meanwhile.
        let signed = self.sender.clock.now();
        for (name, value) in sign::headers(call, instance, body, &credentials, signed) {
            request = request.header(name, value);
        }
        let unreachable = |outcome, reason: String| {
            let error = self
                .error(
                    operation,
                    id,
                    ErrorKind::Unavailable,
                    &format!("cannot reach `{}`", endpoint.as_str()),
                )
                .with_context("because", reason)
                .with_advice(Advice::CheckNetwork(vec!["tablestore_endpoint"]));
            Failure { outcome, error }
        };
        let mut response = match timeout(answer_timeout(0), request.body(body.to_vec()).send())
            .await
        {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                if let Some(failed) = http.proxy_failed(&url, &error) {
                    return Err(by_proxy(failed));
                }
                let outcome = if error.is_connect() { Outcome::Unsent } else { Outcome::Unknown };
                return Err(unreachable(outcome, last_reason(&error)).into());
            }
            Err(_) => {
                return Err(unreachable(Outcome::Unknown, "it does not answer".to_owned()).into());
            }
        };
        let answer = read(&mut response, MOST_BYTES)
            .await
            .map_err(|reason| unreachable(Outcome::Unknown, reason))?;
        if response.status().is_success() {
            return Ok(answer);
        }
        let refusal = message::Error::decode(&*answer).unwrap_or_default();
        let status = response.status().as_u16();
        if let Some(failed) = http.proxy_answered(&url, status, !refusal.code.is_empty()) {
            return Err(by_proxy(failed));
        }
        // The service has no code for a wrong time.
        let service_time = (refusal.code == "OTSAuthFailed").then(|| time_of(&response)).flatten();
        let service_time = service_time.filter(|time| are_far_apart(signed, *time));
        let failure = self.failure(operation, id, status, &refusal.code);
        Err(Failed { service_time, ..failure.into() })
    }
}

#[async_trait]
impl TableBackend for Table {
    fn lock_name(&self) -> &'static str {
        "lock row"
    }

    fn digest_name(&self) -> &'static str {
        "digest row"
    }

    fn longest_id(&self) -> usize {
        LONGEST_ID
    }

    fn url(&self, id: &str) -> String {
        format!("tablestore://{}/{}/{id}", self.settings.table.instance, self.name())
    }

    fn place(&self, id: &str) -> String {
        self.url(id)
    }

    fn how_to_remove(&self, id: &str) -> String {
        format!("remove the row `{id}` of table `{}`", self.name())
    }

    /// Creates a row if there is none with its id. Never repeats the request: the second could fail
    /// because of the first.
    ///
    /// <https://www.alibabacloud.com/help/en/tablestore/developer-reference/putrow>
    async fn create_once(
        &self,
        operation: &'static str,
        id: &str,
        column: &'static str,
        text: &str,
    ) -> Result<(), Failure> {
        let create = Condition::row(RowExistence::ExpectNotExist);
        self.put_row(operation, id, (column, text), create, Repeat::Never).await
    }

    /// Writes a row, replacing any other.
    ///
    /// <https://www.alibabacloud.com/help/en/tablestore/developer-reference/putrow>
    async fn put(
        &self,
        operation: &'static str,
        id: &str,
        column: &'static str,
        text: &str,
    ) -> Result<(), Failure> {
        let whatever = Condition::row(RowExistence::Ignore);
        self.put_row(operation, id, (column, text), whatever, Repeat::AsConfigured).await
    }

    async fn get<'a>(
        &'a self,
        operation: &'static str,
        id: &str,
        column: &'static str,
    ) -> Result<Option<Box<dyn TableRow + 'a>>, Failure> {
        let row = self.column(operation, id, column).await?;
        Ok(row.map(|value| Box::new(Row { table: self, id: id.to_owned(), column, value }) as _))
    }

    /// Deletes a row, if there is one.
    ///
    /// <https://www.alibabacloud.com/help/en/tablestore/developer-reference/deleterow>
    async fn delete(
        &self,
        operation: &'static str,
        id: &str,
        _column: &'static str,
    ) -> Result<(), Failure> {
        let row = encode((KEY, id), &[], RowKind::Deleted);
        let body = self.write(row, Condition::row(RowExistence::Ignore));
        self.row(operation, "DeleteRow", id, body, Repeat::AsConfigured).await.map(drop)
    }
}

/// A row as it was read.
struct Row<'a> {
    table: &'a Table,
    id: String,
    column: &'static str,
    value: Option<Value>,
}

#[async_trait]
impl TableRow for Row<'_> {
    fn text(&self) -> Result<&[u8], String> {
        match &self.value {
            Some(value) => {
                value.text().ok_or_else(|| format!("its column `{}` is not a string", self.column))
            }
            None => Err(format!("it has no column `{}`", self.column)),
        }
    }

    /// <https://www.alibabacloud.com/help/en/tablestore/developer-reference/deleterow>
    async fn delete_if_unchanged(&self, operation: &'static str) -> Result<(), Failure> {
        let Self { table, id, column, value } = self;
        let row = encode((KEY, id), &[], RowKind::Deleted);
        let condition = Condition::row(RowExistence::ExpectExist);
        let condition = match value {
            Some(value) => condition.with_column(column, value, IfMissing::Fails),
            // No condition can demand that a column be absent. An empty text in its place is no
            // lock record either.
            None => condition.with_column(column, &Value::string(""), IfMissing::Holds),
        };
        let body = table.write(row, condition);
        table.row(operation, "DeleteRow", id, body, Repeat::Never).await.map(drop)
    }
}
