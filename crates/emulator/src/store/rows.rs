//! Tables of Tablestore and their rows.

use std::collections::BTreeMap;

use redb::{ReadTransaction, ReadableTable, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::{OTS_ROWS, OTS_TABLES, Result, decode, encode, internal};
use crate::tablestore::plain_buffer::Value;

/// A table's row among the tables.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Table {
    pub(crate) primary_key: Vec<(String, KeyKind)>,
}

/// The type of a key column, by the protocol's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum KeyKind {
    Integer = 1,
    String = 2,
    Binary = 3,
}

/// The columns of a row, without those of its key.
pub(crate) type Columns = BTreeMap<String, Column>;

/// A column of a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Column {
    pub(crate) value: Value,
    pub(crate) timestamp_ms: u64,
}

/// Creates a table; false if it was there already, which leaves it as it is.
pub(crate) fn create(txn: &WriteTransaction, name: &str, table: &Table) -> Result<bool> {
    let mut tables = txn.open_table(OTS_TABLES).map_err(internal)?;
    if tables.get(name).map_err(internal)?.is_some() {
        return Ok(false);
    }
    tables.insert(name, encode(table)?.as_slice()).map_err(internal)?;
    Ok(true)
}

/// Deletes a table with its rows; false if there was none.
pub(crate) fn delete(txn: &WriteTransaction, name: &str) -> Result<bool> {
    let was_there =
        txn.open_table(OTS_TABLES).map_err(internal)?.remove(name).map_err(internal)?.is_some();
    let mut rows = txn.open_table(OTS_ROWS).map_err(internal)?;
    let mut keys: Vec<Vec<u8>> = Vec::new();
    for row in rows.range((name, [].as_slice())..).map_err(internal)? {
        let key = row.map_err(internal)?.0;
        let (table, key) = key.value();
        if table != name {
            break;
        }
        keys.push(key.to_vec());
    }
    for key in keys {
        rows.remove((name, key.as_slice())).map_err(internal)?;
    }
    Ok(was_there)
}

/// Returns the names of all tables.
pub(crate) fn tables(txn: &ReadTransaction) -> Result<Vec<String>> {
    let tables = txn.open_table(OTS_TABLES).map_err(internal)?;
    let rows = tables.iter().map_err(internal)?;
    rows.map(|row| Ok(row.map_err(internal)?.0.value().to_owned())).collect()
}

/// Returns a table.
pub(crate) fn table(txn: &ReadTransaction, name: &str) -> Result<Option<Table>> {
    found(txn.open_table(OTS_TABLES).map_err(internal)?.get(name).map_err(internal)?)
}

/// Returns a table, in a transaction that writes.
pub(crate) fn table_for_write(txn: &WriteTransaction, name: &str) -> Result<Option<Table>> {
    found(txn.open_table(OTS_TABLES).map_err(internal)?.get(name).map_err(internal)?)
}

/// Returns a row.
pub(crate) fn row(txn: &ReadTransaction, table: &str, key: &[u8]) -> Result<Option<Columns>> {
    found(txn.open_table(OTS_ROWS).map_err(internal)?.get((table, key)).map_err(internal)?)
}

/// Returns a row, in a transaction that writes.
pub(crate) fn row_for_write(
    txn: &WriteTransaction,
    table: &str,
    key: &[u8],
) -> Result<Option<Columns>> {
    found(txn.open_table(OTS_ROWS).map_err(internal)?.get((table, key)).map_err(internal)?)
}

/// Stores a row in place of the one with its key, or deletes it. Deleting one that does not exist
/// succeeds.
pub(crate) fn set_row(
    txn: &WriteTransaction,
    table: &str,
    key: &[u8],
    columns: Option<&Columns>,
) -> Result<()> {
    let mut rows = txn.open_table(OTS_ROWS).map_err(internal)?;
    match columns {
        Some(columns) => {
            rows.insert((table, key), encode(columns)?.as_slice()).map_err(internal)?;
        }
        None => {
            rows.remove((table, key)).map_err(internal)?;
        }
    }
    Ok(())
}

fn found<T: serde::de::DeserializeOwned>(
    row: Option<redb::AccessGuard<'_, &'static [u8]>>,
) -> Result<Option<T>> {
    row.map(|row| decode(row.value())).transpose()
}
