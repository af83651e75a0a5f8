//! Interruptions while a client takes a lock: nothing is left behind, and the message claims
//! nothing that is unknown.

use remote_state_emulator::{Fault, Gate, Misbehaviour};
use remote_state_tests::{Place, Running, S3Server, Sandbox, Signal, Suite};

pub(crate) fn add(suite: &mut Suite) {
    suite.on_emulator(
        "an_interrupt_while_a_lock_is_being_taken_leaves_none_behind",
        &[],
        while_taking,
    );
    suite.on_emulator("an_interrupt_while_waiting_for_a_lock_ends_at_once", &[], while_waiting);
    suite.on_emulator("a_second_interrupt_is_heeded_and_names_the_lock", &[], twice);
}

/// Starts `lock` against a store that creates the lock file only once the gate is open, and waits
/// until the request has arrived.
fn taking(server: &S3Server, sandbox: &Sandbox, place: &Place<'_>) -> (Running, Gate) {
    let gate = Gate::default();
    let held = Fault::new(Misbehaviour::Hold(gate.clone()));
    let held = held.with_method("PUT").with_key_suffix(".tflock").with_times(1);
    server.faults().inject(held);
    let mut lock =
        sandbox.remote_state().server(server).args(place.flags()).words("-vv lock").start();
    // The request uses up the fault on its arrival, and by then the command listens for signals.
    lock.wait_until("the request arrives", || server.faults().count() == 0);
    (lock, gate)
}

fn while_taking(server: &S3Server) {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let sandbox = Sandbox::new();
        let place = server.place();
        let (mut lock, gate) = taking(server, &sandbox, &place);
        lock.signal(signal);
        lock.wait_for("so that no lock is left behind");
        gate.open();
        lock.wait().code(code);
        place.assert_unlocked();
    }
}

fn while_waiting(server: &S3Server) {
    let sandbox = Sandbox::new();
    let place = server.place();
    let ours = || sandbox.remote_state().server(server).args(place.flags());
    let id = ours().words("lock").run().success().stdout().trim().to_owned();
    for (signal, code) in [(Signal::INT, 130), (Signal::HUP, 129)] {
        let mut waiting = ours().words("lock --lock-timeout 60s").start();
        waiting.wait_for("waiting for at most 60 s");
        waiting.signal(signal);
        waiting.wait().code(code).mentions(&id).mentions("no lock was taken");
    }
    ours().args(["unlock", &id]).run().success();
}

fn twice(server: &S3Server) {
    let sandbox = Sandbox::new();
    let (mut lock, _gate) = taking(server, &sandbox, &server.place());
    lock.signal(Signal::INT);
    lock.wait_for("once more to stop at once");
    lock.signal(Signal::INT);
    lock.wait().code(130).mentions("may still be held").mentions("lock id");
}
