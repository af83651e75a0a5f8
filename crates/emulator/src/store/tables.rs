//! Operations on tables and their items.

use redb::{ReadTransaction, ReadableTable, WriteTransaction};
use serde_json::{Map, Value};

use super::{Error, ITEMS, Result, TABLES, decode, encode, internal};

/// An item: attribute values, each an object that names its type, by attribute name.
pub(crate) type Item = Map<String, Value>;

/// Creates a table; false if it was there already, which leaves it as it is.
pub(crate) fn create(txn: &WriteTransaction, name: &str, hash_key: &str) -> Result<bool> {
    let mut tables = txn.open_table(TABLES).map_err(internal)?;
    if tables.get(name).map_err(internal)?.is_some() {
        return Ok(false);
    }
    tables.insert(name, hash_key).map_err(internal)?;
    Ok(true)
}

/// Returns the name of a table's partition key.
pub(crate) fn hash_key(txn: &ReadTransaction, name: &str) -> Result<String> {
    hash_key_of(&txn.open_table(TABLES).map_err(internal)?, name)
}

/// Stores an item in place of the one with its key, if `check` lets it.
pub(crate) fn put<E: From<Error>>(
    txn: &WriteTransaction,
    table: &str,
    item: &Item,
    check: impl FnOnce(Option<&Item>) -> Result<(), E>,
) -> Result<(), E> {
    let key = place(&txn.open_table(TABLES).map_err(internal)?, table, item)?;
    let mut items = txn.open_table(ITEMS).map_err(internal)?;
    check(found(&items, table, &key)?.as_ref())?;
    items.insert((table, &*key), encode(item)?.as_slice()).map_err(internal)?;
    Ok(())
}

/// Deletes an item, if `check` lets it. Deleting one that does not exist succeeds.
pub(crate) fn delete<E: From<Error>>(
    txn: &WriteTransaction,
    table: &str,
    key: &Item,
    check: impl FnOnce(Option<&Item>) -> Result<(), E>,
) -> Result<(), E> {
    let key = place(&txn.open_table(TABLES).map_err(internal)?, table, key)?;
    let mut items = txn.open_table(ITEMS).map_err(internal)?;
    check(found(&items, table, &key)?.as_ref())?;
    items.remove((table, &*key)).map_err(internal)?;
    Ok(())
}

/// Returns the item with a key.
pub(crate) fn get(txn: &ReadTransaction, table: &str, key: &Item) -> Result<Option<Item>> {
    let key = place(&txn.open_table(TABLES).map_err(internal)?, table, key)?;
    found(&txn.open_table(ITEMS).map_err(internal)?, table, &key)
}

/// Returns every item of a table.
pub(crate) fn all(txn: &ReadTransaction, table: &str) -> Result<Vec<Item>> {
    hash_key(txn, table)?;
    let items = txn.open_table(ITEMS).map_err(internal)?;
    let mut all = Vec::new();
    for row in items.range((table, "")..).map_err(internal)? {
        let (key, item) = row.map_err(internal)?;
        if key.value().0 != table {
            break;
        }
        all.push(decode(item.value())?);
    }
    Ok(all)
}

fn hash_key_of(
    tables: &impl ReadableTable<&'static str, &'static str>,
    name: &str,
) -> Result<String> {
    let key = tables.get(name).map_err(internal)?;
    Ok(key.ok_or(Error::TableMissing)?.value().to_owned())
}

/// Returns the key under which an item is kept.
fn place(
    tables: &impl ReadableTable<&'static str, &'static str>,
    table: &str,
    item: &Item,
) -> Result<String> {
    match item.get(&hash_key_of(tables, table)?).and_then(|value| value["S"].as_str()) {
        Some(key) if !key.is_empty() => Ok(key.to_owned()),
        _ => Err(Error::ItemKeyMissing),
    }
}

fn found(
    items: &impl ReadableTable<(&'static str, &'static str), &'static [u8]>,
    table: &str,
    key: &str,
) -> Result<Option<Item>> {
    match items.get((table, key)).map_err(internal)? {
        Some(row) => decode(row.value()).map(Some),
        None => Ok(None),
    }
}
