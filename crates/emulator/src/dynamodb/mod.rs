//! The DynamoDB operations that locks and digests use, in the JSON 1.0 protocol, on the same port
//! as S3.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB.html>.

mod expression;
mod refusal;
mod signature;

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use s3s::auth::SecretKey;
use s3s::{Body, HttpResponse, StdError};
use serde_json::{Map, Value, json};

use self::expression::Condition;
use self::refusal::Refusal;
use crate::clock::Clock;
use crate::database::Storage;
use crate::faults::{IgnoredConditions, Plan};
use crate::protocol::{Call, Operation, Protocol, Target, Traits};
use crate::store::tables::{self, Item};

/// The part of `x-amz-target` before the name of the operation.
const TARGET_PREFIX: &str = "DynamoDB_20120810.";

/// The longest request. The service takes 16 MiB, and a lock is a few hundred bytes.
const REQUEST_BYTES: usize = 1 << 20;

/// Answers requests for tables.
#[derive(Debug, Clone)]
pub(crate) struct Tables {
    pub(crate) storage: Storage,
    pub(crate) keys: Arc<BTreeMap<String, SecretKey>>,
    pub(crate) region: Option<Arc<str>>,
    pub(crate) clock: Clock,
}

/// Returns the operation that a request is for, if it is one for a table.
fn operation(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-amz-target")?.to_str().ok()?.strip_prefix(TARGET_PREFIX)
}

impl Protocol for Tables {
    type Call = Call;

    fn claims(&self, head: &Parts) -> bool {
        operation(&head.headers).is_some()
    }

    async fn read(&self, head: Parts, body: Incoming) -> Result<Call, StdError> {
        Call::read(head, body, REQUEST_BYTES).await
    }

