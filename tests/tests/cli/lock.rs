//! `lock`, `unlock`, `locks`.

use remote_state_tests::{Suite, block_on};
use serde_json::json;

use crate::support::{Case, state};

/// The warning on a release, in a process that has not seen how the store replaces objects.
const CAVEAT: &str = "it is not known here how `ENDPOINT` replaces objects: unless the bucket \
                      keeps versions, another release of this lock at the same time could remove \
                      the lock of the next holder\n";

pub(crate) fn tests(suite: &mut Suite) {
    held(suite);
    not_held(suite);
    unreadable(suite);
    unconfigured(suite);
}

fn held(suite: &mut Suite) {
    suite.on_each_server("lock_prints_the_id_alone_and_unlock_frees_it", &[], |server| {
        let case = Case::new(server);
        let output = case.expect(
            case.remote_state("lock --operation drill --info fire"),
            0,
            "[..]-[..]-[..]-[..]-[..]\n",
            "",
        );
        let id = output.stdout().trim_end();
        let holder = case.place.holder("default").expect("it is held");
        assert_eq!(
            (holder.id.as_str(), holder.operation.as_str(), holder.info.as_str()),
            (id, "drill", "fire")
        );
        case.expect(
            case.remote_state("unlock").arg(id),
            0,
            "",
            &format!("{CAVEAT}released the lock of `s3://BUCKET/KEY`\n"),
        );
        case.place.assert_unlocked();
    });
    suite.on_emulator("a_lock_whose_id_cannot_be_told_is_released_again", &[], |server| {
        let case = Case::new(server);
        let shell = case.sandbox.command("sh").server(server).args([
            "-c",
            "shift; \"$@\" >/dev/full",
            "sh",
        ]);
        case.run(shell.then(&case.remote_state("lock")))
            .code(1)
            .says("cannot write to standard output");
        case.place.assert_unlocked();
    });
    suite.on_each_server("locks_lists_who_holds_what", &[], |server| {
        let case = Case::new(server);
        case.expect(case.remote_state("locks"), 0, "", "no lock is held\n");
        assert_eq!(
            case.run(case.remote_state("locks -json")).code(0).json(),
            json!({"version": 1, "locks": []})
        );
        let one = case.run(case.remote_state("lock --json --info fire")).code(0).json();
        case.run(case.remote_state("lock -w dev --operation drill")).code(0);
        let holder = case.place.holder("default").expect("it is held");
        let record = json!({
            "version": 1,
            "workspace": "default",
            "object": format!("s3://{}/{}.tflock", case.place.bucket, case.place.key),
            "id": holder.id.as_str(),
            "operation": "lock",
            "info": "fire",
            "who": holder.who,
            "client_version": holder.version,
            "created": holder.created.to_string(),
            "path": format!("{}/{}", case.place.bucket, case.place.key),
            "being_released": false,
        });
        assert_eq!(one, record);
        let listed = case.run(case.remote_state("locks --json")).code(0).json();
        assert_eq!(listed["locks"][0], record);
        assert_eq!(
            (&listed["locks"][1]["workspace"], &listed["locks"][1]["operation"]),
            (&"dev".into(), &"drill".into())
        );
        case.expect(
            case.remote_state("locks"),
            0,
            "WORKSPACE  LOCK ID [..]WHO [..]OPERATION  TAKEN\ndefault    [..]@[..]lock       [..] \
             s ago\ndev        [..]@[..]drill      [..] s ago\n",
            "",
        );
    });
    suite.on_each_server("a_held_lock_is_waited_for_and_the_wait_is_told", &[], |server| {
        let case = Case::new(server);
        let id = case.run(case.remote_state("lock")).code(0).stdout().trim_end().to_owned();
        let waited = case.run(case.remote_state("lock -lock-timeout=1s")).code(3);
        waited.says("waiting for at most 1 s for the lock `").says("waited   1 s");
        let mut waiting = case.remote_state("lock --lock-timeout 60s").start();
        waiting.wait_for("waiting for at most 60 s for the lock");
        case.run(case.remote_state("unlock").arg(id)).code(0);
        let second = waiting.wait().code(0);
        assert_eq!(
            case.place.holder("default").expect("it is held").id.as_str(),
            second.stdout().trim_end()
        );
    });
    suite.on_each_server("an_id_that_does_not_hold_releases_nothing", &[], |server| {
        let case = Case::new(server);
        let id = case.run(case.remote_state("lock -w dev")).code(0).stdout().trim_end().to_owned();
        case.expect(
            case.remote_state("unlock -w dev not-the-id"),
            3,
            "",
            &format!(
                "error: the lock of `s3://BUCKET/env:/dev/KEY` is not `not-the-id`; it stays \
                 held\n  held by  [..]@[..] for `lock`, version [..]\n  since    [..] UTC ([..] s \
                 ago)\n  lock     s3://BUCKET/env:/dev/KEY.tflock\n  lock id  {id}\n\nhint: if \
                 that run has ended, release it with `remote-state -w dev unlock {id}`\n"
            ),
        );
        case.run(case.remote_state("unlock -w dev --unreadable --yes"))
            .code(3)
            .says("can be read; it stays held");
        assert!(case.place.holder("dev").is_some());
    });
}

