//! The shared file: several handles, several processes, sudden death.

mod common;

use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use aws_sdk_s3::Client;
use common::{BUCKET, builder, client, client_of, code};
use remote_state_emulator::{Emulator, Storage};

/// Set in a process in which this binary starts itself: the file to serve.
const CHILD_STORE: &str = "EMULATOR_TEST_STORE";

async fn serve(path: &Path) -> Emulator {
    builder().with_storage(Storage::file(path).unwrap()).start().await.unwrap()
}

/// Not a test: other tests run this in a process of its own. It serves the file, and acknowledges
/// its own writes on stdout, until killed.
#[tokio::test]
#[allow(clippy::print_stdout, reason = "the parent reads it")]
async fn child_process() {
    let Some(path) = std::env::var_os(CHILD_STORE) else { return };
    let emulator = serve(Path::new(&path)).await;
    println!("\nlistens {}", emulator.endpoint());
    let client = client(&emulator);
    for number in 0..100_000 {
        let key = format!("acknowledged/{}/{number}", std::process::id());
        let body = vec![1; if number % 25 == 24 { 1_500_000 } else { 1000 }];
        client.put_object().bucket(BUCKET).key(&key).body(body.into()).send().await.unwrap();
        println!("stored {key}");
    }
}

struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(path: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child_process", "--exact", "--nocapture"])
            .env(CHILD_STORE, path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn next(&mut self, word: &str) -> String {
        loop {
            let line = self.lines.next().expect("the child goes on").unwrap();
            if let Some(rest) = line.strip_prefix(word) {
                return rest.trim().to_owned();
            }
        }
    }

    /// Kills the process as `kill -9` does, and returns the writes that it had acknowledged.
    fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let lines = self.lines.by_ref().map_while(Result::ok);
        lines.filter_map(|line| line.strip_prefix("stored ").map(str::to_owned)).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The process still runs if a test has failed before.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

async fn race(clients: &[Client], runners: usize) -> usize {
    let runs: Vec<_> = (0..runners)
        .map(|number| {
            let client = &clients[number % clients.len()];
            tokio::spawn(
                client.put_object().bucket(BUCKET).key("k.tflock").if_none_match("*").send(),
            )
        })
        .collect();
    let mut winners = 0;
    for run in runs {
        match run.await.unwrap() {
            Ok(_) => winners += 1,
            refused => assert_eq!(code(refused), "PreconditionFailed"),
        }
    }
    winners
}

#[tokio::test]
async fn two_handles_on_one_file_see_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/store.redb");
    let (one, two) = (serve(&path).await, serve(&path).await);
    let clients = [client(&one), client(&two)];
    clients[0]
        .put_object()
        .bucket(BUCKET)
        .key("k")
        .body(vec![3; 5_000_000].into())
        .send()
        .await
        .unwrap();
    let got = clients[1].get_object().bucket(BUCKET).key("k").send().await.unwrap();
    clients[0].delete_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert!(got.body.collect().await.unwrap().to_vec() == vec![3; 5_000_000]);
    assert_eq!(code(clients[1].get_object().bucket(BUCKET).key("k").send().await), "NoSuchKey");
    assert_eq!(race(&clients, 50).await, 1);
}

#[tokio::test]
async fn a_file_keeps_its_buckets_when_the_emulator_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let emulator = serve(&path).await;
    client(&emulator).put_object().bucket(BUCKET).key("k").send().await.unwrap();
    emulator.shutdown().await;
    let emulator = serve(&path).await;
    client(&emulator).head_object().bucket(BUCKET).key("k").send().await.unwrap();
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&path).unwrap());
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn a_file_that_is_something_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, vec![b'x'; 10_000]).unwrap();
    assert!(Storage::file(&path).is_err());
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_is_not_followed() {
    for name in ["store.redb", "store.redb.lock"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.redb");
        let victim = folder.path().join("victim");
        let link = folder.path().join(name);
        std::os::unix::fs::symlink(&victim, &link).unwrap();
        for content in [None, Some("")] {
            if let Some(content) = content {
                std::fs::write(&victim, content).unwrap();
            }
            let error = Storage::file(&path).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("symbolic link"), "{error}");
            assert_eq!(
                std::fs::read(&victim).ok(),
                content.map(|content| content.into()),
                "{name}"
            );
        }
    }
}

#[tokio::test]
async fn processes_share_a_file_and_one_of_them_wins() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let mut processes: Vec<_> = (0..3).map(|_| Process::start(&path)).collect();
    // They write all the while, each to keys of its own.
    let clients: Vec<_> =
        processes.iter_mut().map(|process| client_of(&process.next("listens"))).collect();
    assert_eq!(race(&clients, 30).await, 1);
    let mut acknowledged = Vec::new();
    for process in &mut processes {
        acknowledged.extend((0..5).map(|_| process.next("stored")));
    }
    for process in processes.drain(..) {
        acknowledged.extend(process.kill());
    }
    let emulator = serve(&path).await;
    let client = client(&emulator);
    for key in acknowledged {
        client.head_object().bucket(BUCKET).key(key).send().await.unwrap();
    }
}

#[tokio::test]
async fn acknowledged_writes_survive_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        let mut process = Process::start(&path);
        acknowledged.push(process.next("stored"));
        tokio::time::sleep(std::time::Duration::from_millis(150 + 77 * round)).await;
        acknowledged.extend(process.kill());
    }
    let emulator = serve(&path).await;
    let client = client(&emulator);
    assert!(acknowledged.len() > 3);
    for key in acknowledged {
        let got = client.get_object().bucket(BUCKET).key(&key).send().await.unwrap();
        let length = got.content_length().unwrap();
        assert_eq!(got.body.collect().await.unwrap().to_vec().len() as i64, length, "{key}");
    }
}
