//! Runs a target on inputs until the time is up, and reports failures.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use remote_state_fuzz_targets::Target;

use crate::mutate::{Random, mutated};

/// No input of this size takes this long on any machine, unless the target hangs.
const STUCK: Duration = Duration::from_secs(60);
/// No input of this size needs this much: all targets run in one process.
const MEMORY: u64 = 2 << 30;

thread_local! {
    /// The panics of this thread, if it runs a target.
    static PANICS: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Counts the panics of the threads that run targets. A server catches those of its handlers, so
/// not all of them reach the caller.
pub(crate) fn catch_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| match PANICS.get() {
        Some(count) => {
            PANICS.set(Some(count + 1));
            usual(info);
        }
        None => usual(info),
    }));
}

/// Runs a target on its corpus and mutations of it.
pub(crate) fn drive(target: &Target) {
    let corpus = corpus(target.name);
    let is_long = std::env::var_os("REMOTE_STATE_TEST_LONG").is_some();
    let seed = match std::env::var("REMOTE_STATE_TEST_SEED") {
        Ok(seed) => seed.parse().expect("REMOTE_STATE_TEST_SEED is a number"),
        Err(_) if is_long => {
            let mut bytes = [0; 8];
            getrandom::fill(&mut bytes).expect("random bytes");
            u64::from_le_bytes(bytes)
        }
        Err(_) => 1,
    };
    let time = Duration::from_secs(if is_long { 60 } else { 5 });
    if let Err(found) = run(target, &corpus, seed, time) {
        panic!("{found}");
    }
    let used = peak_memory().unwrap_or_default();
    assert!(used < MEMORY, "{}: {used} bytes of memory were used; seed {seed}", target.name);
}

/// The current attempt.
#[derive(Debug, Default)]
struct Attempt {
    count: u64,
    input: Vec<u8>,
}

/// Runs inputs, those of the corpus first, and returns a description of a failure.
fn run(target: &Target, corpus: &[Vec<u8>], seed: u64, time: Duration) -> Result<(), String> {
    let current = Arc::new(Mutex::new(Attempt::default()));
    let worker = {
        let (current, corpus, run) = (Arc::clone(&current), corpus.to_vec(), target.run);
        std::thread::spawn(move || -> Result<(), ()> {
            PANICS.set(Some(0));
            let (mut random, started) = (Random(seed), Instant::now());
            let mut seeds = corpus.iter();
            loop {
                let input = match seeds.next() {
                    Some(input) => input.clone(),
                    None if started.elapsed() > time => return Ok(()),
                    None => mutated(&corpus, &mut random),
                };
                {
                    let mut current = current.lock().unwrap_or_else(PoisonError::into_inner);
                    current.count += 1;
                    current.input.clone_from(&input);
                }
                let ended = catch_unwind(AssertUnwindSafe(|| run(&input)));
                if ended.is_err() || PANICS.get() != Some(0) {
                    return Err(());
                }
            }
        })
    };
    let (mut seen, mut since) = (0, Instant::now());
    while !worker.is_finished() {
        std::thread::sleep(Duration::from_millis(20));
        let current = current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.count != seen {
            (seen, since) = (current.count, Instant::now());
        } else if since.elapsed() > STUCK {
            return Err(told(target, "is not ready with an input", seed, &current));
        }
    }
    match worker.join() {
        Ok(Ok(())) => Ok(()),
        _ => {
            let current = current.lock().unwrap_or_else(PoisonError::into_inner);
            Err(told(target, "panics", seed, &current))
        }
    }
}

/// Describes a failure, and saves the input.
fn told(target: &Target, what: &str, seed: u64, attempt: &Attempt) -> String {
    let folder = workspace().join("target/fuzz");
    let file = folder.join(format!("{}-{seed}-{}", target.name, attempt.count));
    let kept =
        std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&file, &attempt.input));
    let shown = &attempt.input[..attempt.input.len().min(400)];
    let place = match kept {
        Ok(()) => format!("it is in {}", file.display()),
        Err(error) => format!("it could not be kept: {error}"),
    };
    format!(
        "{} {what}: seed {seed}, attempt {}, {} bytes, {place}: {}",
        target.name,
        attempt.count,
        attempt.input.len(),
        shown.escape_ascii()
    )
}

/// Reads a target's corpus in a fixed order.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = workspace().join("fuzz/corpus").join(name);
    let entries =
        std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("it is there").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} holds nothing to begin with", folder.display());
    files.iter().map(|file| std::fs::read(file).expect("a file of the corpus")).collect()
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns the peak memory of this process, if the system reports it.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

/// The driver must find a failure if there is one.
pub(crate) fn finds_a_panic() {
    fn breaks(bytes: &[u8]) {
        assert!(!bytes.contains(&0), "a zero");
    }
    fn breaks_behind_a_back(bytes: &[u8]) {
        drop(catch_unwind(|| breaks(bytes)));
    }
    for run_target in [breaks, breaks_behind_a_back] {
        let target = Target { name: "driver", run: run_target };
        let found = run(&target, &[b"harmless".to_vec()], 1, Duration::from_secs(60));
        let found = found.expect_err("a zero comes up sooner or later");
        assert!(
            found.starts_with("driver panics: seed 1, attempt ") && found.contains("\\x00"),
            "{found}"
        );
    }
}
