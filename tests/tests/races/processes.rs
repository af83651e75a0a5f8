//! Many processes of the binary.

use std::time::Duration;

use remote_state_tests::{S3Server, Sandbox, Suite};

use crate::{serial_of, state};

const PROCESSES: usize = 16;
const ROUNDS: usize = 3;
/// Few, because the pauses between attempts grow to many seconds.
const PUSHES: u64 = 4;

/// Takes the lock, records that in the history, records its leaving, and releases the lock.
const WORKER: &str = r#"
for round in $(seq "$ROUNDS"); do
  while :; do
    id=$("$@" lock 2>>"$HISTORY.errors"); code=$?
    [ $code = 0 ] && break
    [ $code = 3 ] || { echo "lock ended with $code" >&2; exit 1; }
    sleep 0.1
  done
  echo "in $id" >>"$HISTORY"
  echo "out $id" >>"$HISTORY"
  "$@" unlock "$id" 2>>"$HISTORY.errors" || { echo "unlock ended with $?" >&2; exit 1; }
done
"#;

pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_server("sixteen_processes_hold_one_lock_one_at_a_time", &[], lock_loops);
    suite.on_emulator("processes_that_push_wait_for_their_turn", &[], pushes);
}

fn lock_loops(server: &S3Server) {
    let sandbox = Sandbox::new();
    let place = server.place();
    let history = sandbox.write("history", "");
    let ours = sandbox.remote_state().args(place.flags());
    let workers: Vec<_> = (0..PROCESSES)
        .map(|_| {
            sandbox
                .command("sh")
                .server(server)
                .env("ROUNDS", ROUNDS.to_string())
                .env("HISTORY", &history)
                .args(["-c", WORKER, "worker"])
                .words_of(&ours)
                .timeout(Duration::from_secs(240))
                .start()
        })
        .collect();
    for worker in workers {
        worker.wait().success();
    }
    let history = String::from_utf8(sandbox.read("history")).expect("it is text");
    let lines: Vec<_> = history.lines().collect();
    assert_eq!(lines.len(), 2 * PROCESSES * ROUNDS);
    for pair in lines.chunks(2) {
        let entered = pair[0].strip_prefix("in ").expect("the one before has left");
        assert_eq!(
            pair[1].strip_prefix("out "),
            Some(entered),
            "no client comes before the holder has left"
        );
    }
    place.assert_unlocked();
}

fn pushes(server: &S3Server) {
    let sandbox = Sandbox::new();
    let place = server.place_in("tfstate-versioned");
    let pushing: Vec<_> = (1..=PUSHES)
        .map(|serial| {
            let name = format!("{serial}.tfstate");
            sandbox.write(&name, state(serial));
            let ours = sandbox.remote_state().server(server).args(place.flags());
            ours.words("push --force --lock-timeout 80s")
                .arg(name)
                .timeout(Duration::from_secs(120))
                .start()
        })
        .collect();
    for push in pushing {
        push.wait().success();
    }
    // Every state was stored, each under the lock of its own push.
    let versions =
        sandbox.remote_state().server(server).args(place.flags()).words("pull").run().success();
    assert!((1..=PUSHES).contains(&serial_of(&versions.stdout)));
    let puts = server.requests().take().into_iter().filter(|request| {
        request.method == "PUT"
            && request.key.as_deref() == Some(&place.key)
            && request.status == Some(200)
    });
    assert_eq!(puts.count() as u64, PUSHES);
    place.assert_unlocked();
}
