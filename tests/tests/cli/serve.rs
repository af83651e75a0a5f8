//! The command line of `serve` and `exec`; the protocol has a suite of its own.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use remote_state_emulator::{Fault, Misbehaviour};
use remote_state_tests::{Cmd, S3Server, Signal, Suite};

use crate::support::{Case, assert_discreet, state};

pub(crate) fn tests(suite: &mut Suite) {
    serve(suite);
    exec(suite);
}

fn serve(suite: &mut Suite) {
    suite.on_emulator("serve_without_a_token_is_refused", &[], |server| {
        let case = Case::new(server);
        let refused = "error: a server needs a token that clients present\n\nhint: set \
                       `REMOTE_STATE_TOKEN`, or pass `--token-file FILE`\nhint: on a loopback \
                       address, `--no-auth` goes without\n";
        case.expect(case.remote_state("serve --listen 127.0.0.1:0"), 2, "", refused);
        case.sandbox.write("token", " \n");
        let open = "warning: the token file `token` can be read or changed by other users of this \
                    machine: `chmod 600` it\n";
        case.expect(
            case.remote_state("serve --listen 127.0.0.1:0 --token-file token"),
            2,
            "",
            &format!("{open}{refused}"),
        );
        case.expect(
            case.remote_state("serve --listen 127.0.0.1:0 --token-file nowhere"),
            1,
            "",
            "error: cannot read the token file `nowhere`: No such file or directory (os error 2)\n",
        );
    });
    suite.on_emulator(
        "a_token_that_can_be_guessed_or_read_by_others_is_warned_of",
        &[],
        |server| {
            let case = Case::new(server);
            let said = |cmd: Cmd| {
                let mut running = cmd.start();
                running.wait_for("stop with Ctrl-C");
                running.signal(Signal::TERM);
                let output = running.wait().code(0);
                output
                    .stderr()
                    .lines()
                    .filter(|line| line.starts_with("warning: "))
                    .collect::<Vec<_>>()
                    .join("\n")
            };
            let serve = || case.remote_state("serve --listen 127.0.0.1:0");
            let long = "0123456789abcdef0123456789abcdef";
            for token in ["x", "hunter2", "0123456789abcde", " x \n"] {
                let warning = said(serve().env("REMOTE_STATE_TOKEN", token));
                assert!(
                    warning
                        .contains("the token in `REMOTE_STATE_TOKEN` has fewer than 16 characters"),
                    "{token}: {warning}"
                );
                assert!(token.trim() == "x" || !warning.contains(token.trim()), "{warning}");
            }
            assert_eq!(said(serve().env("REMOTE_STATE_TOKEN", long)), "");
            for (mode, token, warnings) in [
                (0o666, long, &["can be read or changed by other users"][..]),
                (0o604, long, &["can be read or changed by other users"]),
                (0o620, long, &["can be read or changed by other users"]),
                (
                    0o666,
                    "x",
                    &[
                        "can be read or changed by other users",
                        "the token in `token` has fewer than 16 characters",
                    ],
                ),
                (0o600, "x", &["the token in `token` has fewer than 16 characters"]),
                (0o640, long, &[]),
                (0o600, long, &[]),
            ] {
                let path = case.sandbox.write("token", token);
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))
                    .expect("it is ours");
                let said = said(serve().arg("--token-file=token"));
                assert_eq!(said.lines().count(), warnings.len(), "{mode:o} {token}: {said}");
                assert!(
                    warnings.iter().all(|warning| said.contains(warning)),
                    "{mode:o} {token}: {said}"
                );
            }
        },
    );
    suite.on_emulator("serve_without_authentication_stays_on_loopback", &[], |server| {
        let case = Case::new(server);
        case.expect(
            case.remote_state("serve --no-auth --listen 0.0.0.0:0"),
            2,
            "",
            "error: a server without a token can only listen on a loopback address, not on \
             `0.0.0.0`\n\nhint: listen on 127.0.0.1, or set a token\n",
        );
    });
    suite.on_emulator("an_address_that_cannot_be_had_is_named_with_the_reason", &[], |server| {
        let case = Case::new(server);
        let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = taken.local_addr().expect("it is bound").to_string();
        let mut refused = vec![
            (address, "another program listens there"),
            // Reserved for documentation (RFC 5737): no machine has it.
            ("192.0.2.1:0".to_owned(), "this machine has no such address"),
        ];
        // Root may listen on every port, and some systems allow everyone to.
        if std::net::TcpListener::bind("127.0.0.1:80")
            .is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
        {
            refused.push(("127.0.0.1:80".to_owned(), "this user may not listen on port 80"));
        }
        for (address, reason) in refused {
            let serve = case.remote_state("serve --listen").arg(&address);
            case.run(serve.env("REMOTE_STATE_TOKEN", "0123456789abcdef"))
                .code(1)
                .says(&format!("error: cannot listen on `{address}`: {reason}\n"))
                .says("hint: pass another address: `--listen 127.0.0.1:0`");
        }
        case.run(case.remote_state("serve --no-auth --listen nowhere"))
            .code(2)
            .says("'--listen <ADDRESS>'");
    });
    suite.on_emulator("serve_says_where_it_is_and_ends_when_it_is_asked_to", &[], |server| {
        let case = Case::new(server);
        for signal in [Signal::TERM, Signal::INT] {
            let cmd = case
                .remote_state("serve --listen 127.0.0.1:0")
                .env("REMOTE_STATE_TOKEN", "hunter2");
            let mut running = cmd.start();
            running.wait_for("stop with Ctrl-C");
            running.signal(signal);
            let output = running.wait().code(0);
            assert!(
                output.stdout().starts_with("http://127.0.0.1:")
                    && output.stdout().lines().count() == 1,
                "{output}"
            );
            assert_discreet(&output, server);
        }
    });
    suite.test("serve_waits_for_requests_in_flight_and_stops_when_it_is_asked_twice", &[], || {
        let server = &S3Server::emulator();
        let case = Case::new(server);
        let mut running = case.remote_state("serve --listen 127.0.0.1:0 --no-auth").start();
        running.wait_for("stop with Ctrl-C");
        let slow = Fault::new(Misbehaviour::Delay(Duration::from_secs(60)));
        server.faults().inject(slow.with_times(1));
        // The two streams are collected separately.
        running.wait_for("http://127.0.0.1:");
        let url = running.stdout_so_far();
        let address = url.trim().strip_prefix("http://").expect("it says where it is").to_owned();
        let mut stream = TcpStream::connect(&address).expect("it listens");
        let request = format!("GET /state/default HTTP/1.1\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it reads");
        // The fault is used up once the request has reached the store.
        running.wait_until("the request arrives", || server.faults().count() == 0);
        running.signal(Signal::TERM);
        running.wait_for("waiting for requests in flight; once more to stop now\n");
        std::thread::sleep(Duration::from_millis(300));
        assert!(running.is_running(), "it should wait");
        let asked = Instant::now();
        running.signal(Signal::INT);
        running
            .wait()
            .code(130)
            .says("warning: stopped now: the outcome of the requests in flight is unknown");
        assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
    });
    suite.test("a_store_that_refuses_is_told_before_anything_is_served", &[], || {
        let server = &S3Server::emulator();
        let case = Case::new(server);
        for words in ["serve --listen 127.0.0.1:0 --no-auth", "exec -- echo begun"] {
            let cmd = case.remote_state(words).env("AWS_SECRET_ACCESS_KEY", "wrong").start();
            let output = cmd.wait().code(1).says("error: ");
            assert_eq!(output.stdout(), "", "{output}");
            let words = format!("--backend-config=bucket=no-such-bucket {words}");
            let output = case.run(case.remote_state(&words)).code(4).says("no-such-bucket");
            assert_eq!(output.stdout(), "", "{output}");
            assert_discreet(&output, server);
        }
    });
    suite.test("serve_warns_of_a_store_that_fails_for_now_and_exec_does_not_begin", &[], || {
        let server = &S3Server::emulator();
        let case = Case::new(server);
        server.faults().inject(Fault::new(Misbehaviour::internal_error()));
        let words = "--backend-config=max_retries=1 exec -- echo begun";
        assert_eq!(case.run(case.remote_state(words)).code(1).stdout(), "");
        let words = "--backend-config=max_retries=1 serve --listen 127.0.0.1:0 --no-auth";
        let mut running = case.remote_state(words).start();
        running.wait_for("stop with Ctrl-C");
        running.signal(Signal::TERM);
        running.wait().code(0).says("warning: ");
    });
    // Without the right to list, the store answers 403 for missing objects, such as a lock that is
    // not held.
    suite.test("serve_and_exec_begin_where_the_lock_may_not_be_looked_at", &[], || {
        let server = &S3Server::emulator();
        let case = Case::new(server);
        let denied = Misbehaviour::AnswerWithoutWork { status: 403, code: "AccessDenied".into() };
        server.faults().inject(Fault::new(denied));
        for names in ["keys", "workspaces"] {
            let words = format!("serve --listen 127.0.0.1:0 --no-auth --names {names}");
            let mut running = case.remote_state(&words).start();
            running.wait_for("stop with Ctrl-C");
            running.signal(Signal::TERM);
            running.wait().code(0).says("warning: ");
        }
        assert_eq!(case.run(case.remote_state("exec -- echo begun")).code(0).stdout(), "begun\n");
    });
    suite.on_emulator("serve_takes_no_time_to_wait_for_locks", &[], |server| {
        let case = Case::new(server);
        let words = "serve --listen 127.0.0.1:0 --no-auth --lock-timeout 5s";
        case.run(case.remote_state(words)).code(2).says("each client decides how long it waits");
    });
}

