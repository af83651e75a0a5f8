//! States and lock records.

use std::collections::BTreeMap;

use remote_state_core::{
    HeaderReader, InstanceKey, InstanceReader, Lineage, LockInfo, OutputReader, Outputs, Progress,
    ResourceInstance, Result, Seal, StateFormat, StateHeader, StatePart, check_readable,
    mean_the_same,
};
use remote_state_operations::StateText;
use remote_state_operations::diff::{
    Comparison, DiffOptions, OutputChange, ProviderChange, Report, ResourceChange,
};
use serde_json::value::RawValue;

/// The header, without the rest.
pub(crate) fn header(bytes: &[u8]) {
    let read = |step| read_header(HeaderReader::new(), bytes, step);
    same_however_cut(bytes, read);
}

/// The header of a state before it is stored: all of it must be JSON.
pub(crate) fn validate(bytes: &[u8]) {
    let read = |step| read_header(HeaderReader::whole(), bytes, step);
    same_however_cut(bytes, read);
    if read(usize::MAX).is_ok()
        && let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(bytes)
    {
        // This parser accepts any depth, others do not.
        assert!(error.to_string().contains("recursion limit"), "this is called JSON: {error}");
    }
}

/// A sealed state: what is recognised is written again, and recognised as the same.
pub(crate) fn sealed(bytes: &[u8]) {
    let Some(seal) = Seal::of(bytes) else { return };
    if let Ok(again) = seal.to_state(&Lineage::new("l")) {
        assert_eq!(Seal::of(&again), Some(seal));
    }
}

/// The root outputs.
pub(crate) fn outputs(bytes: &[u8]) {
    let read = |step: usize| {
        let mut reader = OutputReader::new();
        for chunk in bytes.chunks(step) {
            if reader.feed(chunk)? == Progress::Done {
                break;
            }
        }
        reader.finish().map(|outputs: Outputs| {
            let shown = |(name, output): (&str, &remote_state_core::Output)| {
                (name.to_owned(), output.value.get().to_owned(), output.as_plain_text())
            };
            outputs.iter().map(shown).collect::<Vec<_>>()
        })
    };
    same_however_cut(bytes, read);
}

/// The resources.
pub(crate) fn resources(bytes: &[u8]) {
    if let Ok(instances) = ResourceInstance::parse_all(bytes) {
        assert!(instances.iter().all(|instance| !instance.address.is_empty()));
    }
}

/// The resources one by one: the same ones, whatever the pieces in which they arrive.
pub(crate) fn instances(bytes: &[u8]) {
    let read = |step: usize| {
        let mut reader = InstanceReader::new().with_checks();
        let mut parts = Vec::new();
        let (mut pending, mut addresses) = (Vec::new(), Vec::new());
        for chunk in bytes.chunks(step) {
            reader.feed(chunk, &mut |part| {
                match part {
                    StatePart::ResourcesBegin => {
                        addresses.clear();
                        pending.clear();
                    }
                    StatePart::InstancesBegin => pending.clear(),
                    StatePart::Instance(json, span, _) => {
                        parts.push(format!("{span:?} {json}"));
                        pending.push(json.to_owned());
                    }
                    StatePart::Resource(head) => {
                        for json in pending.drain(..) {
                            let members: Option<BTreeMap<String, &RawValue>> =
                                serde_json::from_str(&json).unwrap_or_default();
                            let members = members.unwrap_or_default();
                            let key = members.get("index_key").filter(|key| key.get() != "null");
                            let key = key.map(|key| InstanceKey::parse(key.get()));
                            addresses.push(head.address(key.unwrap_or(InstanceKey::None)));
                        }
                    }
                    other => parts.push(format!("{other:?}")),
                }
                Ok(())
            })?;
        }
        reader.finish().map(|header| (header.format, parts, addresses))
    };
    same_however_cut(bytes, read);
    let has_folded_names = {
        let text = String::from_utf8_lossy(bytes);
        text.contains('\\') || text.chars().any(|c| c.is_uppercase() || !c.is_ascii())
    };
    if let (Ok((StateFormat::Plain { version: 4 }, _, mut addresses)), false) =
        (read(usize::MAX), has_folded_names)
        && let Ok(all) = ResourceInstance::parse_all(bytes)
    {
        addresses.sort();
        let one_by_one: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        let at_once: Vec<_> = all.into_iter().map(|instance| instance.address).collect();
        assert_eq!(one_by_one, at_once, "the same instances");
    }
}

