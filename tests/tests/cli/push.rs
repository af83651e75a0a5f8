//! `push`: accepts only a state, only if it follows the stored one, only under the lock.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use remote_state_core::{ContentHash, LockInfo};
use remote_state_tests::{Proxy, Suite, TABLE, block_on};

use crate::support::{Case, LINEAGE, SECRET, empty_state, state};

pub(crate) fn tests(suite: &mut Suite) {
    accepted(suite);
    not_states(suite);
    not_following(suite);
    under_a_lock(suite);
    encrypted(suite);
    broken_lock(suite);
}

fn accepted(suite: &mut Suite) {
    suite.on_each_server("push_stores_the_very_bytes_and_frees_the_lock", &[], |server| {
        let case = Case::new(server);
        let bytes = state(7).replace('\n', "\r\n");
        case.sandbox.write("new.json", &bytes);
        case.expect(
            case.remote_state("push new.json"),
            0,
            "",
            &format!("wrote serial 7 ({} bytes) to `s3://BUCKET/KEY`\n", bytes.len()),
        );
        assert_eq!(case.place.state("default").expect("it is stored"), bytes);
        case.place.assert_unlocked();
    });
    suite.on_each_server("push_reads_standard_input_and_answers_in_json", &[], |server| {
        let case = Case::stored(server);
        let json = case.run(case.remote_state("push - --json -w w").stdin(state(3))).code(0).json();
        assert_eq!(json["written"], true);
        assert_eq!((&json["serial"], &json["workspace"]), (&3.into(), &"w".into()));
        assert_eq!(json["lineage"], LINEAGE);
        assert!(json["etag"].is_string());
        assert_eq!(case.place.state("w").expect("it is stored"), state(3));
    });
    suite.on_each_server("a_large_state_is_streamed_from_a_file_and_from_a_pipe", &[], |server| {
        let case = Case::new(server);
        // Trailing spaces belong to the document.
        let large = |serial| state(serial) + &" ".repeat(5 << 20);
        case.sandbox.write("new.json", large(1));
        case.run(case.remote_state("push new.json")).code(0).says("wrote serial 1");
        assert!(case.place.state("default").expect("it is stored") == large(1));
        case.run(case.remote_state("push -").stdin(large(2))).code(0).says("wrote serial 2");
        assert!(case.place.state("default").expect("it is stored") == large(2));
        case.run(case.remote_state("push -").stdin(large(2))).code(0).says("nothing to write");
        let other = large(2).replace(SECRET, "hunter3") + " ";
        case.run(case.remote_state("push -").stdin(other))
            .code(5)
            .says("may not replace the stored state");
        case.run(case.remote_state("push -").stdin(large(3) + "x"))
            .code(1)
            .says("something follows it (line ");
    });
    suite.on_each_server("the_same_bytes_again_are_nothing_to_write", &[], |server| {
        let case = Case::stored(server);
        case.sandbox.write("same.json", state(3));
        case.expect(
            case.remote_state("push same.json"),
            0,
            "",
            "serial 3 is stored at `s3://BUCKET/KEY` already; nothing to write\n",
        );
    });
    suite.on_emulator("a_missing_digest_of_the_same_bytes_is_recorded_alone", &[], |server| {
        let mut case = Case::stored(server);
        case.place = case.place.with("dynamodb_table", TABLE);
        let push = || case.remote_state("push -").stdin(state(3));
        drop(server.requests().take());
        case.expect(
            push(),
            0,
            "",
            "serial 3 is stored at `s3://BUCKET/KEY` already; its digest was missing and is \
             recorded\n",
        );
        let state_key = format!("/{}", case.place.key);
        let requests = server.requests().take();
        assert!(
            !requests.iter().any(|sent| sent.method == "PUT" && sent.path.ends_with(&state_key)),
            "the object is left as it is"
        );
        assert!(case.place.digest("default").is_some());
        let json = case.run(push().arg("--json")).code(0).json();
        assert_eq!((&json["written"], &json["digest_recorded"]), (&false.into(), &false.into()));
        case.place = server.place().with("dynamodb_table", TABLE);
        case.place.put_state("default", state(3));
        let json = case.run(case.remote_state("push - --json").stdin(state(3))).code(0).json();
        assert_eq!((&json["written"], &json["digest_recorded"]), (&false.into(), &true.into()));
    });
    suite.on_each_server(
        "a_state_that_was_altered_on_its_way_is_refused_and_not_stored",
        &[],
        |server| {
            let (sent, altered) = (state(7), state(7).replace(SECRET, "hunter3"));
            let checksum =
                |state: &str| BASE64.encode(ContentHash::of(state.as_bytes()).as_bytes());
            let body = (SECRET.to_owned(), "hunter3".to_owned());
            for (words, reason) in [
                (vec![], None),
                (vec![body.clone()], Some("the store refused it")),
                // Altering the checksum too breaks the signature.
                (vec![body, (checksum(&sent), checksum(&altered))], Some("SignatureDoesNotMatch")),
            ] {
                let proxy = Proxy::altering(&server.endpoint, words);
                for dialect in ["aws", "minio"] {
                    let mut case = Case::new(server);
                    case.place = case.place.with("dialect", dialect);
                    case.sandbox.write("new.json", &sent);
                    let push = case.remote_state("push new.json");
                    let output = case.run(
                        push.arg(format!("--backend-config=endpoints={{ s3 = {:?} }}", proxy.url)),
                    );
                    case.place.assert_unlocked();
                    match reason {
                        None => {
                            output.code(0);
                            assert_eq!(case.place.state("default").expect("it is stored"), sent);
                        }
                        Some(reason) => {
                            assert_eq!(case.place.state("default"), None, "{dialect}: {output}");
                            output.says("cannot write").says(reason);
                        }
                    }
                }
            }
        },
    );
    suite.on_each_server("an_empty_state_gives_way_to_any_other", &[], |server| {
        let case = Case::new(server);
        case.place.put_state("default", empty_state(9));
        case.sandbox.write("new.json", state(1).replace("11111111-", "99999999-"));
        case.run(case.remote_state("push new.json")).code(0).says("wrote serial 1");
    });
    suite.on_each_server("force_overrules_the_order_of_states", &[], |server| {
        let case = Case::stored(server);
        case.sandbox.write("old.json", state(1));
        case.run(case.remote_state("push -force old.json")).code(0).says("wrote serial 1");
        assert_eq!(case.place.state("default").expect("it is stored"), state(1));
    });
}

