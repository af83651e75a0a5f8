//! States that do not match their digest, with shorter waits than native clients have.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use remote_state_core::config::ResolvedConfig;
use remote_state_core::provider::DigestWait;
use remote_state_core::provider::ObjectStateStore;
use remote_state_core::push::{DigestBefore, HeldLock, NewState, PushError, PushRules, Pushed};
use remote_state_core::{
    Error, ErrorKind, ReadOptions, StateStore, StateStoreExt as _, Workspace, WriteMode,
};
use remote_state_emulator::{Emulator, Fault, Misbehaviour};

use crate::{PROVIDER, S3Config};

const SHORT: DigestWait =
    DigestWait { pause: Duration::from_millis(20), patience: Duration::from_millis(100) };

async fn emulator() -> Emulator {
    let builder = Emulator::builder().with_credentials("test", "testtest").with_bucket("tfstate");
    builder.with_table("locks", "LockID").start().await.unwrap()
}

fn open(emulator: &Emulator, more: &[(&str, &str)]) -> ObjectStateStore {
    let endpoint = emulator.endpoint();
    let keys = [
        ("bucket", "tfstate"),
        ("key", "net/terraform.tfstate"),
        ("region", "us-east-1"),
        ("endpoint", &*endpoint),
        ("dynamodb_endpoint", &*endpoint),
        ("access_key", "test"),
        ("secret_key", "testtest"),
        ("use_path_style", "true"),
    ];
    let config = ResolvedConfig::from_pairs(&PROVIDER, keys.iter().chain(more).copied()).unwrap();
    S3Config::from_resolved(&config).unwrap().store()
}

/// Returns two clients of one state: the first keeps digests and waits briefly, the second ignores
/// digests.
async fn clients() -> (Emulator, Arc<dyn StateStore>, Arc<dyn StateStore>) {
    let emulator = emulator().await;
    let with_table = open(&emulator, &[("dynamodb_table", "locks")]).with_digest_wait(SHORT);
    let without = open(&emulator, &[]);
    (emulator, Arc::new(with_table), Arc::new(without))
}

async fn write(store: &Arc<dyn StateStore>, bytes: impl Into<Bytes>) {
    drop(
        store
            .write(&Workspace::default(), bytes.into().into(), &WriteMode::Overwrite.into())
            .await
            .unwrap(),
    );
}

async fn read(store: &Arc<dyn StateStore>) -> Result<Option<Bytes>, Error> {
    Ok(store.read_bytes(&Workspace::default()).await?.map(|state| state.bytes))
}

fn context<'a>(error: &'a Error, label: &str) -> &'a str {
    error.context().iter().find(|(found, _)| *found == label).map_or("", |(_, value)| value)
}

#[tokio::test]
async fn state_that_does_not_match_is_refused_with_both_sums_after_the_whole_schedule() {
    let (emulator, ours, other) = clients().await;
    write(&ours, "one").await;
    write(&other, "other").await;
    drop(emulator.requests().take());
    let error = read(&ours).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DigestMismatch);
    assert_eq!(
        context(&error, "recorded"),
        "f97c5d29941bfb1b2fdab0874906ab82  dynamodb:locks, item \
         `tfstate/net/terraform.tfstate-md5`"
    );
    assert_eq!(
        context(&error, "computed"),
        "795f3202b17cb6bc3d4b771d8c6c9eaf  s3://tfstate/net/terraform.tfstate, 5 bytes"
    );
    let reads = emulator.requests().take().len() / 2;
    assert!((2..=6).contains(&reads), "{reads} attempts");
    write(&ours, "again").await;
    assert_eq!(read(&ours).await.unwrap().unwrap(), "again");
}

