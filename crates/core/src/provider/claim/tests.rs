//! The rules of a release that claims, one by one, on a store that replaces on a condition and
//! deletes without one.

use std::collections::VecDeque;
use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::provider::release::TAKE_OVER;
use crate::store::{Capabilities, Locking, StateLocation};

/// What the store does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The store carries it out and answers.
    Fine,
    /// The store carries it out; the answer is lost.
    AnswerLost,
    /// The store never receives it.
    Lost,
    /// The store turns it away for now.
    Unsent,
    /// The store refuses it for other reasons.
    Refused,
}

/// A store for one lock.
#[derive(Default)]
struct Place {
    text: Mutex<Option<Vec<u8>>>,
    claims: bool,
    /// Deletes remove exactly what was read, or nothing. Deletes that name no version always
    /// succeed.
    exact: bool,
    replaces: Mutex<VecDeque<Fate>>,
    deletes: Mutex<VecDeque<Fate>>,
    log: Mutex<Vec<&'static str>>,
}

impl Place {
    fn with(text: &str) -> Self {
        let place = Self { claims: true, ..Self::default() };
        place.put(text);
        place
    }

    fn put(&self, text: &str) {
        *self.text.lock().unwrap() = Some(text.into());
    }

    fn text(&self) -> Option<String> {
        self.text.lock().unwrap().as_ref().map(|text| String::from_utf8(text.clone()).unwrap())
    }

    fn log(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.log.lock().unwrap())
    }

    fn request(
        &self,
        name: &'static str,
        fates: &Mutex<VecDeque<Fate>>,
        work: impl Fn() -> bool,
    ) -> Result<(), Failure> {
        self.log.lock().unwrap().push(name);
        let fate = fates.lock().unwrap().pop_front().unwrap_or(Fate::Fine);
        let outcome = match fate {
            Fate::Lost => Outcome::Unknown,
            Fate::Unsent => Outcome::Unsent,
            Fate::Refused => Outcome::Refused,
            Fate::Fine | Fate::AnswerLost if !work() => Outcome::ConditionFailed,
            Fate::Fine => return Ok(()),
            Fate::AnswerLost => Outcome::Unknown,
        };
        Err(Failure {
            outcome,
            error: Error::new(ErrorKind::Unavailable, "unlock", format!("{fate:?}")),
        })
    }
}

#[async_trait]
impl LockMechanism for &Place {
    fn name(&self) -> &'static str {
        "place"
    }

    fn object(&self) -> String {
        "place://lock".to_owned()
    }

    fn is_proven(&self) -> bool {
        true
    }

    async fn create_once(&self, record: Bytes) -> Result<(), Failure> {
        self.request("create", &Mutex::default(), || {
            let mut text = self.text.lock().unwrap();
            let is_free = text.is_none();
            text.get_or_insert_with(|| record.to_vec());
            is_free
        })
    }

    async fn prove(&self, _: Bytes) -> Result<()> {
        Ok(())
    }

    async fn read(&self, _: &'static str) -> Result<Option<Box<dyn FoundLock + '_>>> {
        let Some(text) = self.text.lock().unwrap().clone() else { return Ok(None) };
        let record = read_lock_record(&text, self.object());
        Ok(Some(Box::new(Found { place: self, record, text })))
    }
}

struct Found<'a> {
    place: &'a Place,
    record: LockRecord,
    text: Vec<u8>,
}

#[async_trait]
impl FoundLock for Found<'_> {
    fn record(&self) -> &LockRecord {
        &self.record
    }

    fn removes_exactly(&self) -> bool {
        self.place.exact
    }

    fn claimable(&self) -> Option<&[u8]> {
        self.place.claims.then_some(&*self.text)
    }

    async fn replace_once(&self, record: Bytes) -> Result<(), Failure> {
        self.place.request("claim", &self.place.replaces, || {
            let mut text = self.place.text.lock().unwrap();
            let is_same = text.as_ref() == Some(&self.text);
            if is_same {
                *text = Some(record.to_vec());
            }
            is_same
        })
    }

    async fn remove_claimed_once(&self) -> Result<(), Failure> {
        self.place.request("delete", &self.place.deletes, || {
            *self.place.text.lock().unwrap() = None;
            true
        })
    }

    async fn remove_once(&self) -> Result<(), Failure> {
        self.place.request("remove", &self.place.deletes, || {
            let mut text = self.place.text.lock().unwrap();
            let is_same = !self.place.exact || text.as_ref() == Some(&self.text);
            if is_same {
                *text = None;
            }
            is_same
        })
    }
}

