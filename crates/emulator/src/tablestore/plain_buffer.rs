//! PlainBuffer, the format of rows:
//! <https://www.alibabacloud.com/help/en/tablestore/developer-reference/plainbuffer>.

use serde::{Deserialize, Serialize};

const HEADER: u32 = 0x75;

const PRIMARY_KEY: u8 = 0x01;
const ATTRIBUTES: u8 = 0x02;
const CELL: u8 = 0x03;
const CELL_NAME: u8 = 0x04;
const CELL_VALUE: u8 = 0x05;
const CELL_OPERATION: u8 = 0x06;
const CELL_TIMESTAMP: u8 = 0x07;
const DELETE_MARKER: u8 = 0x08;
const ROW_CHECKSUM: u8 = 0x09;
const CELL_CHECKSUM: u8 = 0x0a;

/// A value of a column.
#[derive(Debug, Clone, PartialEq, PartialOrd, Serialize, Deserialize)]
pub(crate) enum Value {
    Integer(i64),
    Double(f64),
    Boolean(bool),
    String(String),
    Binary(Vec<u8>),
}

/// How an update removes a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CellOperation {
    DeleteAll,
    DeleteOne,
    Increment,
}

/// A column with its value, or with the operation on it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cell {
    pub(super) name: String,
    pub(super) value: Option<Value>,
    pub(super) operation: Option<CellOperation>,
    pub(super) timestamp_ms: Option<i64>,
}

/// A row, or a change of one.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Row {
    pub(super) primary_key: Vec<Cell>,
    pub(super) attributes: Vec<Cell>,
    pub(super) is_deleted: bool,
}

/// The reason why bytes are no row.
pub(super) type Malformed = &'static str;

impl Row {
    /// Reads a row and compares its checksums.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader(bytes);
        if reader.u32()? != HEADER {
            return Err("the header is wrong");
        }
        let mut row = Self::default();
        let mut checksum = 0;
        let mut section = None;
        loop {
            match reader.u8()? {
                tag @ (PRIMARY_KEY | ATTRIBUTES) => section = Some(tag),
                CELL => {
                    let (cell, cell_checksum) = reader.cell()?;
                    checksum = crc8(checksum, &[cell_checksum]);
                    match section {
                        Some(PRIMARY_KEY) => row.primary_key.push(cell),
                        Some(ATTRIBUTES) => row.attributes.push(cell),
                        _ => return Err("a cell is outside of the row"),
                    }
                }
                DELETE_MARKER => row.is_deleted = true,
                ROW_CHECKSUM => {
                    checksum = crc8(checksum, &[u8::from(row.is_deleted)]);
                    if reader.u8()? != checksum {
                        return Err("the checksum of the row is wrong");
                    }
                    break;
                }
                _ => return Err("there is an unknown tag"),
            }
        }
        if reader.0.is_empty() { Ok(row) } else { Err("there is something behind the row") }
    }

    /// Writes a row.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = HEADER.to_le_bytes().to_vec();
        let mut checksum = 0;
        for (tag, cells) in [(PRIMARY_KEY, &self.primary_key), (ATTRIBUTES, &self.attributes)] {
            if cells.is_empty() {
                continue;
            }
            bytes.push(tag);
            for cell in cells {
                checksum = crc8(checksum, &[cell.encode(&mut bytes)]);
            }
        }
        if self.is_deleted {
            bytes.push(DELETE_MARKER);
        }
        bytes.extend([ROW_CHECKSUM, crc8(checksum, &[u8::from(self.is_deleted)])]);
        bytes
    }
}

impl Cell {
    pub(super) fn new(name: &str, value: Value) -> Self {
        Self { name: name.to_owned(), value: Some(value), operation: None, timestamp_ms: None }
    }

    /// Writes a cell, and returns its checksum.
    fn encode(&self, bytes: &mut Vec<u8>) -> u8 {
        bytes.extend([CELL, CELL_NAME]);
        put_bytes(bytes, self.name.as_bytes());
        if let Some(value) = &self.value {
            let value = value.encode();
            bytes.push(CELL_VALUE);
            put_bytes(bytes, &value);
        }
        if let Some(operation) = self.operation {
            bytes.extend([CELL_OPERATION, operation.code()]);
        }
        if let Some(timestamp) = self.timestamp_ms {
            bytes.push(CELL_TIMESTAMP);
            bytes.extend(timestamp.to_le_bytes());
        }
        let checksum = self.checksum();
        bytes.extend([CELL_CHECKSUM, checksum]);
        checksum
    }

    fn checksum(&self) -> u8 {
        let mut checksum = crc8(0, self.name.as_bytes());
        if let Some(value) = &self.value {
            checksum = crc8(checksum, &value.encode());
        }
        if let Some(timestamp) = self.timestamp_ms {
            checksum = crc8(checksum, &timestamp.to_le_bytes());
        }
        self.operation.map_or(checksum, |operation| crc8(checksum, &[operation.code()]))
    }
}

impl CellOperation {
    fn code(self) -> u8 {
        match self {
            Self::DeleteAll => 1,
            Self::DeleteOne => 3,
            Self::Increment => 4,
        }
    }
}