#[tokio::test]
async fn state_that_settles_in_time_is_read() {
    let (emulator, ours, other) = clients().await;
    write(&ours, "new").await;
    let patient = DigestWait { patience: Duration::from_secs(60), ..SHORT };
    let ours: Arc<dyn StateStore> =
        Arc::new(open(&emulator, &[("dynamodb_table", "locks")]).with_digest_wait(patient));
    write(&other, "old").await;
    let (read, ()) = tokio::join!(read(&ours), async {
        tokio::time::sleep(SHORT.pause).await;
        write(&other, "new").await;
    });
    assert_eq!(read.unwrap().unwrap(), "new");
}

#[tokio::test]
async fn missing_or_empty_state_with_a_digest_does_not_match() {
    let (_emulator, ours, other) = clients().await;
    write(&ours, "one").await;
    write(&other, "").await;
    for _ in 0..2 {
        let error = read(&ours).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DigestMismatch);
        assert!(context(&error, "computed").contains("there is no state"), "{error:?}");
        assert!(error.hints().iter().any(|hint| hint.contains("delete-item")), "{error:?}");
        other.delete(&Workspace::default()).await.unwrap();
    }
    ours.delete(&Workspace::default()).await.unwrap();
    assert_eq!(read(&ours).await.unwrap(), None);
}

#[tokio::test]
async fn large_state_that_does_not_match_ends_with_the_error() {
    let (_emulator, ours, other) = clients().await;
    let large = |byte: u8| Bytes::from(vec![byte; 9 << 20]);
    write(&ours, large(b'a')).await;
    assert_eq!(read(&ours).await.unwrap().unwrap().len(), 9 << 20);
    write(&other, large(b'b')).await;
    let mut body =
        ours.read(&Workspace::default(), &ReadOptions::default()).await.unwrap().unwrap().body;
    let mut seen = 0;
    let error = loop {
        match body.try_next().await {
            Ok(Some(bytes)) => seen += bytes.len(),
            Ok(None) => panic!("the end of a state that does not match looks like success"),
            Err(error) => break error,
        }
    };
    assert_eq!((seen, error.kind()), (9 << 20, ErrorKind::DigestMismatch));
}

#[tokio::test]
async fn state_whose_digest_was_not_recorded_is_refused_until_it_is_stored_again() {
    let (emulator, ours, _) = clients().await;
    write(&ours, "one").await;
    let denied =
        Misbehaviour::AnswerWithoutWork { status: 400, code: "AccessDeniedException".into() };
    emulator.faults().inject(Fault::new(denied).with_operation("PutItem").with_times(1));
    let two = Bytes::from_static(b"two");
    let error = ours
        .write(&Workspace::default(), two.into(), &WriteMode::Overwrite.into())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DigestMismatch);
    assert_eq!(read(&ours).await.unwrap_err().kind(), ErrorKind::DigestMismatch);
    write(&ours, "two").await;
    assert_eq!(read(&ours).await.unwrap().unwrap(), "two");
}

#[tokio::test]
async fn a_push_of_the_stored_bytes_records_a_digest_that_is_wrong_or_missing_under_its_own_lock() {
    let state = |serial: u64, more: &str| {
        format!(
            r#"{{"version":4,"serial":{serial},"lineage":"l","outputs":{{}},"resources":[]}}{more}"#
        )
    };
    let new = |text: &str| NewState::parse(Bytes::from(text.to_owned())).unwrap();
    let here = Workspace::default();
    let long = " ".repeat(9 << 20);
    for (before, after) in [(None, ""), (Some("other"), ""), (None, long.as_str())] {
        let (emulator, ours, other) = clients().await;
        if let Some(before) = before {
            write(&ours, before).await;
        }
        let text = state(1, after);
        write(&other, text.clone()).await;
        let push =
            async |lock: HeldLock| ours.push(&here, &new(&text), &PushRules::CLIENT, &lock).await;
        drop(emulator.requests().take());
        let without = push(HeldLock::None).await;
        match before {
            None => assert!(
                matches!(without, Ok(Pushed::Unchanged { recorded_over: None, .. })),
                "{without:?}"
            ),
            Some(_) => assert!(matches!(without, Err(PushError::Store(_))), "{without:?}"),
        }
        assert!(emulator.requests().take().iter().all(|request| request.method != "PUT"));
        let Ok(Pushed::Unchanged { recorded_over, .. }) = push(HeldLock::Own).await else {
            panic!("the state was written again, or not at all")
        };
        let missing_or_wrong = before.map_or(DigestBefore::Missing, |_| DigestBefore::Wrong);
        assert_eq!(recorded_over, Some(missing_or_wrong));
        assert!(emulator.requests().take().iter().all(|request| request.method != "PUT"));
        // The digest is that of the stored state: from now on a state of another client is noticed.
        assert_eq!(read(&ours).await.unwrap().unwrap(), text);
        let again = push(HeldLock::Own).await;
        assert!(matches!(again, Ok(Pushed::Unchanged { recorded_over: None, .. })), "{again:?}");
        write(&other, state(2, "")).await;
        assert_eq!(read(&ours).await.unwrap_err().kind(), ErrorKind::DigestMismatch);
    }
}

