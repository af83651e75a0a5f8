//! What one attempt at a lock leaves behind, for every earlier content of the store and every lost
//! answer.

use std::collections::VecDeque;
use std::sync::Mutex;

use crate::provider::{Failure, FoundLock, LockMechanism, Outcome, StateLock, parse_lock_record};
use crate::{
    Advice, Capabilities, Error, ErrorKind, LockContent, LockId, LockInfo, LockRecord, LockTarget,
    Locking, Result, StateLocation,
};
use async_trait::async_trait;
use bytes::Bytes;

/// How a store treats one create that it does not simply carry out.
enum Create {
    /// It carries out the create, and the answer is lost.
    AnswerLost,
    /// The create is under way and not carried out yet.
    Delayed,
    /// It refuses for other reasons.
    Denied,
}

/// A store for one lock that checks the condition of a create.
#[derive(Default)]
struct Place {
    name: &'static str,
    held: Mutex<Option<Bytes>>,
    creates: Mutex<VecDeque<Create>>,
    /// The results of the proofs; with none left, the store is proven.
    proofs: Mutex<VecDeque<Result<()>>>,
}

impl Place {
    fn new(name: &'static str) -> Self {
        Self { name, ..Self::default() }
    }

    fn answers(&self, create: Create) {
        self.creates.lock().unwrap().push_back(create);
    }

    fn is_to_be_proven(&self, proof: Result<()>) {
        self.proofs.lock().unwrap().push_back(proof);
    }

    fn holder(&self) -> Option<LockInfo> {
        self.held.lock().unwrap().as_ref().map(|text| parse_lock_record(text).unwrap())
    }

    fn put(&self, info: &LockInfo) {
        *self.held.lock().unwrap() = Some(Bytes::from(info.to_json()));
    }
}

fn failure(outcome: Outcome, kind: ErrorKind) -> Failure {
    Failure { outcome, error: Error::new(kind, "lock", format!("{outcome:?}")) }
}

#[async_trait]
impl LockMechanism for &Place {
    fn name(&self) -> &'static str {
        "place"
    }

    fn object(&self) -> String {
        format!("place://{}", self.name)
    }

    fn is_proven(&self) -> bool {
        self.proofs.lock().unwrap().is_empty()
    }

    async fn create_once(&self, record: Bytes) -> Result<(), Failure> {
        let create = self.creates.lock().unwrap().pop_front();
        let mut held = self.held.lock().unwrap();
        match create {
            Some(Create::Denied) => {
                return Err(failure(Outcome::Refused, ErrorKind::PermissionDenied));
            }
            Some(Create::Delayed) => return Err(failure(Outcome::Unknown, ErrorKind::Unavailable)),
            _ if held.is_none() => *held = Some(record),
            None => return Err(failure(Outcome::ConditionFailed, ErrorKind::PreconditionFailed)),
            Some(Create::AnswerLost) => {}
        }
        match create {
            Some(_) => Err(failure(Outcome::Unknown, ErrorKind::Unavailable)),
            None => Ok(()),
        }
    }

    async fn prove(&self, _: Bytes) -> Result<()> {
        self.proofs.lock().unwrap().pop_front().unwrap()
    }

    async fn read(&self, _: &'static str) -> Result<Option<Box<dyn FoundLock + '_>>> {
        let Some(info) = self.holder() else { return Ok(None) };
        Ok(Some(Box::new(Found {
            place: self,
            record: LockRecord::new(LockContent::Record(info), self.object()),
        })))
    }
}

struct Found<'a> {
    place: &'a Place,
    record: LockRecord,
}

#[async_trait]
impl FoundLock for Found<'_> {
    fn record(&self) -> &LockRecord {
        &self.record
    }

    async fn remove_once(&self) -> Result<(), Failure> {
        *self.place.held.lock().unwrap() = None;
        Ok(())
    }
}

fn lock<'a>(places: &[&'a Place]) -> StateLock<'a> {
    let mechanisms = places
        .iter()
        .map(|place| Box::new(*place) as Box<dyn LockMechanism + 'a>)
        .collect::<Vec<_>>();
    let objects = mechanisms.iter().map(|mechanism| mechanism.object()).collect();
    let location = StateLocation::new("bucket/key", "s3://bucket/key", objects);
    StateLock::new(location, Capabilities::default().with_locking(Locking::Exclusive), mechanisms)
}

