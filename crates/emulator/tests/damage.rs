//! A damaged store file makes an error, and never a panic or a hang.

mod common;

use std::path::Path;
use std::time::Duration;

use common::{BUCKET, builder, client};
use remote_state_emulator::Storage;

/// How many damaged files to try.
const VARIANTS: u64 = 150;

/// Long enough for a busy machine: only a hang takes so long.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Numbers that are the same in each run.
struct Numbers(u64);

impl Numbers {
    /// Steps of <https://prng.di.unimi.it/splitmix64.c>.
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((number ^ (number >> 31)) % below as u64) as usize
    }
}

/// A store with objects of all sizes, old versions and gaps.
async fn valid(path: &Path) -> Vec<u8> {
    let emulator = builder().with_storage(Storage::file(path).unwrap()).start().await.unwrap();
    let client = client(&emulator);
    for number in 0..40 {
        let body = vec![b'x'; if number % 10 == 0 { 100_000 } else { 500 * number }];
        let key = format!("k{}", number % 30);
        client.put_object().bucket(BUCKET).key(key).body(body.into()).send().await.unwrap();
    }
    client.delete_object().bucket(BUCKET).key("k3").send().await.unwrap();
    emulator.shutdown().await;
    std::fs::read(path).unwrap()
}

fn damage(bytes: &mut Vec<u8>, numbers: &mut Numbers) {
    // Damages the header most often, and then the pages that are in use.
    let used: Vec<_> =
        (0..bytes.len()).filter(|at| bytes[*at] != 0 && bytes[*at] != b'x').collect();
    for _ in 0..=numbers.next(8) {
        let at = match numbers.next(4) {
            0 => numbers.next(320),
            1 => numbers.next(bytes.len()),
            _ => used[numbers.next(used.len())],
        };
        match numbers.next(5) {
            0 => bytes[at] = 0,
            1 => bytes[at] = 0xff,
            2 => bytes[at] ^= 1 << numbers.next(8),
            3 => {
                let from = numbers.next(bytes.len());
                let length = numbers.next(4096).min(bytes.len() - from).min(bytes.len() - at);
                bytes.copy_within(from..from + length, at);
            }
            _ => bytes[at] = numbers.next(256) as u8,
        }
    }
    if numbers.next(12) == 0 {
        bytes.truncate(numbers.next(bytes.len()));
    }
}

/// Uses a store in every way, and returns the result.
async fn use_up(path: &Path) -> Result<(), String> {
    let storage = Storage::file(path).map_err(|error| error.to_string())?;
    let emulator =
        builder().with_storage(storage).start().await.map_err(|error| format!("start: {error}"))?;
    let client = client(&emulator);
    let mut said = Ok(());
    let list = client.list_objects_v2().bucket(BUCKET).send().await;
    said = said.and(list.map(drop).map_err(|error| format!("{error:?}")));
    for key in ["k0", "k1", "k3", "k7", "k29"] {
        if let Ok(got) = client.get_object().bucket(BUCKET).key(key).send().await {
            drop(got.body.collect().await);
        }
        let put =
            client.put_object().bucket(BUCKET).key(key).body(vec![1; 9000].into()).send().await;
        said = said.and(put.map(drop).map_err(|error| format!("{error:?}")));
        let delete = client.delete_object().bucket(BUCKET).key(key).send().await;
        said = said.and(delete.map(drop).map_err(|error| format!("{error:?}")));
    }
    emulator.shutdown().await;
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_file_is_an_error_and_never_a_panic_or_a_hang() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let intact = valid(&path).await;
    let mut refused = 0;
    for variant in 0..VARIANTS {
        let mut numbers = Numbers(variant);
        let mut bytes = intact.clone();
        damage(&mut bytes, &mut numbers);
        std::fs::write(&path, &bytes).unwrap();
        let used = tokio::spawn({
            let path = path.clone();
            async move { use_up(&path).await }
        });
        let said = tokio::time::timeout(TIMEOUT, used)
            .await
            .unwrap_or_else(|_| panic!("variant {variant} hangs"));
        let said = said.unwrap_or_else(|error| panic!("variant {variant} panics: {error}"));
        if let Err(error) = said {
            refused += 1;
            assert!(!error.contains("DispatchFailure"), "variant {variant}: no answer: {error}");
        }
    }
    assert!(refused > VARIANTS / 4, "{refused} of {VARIANTS} were noticed");
}
