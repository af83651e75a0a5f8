//! A wrong clock: if the service refuses a request only because of its time, the client sends it
//! once more with the service's time. The first request had no effect.
//!
//! Related tests: clocks that jump ahead and back while a lock is held, rows of a table, whose
//! service only reports a wrong signature, and the services that issue temporary keys and
//! endpoints.

mod common;

use common::{emulator, here, info, state, store, table_keys};
use jiff::SignedDuration;
use remote_state_core::{ErrorKind, LockTarget, StateStoreExt as _, WriteMode};
use remote_state_emulator::Emulator;

fn clocks() -> [SignedDuration; 4] {
    [16, -16, 26 * 60, -60 * 24 * 400].map(SignedDuration::from_mins)
}

fn keys(emulator: &Emulator, has_table: bool) -> Vec<(&'static str, String)> {
    let table = if has_table { table_keys(emulator) } else { Vec::new() };
    table.into_iter().chain([("max_retries", "0".to_owned())]).collect()
}

#[tokio::test]
async fn lock_write_and_release_go_by_the_clock_of_the_service() {
    for ahead in clocks() {
        for (has_table, lock) in [(false, None), (true, None), (true, Some("true"))] {
            let emulator = emulator().await;
            emulator.faults().set_clock_ahead(ahead);
            let keys = keys(&emulator, has_table);
            let keys: Vec<_> = keys.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let keys: Vec<_> = keys.into_iter().chain(lock.map(|lock| ("lock", lock))).collect();
            let store = || store(&emulator, &keys);
            let held = store().acquire(&here(), &info()).await.unwrap();
            drop(store().write(&here(), state(), &WriteMode::Create.into()).await.unwrap());
            assert!(store().read_bytes(&here()).await.unwrap().is_some());
            let released = store().release(&here(), &LockTarget::Id(held.id.clone())).await;
            assert!(released.is_ok(), "{ahead:?} {has_table} {lock:?}: {released:?}");
            assert!(store().inspect(&here()).await.unwrap().is_none());
            store().delete(&here()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn clock_that_jumps_while_a_row_is_held_does_not_keep_it_from_being_released() {
    for jump in clocks() {
        for has_table in [false, true] {
            let emulator = emulator().await;
            let keys = keys(&emulator, has_table);
            let keys: Vec<_> = keys.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let store = store(&emulator, &keys);
            let held = store.acquire(&here(), &info()).await.unwrap();
            emulator.faults().set_clock_ahead(jump);
            drop(store.write(&here(), state(), &WriteMode::Create.into()).await.unwrap());
            emulator.faults().set_clock_ahead(SignedDuration::ZERO);
            drop(store.release(&here(), &LockTarget::Id(held.id.clone())).await.unwrap());
            assert!(store.inspect(&here()).await.unwrap().is_none(), "{jump:?} {has_table}");
        }
    }
}

#[tokio::test]
async fn credentials_that_are_wrong_are_told_as_such_whatever_the_clock() {
    for ahead in [SignedDuration::ZERO, SignedDuration::from_hours(3)] {
        let emulator = emulator().await;
        emulator.faults().set_clock_ahead(ahead);
        let table = table_keys(&emulator);
        let table = table.iter().map(|(name, value)| (*name, value.as_str()));
        let keys: Vec<_> = table.chain([("secret_key", "another"), ("max_retries", "0")]).collect();
        let error = store(&emulator, &keys).acquire(&here(), &info()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CredentialInvalid);
        assert!(error.to_string().contains("does not accept the credentials"), "{error}");
        let asked = emulator.requests().take().len();
        assert_eq!(asked, if ahead.is_zero() { 1 } else { 2 }, "{ahead:?}");
    }
}

#[tokio::test]
async fn a_role_and_an_endpoint_are_had_with_the_clock_of_the_service() {
    const ROLE: &str = "acs:ram::123:role/state";
    let emulator = Emulator::builder()
        .with_credentials("test", "testtest")
        .with_role(ROLE)
        .with_bucket(common::BUCKET)
        .start()
        .await
        .expect("the emulator starts");
    emulator.faults().set_clock_ahead(SignedDuration::from_hours(-5));
    let sts = emulator.endpoint();
    let keys = [("assume_role_role_arn", ROLE), ("sts_endpoint", sts.as_str())];
    let store = store(&emulator, &keys);
    drop(store.write(&here(), state(), &WriteMode::Create.into()).await.unwrap());
    let operations: Vec<_> =
        emulator.requests().take().into_iter().map(|asked| asked.operation).collect();
    let roles = operations.iter().filter(|operation| operation.as_deref() == Some("AssumeRole"));
    assert_eq!(roles.count(), 2, "{operations:?}");
}
