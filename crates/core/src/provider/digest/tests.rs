//! Digests in a table in memory, with shorter waits than those of native clients.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt as _;

use super::*;

const SHORT: DigestWait =
    DigestWait { pause: Duration::from_millis(10), patience: Duration::from_millis(50) };

/// What the table does with a request that changes the entry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    CarriedOut,
    AnswerLost,
    Lost,
    Refused,
}

struct Entry {
    held: Mutex<Recorded>,
    fate: Fate,
    /// Why the entry cannot be read, if so.
    unreadable: Option<ErrorKind>,
}

impl Entry {
    fn with(held: Recorded, fate: Fate) -> Self {
        Self { held: Mutex::new(held), fate, unreadable: None }
    }

    fn change(&self, to: Recorded) -> Result<(), Failure> {
        if matches!(self.fate, Fate::CarriedOut | Fate::AnswerLost) {
            *self.held.lock().unwrap_or_else(PoisonError::into_inner) = to;
        }
        let error = || Error::new(ErrorKind::Unavailable, "write", "no answer");
        match self.fate {
            Fate::CarriedOut => Ok(()),
            Fate::AnswerLost | Fate::Lost => {
                Err(Failure { outcome: Outcome::Unknown, error: error() })
            }
            Fate::Refused => Err(Failure { outcome: Outcome::Refused, error: error() }),
        }
    }
}

#[async_trait]
impl DigestEntry for Entry {
    fn state(&self) -> String {
        "mem://bucket/state".to_owned()
    }

    fn place(&self) -> String {
        "table, entry `bucket/state-md5`".to_owned()
    }

    fn how_to_look(&self) -> String {
        "look at it".to_owned()
    }

    fn how_to_remove(&self) -> String {
        "remove the entry".to_owned()
    }

    async fn get(&self, operation: &'static str) -> Result<Recorded, Failure> {
        if let Some(kind) = self.unreadable {
            let error = Error::new(kind, operation, "the table says no");
            return Err(Failure { outcome: Outcome::Refused, error });
        }
        Ok(self.held.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    async fn put(&self, _: &'static str, digest: &str) -> Result<(), Failure> {
        self.change(Recorded::Text(digest.to_owned()))
    }

    async fn delete(&self, _: &'static str) -> Result<(), Failure> {
        self.change(Recorded::Nothing)
    }
}

fn of(bytes: &[u8]) -> Recorded {
    Recorded::Text(Md5Sum::of(bytes).to_string())
}

fn digest(held: Recorded, fate: Fate) -> StateDigest<Entry> {
    StateDigest::new(Entry::with(held, fate), SHORT)
}

fn state(bytes: impl Into<Bytes>) -> StateRead {
    let bytes: Bytes = bytes.into();
    let meta = StateMeta::new(bytes.len() as u64);
    let pieces: Vec<_> =
        bytes.chunks(1 << 20).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    StateRead { meta, body: stream::iter(pieces).boxed() }
}

async fn read(digest: &StateDigest<Entry>, bytes: &'static [u8]) -> Result<Bytes> {
    let read = digest.read(&ReadOptions::default(), || async { Ok(Some(state(bytes))) }).await?;
    Ok(read.expect("there is a state").collect().await?.bytes)
}

fn context<'a>(error: &'a Error, label: &str) -> &'a str {
    error.context().iter().find(|(found, _)| *found == label).map_or("", |(_, value)| value)
}

#[test]
fn patience_is_that_of_native_clients() {
    let DigestWait { pause, patience } = DigestWait::default();
    assert_eq!((pause.as_secs(), patience.as_secs()), (2, 10));
}

#[tokio::test]
async fn what_matches_or_has_no_digest_is_read() {
    let upper = Recorded::Text(Md5Sum::of(b"one").to_string().to_uppercase());
    let none = Recorded::Text("none".to_owned());
    for held in [of(b"one"), upper, none, Recorded::Nothing, Recorded::NoText] {
        assert_eq!(read(&digest(held, Fate::CarriedOut), b"one").await.unwrap(), "one");
    }
}

/// A reader proceeds without a digest only if the service itself says that the table is missing or
/// forbidden. A table that does not answer proves nothing.
#[tokio::test]
async fn a_digest_that_may_not_be_read_or_has_no_table_is_passed_over_and_no_other_is() {
    for (kind, is_read) in [
        (ErrorKind::PermissionDenied, true),
        (ErrorKind::TableMissing, true),
        (ErrorKind::Unavailable, false),
        (ErrorKind::RateLimited, false),
        (ErrorKind::CredentialInvalid, false),
    ] {
        let mut hidden = digest(of(b"other"), Fate::CarriedOut);
        hidden.entry.unreadable = Some(kind);
        let read = read(&hidden, b"one").await.map_err(|error| error.kind());
        assert_eq!(read, if is_read { Ok(Bytes::from("one")) } else { Err(kind) }, "{kind:?}");
    }
}

#[tokio::test]
async fn what_does_not_match_is_refused_with_both_sums_and_what_to_do() {
    let digest = digest(of(b"one"), Fate::CarriedOut);
    let error = read(&digest, b"other").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DigestMismatch);
    let sum = Md5Sum::of(b"one");
    assert_eq!(context(&error, "recorded"), format!("{sum}  table, entry `bucket/state-md5`"));
    let sum = Md5Sum::of(b"other");
    assert_eq!(context(&error, "computed"), format!("{sum}  mem://bucket/state, 5 bytes"));
    assert!(error.hints().iter().any(|hint| hint.contains("look at it")), "{error:?}");

    let missing = digest.read(&ReadOptions::default(), || async { Ok(None) }).await.unwrap_err();
    assert!(context(&missing, "computed").contains("there is no state"), "{missing:?}");
    assert!(missing.hints().iter().any(|hint| hint.contains("remove the entry")), "{missing:?}");
}

