//! Operations on rows.

use prost::Message as _;
use redb::WriteTransaction;

use super::condition::{Check, Test};
use super::messages::{
    CapacityUnit, ConsumedCapacity, GetRowRequest, GetRowResponse, WriteRowRequest,
    WriteRowResponse,
};
use super::plain_buffer::{Cell, CellOperation, Row, Value};
use super::refusal::Refusal;
use super::{Tablestore, table_of};
use crate::store::now_ms;
use crate::store::rows::{self, Column, Columns, KeyKind, Table};

/// The change of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Delete,
    Put,
    Update,
}

/// Whether the condition of a write is heeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conditions {
    Heeded,
    Ignored,
}

impl Tablestore {
    /// <https://www.alibabacloud.com/help/en/tablestore/developer-reference/getrow>
    pub(super) async fn get_row(&self, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        let request = GetRowRequest::decode(body)?;
        let wants_more = request.start_column.is_some()
            || request.end_column.is_some()
            || request.token.is_some()
            || request.transaction_id.is_some();
        if wants_more {
            return Err(Refusal::unsupported("a range of columns or a transaction"));
        }
        if request.time_range.is_none() && request.max_versions.is_none() {
            return Err(Refusal::invalid("No version condition is specified while querying row."));
        }
        if request.time_range.is_some() {
            return Err(Refusal::unsupported("a range of times"));
        }
        let filter = request.filter.as_deref().map(Test::decode).transpose()?;
        let row = Row::decode(&request.primary_key)?;
        let name = request.table_name.clone();
        let found = self
            .storage
            .read(move |txn| {
                let table = table_of(rows::table(txn, &name)?)?;
                let key = key_of(&table, &row)?;
                Ok::<_, Refusal>((rows::row(txn, &name, &key)?, table, row.primary_key))
            })
            .await?;
        let (present, table, primary_key) = found;
        let wanted = &request.columns_to_get;
        let present = present.filter(|columns| filter.is_none_or(|filter| filter.holds(columns)));
        let attributes: Vec<Cell> = present
            .iter()
            .flatten()
            .filter(|(name, _)| wanted.is_empty() || wanted.contains(name))
            .map(|(name, column)| Cell {
                timestamp_ms: i64::try_from(column.timestamp_ms).ok(),
                ..Cell::new(name, column.value.clone())
            })
            .collect();
        // A row without any of the requested columns is left out, unless its key is among them.
        let names_key = table.primary_key.iter().any(|(name, _)| wanted.contains(name));
        let is_shown =
            present.is_some() && (wanted.is_empty() || names_key || !attributes.is_empty());
        let row = Row { primary_key, attributes, is_deleted: false };
        let row = if is_shown { row.encode() } else { Vec::new() };
        Ok(GetRowResponse { consumed: consumed(1, 0), row }.encode_to_vec())
    }

    /// <https://www.alibabacloud.com/help/en/tablestore/developer-reference/putrow>, `updaterow`
    /// and `deleterow`.
    pub(super) async fn write_row(
        &self,
        body: &[u8],
        change: Change,
        conditions: Conditions,
    ) -> Result<Vec<u8>, Refusal> {
        let request = WriteRowRequest::decode(body)?;
        if request.transaction_id.is_some() {
            return Err(Refusal::unsupported("a transaction"));
        }
        let returned =
            request.return_content.as_ref().and_then(|content| content.return_type).unwrap_or(0);
        if !matches!(returned, 0 | 1) {
            return Err(Refusal::unsupported("the return of columns"));
        }
        // Read even if it is ignored, so that an unknown condition is always refused.
        let check =
            Some(Check::parse(&request.condition)?).filter(|_| conditions == Conditions::Heeded);
        let row = Row::decode(&request.row)?;
        if row.is_deleted != (change == Change::Delete) {
            return Err(Refusal::invalid(
                "The row has a delete marker, or has none, against what is asked for.",
            ));
        }
        let key = row.primary_key.clone();
        let name = request.table_name;
        self.storage.write(move |txn| apply(txn, &name, &row, change, check.as_ref())).await?;
        let row = Row { primary_key: key, ..Row::default() };
        let row = (returned == 1).then(|| row.encode());
        Ok(WriteRowResponse { consumed: consumed(0, 1), row }.encode_to_vec())
    }
}

/// Decides the condition and changes the row, in one transaction.
fn apply(
    txn: &WriteTransaction,
    name: &str,
    row: &Row,
    change: Change,
    check: Option<&Check>,
) -> Result<(), Refusal> {
    let table = table_of(rows::table_for_write(txn, name)?)?;
    let key = key_of(&table, row)?;
    refuse_doubles(row)?;
    let present = rows::row_for_write(txn, name, &key)?;
    if let Some(check) = check {
        check.decide(present.as_ref())?;
    }
    let columns = match change {
        Change::Delete => None,
        Change::Put => Some(set(Columns::new(), &row.attributes)?),
        Change::Update => Some(set(present.unwrap_or_default(), &row.attributes)?),
    };
    rows::set_row(txn, name, &key, columns.as_ref())?;
    Ok(())
}