fn lock(place: &Place) -> StateLock<'_> {
    let location =
        StateLocation::new("bucket/key", "s3://bucket/key", vec!["place://lock".to_owned()]);
    let capabilities = Capabilities::default().with_locking(Locking::Exclusive);
    StateLock::new(location, capabilities, vec![Box::new(place)])
}

fn record(id: &str) -> String {
    format!(
        r#"{{"ID":"{id}","Operation":"test","Info":"","Who":"me@here","Version":"1","Created":"2026-01-02T03:04:05Z","Path":"p"}}"#
    )
}

fn target(id: &str) -> LockTarget {
    LockTarget::Id(LockId::new(id))
}

fn claim() -> ClaimId {
    ClaimId::random().unwrap()
}

fn marked(text: &str, claim: &ClaimId) -> String {
    String::from_utf8(with_mark(text.as_bytes(), claim).to_vec()).unwrap()
}

/// Returns the id of the lock that was freed.
fn freed(released: &Released) -> Option<&str> {
    match released {
        Released::Freed(Some(info)) => Some(info.id.as_str()),
        Released::Freed(None) => Some(""),
        Released::AlreadyFree => None,
    }
}

#[test]
fn a_mark_changes_nothing_of_the_stored_bytes_but_is_one_member_more() {
    for text in [
        record("a"),
        // Neither Go nor this crate renders it like this: another order, spaces, an unknown member,
        // a newline at the end.
        "{ \"Extra\": {\"a\": \"}\"}, \"ID\" : \"a\" }\n".to_owned(),
        r#"{"id":"a","Info":"ends in }\"}"}"#.to_owned(),
    ] {
        let claim = claim();
        let marked = marked(&text, &claim);
        let end = text.rfind('}').unwrap();
        assert!(marked.starts_with(&text[..end]) && marked.ends_with(&text[end..]), "{marked}");
        let read = read_lock_record(marked.as_bytes(), "o");
        assert_eq!(
            read.content,
            read_lock_record(text.as_bytes(), "o").content,
            "other clients read it as before"
        );
        assert_eq!(read.claim.as_ref(), Some(&claim));
        assert!(!read.is_held_by(&LockId::new("a")), "no client owns it");
        assert_eq!(String::from_utf8(without_mark(marked.as_bytes())).unwrap(), text);
        // A mark replaces another.
        let other = ClaimId::random().unwrap();
        assert_eq!(with_mark(marked.as_bytes(), &other), with_mark(text.as_bytes(), &other));
    }
}

