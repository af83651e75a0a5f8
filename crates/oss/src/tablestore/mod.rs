//! The Tablestore table: lock rows and digest rows as Terraform 0.13 and later write them.

mod client;
mod failures;
mod message;
mod plain_buffer;
mod sign;
#[cfg(test)]
mod vectors;

pub(crate) use client::Table;

/// Reads the answer to a request about a row, and its row.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz_answer(bytes: &[u8]) {
    if let Some(row) = message::RowResponse::read(bytes).and_then(|answer| answer.row) {
        fuzz_row(&row);
    }
}

/// Reads a row, and one in which the bytes are a value.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz_row(bytes: &[u8]) {
    if let Ok(attributes) = plain_buffer::decode(bytes) {
        attributes.iter().for_each(|(_, value)| drop(value.text().map(<[u8]>::to_vec)));
    }
    let text = String::from_utf8_lossy(bytes);
    let row =
        plain_buffer::encode(("LockID", &text), &[("Info", &text)], plain_buffer::RowKind::Plain);
    let attributes = plain_buffer::decode(&row).expect("what we wrote can be read");
    assert!(matches!(&*attributes, [(_, value)] if value.text() == Some(text.as_bytes())));
}
