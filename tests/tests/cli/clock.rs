//! Commands on a machine whose clock differs from the store's, and a server whose clock jumps, like
//! that of a laptop after sleep.
//!
//! Related: OSS and Tablestore, which have tests of their own in their crate, and `exec`, whose
//! server is the same.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use jiff::SignedDuration;
use remote_state_tests::{S3Server, Signal, Suite, TABLE};

use crate::support::{Case, state};

pub(crate) fn tests(suite: &mut Suite) {
    suite.test("commands_go_by_the_clock_of_the_store", &[], || {
        for hours in [-30, 2, 24 * 365] {
            let server = &S3Server::emulator();
            server.faults().set_clock_ahead(SignedDuration::from_hours(hours));
            for has_table in [false, true] {
                let mut case = Case::new(server);
                if has_table {
                    case.place = case.place.with("dynamodb_table", TABLE);
                }
                let run = |words: &str| case.run(case.remote_state(words).stdin(state(3)));
                let locked = run("lock").success();
                let direction = if hours < 0 { "ahead of" } else { "behind" };
                let warning = format!(" s {direction} that of the service, whose time is used\n");
                let locked = locked.says("warning: the clock of this machine is ").says(&warning);
                let times = locked.stderr().matches(&warning).count();
                assert_eq!(times, 1, "two clients of one process warn once: {locked}");
                let id = locked.stdout().trim().to_owned();
                run("locks").success().mentions(&id);
                run(&format!("push - --lock-id {id}")).success();
                run(&format!("unlock --yes {id}")).success();
                assert_eq!(run("pull").success().stdout(), state(3));
            }
        }
    });
    suite.test("lock_is_given_back_through_a_server_whose_clock_jumps_meanwhile", &[], || {
        for (before, after) in [(0, 2), (0, -2), (26, 0)] {
            let server = &S3Server::emulator();
            let case = Case::new(server);
            server.faults().set_clock_ahead(SignedDuration::from_hours(before));
            let mut running = case.remote_state("serve --listen 127.0.0.1:0 --no-auth").start();
            running.wait_for("stop with Ctrl-C");
            running.wait_for("http://127.0.0.1:");
            let url = running.stdout_so_far();
            let address =
                url.trim().strip_prefix("http://").expect("it says where it is").to_owned();
            let ask = |method: &str, query: &str, body: &str| {
                let mut stream = TcpStream::connect(&address).expect("it listens");
                let head = format!(
                    "{method} /state/default{query} HTTP/1.1\r\nHost: {address}\r\nConnection: \
                     close\r\n"
                );
                let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
                stream.write_all(request.as_bytes()).expect("it reads");
                let mut answer = String::new();
                stream.read_to_string(&mut answer).expect("it answers");
                answer.split(' ').nth(1).expect("it has a status").to_owned()
            };
            let lock = r#"{"ID":"1234","Operation":"apply","Who":"me@here","Version":"1.11.4"}"#;
            assert_eq!(ask("LOCK", "", lock), "200");
            server.faults().set_clock_ahead(SignedDuration::from_hours(after));
            assert_eq!(ask("POST", "?ID=1234", &state(3)), "200");
            server.faults().set_clock_ahead(SignedDuration::from_hours(before));
            assert_eq!(ask("UNLOCK", "", lock), "200");
            assert_eq!(ask("LOCK", "", lock), "200", "the lock is free");
            server.faults().set_clock_ahead(SignedDuration::from_hours(after));
            assert_eq!(ask("UNLOCK", "", lock), "200");
            running.signal(Signal::TERM);
            running.wait().code(0);
        }
    });
}
