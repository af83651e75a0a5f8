//! Annotations that a writer stores with a state.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::error::{Error, Result};

/// Amazon S3 accepts 2 KB of metadata in all, names included:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>.
const MOST_BYTES: usize = 2048;

/// Characters that a header carries unchanged: printable ASCII except the percent sign. A header
/// loses blanks at the ends of its value.
const ENCODED: &AsciiSet = &CONTROLS.add(b'%').add(b' ').add(b'"');

/// Annotations of a state: who wrote it, by which operation, under which lock. The store keeps them
/// as metadata of the object, and a read returns them.
///
/// Only this library writes them. Other clients neither write nor remove them, since each write
/// makes a new object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotations(BTreeMap<String, String>);

impl Annotations {
    /// The prefix of every name in the store, so that other metadata stays separate.
    pub const PREFIX: &'static str = "remote-state-";

    /// With the prefix, this names the rule of a lock file, which is no annotation.
    pub const LOCK_RULE: &'static str = "lock";

    /// Sets an annotation, replacing one with this name.
    ///
    /// # Errors
    /// `ConfigInvalid` for a name with characters other than lower-case letters, digits and
    /// hyphens, and for more than 2 KB of annotations in all.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name == Self::LOCK_RULE || !name.bytes().all(is_name) {
            let reason = "expected lower-case letters, digits and hyphens, and not `lock`";
            return Err(Error::config(format!("{name:?} cannot name an annotation: {reason}")));
        }
        let before = self.0.insert(name.to_owned(), value.to_owned());
        if self.size_bytes() <= MOST_BYTES {
            return Ok(());
        }
        match before {
            Some(before) => self.0.insert(name.to_owned(), before),
            None => self.0.remove(name),
        };
        let message = format!("the annotations of a state have more than {MOST_BYTES} bytes");
        Err(Error::config(message).with_context("annotation", name))
    }

    /// Sets an annotation to the beginning of `value` that takes at most `most` bytes of metadata.
    /// Does nothing if the value is empty.
    pub(super) fn set_shortened(&mut self, name: &str, value: &str, most: usize) {
        let mut size = 0;
        let ends = value.char_indices().map(|(start, char)| start + char.len_utf8());
        let shortened = value.chars().zip(ends).map_while(|(char, end)| {
            size += utf8_percent_encode(char.encode_utf8(&mut [0; 4]), ENCODED).to_string().len();
            (size <= most).then_some(end)
        });
        let end = shortened.last().unwrap_or_default();
        if end > 0 {
            // The name is this crate's own, and the sizes are chosen to fit.
            drop(self.set(name, &value[..end]));
        }
    }

    /// Returns an annotation.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Returns all annotations, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Returns the annotations as metadata of an object: names that begin with `remote-state-`, and
    /// values in which percent escapes replace characters that a header does not carry.
    pub fn to_metadata(&self) -> impl Iterator<Item = (String, String)> {
        self.iter().map(|(name, value)| {
            (format!("{}{name}", Self::PREFIX), utf8_percent_encode(value, ENCODED).to_string())
        })
    }

    /// Reads the annotations from the metadata of an object. Other metadata is ignored, and so is
    /// what [`set`](Self::set) refuses. Their values are as untrusted as the state: a store may
    /// send any text.
    pub fn from_metadata<'a>(metadata: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut read = Self::default();
        for (name, value) in metadata {
            let name = name.to_ascii_lowercase();
            let Some(name) = name.strip_prefix(Self::PREFIX) else { continue };
            // No writer of this library has set what is refused here.
            drop(read.set(name, &percent_decode_str(value).decode_utf8_lossy()));
        }
        read
    }

    fn size_bytes(&self) -> usize {
        self.to_metadata().map(|(name, value)| name.len() + value.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_survive_headers_whatever_they_say() {
        for value in ["ci@runner-7", "", " a b ", "100 %", "Jürgen\n\"x\"", "%41"] {
            let mut notes = Annotations::default();
            notes.set("who", value).unwrap();
            let metadata: Vec<_> = notes.to_metadata().collect();
            let [(name, sent)] = &*metadata else { panic!("{metadata:?}") };
            assert_eq!(name, "remote-state-who");
            assert!(sent.bytes().all(|byte| byte.is_ascii_graphic()), "{sent}");
            let read = Annotations::from_metadata([(&**name, &**sent), ("other", "x")]);
            assert_eq!(read, notes, "{value:?}");
        }
    }

    #[test]
    fn names_and_sizes_that_a_store_does_not_keep_are_refused_and_change_nothing() {
        let mut notes = Annotations::default();
        notes.set("who", "me").unwrap();
        for name in ["", "Who", "a b", "ä", "a_b", "lock"] {
            assert!(notes.set(name, "x").is_err(), "{name:?}");
        }
        for name in ["who", "reason"] {
            assert!(notes.set(name, &"x".repeat(2048)).is_err(), "{name}");
        }
        assert_eq!(notes.iter().collect::<Vec<_>>(), [("who", "me")]);
    }

    #[test]
    fn metadata_that_no_writer_of_ours_has_set_is_left_out() {
        let long = "x".repeat(4096);
        let metadata = [
            ("remote-state-", "x"),
            ("remote-state-a_b", "x"),
            ("remote-state-lock", "by-version-list"),
            ("remote-state-long", &*long),
            ("remote-state-who", "me"),
            ("who", "you"),
        ];
        let read = Annotations::from_metadata(metadata);
        assert_eq!(read.iter().collect::<Vec<_>>(), [("who", "me")]);
    }
}