fn not_states(suite: &mut Suite) {
    for (name, content, reason) in [
        ("a_file_that_is_not_json_is_refused", "password = hunter2", "it is not a JSON object"),
        (
            "a_file_that_ends_in_the_middle_is_refused",
            "{\"serial\": 1, \"x\": \"hunter2",
            "it is not JSON (line 1, column 27)",
        ),
        ("a_json_document_that_is_no_state_is_refused", "{\"password\": \"hunter2\"}", "[..]"),
        ("a_state_of_the_future_is_refused", "{\"version\": 5, \"serial\": 1}", "[..]"),
    ] {
        suite.on_emulator(name, &[], move |server| {
            let case = Case::stored(server);
            case.sandbox.write("bad.json", content);
            case.expect(
                case.remote_state("push bad.json --force"),
                1,
                "",
                &format!(
                    "error: `bad.json` is not a Terraform state: {reason}\n  note  nothing was \
                     written\n"
                ),
            );
            assert_eq!(case.place.state("default").expect("it is still there"), state(3));
            case.place.assert_unlocked();
        });
    }
    suite.on_each_server("an_empty_file_is_refused", &[], |server| {
        let case = Case::stored(server);
        case.sandbox.write("empty.json", "");
        for (words, name) in
            [("push empty.json", "`empty.json`"), ("push - --force", "standard input")]
        {
            case.expect(
                case.remote_state(words),
                1,
                "",
                &format!(
                    "error: {name} is not a Terraform state: it is empty\n  note  nothing was \
                     written\n\nhint: the command that should have written it may have failed; to \
                     drop a state, use `remote-state workspace delete`\n"
                ),
            );
        }
        assert_eq!(case.place.state("default").expect("it is still there"), state(3));
    });
    suite.on_emulator("a_file_that_is_not_there_is_named", &[], |server| {
        let case = Case::new(server);
        case.expect(
            case.remote_state("push nowhere.json"),
            4,
            "",
            "error: cannot read `nowhere.json`: No such file or directory (os error 2)\n",
        );
    });
    suite.on_emulator("what_is_stored_may_be_no_state_at_all", &[], |server| {
        let case = Case::new(server);
        case.place.put_state("default", "hunter2 is no state");
        case.sandbox.write("new.json", state(4));
        case.expect(
            case.remote_state("push new.json"),
            1,
            "",
            "error: what is stored at `s3://BUCKET/KEY` is not a Terraform state: it is not a \
             JSON object\n  size      19 bytes\n  modified  [..] UTC\n\nhint: look at it with \
             `remote-state pull`; to replace it all the same, pass `--force`\n",
        );
        // The state to repair does not match its digest, so `pull` refuses it.
        case.run(case.remote_state("push new.json --repair-digest"))
            .code(1)
            .says(" pull --ignore-digest`; to replace it all the same, pass `--force`\n");
        case.run(case.remote_state("push new.json --force")).code(0);
    });
}