#[tokio::test]
async fn a_digest_is_not_recorded_over_a_state_that_has_changed_since_it_was_read() {
    let (_emulator, ours, other) = clients().await;
    let here = Workspace::default();
    write(&other, "one").await;
    let stale = ours.read_bytes(&here).await.unwrap().unwrap().meta;
    for now in ["two", "three, which is longer", ""] {
        write(&other, now).await;
        let recorded = ours.record_digest(&here, &Bytes::from("one").into(), &stale).await;
        assert_eq!(recorded.unwrap_err().kind(), ErrorKind::PreconditionFailed, "{now}");
        assert_eq!(read(&ours).await.unwrap().unwrap_or_default(), now);
    }
}

#[tokio::test]
async fn a_forced_push_over_what_is_no_state_still_stops_at_a_wrong_digest() {
    let text = r#"{"version":4,"serial":1,"lineage":"l","outputs":{},"resources":[]}"#;
    let new = NewState::parse(Bytes::from(text)).unwrap();
    for unreadable in ["no state", "{", "[]"] {
        let (_emulator, ours, other) = clients().await;
        write(&ours, "one").await;
        write(&other, unreadable).await;
        let push = async |rules: PushRules| {
            ours.push(&Workspace::default(), &new, &rules, &HeldLock::Own).await
        };
        let forced = PushRules::PUSH.with_force(true);
        let stopped = push(forced).await;
        let Err(PushError::Store(error)) = stopped else { panic!("{stopped:?}") };
        assert_eq!(error.kind(), ErrorKind::DigestMismatch, "{error}");
        let repaired = push(forced.with_repair_digest(true)).await;
        assert!(matches!(repaired, Ok(Pushed::Written { .. })), "{repaired:?}");
        assert_eq!(read(&ours).await.unwrap().unwrap(), text);
    }
}

#[tokio::test]
async fn a_push_that_is_to_repair_a_digest_does_so_whatever_the_bytes_are() {
    let text = r#"{"version":4,"serial":2,"lineage":"l","outputs":{},"resources":[]}"#;
    for pushed in [text, &format!(" {text}\n"), &text.replace("serial\":2", "serial\": 2")] {
        let (_emulator, ours, other) = clients().await;
        write(&ours, "one").await;
        write(&other, text).await;
        let new = NewState::parse(Bytes::from((*pushed).to_owned())).unwrap();
        let rules = PushRules::PUSH.with_repair_digest(true);
        let done = ours.push(&Workspace::default(), &new, &rules, &HeldLock::Own).await;
        let is_done = match &done {
            Ok(Pushed::Unchanged { recorded_over, .. }) => {
                pushed == text && *recorded_over == Some(DigestBefore::NotRead)
            }
            Ok(Pushed::Written { .. }) => pushed != text,
            _ => false,
        };
        assert!(is_done, "{done:?}");
        assert_eq!(read(&ours).await.unwrap().unwrap(), *pushed);
    }
}
