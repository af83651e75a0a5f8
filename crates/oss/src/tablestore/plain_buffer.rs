//! PlainBuffer, the encoding of rows: tags, lengths, cells, and a CRC-8 after each cell and each
//! row. All numbers are little-endian.
//!
//! It writes only what lock rows and digest rows need: one column of primary key, attributes of
//! type string. It skips everything else in a row that it reads.

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

/// The encoded value of a column: its type and its data. Conditions use the same bytes, so a client
/// can demand the value that it read, whatever its type, and even if a string is not UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value(Vec<u8>);

impl Value {
    /// Encodes a string.
    pub(super) fn string(text: &str) -> Self {
        let mut value = vec![TYPE_STRING];
        value.extend_from_slice(&length(text.as_bytes()));
        value.extend_from_slice(text.as_bytes());
        Self(value)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the bytes of a string; `None` for a value of another type, and for an invalid one.
    pub(super) fn text(&self) -> Option<&[u8]> {
        let (kind, rest) = self.0.split_first()?;
        let mut rest = Reader { bytes: rest };
        rest.sized().ok().filter(|_| *kind == TYPE_STRING && rest.bytes.is_empty())
    }
}

fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes()
}

/// The operation on a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowKind {
    /// The row is written, or only named.
    Plain,
    /// The row is deleted.
    Deleted,
}

/// Encodes a row: the column of its primary key, and its attributes.
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
    let Value(value) = Value::string(text);
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

/// Decodes the attributes of a row.
///
/// # Errors
/// If the bytes are no row, or were damaged in transit.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<(String, Value)>, &'static str> {
    let mut reader = Reader { bytes };
    if reader.number()? != HEADER {
        return Err("it does not begin as a row does");
    }
    let (mut attributes, mut crc, mut are_attributes, mut is_deleted) =
        (Vec::new(), 0, false, false);
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

    /// Reads a cell after its tag, and checks it.
    fn cell(&mut self) -> Result<((String, Value), u8), &'static str> {
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
                    return Ok(((name, Value(value.to_vec())), crc));
                }
                _ => return Err("a cell holds what a cell does not"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_as_it_was_written() {
        let row = encode(("LockID", "b/k"), &[("Info", "{}"), ("x", "")], RowKind::Plain);
        let read = decode(&row).unwrap();
        assert_eq!(
            read,
            [("Info".to_owned(), Value::string("{}")), ("x".to_owned(), Value::string(""))]
        );
        assert_eq!(read[0].1.text(), Some(&b"{}"[..]));
    }

    #[test]
    fn what_is_not_utf8_stays_what_it_is() {
        let value = Value(vec![TYPE_STRING, 3, 0, 0, 0, b'a', 0xff, b'b']);
        assert_eq!(value.text(), Some(&b"a\xffb"[..]));
        for none in [
            &[][..],
            &[TYPE_STRING],
            &[TYPE_STRING, 2, 0, 0, 0, b'a'],
            &[TYPE_STRING, 0, 0, 0, 0, b'a'],
        ] {
            assert_eq!(Value(none.to_vec()).text(), None, "{none:?}");
        }
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
    fn timestamps_are_passed_over_and_other_types_are_no_text() {
        let mut row = HEADER.to_le_bytes().to_vec();
        row.extend([TAG_ATTRIBUTES, TAG_CELL, TAG_CELL_NAME, 1, 0, 0, 0, b'n']);
        let value = [0, 7, 0, 0, 0, 0, 0, 0, 0];
        row.extend([TAG_CELL_VALUE, 9, 0, 0, 0]);
        row.extend(value);
        row.push(TAG_CELL_TIMESTAMP);
        row.extend([9; 8]);
        let crc = crc8(crc8(crc8(0, b"n"), &value), &[9; 8]);
        row.extend([TAG_CELL_CHECKSUM, crc, TAG_ROW_CHECKSUM, crc8(crc8(0, &[crc]), &[0])]);
        assert_eq!(decode(&row).unwrap(), [("n".to_owned(), Value(value.to_vec()))]);
        assert_eq!(Value(value.to_vec()).text(), None);
    }
}
