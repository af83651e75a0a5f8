//! One holder at a time, whatever the clients and the store do.

mod faults;
mod interrupted;
mod lost_locks;
mod lost_writes;
mod processes;
mod releases;
mod served;
mod tasks;
mod unfit;

use std::process::ExitCode;

use bytes::Bytes;
use remote_state_core::{LockInfo, Outgoing};
use remote_state_tests::Suite;

fn main() -> ExitCode {
    let mut suite = Suite::new();
    interrupted::add(&mut suite);
    lost_locks::add(&mut suite);
    lost_writes::add(&mut suite);
    processes::add(&mut suite);
    releases::add(&mut suite);
    served::add(&mut suite);
    tasks::add(&mut suite);
    unfit::add(&mut suite);
    faults::add(&mut suite);
    suite.run()
}

/// Returns a lock record that no other client has.
fn lock_info(operation: &str) -> LockInfo {
    LockInfo::new(operation, "tester@here", "1.0.0", jiff::Timestamp::now())
        .expect("the system has randomness")
}

/// A small state.
fn state(serial: u64) -> String {
    format!(
        "{{\"version\":4,\"terraform_version\":\"1.11.4\",\"serial\":{serial},\"lineage\":\"l\",\"\
         outputs\":{{\"n\":{{\"value\":{serial},\"type\":\"number\"}}}},\"resources\":[]}}\n"
    )
}

fn outgoing(serial: u64) -> Outgoing {
    Bytes::from(state(serial)).into()
}

fn serial_of(state: &[u8]) -> u64 {
    let state: serde_json::Value = serde_json::from_slice(state).expect("a state is JSON");
    state["serial"].as_u64().expect("a serial is a number")
}
