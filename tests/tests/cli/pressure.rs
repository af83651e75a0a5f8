//! `serve` when clients demand more descriptors and memory than there are, measured on the process.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use remote_state_tests::{S3Server, Served, Suite};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::support::{Case, state};

/// More connections than the soft limit on descriptors of most systems.
const CONNECTIONS: usize = 1100;

const STATE_BYTES: usize = 16 << 20;
const CLIENTS: usize = 16;
/// The server's ceiling, and what a process needs besides.
const CEILING: &str = "64MiB";
const CEILING_AND_PROCESS_KB: u64 = (64 + 128) << 10;

/// The server answers an honest client by then. It waits much longer for the rest of a partial
/// head.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn tests(suite: &mut Suite) {
    suite.test("half_sent_heads_keep_no_honest_client_out", &[], half_sent_heads);
    suite.test("uploads_and_reads_at_once_stay_below_the_ceiling", &[], memory);
}

fn connect(served: &Served) -> TcpStream {
    let address = served.address.strip_prefix("http://").expect("it is plain HTTP");
    let stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out can be set");
    stream
}

/// Sends the rest of a request, and returns as much of the answer as arrives.
fn answer(stream: &mut TcpStream, rest: &[u8]) -> String {
    // A server that has refused does not read on.
    drop(stream.write_all(rest));
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    String::from_utf8_lossy(&answer).into_owned()
}

fn half_sent_heads() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Some(3 * CONNECTIONS as u64);
    if limit.current < wanted {
        let raised = Rlimit { current: wanted, ..limit };
        setrlimit(Resource::Nofile, raised).expect("the test may have as many descriptors");
    }
    let server = S3Server::emulator();
    let case = Case::new(&server);
    let serve = case.remote_state("serve --listen 127.0.0.1:0 --no-auth");
    let shell = case.sandbox.command("sh").server(&server);
    let limited = shell.args(["-c", "ulimit -S -n 1024; exec \"$@\"", "sh"]).words_of(&serve);
    let served = Served::start(limited);
    let half: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let mut stream = connect(&served);
            stream
                .write_all(b"GET / HTTP/1.1\r\nHo")
                .expect("the server takes the start of a head");
            stream
        })
        .collect();
    for _ in 0..3 {
        let honest = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
        let answer = answer(&mut connect(&served), honest);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer:?}");
    }
    drop(half);
}

fn memory() {
    let server = S3Server::emulator();
    let case = Case::new(&server);
    let serve = format!("serve --listen 127.0.0.1:0 --no-auth --max-memory {CEILING}");
    let served = Served::start(case.remote_state(&serve));
    let text = state(1);
    let text = text.trim_end();
    let body = format!("{text}{}", " ".repeat(STATE_BYTES - text.len()));
    let (most, last) = body.as_bytes().split_at(STATE_BYTES - 1);
    let head = |name: usize| {
        format!(
            "POST /state/n{name} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: \
             close\r\nContent-Type: application/json\r\nContent-Length: {STATE_BYTES}\r\n\r\n"
        )
    };
    let mut uploads: Vec<_> = (0..CLIENTS)
        .map(|name| {
            let mut stream = connect(&served);
            stream.write_all(head(name).as_bytes()).expect("the server takes a head");
            // Hold the last byte back, so that the server keeps what it has of all states at once.
            drop(stream.write_all(most));
            stream
        })
        .collect();
    let answers: Vec<_> = uploads.iter_mut().map(|stream| answer(stream, last)).collect();
    // Long states wait on the disk, so none has to be refused.
    let is_stored = |answer: &String| answer.starts_with("HTTP/1.1 200");
    assert!(answers.iter().all(is_stored), "{answers:?}");

    let path = b"GET /state/n0 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    let reads: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let mut stream = connect(&served);
            stream.write_all(path).expect("the server takes a head");
            // The first bytes have arrived: the server has read what it sends next.
            let read = stream.read(&mut [0; 16]).expect("it is answered");
            assert!(read > 0);
            stream
        })
        .collect();
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", served.running.id())).expect("it runs");
    let highest =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux says so");
    let highest: u64 = highest.trim().trim_end_matches(" kB").parse().expect("a number");
    assert!(highest < CEILING_AND_PROCESS_KB, "{highest} kB at most");
    drop(reads);
}