fn not_held(suite: &mut Suite) {
    suite.on_each_server("unlock_with_nothing_held_says_so", &[], |server| {
        let case = Case::new(server);
        for words in ["unlock some-id", "unlock --unreadable --yes"] {
            case.expect(
                case.remote_state(words),
                4,
                "",
                "error: no lock is held on `s3://BUCKET/KEY`\n\nhint: see the locks of all \
                 workspaces with `remote-state locks`\n",
            );
        }
        case.run(case.remote_state("unlock")).code(2).says("Usage: remote-state unlock ");
    });
}

fn unreadable(suite: &mut Suite) {
    suite.on_each_server(
        "a_corrupt_lock_file_is_in_the_way_until_it_is_removed_on_purpose",
        &[],
        |server| {
            let case = Case::stored(server);
            let put = |text: &str| {
                let bytes = text.to_owned().into_bytes().into();
                block_on(server.put_object(
                    &case.place.bucket,
                    &case.place.lock_key("default"),
                    bytes,
                ));
            };
            case.sandbox.write("new.json", state(4));
            for text in ["not a lock", "", "{\"ID\":", "[1]"] {
                put(text);
                for words in ["lock", "push new.json"] {
                    case.expect(
                        case.remote_state(words),
                        3,
                        "",
                        "error: state `s3://BUCKET/KEY` is locked\n  held by  unknown: the lock \
                         cannot be read ([..])\n  lock     s3://BUCKET/KEY.tflock\n\nhint: to \
                         wait for it, pass `--lock-timeout 5m`\nhint: if no client is at work, \
                         remove it with `remote-state unlock --unreadable`\n",
                    );
                }
            }
            case.run(case.remote_state("locks")).code(0).mentions("default unreadable: ");
            let json = case.run(case.remote_state("locks --json")).code(0).json();
            assert!(json["locks"][0]["unreadable"].is_string(), "{json}");
            case.expect(
                case.remote_state("unlock some-id"),
                3,
                "",
                "error: the lock of `s3://BUCKET/KEY` is not `some-id`; it stays held\n  held by  \
                 unknown: the lock cannot be read ([..])\n  lock     \
                 s3://BUCKET/KEY.tflock\n\nhint: if no client is at work, remove it with \
                 `remote-state unlock --unreadable`\n",
            );
            case.run(case.remote_state("unlock --unreadable")).code(2).says("pass `--yes`");
            case.expect(
                case.remote_state("unlock --unreadable --yes"),
                0,
                "",
                &format!("{CAVEAT}released the lock of `s3://BUCKET/KEY`\n"),
            );
            case.place.assert_unlocked();
        },
    );
}

fn unconfigured(suite: &mut Suite) {
    suite.on_each_server("without_a_lock_configured_nothing_pretends_to_lock", &[], |server| {
        let case = Case::new(server);
        for words in ["lock", "unlock some-id", "serve --no-auth", "exec -- true"] {
            let (words, rest) = words.split_once(" -- ").unwrap_or((words, ""));
            let mut cmd = case.remote_state(words).arg("--backend-config=use_lockfile=false");
            if !rest.is_empty() {
                cmd = cmd.arg("--").arg(rest);
            }
            case.expect(
                cmd,
                2,
                "",
                "error: no lock is configured for `s3://BUCKET/KEY`\n\nhint: set `use_lockfile = \
                 true` or `dynamodb_table` for every client of this state\nhint: to set \
                 `use_lockfile` for this run, pass `--backend-config use_lockfile=true`\n",
            );
        }
        case.expect(
            case.remote_state("locks --backend-config use_lockfile=false"),
            0,
            "",
            "warning: no lock is configured for this state\nno lock is held\n",
        );
    });
}