impl Value {
    /// Reads a type and what follows it, as cells and filters have it.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader(bytes);
        let value = match reader.u8()? {
            0x00 => Self::Integer(i64::from_le_bytes(reader.array()?)),
            0x01 => Self::Double(f64::from_le_bytes(reader.array()?)),
            0x02 => Self::Boolean(reader.u8()? != 0),
            0x03 => Self::String(reader.text()?),
            0x07 => Self::Binary(reader.bytes()?.to_vec()),
            _ => return Err("a value is of a type that a column cannot have"),
        };
        if reader.0.is_empty() { Ok(value) } else { Err("there is something behind a value") }
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            Self::Integer(value) => {
                bytes.push(0x00);
                bytes.extend(value.to_le_bytes());
            }
            Self::Double(value) => {
                bytes.push(0x01);
                bytes.extend(value.to_le_bytes());
            }
            Self::Boolean(value) => bytes.extend([0x02, u8::from(*value)]),
            Self::String(value) => {
                bytes.push(0x03);
                put_bytes(&mut bytes, value.as_bytes());
            }
            Self::Binary(value) => {
                bytes.push(0x07);
                put_bytes(&mut bytes, value);
            }
        }
        bytes
    }
}

/// The bytes that are not read yet.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, left) = self.0.split_at_checked(length).ok_or("it ends too early")?;
        self.0 = left;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.try_into().map_err(|_| "it ends too early")
    }

    fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(self.u32()?).map_err(|_| "a length is too large")?;
        self.take(length)
    }

    fn text(&mut self) -> Result<String, Malformed> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| "a text is not UTF-8")
    }

    /// Reads what follows the tag of a cell, up to its checksum.
    fn cell(&mut self) -> Result<(Cell, u8), Malformed> {
        let mut cell =
            Cell { name: String::new(), value: None, operation: None, timestamp_ms: None };
        loop {
            match self.u8()? {
                CELL_NAME => cell.name = self.text()?,
                CELL_VALUE => cell.value = Some(Value::decode(self.bytes()?)?),
                CELL_OPERATION => {
                    cell.operation = Some(match self.u8()? {
                        1 => CellOperation::DeleteAll,
                        3 => CellOperation::DeleteOne,
                        4 => CellOperation::Increment,
                        _ => return Err("there is an unknown operation on a cell"),
                    });
                }
                CELL_TIMESTAMP => cell.timestamp_ms = Some(i64::from_le_bytes(self.array()?)),
                CELL_CHECKSUM => {
                    let checksum = self.u8()?;
                    return if checksum == cell.checksum() {
                        Ok((cell, checksum))
                    } else {
                        Err("the checksum of a cell is wrong")
                    };
                }
                _ => return Err("there is an unknown tag in a cell"),
            }
        }
    }
}

fn put_bytes(bytes: &mut Vec<u8>, data: &[u8]) {
    // Requests are much shorter, and answers hold what was in requests.
    bytes.extend(u32::try_from(data.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend_from_slice(data);
}

/// CRC-8 with the polynomial 0x07, not reflected.
fn crc8(crc: u8, bytes: &[u8]) -> u8 {
    bytes.iter().fold(crc, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc, _| if crc & 0x80 == 0 { crc << 1 } else { (crc << 1) ^ 0x07 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    }

    fn text(name: &str, value: &str) -> Cell {
        Cell::new(name, Value::String(value.to_owned()))
    }

    /// As Terraform 1.11.4 sent them.
    fn captured() -> [(Row, Vec<u8>); 3] {
        let key = text("LockID", "tfbkt/digchk/terraform.tfstate");
        let digest_key = text("LockID", "tfbkt/digchk/terraform.tfstate-md5");
        let digest = text("Digest", "d5697a3779308b26dbe5c32114f4fff3");
        let row = |key: &Cell, attributes: &[Cell], is_deleted| Row {
            primary_key: vec![key.clone()],
            attributes: attributes.to_vec(),
            is_deleted,
        };
        [
            (
                row(&digest_key, &[digest], false),
                bytes(
                    "75000000010304060000004c6f636b4944052700000003220000007466626b742f64696763686b2f7465727261666f726d2e746673746174652d6d64350aa8020304060000004469676573740525000000032000000064353639376133373739333038623236646265356333323131346634666666330ad109b6",
                ),
            ),
            (
                row(&key, &[], false),
                bytes(
                    "75000000010304060000004c6f636b49440523000000031e0000007466626b742f64696763686b2f7465727261666f726d2e746673746174650a8c094a",
                ),
            ),
            (
                row(&key, &[], true),
                bytes(
                    "75000000010304060000004c6f636b49440523000000031e0000007466626b742f64696763686b2f7465727261666f726d2e746673746174650a8c08094d",
                ),
            ),
        ]
    }

    #[test]
    fn rows_are_read_and_written_as_terraform_writes_them() {
        for (row, bytes) in captured() {
            assert_eq!(Row::decode(&bytes), Ok(row.clone()));
            assert_eq!(row.encode(), bytes);
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let values = [
            Value::Integer(-1),
            Value::Double(1.5),
            Value::Boolean(true),
            Value::String("é".to_owned()),
            Value::Binary(vec![0, 255]),
        ];
        let attributes = values.into_iter().enumerate().map(|(index, value)| Cell {
            timestamp_ms: Some(1_700_000_000_000),
            ..Cell::new(&format!("c{index}"), value)
        });
        let gone = Cell {
            name: "gone".to_owned(),
            value: None,
            operation: Some(CellOperation::DeleteAll),
            timestamp_ms: None,
        };
        let row = Row {
            primary_key: vec![text("LockID", "l")],
            attributes: attributes.chain([gone]).collect(),
            is_deleted: false,
        };
        assert_eq!(Row::decode(&row.encode()), Ok(row));
    }

    #[test]
    fn a_damaged_row_is_refused_wherever_the_damage_is() {
        let (_, whole) = captured()[0].clone();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            assert!(Row::decode(&damaged).is_err(), "byte {at}");
            assert!(Row::decode(&whole[..at]).is_err(), "cut at {at}");
        }
    }
}