    fn target(&self, call: &Call) -> Target {
        let operation = Operation::from(operation(&call.head.headers).unwrap_or_default());
        let Ok(body) = serde_json::from_slice::<Value>(&call.body) else {
            return Target { operation, ..Target::default() };
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let item = body.get("Item").or_else(|| body.get("Key"));
        let key = item.and_then(|item| item.as_object()).and_then(|item| {
            // The partition key of a lock table. A request does not name the key of its table.
            text(&item.get("LockID")?["S"])
        });
        let is_conditional = body.get("ConditionExpression").is_some();
        let traits = Traits { is_conditional, ..Traits::default() };
        Target { operation, bucket: text(&body["TableName"]), key, traits }
    }

    async fn answer(&self, call: Call, plan: &Plan, id: &str) -> Result<HttpResponse, StdError> {
        let ignores_conditions = plan.ignored == IgnoredConditions::Everywhere;
        Ok(match self.carry_out(&call, ignores_conditions).await {
            Ok(answer) => write(200, &answer, id),
            Err(refusal) => self.fail(false, refusal.status, refusal.code, &refusal.message, id),
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
        let kind = format!("com.amazonaws.dynamodb.v20120810#{code}");
        write(status, &json!({"__type": kind, "message": message}), id)
    }
}

fn write(status: u16, answer: &Value, id: &str) -> HttpResponse {
    let mut response = HttpResponse::new(Body::from(answer.to_string()));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.0"));
    if let Ok(id) = HeaderValue::from_str(id) {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    response
}

impl Tables {
    async fn carry_out(&self, call: &Call, ignores_conditions: bool) -> Result<Value, Refusal> {
        if let Some(signed) = self.clock.refuses(&call.head.headers) {
            let (signed, now) =
                (signed.strftime("%Y%m%dT%H%M%SZ"), self.clock.now().strftime("%Y%m%dT%H%M%SZ"));
            let message = format!("Signature expired: {signed} is now earlier than {now}");
            return Err(Refusal::new("InvalidSignatureException", message));
        }
        signature::check(&call.head, &call.body, &self.keys, self.region.as_deref())?;
        let input: Value = serde_json::from_slice(&call.body)
            .map_err(|_| Refusal::new("SerializationException", "the body is not JSON"))?;
        let request = Request { storage: &self.storage, input, ignores_conditions };
        let operation = operation(&call.head.headers).unwrap_or_default();
        match operation {
            "BatchGetItem" => request.batch_get_item().await,
            "CreateTable" => request.create_table().await,
            "DeleteItem" => request.delete_item().await,
            "DescribeTable" => request.describe_table().await,
            "GetItem" => request.get_item().await,
            "PutItem" => request.put_item().await,
            "Scan" => request.scan().await,
            _ => Err(Refusal::new(
                "UnknownOperationException",
                format!("`{operation}` is not implemented"),
            )),
        }
    }
}

struct Request<'a> {
    storage: &'a Storage,
    input: Value,
    ignores_conditions: bool,
}

impl Request<'_> {
    fn table(&self) -> Result<String, Refusal> {
        match self.input["TableName"].as_str() {
            Some(name) if !name.is_empty() => Ok(name.to_owned()),
            _ => Err(Refusal::invalid("The parameter 'TableName' is required but was not present")),
        }
    }

    fn item(&self, name: &str) -> Result<Item, Refusal> {
        as_item(&self.input[name])
    }

    fn condition(&self) -> Result<Condition, Refusal> {
        // Read even if it is ignored, so that an unknown condition is always refused.
        let condition = Condition::parse(&self.input)?;
        Ok(if self.ignores_conditions { Condition::default() } else { condition })
    }

    /// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html>
    async fn put_item(&self) -> Result<Value, Refusal> {
        let (table, item, condition) = (self.table()?, self.item("Item")?, self.condition()?);
        self.storage
            .write(move |txn| tables::put(txn, &table, &item, |present| condition.check(present)))
            .await?;
        Ok(json!({}))
    }

    /// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteItem.html>
    async fn delete_item(&self) -> Result<Value, Refusal> {
        let (table, key, condition) = (self.table()?, self.item("Key")?, self.condition()?);
        self.storage
            .write(move |txn| tables::delete(txn, &table, &key, |present| condition.check(present)))
            .await?;
        Ok(json!({}))
    }

    /// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetItem.html>
    async fn get_item(&self) -> Result<Value, Refusal> {
        let (table, key) = (self.table()?, self.item("Key")?);
        let projection = expression::projection(&self.input)?;
        let found = self.storage.read(move |txn| tables::get(txn, &table, &key)).await?;
        Ok(match found {
            Some(item) => json!({"Item": projection.apply(item)}),
            None => json!({}),
        })
    }

    /// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html>
    async fn batch_get_item(&self) -> Result<Value, Refusal> {
        let wanted = self.input["RequestItems"].as_object().ok_or_else(|| {
            Refusal::invalid("The parameter 'RequestItems' is required but was not present")
        })?;
        let mut responses = Map::new();
        let mut count = 0;
        for (table, request) in wanted {
            let projection = expression::projection(request)?;
            let mut items = Vec::new();
            for key in request["Keys"].as_array().into_iter().flatten() {
                count += 1;
                if count > 100 {
                    return Err(Refusal::invalid(
                        "Too many items requested for the BatchGetItem call",
                    ));
                }
                let (key, name) = (as_item(key)?, table.clone());
                let found = self.storage.read(move |txn| tables::get(txn, &name, &key)).await?;
                items.extend(found.map(|item| projection.apply(item)));
            }
            responses.insert(table.clone(), Value::Array(items));
        }
        Ok(json!({"Responses": responses, "UnprocessedKeys": {}}))
    }

    /// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html>
    async fn scan(&self) -> Result<Value, Refusal> {
        let (table, projection) = (self.table()?, expression::projection(&self.input)?);
        if self.input.get("FilterExpression").is_some() {
            return Err(Refusal::invalid("a filter is not implemented"));
        }
        let items = self.storage.read(move |txn| tables::all(txn, &table)).await?;
        let items: Vec<_> = items.into_iter().map(|item| projection.apply(item)).collect();
        Ok(json!({"Count": items.len(), "ScannedCount": items.len(), "Items": items}))
    }

    /// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html>
    async fn create_table(&self) -> Result<Value, Refusal> {
        let table = self.table()?;
        let key = hash_key(&self.input)?;
        let row = (table.clone(), key.clone());
        if self.storage.write(move |txn| tables::create(txn, &row.0, &row.1)).await? {
            Ok(json!({"TableDescription": description(&table, &key)}))
        } else {
            Err(Refusal::new("ResourceInUseException", format!("Table already exists: {table}")))
        }
    }

    /// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTable.html>
    async fn describe_table(&self) -> Result<Value, Refusal> {
        let table = self.table()?;
        let name = table.clone();
        let key = self.storage.read(move |txn| tables::hash_key(txn, &name)).await?;
        Ok(json!({"Table": description(&table, &key)}))
    }
}

fn as_item(value: &Value) -> Result<Item, Refusal> {
    let item = value.as_object().ok_or_else(|| Refusal::invalid("an item is missing or no map"))?;
    let is_attribute = |value: &Value| {
        value.as_object().is_some_and(|value| {
            value.len() == 1
                && value.keys().all(|kind| {
                    matches!(
                        &**kind,
                        "B" | "BOOL" | "BS" | "L" | "M" | "N" | "NS" | "NULL" | "S" | "SS"
                    )
                })
        })
    };
    if item.values().all(is_attribute) {
        Ok(item.clone())
    } else {
        Err(Refusal::new("SerializationException", "an attribute is not of one type"))
    }
}

/// The one key of a table: a partition key that is a string. Tables of other kinds hold no locks.
fn hash_key(input: &Value) -> Result<String, Refusal> {
    let schema = input["KeySchema"].as_array().map(Vec::as_slice).unwrap_or_default();
    let [key] = schema else {
        return Err(Refusal::invalid(
            "only tables with a partition key and no sort key are implemented",
        ));
    };
    let name = key["AttributeName"].as_str().unwrap_or_default();
    let is_string = input["AttributeDefinitions"].as_array().is_some_and(|definitions| {
        definitions.iter().any(|one| one["AttributeName"] == name && one["AttributeType"] == "S")
    });
    if key["KeyType"] == "HASH" && is_string && !name.is_empty() {
        Ok(name.to_owned())
    } else {
        Err(Refusal::invalid("only partition keys that are strings are implemented"))
    }
}

fn description(table: &str, key: &str) -> Value {
    json!({
        "TableName": table,
        "TableStatus": "ACTIVE",
        "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}],
    })
}
