//! Operations on tables and their items.

use redb::{ReadTransaction, ReadableTable, WriteTransaction};
use s3s::S3Result;
use serde_json::{Map, Value};

use super::{ITEMS, TABLES, decode, encode, internal};
use crate::dynamodb::Refusal;

/// An item: attribute values, each an object that names its type, by attribute name.
pub(crate) type Item = Map<String, Value>;

/// Creates a table; false if it was there already, which leaves it as it is.
pub(crate) fn create(txn: &WriteTransaction, name: &str, hash_key: &str) -> S3Result<bool> {
    let mut tables = txn.open_table(TABLES).map_err(internal)?;
    if tables.get(name).map_err(internal)?.is_some() {
        return Ok(false);
    }
    tables.insert(name, hash_key).map_err(internal)?;
    Ok(true)
}

/// Returns the name of a table's partition key.
pub(crate) fn hash_key(txn: &ReadTransaction, name: &str) -> S3Result<Result<String, Refusal>> {
    hash_key_of(&txn.open_table(TABLES).map_err(internal)?, name)
}

/// Stores an item in place of the one with its key, if `check` lets it.
pub(crate) fn put(
    txn: &WriteTransaction,
    table: &str,
    item: &Item,
    check: impl FnOnce(Option<&Item>) -> Result<(), Refusal>,
) -> S3Result<Result<(), Refusal>> {
    let key = match place(&txn.open_table(TABLES).map_err(internal)?, table, item)? {
        Ok(key) => key,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut items = txn.open_table(ITEMS).map_err(internal)?;
    let checked = check(found(&items, table, &key)?.as_ref());
    if checked.is_ok() {
        items.insert((table, &*key), encode(item)?.as_slice()).map_err(internal)?;
    }
    Ok(checked)
}

/// Deletes an item, if `check` lets it. Deleting one that does not exist succeeds.
pub(crate) fn delete(
    txn: &WriteTransaction,
    table: &str,
    key: &Item,
    check: impl FnOnce(Option<&Item>) -> Result<(), Refusal>,
) -> S3Result<Result<(), Refusal>> {
    let key = match place(&txn.open_table(TABLES).map_err(internal)?, table, key)? {
        Ok(key) => key,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut items = txn.open_table(ITEMS).map_err(internal)?;
    let checked = check(found(&items, table, &key)?.as_ref());
    if checked.is_ok() {
        items.remove((table, &*key)).map_err(internal)?;
    }
    Ok(checked)
}

/// Returns the item with a key.
pub(crate) fn get(
    txn: &ReadTransaction,
    table: &str,
    key: &Item,
) -> S3Result<Result<Option<Item>, Refusal>> {
    Ok(match place(&txn.open_table(TABLES).map_err(internal)?, table, key)? {
        Ok(key) => Ok(found(&txn.open_table(ITEMS).map_err(internal)?, table, &key)?),
        Err(refusal) => Err(refusal),
    })
}

/// Returns every item of a table.
pub(crate) fn all(txn: &ReadTransaction, table: &str) -> S3Result<Result<Vec<Item>, Refusal>> {
    if let Err(refusal) = hash_key(txn, table)? {
        return Ok(Err(refusal));
    }
    let items = txn.open_table(ITEMS).map_err(internal)?;
    let mut all = Vec::new();
    for row in items.range((table, "")..).map_err(internal)? {
        let (key, item) = row.map_err(internal)?;
        if key.value().0 != table {
            break;
        }
        all.push(decode(item.value())?);
    }
    Ok(Ok(all))
}

fn hash_key_of(
    tables: &impl ReadableTable<&'static str, &'static str>,
    name: &str,
) -> S3Result<Result<String, Refusal>> {
    let key = tables.get(name).map_err(internal)?.map(|key| key.value().to_owned());
    Ok(key.ok_or_else(|| Refusal::new("ResourceNotFoundException", "Requested resource not found")))
}

/// Returns the key under which an item is kept.
fn place(
    tables: &impl ReadableTable<&'static str, &'static str>,
    table: &str,
    item: &Item,
) -> S3Result<Result<String, Refusal>> {
    Ok(hash_key_of(tables, table)?.and_then(|name| {
        match item.get(&name).and_then(|value| value["S"].as_str()) {
            Some(key) if !key.is_empty() => Ok(key.to_owned()),
            _ => Err(Refusal::invalid("One of the required keys was not given a value")),
        }
    }))
}

fn found(
    items: &impl ReadableTable<(&'static str, &'static str), &'static [u8]>,
    table: &str,
    key: &str,
) -> S3Result<Option<Item>> {
    match items.get((table, key)).map_err(internal)? {
        Some(row) => decode(row.value()).map(Some),
        None => Ok(None),
    }
}
