//! States and lock records for tests, and comparisons that never print a state.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use remote_state_core::{LockInfo, ReadOptions, StateStore, Workspace};

/// A state of version 4 as Terraform prints it.
pub(crate) fn state(serial: u64, lineage: &str) -> Bytes {
    state_with(serial, lineage, "")
}

/// A state with an output that holds this text.
pub(crate) fn state_with(serial: u64, lineage: &str, text: &str) -> Bytes {
    format!(
        "{{\n  \"version\": 4,\n  \"terraform_version\": \"1.11.4\",\n  \"serial\": {serial},\n  \
         \"lineage\": \"{lineage}\",\n  \"outputs\": {{\"text\": {{\"value\": \"{text}\", \
         \"type\": \"string\"}}}},\n  \"resources\": [],\n  \"check_results\": null\n}}\n"
    )
    .into()
}

/// A state of exactly this many bytes, all of whose pages differ.
pub(crate) fn state_of_size(serial: u64, lineage: &str, size_bytes: usize) -> Bytes {
    let frame = state_with(serial, lineage, "").len();
    let mut text = String::with_capacity(size_bytes);
    while frame + text.len() < size_bytes {
        text.push_str(&format!("{:016x}", text.len()));
    }
    text.truncate(size_bytes.saturating_sub(frame));
    state_with(serial, lineage, &text)
}

/// States that a careless store would change.
pub(crate) fn delicate_states() -> Vec<(&'static str, Bytes)> {
    let with = |value: &str, end: &str| {
        Bytes::from(format!(
            "{{\"version\":4,\"serial\":1,\"lineage\":\"l\",\"outputs\":{{\"v\":{{\"value\":\
             {value},\"type\":\"dynamic\"}}}},\"resources\":[]}}{end}"
        ))
    };
    vec![
        (
            "big integers",
            with("[9007199254740993,18446744073709551615,123456789012345678901234567890]", "\n"),
        ),
        (
            "exact fractions",
            with("[0.1000,1e400,-0.0,1E+2,3.14159265358979323846264338327950288]", "\n"),
        ),
        ("unicode", with("\"ü 漢字 😀 \u{2028} \u{feff} e\u{301}\"", "\n")),
        ("escapes", with(r#""\u003ca\u003e \ud83d\ude00 \/ \t \u0000""#, "\n")),
        ("no newline at the end", with("null", "")),
        (
            "spaces and newlines of another system",
            with("{ \"b\" : 1 ,\r\n\t\"a\": 2 }", "\r\n\r\n"),
        ),
        ("a name twice", with("{\"a\":1,\"a\":2}", "\n")),
        ("one written by OpenTofu's encryption", encrypted_state(1, "l")),
    ]
}

/// A state that OpenTofu has encrypted: no `version`.
pub(crate) fn encrypted_state(serial: u64, lineage: &str) -> Bytes {
    format!(
        r#"{{"serial":{serial},"lineage":"{lineage}","meta":{{"key_provider.pbkdf2.mine":"eyJzYWx0IjoiQUFBQSJ9"}},"encrypted_data":"AAECAwQFBgcICQoLDA0ODw==","encryption_version":"v0"}}"#
    )
    .into()
}

/// A new lock record. Its texts need the escapes of Go's encoder.
pub(crate) fn lock_info(operation: &str) -> LockInfo {
    LockInfo::new(operation, "tester <ü>&co@conformance", "1.11.4", Timestamp::now())
        .expect("the system should yield random bytes")
        .with_info("a \"note\"\n")
}

pub(crate) fn workspace(name: &str) -> Workspace {
    Workspace::new(name)
        .unwrap_or_else(|error| panic!("`{name}` should be a workspace name: {error}"))
}

/// Returns a name that no other call, in no other process, returns.
pub(crate) fn unique(stem: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = Timestamp::now().as_nanosecond();
    format!("{stem}-{now:x}-{:x}-{:x}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Reads a whole state.
pub(crate) async fn read(store: &dyn StateStore, workspace: &Workspace) -> Option<Bytes> {
    let read = store
        .read(workspace, &ReadOptions::default())
        .await
        .unwrap_or_else(|error| panic!("reading `{workspace}` should work: {error:?}"))?;
    let meta_size_bytes = read.meta.size_bytes;
    let state = read
        .collect()
        .await
        .unwrap_or_else(|error| panic!("reading `{workspace}` to the end should work: {error:?}"));
    assert_eq!(
        meta_size_bytes,
        state.bytes.len() as u64,
        "the size that a read names is that of its bytes"
    );
    Some(state.bytes)
}

/// Fails if the bytes differ, and names the place without printing any.
pub(crate) fn assert_same_bytes(got: &[u8], want: &[u8], what: &str) {
    if got != want {
        let at = got.iter().zip(want).take_while(|(got, want)| got == want).count();
        panic!(
            "{what}: got {} bytes, wanted {}; the first difference is at byte {at}",
            got.len(),
            want.len()
        );
    }
}

/// Fails unless this is the state of a workspace.
pub(crate) async fn assert_stored(
    store: &dyn StateStore,
    workspace: &Workspace,
    want: &[u8],
    what: &str,
) {
    match read(store, workspace).await {
        Some(got) => assert_same_bytes(&got, want, what),
        None => panic!("{what}: there is no state"),
    }
}

/// Joins chunks of a body.
pub(crate) fn concat(chunks: impl IntoIterator<Item = Bytes>) -> Bytes {
    let mut all = BytesMut::new();
    for chunk in chunks {
        all.extend_from_slice(&chunk);
    }
    all.freeze()
}