fn not_following(suite: &mut Suite) {
    let refusals = [
        (
            "a_lower_serial_is_refused",
            state(2),
            "its serial 2 is lower than the stored serial 3: it is an older state".to_owned(),
            "",
        ),
        (
            "another_lineage_is_refused",
            state(4).replace("11111111-", "99999999-"),
            format!(
                "its lineage `{}` is not the stored lineage `{LINEAGE}`: it is another state",
                LINEAGE.replace("11111111-", "99999999-")
            ),
            "",
        ),
        (
            "the_same_serial_with_other_bytes_is_refused",
            state(3).replace("line 2", "line two"),
            "its serial 3 is the stored serial, but its content differs: someone else wrote in \
             between"
                .to_owned(),
            "hint: if it is the stored state with changes of yours, raise its `serial` and push \
             it again\n",
        ),
    ];
    for (name, new, reason, hint) in refusals {
        suite.on_each_server(name, &[], move |server| {
            let case = Case::stored(server);
            case.sandbox.write("new.json", &new);
            case.expect(
                case.remote_state("push new.json"),
                5,
                "",
                &format!(
                    "error: `new.json` may not replace the stored state: {reason}\n  stored at  \
                     s3://BUCKET/KEY\n\n{hint}hint: compare the two with `remote-state pull`; to \
                     replace it all the same, pass `--force`\n"
                ),
            );
            assert_eq!(case.place.state("default").expect("it is still there"), state(3));
            case.place.assert_unlocked();
        });
    }
}

fn under_a_lock(suite: &mut Suite) {
    suite.on_each_server("a_push_is_refused_while_another_holds_the_lock", &[], |server| {
        let case = Case::stored(server);
        case.sandbox.write("new.json", state(4));
        let id = case.run(case.remote_state("lock --operation drill")).code(0);
        let id = id.stdout().trim_end();
        case.expect(
            case.remote_state("push new.json"),
            3,
            "",
            &format!(
                "error: state `s3://BUCKET/KEY` is locked\n  held by  [..]@[..] for `drill`, \
                 version [..]\n  since    [..] UTC ([..] s ago)\n  lock     \
                 s3://BUCKET/KEY.tflock\n  lock id  {id}\n\nhint: to wait for it, pass \
                 `--lock-timeout 5m`\nhint: if that run has ended, release it with `remote-state \
                 unlock {id}`\n"
            ),
        );
        assert_eq!(case.place.state("default").expect("it is still there"), state(3));
    });
    suite.on_each_server("a_push_may_use_a_lock_that_is_held_and_leaves_it_held", &[], |server| {
        let case = Case::stored(server);
        case.sandbox.write("new.json", state(4));
        let id = case.run(case.remote_state("lock")).code(0);
        let id = id.stdout().trim_end();
        case.run(case.remote_state("push new.json --lock-id").arg(id)).code(0);
        assert_eq!(case.place.state("default").expect("it is stored"), state(4));
        assert_eq!(case.place.holder("default").expect("it is held").id.as_str(), id);
    });
    suite.on_each_server("a_push_under_a_lock_that_is_not_held_is_refused", &[], |server| {
        let case = Case::stored(server);
        case.sandbox.write("new.json", state(4));
        case.expect(
            case.remote_state("push new.json --lock-id gone"),
            5,
            "",
            "error: the lock `gone` is not held on `s3://BUCKET/KEY`: someone released \
             it\n\nhint: take a new one with `remote-state lock`, after making sure that no client \
             wrote in between\n",
        );
        assert_eq!(case.place.state("default").expect("it is still there"), state(3));
    });
    suite.on_each_server("a_push_under_a_lock_that_another_holds_is_refused", &[], |server| {
        let case = Case::stored(server);
        case.sandbox.write("new.json", state(4));
        case.run(case.remote_state("lock")).code(0);
        case.run(case.remote_state("push new.json --lock-id mine"))
            .code(3)
            .says("is locked with another id")
            .says("held by  ");
        assert_eq!(case.place.state("default").expect("it is still there"), state(3));
    });
    suite.on_each_server("a_push_without_a_lock_configured_warns", &[], |server| {
        let case = Case::stored(server);
        case.sandbox.write("new.json", state(4));
        case.expect(
            case.remote_state("push new.json --backend-config use_lockfile=false"),
            0,
            "",
            "warning: no lock is configured for this state: nothing keeps others from writing at \
             the same time\nwrote serial 4 ([..] bytes) to `s3://BUCKET/KEY`\n",
        );
    });
}

