//! PlainBuffer, in which rows travel: tags, lengths, cells, and a CRC-8 behind each cell and each row. All numbers are little-endian.
//!
//! Only what rows of locks and digests need is written: one column of primary key, attributes of type string. Whatever else a row that is read
//! has is passed over.

const HEADER: u32 = 0x75;

const TAG_PRIMARY_KEY: u8 = 0x01;
const TAG_ATTRIBUTES: u8 = 0x02;
const TAG_CELL: u8 = 0x03;
const TAG_CELL_NAME: u8 = 0x04;
const TAG_CELL_VALUE: u8 = 0x05;
const TAG_CELL_OPERATION: u8 = 0x06;
const TAG_CELL_TIMESTAMP: u8 = 0x07;
const TAG_DELETE_MARKER: u8 = 0x08;
const TAG_ROW_CHECKSUM: u8 = 0x09;
const TAG_CELL_CHECKSUM: u8 = 0x0a;

const TYPE_STRING: u8 = 0x03;

/// CRC-8 with the polynomial 0x07, neither reflected nor inverted, continued over `bytes`.
fn crc8(crc: u8, bytes: &[u8]) -> u8 {
    bytes.iter().fold(crc, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc, _| if crc & 0x80 == 0 { crc << 1 } else { (crc << 1) ^ 0x07 })
    })
}

/// A value without its tag and its length, as it also stands in conditions.
pub(super) fn string_value(text: &str) -> Vec<u8> {
    let mut value = vec![TYPE_STRING];
    value.extend_from_slice(&length(text.as_bytes()));
    value.extend_from_slice(text.as_bytes());
    value
}

fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes()
}

/// What is done with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowKind {
    /// It is written, or only named.
    Plain,
    /// It is deleted.
    Deleted,
}

/// Writes a row: the column of its primary key, and its attributes.
pub(super) fn encode(key: (&str, &str), attributes: &[(&str, &str)], kind: RowKind) -> Vec<u8> {
    let mut row = HEADER.to_le_bytes().to_vec();
    let mut crc = 0;
    row.push(TAG_PRIMARY_KEY);
    push_cell(&mut row, &mut crc, key);
    if !attributes.is_empty() {
        row.push(TAG_ATTRIBUTES);
        attributes.iter().for_each(|cell| push_cell(&mut row, &mut crc, *cell));
    }
    if kind == RowKind::Deleted {
        row.push(TAG_DELETE_MARKER);
    }
    crc = crc8(crc, &[u8::from(kind == RowKind::Deleted)]);
    row.extend([TAG_ROW_CHECKSUM, crc]);
    row
}

fn push_cell(row: &mut Vec<u8>, row_crc: &mut u8, (name, text): (&str, &str)) {
    let value = string_value(text);
    row.extend([TAG_CELL, TAG_CELL_NAME]);
    row.extend_from_slice(&length(name.as_bytes()));
    row.extend_from_slice(name.as_bytes());
    row.push(TAG_CELL_VALUE);
    row.extend_from_slice(&length(&value));
    row.extend_from_slice(&value);
    let crc = crc8(crc8(0, name.as_bytes()), &value);
    row.extend([TAG_CELL_CHECKSUM, crc]);
    *row_crc = crc8(*row_crc, &[crc]);
}

/// What a row says in one attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Text(String),
    /// A value of another type.
    Other,
}