/// Sets and removes columns.
fn set(mut columns: Columns, cells: &[Cell]) -> Result<Columns, Refusal> {
    for cell in cells {
        let name = cell.name.clone();
        match (&cell.value, cell.operation) {
            (Some(value), None) => {
                let given = cell.timestamp_ms.and_then(|time| u64::try_from(time).ok());
                let timestamp_ms = given.unwrap_or_else(now_ms);
                columns.insert(name, Column { value: value.clone(), timestamp_ms });
            }
            (None, Some(CellOperation::DeleteAll | CellOperation::DeleteOne)) => {
                columns.remove(&name);
            }
            (Some(Value::Integer(by)), Some(CellOperation::Increment)) => {
                let before = match columns.get(&name).map(|column| &column.value) {
                    None => 0,
                    Some(Value::Integer(before)) => *before,
                    Some(_) => return Err(Refusal::invalid("Only an integer can be incremented.")),
                };
                let value = Value::Integer(before.wrapping_add(*by));
                columns.insert(name, Column { value, timestamp_ms: now_ms() });
            }
            _ => {
                return Err(Refusal::invalid(format!(
                    "The column '{name}' has no value, or one too many."
                )));
            }
        }
    }
    Ok(columns)
}

/// Returns the key of a row, if it has the columns that the table requires.
fn key_of(table: &Table, row: &Row) -> Result<Vec<u8>, Refusal> {
    let names = |names: Vec<&str>| names.join(",");
    let given = names(row.primary_key.iter().map(|cell| &*cell.name).collect());
    let wanted = names(table.primary_key.iter().map(|(name, _)| &**name).collect());
    if given != wanted {
        return Err(Refusal::invalid_key(format!(
            "Validate PK name fail. Input: {given}, Meta: {wanted}."
        )));
    }
    let mut values = Vec::new();
    for (cell, (name, kind)) in row.primary_key.iter().zip(&table.primary_key) {
        match (&cell.value, kind) {
            (Some(value @ Value::Integer(_)), KeyKind::Integer)
            | (Some(value @ Value::String(_)), KeyKind::String)
            | (Some(value @ Value::Binary(_)), KeyKind::Binary) => values.push(value),
            _ => {
                return Err(Refusal::invalid_key(format!(
                    "Validate PK type fail. Column: {name}."
                )));
            }
        }
    }
    for cell in &row.attributes {
        if table.primary_key.iter().any(|(name, _)| *name == cell.name) {
            return Err(Refusal::invalid(format!(
                "Duplicated attribute column name with primary key column: '{}'.",
                cell.name
            )));
        }
    }
    Ok(crate::store::encode(&values)?)
}

fn refuse_doubles(row: &Row) -> Result<(), Refusal> {
    let mut names: Vec<&str> = row.attributes.iter().map(|cell| &*cell.name).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => {
            Err(Refusal::invalid(format!("Duplicated attribute column name: '{}'.", pair[0])))
        }
        None => Ok(()),
    }
}

/// The capacity that a request consumed. The Go SDK requires both kinds of units.
fn consumed(read: i32, write: i32) -> ConsumedCapacity {
    ConsumedCapacity { capacity_unit: CapacityUnit { read: Some(read), write: Some(write) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: &str, attributes: &[&str]) -> Row {
        let cell = |name: &&str| Cell::new(name, Value::String("x".to_owned()));
        Row {
            primary_key: vec![cell(&key)],
            attributes: attributes.iter().map(cell).collect(),
            is_deleted: false,
        }
    }

    #[test]
    fn a_row_has_the_key_that_the_table_wants_and_each_column_once() {
        let table = Table { primary_key: vec![("LockID".to_owned(), KeyKind::String)] };
        let code = |row: &Row| key_of(&table, row).err().map(|refusal| refusal.code);
        assert_eq!(code(&row("LockID", &["Info"])), None);
        assert_eq!(code(&row("Other", &[])), Some("OTSInvalidPK"));
        // As Terraform before 0.13 does it.
        assert_eq!(code(&row("LockID", &["LockID"])), Some("OTSParameterInvalid"));
        let numbered = Table { primary_key: vec![("LockID".to_owned(), KeyKind::Integer)] };
        assert!(key_of(&numbered, &row("LockID", &[])).is_err());
        assert!(refuse_doubles(&row("LockID", &["a", "b"])).is_ok());
        assert!(refuse_doubles(&row("LockID", &["a", "a"])).is_err());
    }

    #[test]
    fn an_update_sets_removes_and_counts() {
        let cell = |name: &str, value, operation| Cell {
            name: name.to_owned(),
            value,
            operation,
            timestamp_ms: None,
        };
        let one = Some(Value::Integer(1));
        let columns =
            set(Columns::new(), &[cell("n", one.clone(), None), cell("gone", one.clone(), None)]);
        let changes = [
            cell("n", one, Some(CellOperation::Increment)),
            cell("gone", None, Some(CellOperation::DeleteAll)),
        ];
        let columns = set(columns.unwrap(), &changes).unwrap();
        assert_eq!(columns.keys().collect::<Vec<_>>(), ["n"]);
        assert_eq!(columns["n"].value, Value::Integer(2));
        assert!(set(Columns::new(), &[cell("n", None, None)]).is_err());
    }
}
