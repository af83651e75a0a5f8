//! Tablestore, on the same port as S3 and OSS: the operations that locks and digests use, and those
//! that set them up.
//!
//! See <https://www.alibabacloud.com/help/en/tablestore/developer-reference/api-reference>. There
//! is one version of each column, and all instances share their tables.

mod condition;
mod messages;
pub(crate) mod plain_buffer;
mod refusal;
mod rows;
mod signature;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HeaderValue};
use hyper::http::request::Parts;
use jiff::Timestamp;
use prost::Message as _;
use s3s::crypto::{Checksum as _, Md5};
use s3s::{Body, HttpResponse, StdError};

use self::messages::{
    CapacityUnit, CreateTableRequest, DescribeTableResponse, Empty, Error, GetRowRequest,
    ListTableResponse, PrimaryKeySchema, ReservedThroughputDetails, TableMeta, TableOptions,
    TableRequest, WriteRowRequest,
};
use self::plain_buffer::{Row, Value};
use self::refusal::Refusal;
use self::rows::{Change, Conditions};
use self::signature::Signer;
use crate::clock::Clock;
use crate::database::Storage;
use crate::faults::{IgnoredConditions, Plan};
use crate::keyring::Keyring;
use crate::protocol::{Call, Protocol, Target, Traits};
use crate::store::rows::{self as stored, KeyKind, Table};

/// The longest request. A lock is a few hundred bytes.
const REQUEST_BYTES: usize = 1 << 20;

/// Answers requests for Tablestore.
#[derive(Debug, Clone)]
pub(crate) struct Tablestore {
    pub(crate) storage: Storage,
    pub(crate) keys: Keyring,
    pub(crate) clock: Clock,
}

/// Returns the operation of a request.
fn operation(call: &Call) -> &str {
    call.head.uri.path().trim_start_matches('/')
}

impl Protocol for Tablestore {
    type Call = Call;

    fn claims(&self, head: &Parts) -> bool {
        head.headers.contains_key("x-ots-apiversion")
    }

    async fn read(&self, head: Parts, body: Incoming) -> Result<Call, StdError> {
        Call::read(head, body, REQUEST_BYTES).await
    }

    fn target(&self, call: &Call) -> Target {
        // The first column of the primary key, if it is a string.
        let key = |row: &[u8]| match Row::decode(row).ok()?.primary_key.into_iter().next()?.value? {
            Value::String(key) => Some(key),
            _ => None,
        };
        let found = match operation(call) {
            "GetRow" => GetRowRequest::decode(&*call.body).ok().map(|request| Target {
                key: key(&request.primary_key),
                bucket: Some(request.table_name),
                ..Target::default()
            }),
            "DeleteRow" | "PutRow" | "UpdateRow" => {
                WriteRowRequest::decode(&*call.body).ok().map(|request| Target {
                    key: key(&request.row),
                    bucket: Some(request.table_name),
                    traits: Traits {
                        is_conditional: request.condition.row_existence != 0
                            || request.condition.column_condition.is_some(),
                        ..Traits::default()
                    },
                    ..Target::default()
                })
            }
            "DeleteTable" | "DescribeTable" => TableRequest::decode(&*call.body)
                .ok()
                .map(|request| Target { bucket: Some(request.table_name), ..Target::default() }),
            "CreateTable" => CreateTableRequest::decode(&*call.body).ok().map(|request| Target {
                bucket: Some(request.table_meta.table_name),
                ..Target::default()
            }),
            _ => None,
        }
        .unwrap_or_default();
        Target { operation: operation(call).into(), ..found }
    }

    /// Signs the answer if the request was signed.
    async fn answer(&self, call: Call, plan: &Plan, id: &str) -> Result<HttpResponse, StdError> {
        let conditions = match plan.ignored {
            IgnoredConditions::Everywhere => Conditions::Ignored,
            IgnoredConditions::None
            | IgnoredConditions::OfUpdates
            | IgnoredConditions::OnVersionedBuckets => Conditions::Heeded,
        };
        let (headers, path) = (&call.head.headers, call.head.uri.path());
        let refused =
            |refusal: Refusal| self.fail(false, refusal.status, refusal.code, &refusal.message, id);
        let signer = match signature::check(headers, path, &call.body, &self.keys, self.clock.now())
        {
            Ok(signer) => signer,
            Err(refusal) => return Ok(refused(refusal)),
        };
        Ok(match self.carry_out(operation(&call), &call.body, conditions).await {
            Ok(body) => write(StatusCode::OK, body, id, Some((&signer, path))),
            Err(refusal) => refused(refusal),
        })
    }

    fn fail(
        &self,
        _is_head: bool,
        status: u16,
        code: &str,
        message: &str,
        id: &str,
    ) -> HttpResponse {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let error = Error { code: code.to_owned(), message: message.to_owned() };
        write(status, error.encode_to_vec(), id, None)
    }
}