/// The warning if the command never requested the state.
const UNASKED: &str = "warning: the command never asked for the state that is served to it\n  \
                       served  s3://BUCKET/KEY\nhint: if it is Terraform, see that the \
                       configuration says `backend \"http\" {}`, without an `address`, and that \
                       `init` has run with it\nhint: Terraform before 0.13.2 needs an `address` \
                       in the block: use `remote-state serve` with it\n";

fn exec(suite: &mut Suite) {
    suite.on_emulator("exec_without_a_command_is_a_usage_error", &[], |server| {
        let case = Case::new(server);
        case.run(case.remote_state("exec")).code(2).says("Usage: remote-state exec");
        case.run(case.remote_state("exec --")).code(2);
    });
    suite.on_emulator("a_command_that_does_not_exist_is_named", &[], |server| {
        let case = Case::new(server);
        case.expect(
            case.remote_state("exec").args(["--", "no-such-command", "-x"]),
            4,
            "",
            "error: cannot run `no-such-command`: No such file or directory (os error 2)\n\nhint: \
             give the command after `--`, and make sure that it is on the `PATH`\n",
        );
    });
    suite.on_emulator("the_exit_code_of_the_command_is_passed_on", &[], |server| {
        let case = Case::new(server);
        let sh = |script: &str| case.remote_state("exec").args(["--", "sh", "-c", script]);
        case.expect(sh("echo out; echo err >&2; exit 7"), 7, "out\n", &format!("err\n{UNASKED}"));
        case.run(sh("kill -9 $$")).code(137);
        case.run(sh("true")).code(0);
    });
    suite.on_emulator("the_command_is_given_what_a_client_needs_and_no_more", &[], |server| {
        let case = Case::stored(server);
        let cmd = case.remote_state("exec -w dev").env("TF_WORKSPACE", "dev");
        // The command inherits the keys to the store, like everything else, but the test must not
        // print them.
        let cmd =
            cmd.args(["--", "sh", "-c", "unset AWS_SECRET_ACCESS_KEY AWS_ACCESS_KEY_ID; env"]);
        let output = case.run(cmd).code(0);
        let value = |name: &str| {
            output
                .stdout()
                .lines()
                .find_map(|line| line.strip_prefix(&format!("{name}=")))
                .map(str::to_owned)
        };
        let address = value("TF_HTTP_ADDRESS").expect("it is set");
        let (base, rest) = address.split_once("/exec/").expect("the secret is in the path");
        let (secret, state) = rest.split_once('/').expect("the secret is in the path");
        assert!(base.starts_with("http://127.0.0.1:") && secret.len() == 64, "{address}");
        assert_eq!(state, "state/dev");
        for (name, door) in [("TF_HTTP_LOCK_ADDRESS", "lock"), ("TF_HTTP_UNLOCK_ADDRESS", "unlock")]
        {
            assert_eq!(value(name), Some(format!("{base}/exec/{secret}/{door}/dev")));
        }
        assert_eq!(value("TF_HTTP_PASSWORD"), None);
        assert_eq!(value("TF_WORKSPACE").as_deref(), Some("default"));
        assert_eq!(value("REMOTE_STATE_WORKSPACE").as_deref(), Some("dev"));
    });
    suite.on_each_server("what_follows_the_dashes_is_the_commands_own", &[], |server| {
        let case = Case::stored(server);
        let cmd = case.remote_state("exec").args(["--", "echo", "-json", "--quiet", "-w", "x"]);
        case.expect(cmd, 0, "-json --quiet -w x\n", UNASKED);
    });
    suite.test("exec_takes_a_state_beyond_the_limit_of_serve", &[], || {
        let server = &S3Server::emulator();
        let case = Case::new(server);
        let script = "echo \"$TF_HTTP_ADDRESS\"; while ! test -e done; do sleep 0.05; done";
        let mut running = case.remote_state("exec").args(["--", "sh", "-c", script]).start();
        running.wait_for("/state/default\n");
        let said = running.stdout_so_far();
        let url = said.trim().strip_prefix("http://").expect("it prints an address");
        let (address, path) = url.split_once('/').expect("the address has a path");
        // Just over 64 MiB, which `serve` refuses by default.
        let body = state(1) + &" ".repeat(64 << 20);
        let mut stream = TcpStream::connect(address).expect("it listens");
        let head = format!(
            "POST /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: \
             {}\r\n\r\n",
            body.len()
        );
        stream
            .write_all(head.as_bytes())
            .and_then(|()| stream.write_all(body.as_bytes()))
            .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        case.sandbox.write("done", "");
        running.wait().code(0);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(case.place.state("default").expect("it is stored") == body);
    });
    suite.on_emulator("a_command_may_read_and_write_its_standard_streams", &[], |server| {
        let case = Case::new(server);
        case.expect(
            case.remote_state("exec").args(["--", "cat"]).stdin(state(1)),
            0,
            &state(1),
            UNASKED,
        );
    });
}