/// Reads the attributes of a row.
///
/// # Errors
/// If the bytes are no row, or were damaged on their way.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<(String, Cell)>, &'static str> {
    let mut reader = Reader { bytes };
    if reader.number()? != HEADER {
        return Err("it does not begin as a row does");
    }
    let (mut attributes, mut crc, mut are_attributes, mut is_deleted) = (Vec::new(), 0, false, false);
    loop {
        match reader.byte()? {
            TAG_PRIMARY_KEY => are_attributes = false,
            TAG_ATTRIBUTES => are_attributes = true,
            TAG_CELL => {
                let (cell, cell_crc) = reader.cell()?;
                crc = crc8(crc, &[cell_crc]);
                attributes.extend(are_attributes.then_some(cell));
            }
            TAG_DELETE_MARKER => is_deleted = true,
            TAG_ROW_CHECKSUM => {
                let is_right = reader.byte()? == crc8(crc, &[u8::from(is_deleted)]);
                return if is_right { Ok(attributes) } else { Err("its checksum is wrong") };
            }
            _ => return Err("it holds what a row does not"),
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], &'static str> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or("it breaks off")?;
        self.bytes = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, &'static str> {
        self.take(1).map(|taken| taken[0])
    }

    fn number(&mut self) -> Result<u32, &'static str> {
        let taken = self.take(4)?;
        Ok(u32::from_le_bytes([taken[0], taken[1], taken[2], taken[3]]))
    }

    fn sized(&mut self) -> Result<&'a [u8], &'static str> {
        let count = usize::try_from(self.number()?).map_err(|_| "it breaks off")?;
        self.take(count)
    }

    /// Reads a cell behind its tag, and checks it.
    fn cell(&mut self) -> Result<((String, Cell), u8), &'static str> {
        let (mut name, mut value, mut crc) = (&[][..], &[][..], 0);
        loop {
            match self.byte()? {
                TAG_CELL_NAME => {
                    name = self.sized()?;
                    crc = crc8(crc, name);
                }
                TAG_CELL_VALUE => {
                    value = self.sized()?;
                    crc = crc8(crc, value);
                }
                TAG_CELL_TIMESTAMP => crc = crc8(crc, self.take(8)?),
                TAG_CELL_OPERATION => crc = crc8(crc, self.take(1)?),
                TAG_CELL_CHECKSUM => {
                    if self.byte()? != crc {
                        return Err("the checksum of a cell is wrong");
                    }
                    let name = String::from_utf8_lossy(name).into_owned();
                    return Ok(((name, cell_of(value)), crc));
                }
                _ => return Err("a cell holds what a cell does not"),
            }
        }
    }
}

fn cell_of(value: &[u8]) -> Cell {
    match value.split_first() {
        Some((&TYPE_STRING, rest)) => {
            let text = Reader { bytes: rest }.sized().unwrap_or_default();
            Cell::Text(String::from_utf8_lossy(text).into_owned())
        }
        _ => Cell::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_as_it_was_written() {
        let row = encode(("LockID", "b/k"), &[("Info", "{}"), ("x", "")], RowKind::Plain);
        let text = |text: &str| Cell::Text(text.to_owned());
        assert_eq!(decode(&row).unwrap(), [("Info".to_owned(), text("{}")), ("x".to_owned(), text(""))]);
    }

    #[test]
    fn a_damaged_row_is_no_row_wherever_the_damage_is() {
        let row = encode(("LockID", "b/k"), &[("Info", "{}")], RowKind::Plain);
        for at in 0..row.len() {
            assert!(decode(&row[..at]).is_err(), "cut off at {at}");
            let mut damaged = row.clone();
            damaged[at] ^= 0x10;
            assert!(decode(&damaged).is_err(), "damaged at {at}");
        }
    }

    #[test]
    fn timestamps_and_other_types_are_passed_over() {
        let mut row = HEADER.to_le_bytes().to_vec();
        row.extend([TAG_ATTRIBUTES, TAG_CELL, TAG_CELL_NAME, 1, 0, 0, 0, b'n']);
        let value = [0, 7, 0, 0, 0, 0, 0, 0, 0];
        row.extend([TAG_CELL_VALUE, 9, 0, 0, 0]);
        row.extend(value);
        row.push(TAG_CELL_TIMESTAMP);
        row.extend([9; 8]);
        let crc = crc8(crc8(crc8(0, b"n"), &value), &[9; 8]);
        row.extend([TAG_CELL_CHECKSUM, crc, TAG_ROW_CHECKSUM, crc8(crc8(0, &[crc]), &[0])]);
        assert_eq!(decode(&row).unwrap(), [("n".to_owned(), Cell::Other)]);
    }
}