#[test]
fn whatever_the_mark_says_no_client_owns_the_record() {
    for value in ["\"\"", "7", "null", "{\"a\":1}", "\"x\\\"y\""] {
        let text = format!(r#"{{"ID":"a","{MARK}":{value}}}"#);
        let read = read_lock_record(text.as_bytes(), "o");
        assert!(read.is_being_released(), "{text}");
        let claim = claim();
        assert_eq!(
            read_lock_record(&with_mark(text.as_bytes(), &claim), "o").claim,
            Some(claim),
            "{text}"
        );
    }
    for text in [record(MARK), r#"{"ID":"a","remotestaterelease":"x"}"#.to_owned(), MARK.to_owned()]
    {
        assert!(!read_lock_record(text.as_bytes(), "o").is_being_released(), "{text}");
    }
}

#[test]
fn the_longest_record_can_still_be_read_with_a_mark() {
    let frame = record("a").len();
    let text = record(&"a".repeat(MAX_LOCK_RECORD_BYTES - frame + 1));
    assert_eq!(text.len(), MAX_LOCK_RECORD_BYTES);
    let read = read_lock_record(&with_mark(text.as_bytes(), &claim()), "o");
    assert!(read.info().is_some() && read.is_being_released());
}

#[tokio::test(start_paused = true)]
async fn a_release_marks_the_lock_and_deletes_it() {
    let place = Place::with(&record("a"));
    assert_eq!(freed(&lock(&place).release(&target("a")).await.unwrap()), Some("a"));
    assert_eq!((place.text(), place.log()), (None, vec!["claim", "delete"]));
    assert_eq!(lock(&place).release(&target("a")).await.unwrap(), Released::AlreadyFree);
}

#[tokio::test(start_paused = true)]
async fn what_deletes_exactly_or_cannot_claim_is_deleted_as_it_stands() {
    for (claims, exact) in [(true, true), (false, true), (false, false)] {
        let place = Place { claims, exact, ..Place::with(&record("a")) };
        assert_eq!(freed(&lock(&place).release(&target("a")).await.unwrap()), Some("a"));
        assert_eq!((place.text(), place.log()), (None, vec!["remove"]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_version_that_may_not_be_deleted_is_claimed_and_deleted_without_naming_it() {
    let place = Place { exact: true, ..Place::with(&record("a")) };
    place.deletes.lock().unwrap().push_back(Fate::Refused);
    assert_eq!(freed(&lock(&place).release(&target("a")).await.unwrap()), Some("a"));
    assert_eq!((place.text(), place.log()), (None, vec!["remove", "claim", "delete"]));
}

#[tokio::test(start_paused = true)]
async fn a_claim_whose_answer_is_lost_is_resolved_by_reading_it_back() {
    for (fate, log) in [
        (Fate::AnswerLost, vec!["claim", "delete"]),
        (Fate::Lost, vec!["claim", "claim", "delete"]),
        (Fate::Unsent, vec!["claim", "claim", "delete"]),
    ] {
        let place = Place::with(&record("a"));
        place.replaces.lock().unwrap().push_back(fate);
        assert_eq!(
            freed(&lock(&place).release(&target("a")).await.unwrap()),
            Some("a"),
            "{fate:?}"
        );
        assert_eq!((place.text(), place.log()), (None, log), "{fate:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_delete_whose_answer_is_lost_is_repeated_only_after_the_time_for_a_take_over() {
    for (fate, log, waits) in [
        (Fate::AnswerLost, vec!["claim", "delete"], false),
        (Fate::Lost, vec!["claim", "delete", "claim", "delete"], true),
        // No delete is under way.
        (Fate::Unsent, vec!["claim", "delete", "delete"], false),
    ] {
        let place = Place::with(&record("a"));
        place.deletes.lock().unwrap().push_back(fate);
        let started = Instant::now();
        assert_eq!(
            freed(&lock(&place).release(&target("a")).await.unwrap()),
            Some("a"),
            "{fate:?}"
        );
        assert_eq!((place.text(), place.log()), (None, log), "{fate:?}");
        assert_eq!(started.elapsed() >= TAKE_OVER, waits, "{fate:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_is_lost_again_and_again_ends_with_an_unknown_outcome() {
    let place = Place::with(&record("a"));
    place.deletes.lock().unwrap().extend([Fate::Lost; 20]);
    let error = lock(&place).release(&target("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown);
    let left = read_lock_record(place.text().unwrap().as_bytes(), "o");
    assert!(
        left.is_being_released() && left.id() == Some(&LockId::new("a")),
        "`unlock` can go on with it"
    );
    place.deletes.lock().unwrap().clear();
    assert_eq!(freed(&lock(&place).release(&target("a")).await.unwrap()), Some("a"));
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_is_refused_gives_the_lock_back_to_its_holder() {
    let place = Place::with(&record("a"));
    place.deletes.lock().unwrap().push_back(Fate::Refused);
    let error = lock(&place).release(&target("a")).await.unwrap_err();
    assert_eq!(error.message(), "Refused");
    assert_eq!(place.text(), Some(record("a")), "byte for byte");
}

#[tokio::test(start_paused = true)]
async fn the_mark_of_another_release_is_waited_for_until_the_lock_is_gone() {
    for next in [None, Some(record("b")), Some(marked(&record("b"), &claim()))] {
        let place = Place::with(&marked(&record("a"), &claim()));
        let state = lock(&place);
        let mut release = Release::default();
        let ReleaseStep::Wait(wait) = state.release_step(&target("a"), &mut release).await.unwrap()
        else {
            panic!("it waits")
        };
        assert!(wait.record.is_being_released() && wait.left == TAKE_OVER);
        *place.text.lock().unwrap() = next.clone().map(String::into_bytes);
        let step = state.release_step(&target("a"), &mut release).await.unwrap();
        assert!(
            matches!(&step, ReleaseStep::Done(released) if freed(released) == Some("a")),
            "{step:?}"
        );
        assert_eq!((place.text(), place.log()), (next, vec![]), "nothing was touched");
    }
}

#[tokio::test(start_paused = true)]
async fn a_mark_that_stays_is_taken_over_by_the_waiters_own_clock() {
    for (claims, log) in [(true, vec!["claim", "delete"]), (false, vec!["remove"])] {
        let place = Place { claims, ..Place::with(&marked(&record("a"), &claim())) };
        let started = Instant::now();
        assert_eq!(freed(&lock(&place).release(&target("a")).await.unwrap()), Some("a"));
        assert!(started.elapsed() >= TAKE_OVER);
        assert_eq!((place.text(), place.log()), (None, log));
    }
}

#[tokio::test(start_paused = true)]
async fn a_mark_that_was_made_anew_is_waited_for_anew() {
    let place = Place::with(&marked(&record("a"), &claim()));
    let state = lock(&place);
    let mut release = Release::default();
    for _ in 0..2 {
        assert!(matches!(
            state.release_step(&target("a"), &mut release).await.unwrap(),
            ReleaseStep::Wait(_)
        ));
        sleep(TAKE_OVER - Duration::from_secs(1)).await;
        place.put(&marked(&record("a"), &claim()));
    }
    assert_eq!(place.log(), [""; 0], "no mark has been seen for long enough");
}

#[tokio::test(start_paused = true)]
async fn two_that_take_over_at_once_are_told_apart_by_the_store() {
    let place = Place::with(&marked(&record("a"), &claim()));
    let (first, second) = (lock(&place), lock(&place));
    let id = target("a");
    let (first, second) = tokio::join!(first.release(&id), second.release(&id));
    assert_eq!((freed(&first.unwrap()), freed(&second.unwrap())), (Some("a"), Some("a")));
    assert_eq!(place.log().iter().filter(|name| **name == "delete").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn no_client_owns_a_lock_that_is_being_released() {
    let info = LockInfo::parse(record("a").as_bytes()).unwrap();
    for proven in [true, false] {
        let place = Place::with(&marked(&record("a"), &claim()));
        let error = lock(&place).take(&info).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LockHeld, "{proven}");
        assert!(error.holder().unwrap().is_being_released());
        assert!(error.message().ends_with("its lock is being released"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_lock_of_another_is_left_alone_whether_it_is_being_released_or_not() {
    for text in [record("b"), marked(&record("b"), &claim())] {
        let place = Place::with(&text);
        let error = lock(&place).release(&target("a")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LockHeld);
        assert_eq!((place.text(), place.log()), (Some(text), vec![]));
    }
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_record_is_claimed_with_a_whole_one_that_can_be_released_by_its_id() {
    for text in ["", "garbage", r#"{"Operation":"no id"}"#] {
        let place = Place::with(text);
        assert_eq!(freed(&lock(&place).release(&LockTarget::Unreadable).await.unwrap()), Some(""));
        assert_eq!((place.text(), place.log()), (None, vec!["claim", "delete"]));

        // The process dies between the claim and the delete.
        place.put(text);
        place.deletes.lock().unwrap().push_back(Fate::Lost);
        let mut release = Release::default();
        let step = lock(&place).release_step(&LockTarget::Unreadable, &mut release).await.unwrap();
        assert!(matches!(step, ReleaseStep::Wait(_)), "{step:?}");
        let left = read_lock_record(place.text().unwrap().as_bytes(), "o");
        let id = left.id().expect("it can be read").clone();
        assert!(left.is_being_released());
        assert_eq!(
            freed(&lock(&place).release(&LockTarget::Id(id.clone())).await.unwrap()),
            Some(id.as_str())
        );
        assert_eq!(place.text(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_releases_of_an_unreadable_record_one_waits_for_the_other() {
    let place = Place::with("garbage");
    place.deletes.lock().unwrap().push_back(Fate::AnswerLost);
    let (first, second) = (lock(&place), lock(&place));
    let (first, second) = tokio::join!(
        first.release(&LockTarget::Unreadable),
        second.release(&LockTarget::Unreadable)
    );
    assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
    assert_eq!(place.text(), None);
}

impl StateLock<'_> {
    pub(crate) async fn release(&self, target: &LockTarget) -> Result<Released> {
        let mut release = Release::default();
        loop {
            match self.release_step(target, &mut release).await? {
                ReleaseStep::Done(released) => return Ok(released),
                ReleaseStep::Wait(wait) => sleep(wait.pause).await,
            }
        }
    }
}