#[tokio::test]
async fn what_is_asked_for_without_its_digest_is_not_held_against_it() {
    let digest = digest(of(b"one"), Fate::CarriedOut);
    for options in [
        ReadOptions::default().ignoring_digest(),
        ReadOptions::default().with_version(crate::VersionId::new("1")),
    ] {
        let read =
            digest.read(&options, || async { Ok(Some(state("other"))) }).await.unwrap().unwrap();
        assert_eq!(read.collect().await.unwrap().bytes, "other");
    }
}

#[tokio::test]
async fn what_is_too_large_to_be_collected_ends_with_the_error() {
    let large = |byte: u8| Bytes::from(vec![byte; 9 << 20]);
    let digest = digest(of(&large(b'a')), Fate::CarriedOut);
    for (byte, matches) in [(b'a', true), (b'b', false)] {
        let options = ReadOptions::default();
        let read = digest
            .read(&options, || async { Ok(Some(state(large(byte)))) })
            .await
            .unwrap()
            .unwrap();
        let mut body = read.body;
        let mut seen = 0;
        let end = loop {
            match body.try_next().await {
                Ok(Some(bytes)) => seen += bytes.len(),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error.kind()),
            }
        };
        assert_eq!((seen, end.is_ok()), (9 << 20, matches));
        assert!(matches || end == Err(ErrorKind::DigestMismatch));
    }
}

#[tokio::test]
async fn a_record_whose_answer_was_lost_is_looked_for() {
    for (fate, is_recorded, said) in [
        (Fate::CarriedOut, true, ""),
        (Fate::AnswerLost, true, ""),
        (Fate::Lost, false, "may or may not have been recorded"),
        (Fate::Refused, false, "could not be recorded"),
    ] {
        let digest = digest(of(b"old"), fate);
        match digest.record(Ok(StateMeta::new(3)), Ok(Md5Sum::of(b"new"))).await {
            Ok(_) => assert!(is_recorded),
            Err(error) => {
                assert!(!is_recorded && error.message().contains(said), "{error}");
                assert_eq!(error.kind(), ErrorKind::DigestMismatch);
            }
        }
        let now = digest.entry.get("read").await.unwrap();
        assert_eq!(now == of(b"new"), is_recorded);
    }
}

#[tokio::test]
async fn a_state_that_is_gone_or_empty_has_no_digest() {
    for (fate, is_gone, said) in [
        (Fate::CarriedOut, true, ""),
        (Fate::AnswerLost, true, ""),
        (Fate::Lost, false, "may or may not have been deleted"),
        (Fate::Refused, false, "could not be deleted"),
    ] {
        for is_deleted in [true, false] {
            let digest = digest(of(b"old"), fate);
            let outcome = if is_deleted {
                digest.forget().await
            } else {
                digest.record(Ok(StateMeta::new(0)), Ok(Md5Sum::of(b""))).await.map(drop)
            };
            match outcome {
                Ok(()) => assert!(is_gone),
                Err(error) => {
                    assert!(!is_gone && error.message().ends_with(said), "{error}");
                    let done = if is_deleted { "was deleted" } else { "was written" };
                    assert!(error.message().contains(done), "{error}");
                    assert!(error.hints().contains(&"remove the entry".to_owned()), "{error:?}");
                }
            }
            assert_eq!(digest.entry.get("read").await.unwrap() == Recorded::Nothing, is_gone);
        }
    }
}

#[tokio::test]
async fn a_write_in_doubt_records_nothing_and_says_so() {
    let digest = digest(of(b"old"), Fate::CarriedOut);
    let doubt = Error::new(ErrorKind::Unknown, "write", "no answer");
    let error = digest.record(Err(doubt), Ok(Md5Sum::of(b"new"))).await.unwrap_err();
    assert!(
        error.hints().iter().any(|hint| hint.contains("its digest was not recorded")),
        "{error:?}"
    );
    assert_eq!(digest.entry.get("read").await.unwrap(), of(b"old"));
}

/// A writer wants to know only whether the stored state is the right one.
#[tokio::test]
async fn a_state_whose_entity_tag_is_its_digest_is_not_hashed_on_request() {
    let unreadable = |etag: String| {
        let error = Error::new(ErrorKind::Unavailable, "read", "the body was read");
        let meta = StateMeta::new(9).with_etag(Some(crate::names::ETag::new(etag)));
        StateRead::new(meta, stream::iter([Err(error)]).boxed())
    };
    let trusting = ReadOptions::default().without_waiting().trusting_etag();
    let (right, other) = (Md5Sum::of(b"one"), Md5Sum::of(b"two"));
    for (options, etag, is_read) in [
        (trusting.clone(), format!("\"{right}\""), false),
        (trusting.clone(), right.to_string(), false),
        (trusting.clone(), format!("\"{other}\""), true),
        (trusting, format!("\"{right}-3\""), true),
        (ReadOptions::default().without_waiting(), format!("\"{right}\""), true),
    ] {
        let digest = digest(of(b"one"), Fate::CarriedOut);
        let read = digest.read(&options, || async { Ok(Some(unreadable(etag.clone()))) }).await;
        assert_eq!(read.is_err(), is_read, "{etag}");
    }
}
