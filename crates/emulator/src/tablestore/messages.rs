//! The messages, in protocol buffers.
//!
//! See
//! <https://www.alibabacloud.com/help/en/tablestore/developer-reference/api-reference-data-types>.
//! Whatever a message has beyond these fields is left out by the decoder, so the messages have
//! fields that the emulator refuses.

use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub(super) struct Error {
    #[prost(string, required, tag = "1")]
    pub(super) code: String,
    #[prost(string, required, tag = "2")]
    pub(super) message: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PrimaryKeySchema {
    #[prost(string, required, tag = "1")]
    pub(super) name: String,
    /// 1 is an integer, 2 a string, 3 binary.
    #[prost(int32, required, tag = "2")]
    pub(super) kind: i32,
    #[prost(int32, optional, tag = "3")]
    pub(super) option: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TableMeta {
    #[prost(string, required, tag = "1")]
    pub(super) table_name: String,
    #[prost(message, repeated, tag = "2")]
    pub(super) primary_key: Vec<PrimaryKeySchema>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TableOptions {
    #[prost(int32, optional, tag = "1")]
    pub(super) time_to_live: Option<i32>,
    #[prost(int32, optional, tag = "2")]
    pub(super) max_versions: Option<i32>,
    #[prost(int64, optional, tag = "5")]
    pub(super) deviation_cell_version_in_sec: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct CapacityUnit {
    #[prost(int32, optional, tag = "1")]
    pub(super) read: Option<i32>,
    #[prost(int32, optional, tag = "2")]
    pub(super) write: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ConsumedCapacity {
    #[prost(message, required, tag = "1")]
    pub(super) capacity_unit: CapacityUnit,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ReservedThroughputDetails {
    #[prost(message, required, tag = "1")]
    pub(super) capacity_unit: CapacityUnit,
    #[prost(int64, required, tag = "2")]
    pub(super) last_increase_time: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct CreateTableRequest {
    #[prost(message, required, tag = "1")]
    pub(super) table_meta: TableMeta,
    #[prost(message, optional, tag = "3")]
    pub(super) table_options: Option<TableOptions>,
}

/// A request about a table as a whole: `DescribeTable` and `DeleteTable`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct TableRequest {
    #[prost(string, required, tag = "1")]
    pub(super) table_name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct DescribeTableResponse {
    #[prost(message, required, tag = "1")]
    pub(super) table_meta: TableMeta,
    #[prost(message, required, tag = "2")]
    pub(super) reserved_throughput_details: ReservedThroughputDetails,
    #[prost(message, required, tag = "3")]
    pub(super) table_options: TableOptions,
    /// 1 is active.
    #[prost(int32, required, tag = "4")]
    pub(super) table_status: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ListTableResponse {
    #[prost(string, repeated, tag = "1")]
    pub(super) table_names: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Empty {}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Condition {
    /// 0 ignores whether there is a row, 1 expects one, 2 expects none.
    #[prost(int32, required, tag = "1")]
    pub(super) row_existence: i32,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(super) column_condition: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ReturnContent {
    /// 0 returns nothing, 1 the primary key.
    #[prost(int32, optional, tag = "1")]
    pub(super) return_type: Option<i32>,
}

/// A request that changes a row: `PutRow`, `UpdateRow` and `DeleteRow`, which differ in what the
/// row may hold.
#[derive(Clone, PartialEq, Message)]
pub(super) struct WriteRowRequest {
    #[prost(string, required, tag = "1")]
    pub(super) table_name: String,
    #[prost(bytes = "vec", required, tag = "2")]
    pub(super) row: Vec<u8>,
    #[prost(message, required, tag = "3")]
    pub(super) condition: Condition,
    #[prost(message, optional, tag = "4")]
    pub(super) return_content: Option<ReturnContent>,
    #[prost(string, optional, tag = "5")]
    pub(super) transaction_id: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WriteRowResponse {
    #[prost(message, required, tag = "1")]
    pub(super) consumed: ConsumedCapacity,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(super) row: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct GetRowRequest {
    #[prost(string, required, tag = "1")]
    pub(super) table_name: String,
    #[prost(bytes = "vec", required, tag = "2")]
    pub(super) primary_key: Vec<u8>,
    #[prost(string, repeated, tag = "3")]
    pub(super) columns_to_get: Vec<String>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub(super) time_range: Option<Vec<u8>>,
    #[prost(int32, optional, tag = "5")]
    pub(super) max_versions: Option<i32>,
    #[prost(bytes = "vec", optional, tag = "7")]
    pub(super) filter: Option<Vec<u8>>,
    #[prost(string, optional, tag = "8")]
    pub(super) start_column: Option<String>,
    #[prost(string, optional, tag = "9")]
    pub(super) end_column: Option<String>,
    #[prost(bytes = "vec", optional, tag = "10")]
    pub(super) token: Option<Vec<u8>>,
    #[prost(string, optional, tag = "11")]
    pub(super) transaction_id: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct GetRowResponse {
    #[prost(message, required, tag = "1")]
    pub(super) consumed: ConsumedCapacity,
    /// Empty if there is no such row.
    #[prost(bytes = "vec", required, tag = "2")]
    pub(super) row: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Filter {
    /// 1 looks at one column, 2 combines others, 3 selects columns by number.
    #[prost(int32, required, tag = "1")]
    pub(super) kind: i32,
    #[prost(bytes = "vec", required, tag = "2")]
    pub(super) filter: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ColumnFilter {
    /// 1 is `=`, 2 `≠`, 3 `>`, 4 `≥`, 5 `<`, 6 `≤`.
    #[prost(int32, required, tag = "1")]
    pub(super) comparator: i32,
    #[prost(string, required, tag = "2")]
    pub(super) column_name: String,
    #[prost(bytes = "vec", required, tag = "3")]
    pub(super) column_value: Vec<u8>,
    /// Whether a row without the column does not match.
    #[prost(bool, required, tag = "4")]
    pub(super) filter_if_missing: bool,
    #[prost(bytes = "vec", optional, tag = "6")]
    pub(super) value_trans_rule: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct CompositeFilter {
    /// 1 is NOT, 2 AND, 3 OR.
    #[prost(int32, required, tag = "1")]
    pub(super) combinator: i32,
    #[prost(message, repeated, tag = "2")]
    pub(super) sub_filters: Vec<Filter>,
}