/// Returns an OpenTofu envelope with this serial.
fn envelope(serial: u64, lineage: &str, data: &str) -> String {
    format!(
        "{{\"serial\":{serial},\"lineage\":\"{lineage}\",\"meta\":{{}},\"encrypted_data\":\"\
         {data}\",\"encryption_version\":\"v0\"}}"
    )
}

/// Covers every refusal whose advice, for a plain state, concerns its `serial` or its content.
fn encrypted(suite: &mut Suite) {
    suite.on_each_server(
        "an_encrypted_state_that_does_not_follow_is_for_tofu_to_push",
        &[],
        |server| {
            let case = Case::new(server);
            for (stored, new) in [
                (envelope(3, "l", "YQ=="), envelope(3, "l", "Yg==")),
                (envelope(3, "l", "YQ=="), envelope(2, "l", "YQ==")),
                (envelope(3, "l", "YQ=="), envelope(4, "m", "YQ==")),
                (state(3), envelope(3, LINEAGE, "YQ==")),
            ] {
                case.place.put_state("default", stored.clone());
                let refused = case.run(case.remote_state("push -").stdin(new.as_str())).code(5);
                let refused = refused.says("hint: it is encrypted: use `tofu state push`");
                assert!(!refused.stderr().contains("raise its `serial`"), "{refused}");
                assert_eq!(case.place.state("default").expect("it is still there"), stored);
            }
            case.place.assert_unlocked();
        },
    );
    suite.on_each_server(
        "an_encrypted_state_that_is_stored_is_said_not_to_be_checked",
        &[],
        |server| {
            let case = Case::new(server);
            let warning = "warning: the state is encrypted: what is inside was not checked";
            for (serial, data) in [(1, "YQ=="), (2, "bm8gc3RhdGU="), (7, "")] {
                let new = envelope(serial, "l", data);
                case.run(case.remote_state("push -").stdin(new.as_str())).code(0).says(warning);
                assert_eq!(case.place.state("default").expect("it is stored"), new);
            }
            let plain = case.run(case.remote_state("push - -w plain").stdin(state(1))).code(0);
            assert!(!plain.stderr().contains("encrypted"), "{plain}");
        },
    );
}

/// Breaks the lock while the state is in transit, after every check of the lock. Covers a lock that
/// the command took and one that was held before, gone or another client's by then.
fn broken_lock(suite: &mut Suite) {
    suite.on_each_server("a_push_whose_lock_was_broken_meanwhile_says_so", &[], |server| {
        for (is_given, is_taken, code, says) in [
            (false, false, 5, "was released by someone else before the work was done"),
            (true, false, 5, "was released by someone else before the work was done"),
            (false, true, 3, "the work itself was done"),
            (true, true, 3, "the state was written, but `"),
        ] {
            let case = Case::stored(server);
            case.sandbox.write("new.json", state(4));
            let mut push = case.remote_state("push new.json");
            if is_given {
                let id = case.run(case.remote_state("lock")).code(0);
                push = push.arg("--lock-id").arg(id.stdout().trim_end());
            }
            let (bucket, key) = (case.place.bucket.clone(), case.place.key.clone());
            let is_write = move |line: &str| {
                line.starts_with("PUT ") && line.contains(&key) && !line.contains("tflock")
            };
            let (client, lock) = (server.client().clone(), case.place.lock_key("default"));
            let break_lock = move || {
                let now = "2026-01-02T03:04:05Z".parse().expect("a time");
                let other = LockInfo::new("drill", "b@c", "1", now)
                    .expect("there are random bytes")
                    .to_json();
                let delete = client.delete_object().bucket(&bucket).key(&lock);
                let put =
                    client.put_object().bucket(&bucket).key(&lock).body(other.into_bytes().into());
                block_on(async {
                    drop(delete.send().await.expect("the server deletes it"));
                    if is_taken {
                        drop(put.send().await.expect("the server stores it"));
                    }
                });
            };
            let proxy = Proxy::before(&server.endpoint, is_write, break_lock);
            let push = push.arg(format!("--backend-config=endpoints={{ s3 = {:?} }}", proxy.url));
            let output = case.run(push).code(code).says(says);
            assert!(!output.stderr().contains("wrote serial"), "{output}");
            // Losing the lock could not stop this write.
            assert_eq!(case.place.state("default").expect("it is stored"), state(4));
            assert_eq!(case.place.holder("default").is_some(), is_taken);
        }
    });
}