fn info() -> LockInfo {
    LockInfo::new("test", "me@here", "1", LockInfo::NO_TIME).unwrap()
}

fn passing() -> Error {
    Error::new(ErrorKind::Unavailable, "lock", "not now")
}

/// Returns the ids of the locks that an error advises to release.
fn advised_releases(error: &Error) -> Vec<&LockId> {
    let advised = error.advice().iter();
    advised
        .filter_map(|advice| match advice {
            Advice::ReleaseLock(id, _) => Some(id),
            _ => None,
        })
        .collect()
}

/// Asserts that the error says that a lock with this id stays, where, and how to release it.
fn assert_tells_what_stays(error: &Error, place: &str, info: &LockInfo) {
    let context = error.context();
    let stays = context.iter().find(|(label, _)| *label == "still held").map(|(_, text)| text);
    assert!(
        stays.is_some_and(|text| text.contains(place) && text.contains(info.id.as_str())),
        "{error:?}"
    );
    assert_eq!(advised_releases(error), [&info.id], "{:?}", error.advice());
}

#[tokio::test(start_paused = true)]
async fn attempt_that_fails_leaves_what_an_earlier_one_with_its_id_had_won() {
    let (file, table) = (Place::new("file"), Place::new("table"));
    let both = lock(&[&file, &table]);
    let held = both.take(&info()).await.unwrap();
    table.answers(Create::Denied);
    let error = both.take(&held).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert_eq!((file.holder(), table.holder()), (Some(held.clone()), Some(held.clone())));
    assert_tells_what_stays(&error, "place://file", &held);
    drop(both.release(&LockTarget::Id(held.id)).await.unwrap());
    assert_eq!((file.holder(), table.holder()), (None, None));
}

#[tokio::test(start_paused = true)]
async fn attempt_that_fails_gives_back_what_it_created() {
    let (file, table) = (Place::new("file"), Place::new("table"));
    let both = lock(&[&file, &table]);
    table.answers(Create::Denied);
    let error = both.take(&info()).await.unwrap_err();
    assert_eq!((file.holder(), table.holder()), (None, None));
    assert!(!error.context().iter().any(|(label, _)| *label == "still held"), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn proof_that_fails_takes_away_what_was_created_for_it_and_nothing_older() {
    let (info, file) = (info(), Place::new("file"));
    let one = lock(&[&file]);
    file.is_to_be_proven(Err(passing()));
    assert_eq!(one.take(&info).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(file.holder(), None);

    let held = info.clone().with_path("bucket/key");
    file.put(&held);
    file.is_to_be_proven(Err(passing()));
    let error = one.take(&info).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(file.holder(), Some(held));
    assert_tells_what_stays(&error, "place://file", &info);
}

#[tokio::test(start_paused = true)]
async fn lock_whose_answer_was_lost_is_given_back_only_if_nothing_was_there_before() {
    let (file, table) = (Place::new("file"), Place::new("table"));
    let both = lock(&[&file, &table]);
    // This attempt cannot know whether the lock is older.
    let first = info();
    file.answers(Create::AnswerLost);
    table.answers(Create::Denied);
    let error = both.take(&first).await.unwrap_err();
    assert_eq!(file.holder().unwrap().id, first.id);
    assert_tells_what_stays(&error, "place://file", &first);
    drop(both.release(&LockTarget::Id(first.id)).await.unwrap());

    // This attempt has read the store, because it was not proven yet.
    file.is_to_be_proven(Ok(()));
    file.answers(Create::AnswerLost);
    table.answers(Create::Denied);
    both.take(&info()).await.unwrap_err();
    assert_eq!(file.holder(), None);
}

#[tokio::test(start_paused = true)]
async fn lock_that_is_held_while_a_create_is_under_way_names_the_id_that_may_appear() {
    let (ours, theirs, file) = (info(), info(), Place::new("file"));
    let one = lock(&[&file]);
    file.put(&theirs);
    file.answers(Create::Delayed);
    let error = one.take(&ours).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LockHeld);
    assert_eq!(error.holder().unwrap().id(), Some(&theirs.id));
    assert!(
        error
            .context()
            .iter()
            .any(|(label, text)| *label == "lock id" && text.contains(ours.id.as_str()))
    );
    assert_eq!(advised_releases(&error), [&ours.id], "{:?}", error.advice());

    let error = one.take(&ours).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LockHeld);
    assert!(error.context().is_empty(), "nothing is under way here: {error:?}");
}