/// What two states differ in: the input is one of them, a separator line, and the other. A state
/// differs in nothing from itself.
pub(crate) fn diff(bytes: &[u8]) {
    struct Ignored;
    impl Report for Ignored {
        type Error = remote_state_core::Error;
        fn resource(&mut self, _: &ResourceChange) -> Result<()> {
            Ok(())
        }
        fn output(&mut self, _: &OutputChange) -> Result<()> {
            Ok(())
        }
        fn provider(&mut self, _: &ProviderChange) -> Result<()> {
            Ok(())
        }
    }
    let at = bytes.windows(SEPARATOR.len()).position(|window| window == SEPARATOR);
    let (one, other) =
        at.map_or((bytes, bytes), |at| (&bytes[..at], &bytes[at + SEPARATOR.len()..]));
    let options = DiffOptions::default().with_data(true);
    let text = |state: &[u8]| StateText::from(bytes::Bytes::copy_from_slice(state));
    for (one, other) in [(one, other), (other, one), (one, one)] {
        let (a, b) = (text(one), text(other));
        if let Ok(comparison) = Comparison::new(&a, &b, &options) {
            let summary = comparison.run(&mut Ignored).expect("what was read once is read again");
            assert!(one != other || !summary.has_differences(), "a state differs from itself");
        }
    }
}

/// The checks of every client on a state of version 4: a state that passes has resources that can
/// be listed.
pub(crate) fn readable(bytes: &[u8]) {
    let is_followed =
        serde_json::from_str::<serde_json::Value>(&String::from_utf8_lossy(bytes)).is_ok();
    if is_followed
        && check_readable(std::io::Cursor::new(bytes)).is_ok()
        && StateHeader::parse(bytes)
            .is_ok_and(|header| header.format == StateFormat::Plain { version: 4 })
    {
        ResourceInstance::parse_all(bytes).expect("a readable state has readable resources");
    }
}

/// Whether two states mean the same: the input is one of them, a separator line, and the other.
///
/// The order of the two does not change the answer; a state equals itself with other white space.
pub(crate) fn equality(bytes: &[u8]) {
    let at = bytes.windows(SEPARATOR.len()).position(|window| window == SEPARATOR);
    let (one, other) =
        at.map_or((bytes, bytes), |at| (&bytes[..at], &bytes[at + SEPARATOR.len()..]));
    assert_eq!(mean_the_same(one, other), mean_the_same(other, one), "in either order");
    for state in [one, other] {
        if StateHeader::parse(state).is_ok() {
            let spaced = [b"\n ", state, b" \n"].concat();
            let same = mean_the_same(state, &spaced);
            assert_eq!(same, mean_the_same(&spaced, state), "in either order");
            let is_followed = std::str::from_utf8(state)
                .is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok());
            assert!(same || !is_followed || !is_plain(state), "white space changes nothing");
        }
    }
}

/// The separator between the two states of [`equality`].
const SEPARATOR: &[u8] = b"\n---\n";

fn is_plain(state: &[u8]) -> bool {
    StateHeader::parse(state).is_ok_and(|header| matches!(header.format, StateFormat::Plain { .. }))
}

/// A lock record: reading it after writing yields the same record.
pub(crate) fn lock_record(bytes: &[u8]) {
    if let Ok(info) = LockInfo::parse(bytes) {
        let again = LockInfo::parse(info.to_json().as_bytes()).expect("what we wrote can be read");
        assert_eq!(again, info);
    }
}

fn read_header(mut reader: HeaderReader, bytes: &[u8], step: usize) -> Result<StateHeader> {
    for chunk in bytes.chunks(step) {
        if reader.feed(chunk)? == Progress::Done {
            break;
        }
    }
    reader.finish()
}

/// Compares parsing in small pieces with parsing all at once.
fn same_however_cut<T: PartialEq + std::fmt::Debug>(
    bytes: &[u8],
    read: impl Fn(usize) -> Result<T>,
) {
    let at_once = read(usize::MAX).ok();
    // Odd and even steps cut escapes and characters at every place.
    for step in [1, 2, 7] {
        assert_eq!(read(step).ok(), at_once, "cut into pieces of {step} bytes of {}", bytes.len());
    }
}