impl Tablestore {
    async fn carry_out(
        &self,
        operation: &str,
        body: &[u8],
        conditions: Conditions,
    ) -> Result<Vec<u8>, Refusal> {
        match operation {
            "CreateTable" => self.create_table(body).await,
            "DeleteRow" => self.write_row(body, Change::Delete, conditions).await,
            "DeleteTable" => self.delete_table(body).await,
            "DescribeTable" => self.describe_table(body).await,
            "GetRow" => self.get_row(body).await,
            "ListTable" => self.list_table().await,
            "PutRow" => self.write_row(body, Change::Put, conditions).await,
            "UpdateRow" => self.write_row(body, Change::Update, conditions).await,
            _ => Err(Refusal::unsupported(format!("'{operation}'"))),
        }
    }

    /// <https://www.alibabacloud.com/help/en/tablestore/developer-reference/createtable>
    async fn create_table(&self, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        let request = CreateTableRequest::decode(body)?;
        let name = request.table_meta.table_name;
        if !is_name(&name) {
            return Err(Refusal::invalid(format!("Invalid table name: '{name}'.")));
        }
        let versions = request.table_options.and_then(|options| options.max_versions);
        if versions.is_some_and(|versions| versions != 1) {
            return Err(Refusal::unsupported("more than one version of a column"));
        }
        let primary_key =
            request.table_meta.primary_key.iter().map(key_column).collect::<Result<Vec<_>, _>>()?;
        if !(1..=4).contains(&primary_key.len()) {
            return Err(Refusal::invalid(
                "The number of primary key columns must be in range: [1, 4].",
            ));
        }
        let table = Table { primary_key };
        if self.storage.write(move |txn| stored::create(txn, &name, &table)).await? {
            Ok(Empty {}.encode_to_vec())
        } else {
            Err(Refusal::exists())
        }
    }

    /// <https://www.alibabacloud.com/help/en/tablestore/developer-reference/describetable>
    async fn describe_table(&self, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        let name = TableRequest::decode(body)?.table_name;
        let asked = name.clone();
        let table = table_of(self.storage.read(move |txn| stored::table(txn, &asked)).await?)?;
        let schema = |(name, kind): &(String, KeyKind)| PrimaryKeySchema {
            name: name.clone(),
            kind: *kind as i32,
            option: None,
        };
        let description = DescribeTableResponse {
            table_meta: TableMeta {
                table_name: name,
                primary_key: table.primary_key.iter().map(schema).collect(),
            },
            reserved_throughput_details: ReservedThroughputDetails {
                capacity_unit: CapacityUnit { read: Some(0), write: Some(0) },
                last_increase_time: 0,
            },
            // Rows never expire.
            table_options: TableOptions {
                time_to_live: Some(-1),
                max_versions: Some(1),
                deviation_cell_version_in_sec: Some(86_400),
            },
            table_status: 1,
        };
        Ok(description.encode_to_vec())
    }

    /// <https://www.alibabacloud.com/help/en/tablestore/developer-reference/listtable>
    async fn list_table(&self) -> Result<Vec<u8>, Refusal> {
        let table_names = self.storage.read(stored::tables).await?;
        Ok(ListTableResponse { table_names }.encode_to_vec())
    }

    /// <https://www.alibabacloud.com/help/en/tablestore/developer-reference/deletetable>
    async fn delete_table(&self, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        let name = TableRequest::decode(body)?.table_name;
        if self.storage.write(move |txn| stored::delete(txn, &name)).await? {
            Ok(Empty {}.encode_to_vec())
        } else {
            Err(Refusal::no_table())
        }
    }
}

fn table_of(found: Option<Table>) -> Result<Table, Refusal> {
    found.ok_or_else(Refusal::no_table)
}

fn key_column(schema: &PrimaryKeySchema) -> Result<(String, KeyKind), Refusal> {
    let kind = match (schema.kind, schema.option) {
        (1, None) => KeyKind::Integer,
        (2, None) => KeyKind::String,
        (3, None) => KeyKind::Binary,
        (_, Some(_)) => return Err(Refusal::unsupported("a key that counts by itself")),
        _ => return Err(Refusal::invalid("Invalid type of a primary key column.")),
    };
    if !is_name(&schema.name) {
        return Err(Refusal::invalid(format!("Invalid column name: '{}'.", schema.name)));
    }
    Ok((schema.name.clone(), kind))
}

/// <https://www.alibabacloud.com/help/en/tablestore/product-overview/naming-conventions-and-data-types>
fn is_name(name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (1..=255).contains(&name.len())
        && name.chars().all(is_word)
        && !name.starts_with(|c: char| c.is_ascii_digit())
}

fn write(
    status: StatusCode,
    body: Vec<u8>,
    request_id: &str,
    signer: Option<(&Signer, &str)>,
) -> HttpResponse {
    let md5 = BASE64.encode(Md5::checksum(&body));
    let date = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
    let mut answer = HttpResponse::new(Body::from(body));
    *answer.status_mut() = status;
    for (name, value) in [
        ("x-ots-contentmd5", md5.as_str()),
        ("x-ots-requestid", request_id),
        ("x-ots-date", date.as_str()),
        ("x-ots-contenttype", "protocol buffer"),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            answer.headers_mut().insert(name, value);
        }
    }
    if let Some((signer, path)) = signer
        && let Ok(value) = HeaderValue::from_str(&signer.authorize(answer.headers(), path))
    {
        answer.headers_mut().insert(AUTHORIZATION, value);
    }
    answer
}
