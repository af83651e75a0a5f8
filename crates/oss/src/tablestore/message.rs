//! The messages of the protocol, as far as locks and digests need them. The fields are those of
//! <https://www.alibabacloud.com/help/en/tablestore/developer-reference/protocol-buffers>.

use prost::Message;

use crate::tablestore::plain_buffer::Value;

/// The condition on the existence of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowExistence {
    Ignore = 0,
    ExpectExist = 1,
    ExpectNotExist = 2,
}

/// How a condition on a column evaluates if the row has no such column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IfMissing {
    Holds,
    Fails,
}

const TYPE_SINGLE_COLUMN_VALUE: i32 = 1;
const COMPARATOR_EQUAL: i32 = 1;

/// The type of a string in a primary key.
pub(super) const KEY_STRING: i32 = 2;

#[derive(Clone, PartialEq, Message)]
pub(super) struct Error {
    #[prost(string, required, tag = "1")]
    pub(super) code: String,
    #[prost(string, optional, tag = "2")]
    pub(super) message: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Condition {
    #[prost(int32, required, tag = "1")]
    row_existence: i32,
    #[prost(bytes = "vec", optional, tag = "2")]
    column_condition: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct Filter {
    #[prost(int32, required, tag = "1")]
    r#type: i32,
    #[prost(bytes = "vec", required, tag = "2")]
    filter: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct SingleColumnValueFilter {
    #[prost(int32, required, tag = "1")]
    comparator: i32,
    #[prost(string, required, tag = "2")]
    column_name: String,
    #[prost(bytes = "vec", required, tag = "3")]
    column_value: Vec<u8>,
    #[prost(bool, required, tag = "4")]
    filter_if_missing: bool,
    #[prost(bool, required, tag = "5")]
    latest_version_only: bool,
}

impl Condition {
    pub(super) fn row(existence: RowExistence) -> Self {
        Self { row_existence: existence as i32, column_condition: None }
    }

    /// Adds the condition that a column has this value, byte for byte, or is absent if `if_missing`
    /// allows that.
    pub(super) fn with_column(self, column: &str, value: &Value, if_missing: IfMissing) -> Self {
        let filter = SingleColumnValueFilter {
            comparator: COMPARATOR_EQUAL,
            column_name: column.to_owned(),
            column_value: value.as_bytes().to_vec(),
            filter_if_missing: if_missing == IfMissing::Fails,
            latest_version_only: true,
        };
        let filter = Filter { r#type: TYPE_SINGLE_COLUMN_VALUE, filter: filter.encode_to_vec() };
        Self { column_condition: Some(filter.encode_to_vec()), ..self }
    }
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct DescribeTableRequest {
    #[prost(string, required, tag = "1")]
    pub(super) table_name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct DescribeTableResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) table_meta: Option<TableMeta>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TableMeta {
    #[prost(message, repeated, tag = "2")]
    pub(super) primary_key: Vec<KeyColumn>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct KeyColumn {
    #[prost(string, required, tag = "1")]
    pub(super) name: String,
    #[prost(int32, required, tag = "2")]
    pub(super) r#type: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct GetRowRequest {
    #[prost(string, required, tag = "1")]
    pub(super) table_name: String,
    #[prost(bytes = "vec", required, tag = "2")]
    pub(super) primary_key: Vec<u8>,
    #[prost(string, repeated, tag = "3")]
    pub(super) columns_to_get: Vec<String>,
    #[prost(int32, optional, tag = "5")]
    pub(super) max_versions: Option<i32>,
}

/// The answer to `GetRow`, `PutRow` and `DeleteRow`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct RowResponse {
    #[prost(message, optional, tag = "1")]
    consumed: Option<ConsumedCapacity>,
    /// The row of `GetRow`: empty if there is no such row.
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(super) row: Option<Vec<u8>>,
}

/// The cost of a request. The service sends it in every answer about a row, and the vendor's
/// clients require it.
#[derive(Clone, PartialEq, Message)]
struct ConsumedCapacity {
    #[prost(message, optional, tag = "1")]
    capacity_unit: Option<CapacityUnit>,
}

/// The amount is not needed here.
#[derive(Clone, PartialEq, Message)]
struct CapacityUnit {}

impl RowResponse {
    /// Reads an answer; `None` if it is not the service's. Otherwise a proxy's empty page would
    /// mean a missing row or a completed write.
    pub(super) fn read(answer: &[u8]) -> Option<Self> {
        let answer = Self::decode(answer).ok()?;
        let says_cost =
            answer.consumed.as_ref().is_some_and(|consumed| consumed.capacity_unit.is_some());
        says_cost.then_some(answer)
    }
}

/// The request of `PutRow`, and of `DeleteRow` with a delete marker in its row.
#[derive(Clone, PartialEq, Message)]
pub(super) struct WriteRowRequest {
    #[prost(string, required, tag = "1")]
    pub(super) table_name: String,
    #[prost(bytes = "vec", required, tag = "2")]
    pub(super) row: Vec<u8>,
    #[prost(message, required, tag = "3")]
    pub(super) condition: Condition,
}
