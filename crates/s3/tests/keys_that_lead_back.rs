//! State keys with a part `..`, as Terragrunt makes them of a folder that lies outside: the state
//! of `default` is where native clients have it, under the unchanged key.
//!
//! Of the same kind are `.` parts, the lock file and the lock item beside such a state, and every
//! program that forwards requests and could normalise the path: none of this project's does.
//! Another program that does is noticed, since the signature covers the path.

mod common;

#[path = "common/raw.rs"]
mod raw;

use std::sync::Arc;

use bytes::Bytes;
use common::wire::recorder;
use common::{BUCKET, TABLE, emulator, opened, store};
use remote_state_core::config::Setting;
use remote_state_core::{
    ErrorKind, LockInfo, LockTarget, ReadOptions, StateStore, StateStoreExt as _, Workspace,
    WriteMode,
};

const KEYS: [&str; 4] =
    ["../../../home/me/layers/terraform.tfstate", "a/../b", "a/..", "./a/./../../b"];
const STATE: &[u8] = br#"{"version":4,"serial":1,"lineage":"l","outputs":{},"resources":[]}"#;

fn info() -> LockInfo {
    LockInfo::new("test", "me@here", "1", jiff::Timestamp::UNIX_EPOCH).unwrap()
}

fn asking(pairs: &[(&str, &str)]) -> Arc<dyn StateStore> {
    let always = [
        ("bucket", BUCKET),
        ("region", "us-east-1"),
        ("access_key", "test"),
        ("secret_key", "testtest"),
        ("use_lockfile", "true"),
        ("max_retries", "1"),
    ];
    opened(always.iter().chain(pairs).map(|(name, value)| (*name, Setting::from(*value))))
}

#[tokio::test]
async fn path_of_such_a_key_is_sent_as_it_stands() {
    for key in KEYS {
        for is_path_style in ["true", "false"] {
            for is_proxied in [false, true] {
                if is_path_style == "false" && !is_proxied {
                    // A host name for each bucket needs a name that resolves.
                    continue;
                }
                let (address, asked) = recorder().await;
                let itself = format!("http://{address}");
                let endpoint = if is_proxied { "http://s3.store.test" } else { &itself };
                let mut pairs =
                    vec![("key", key), ("endpoint", endpoint), ("use_path_style", is_path_style)];
                if is_proxied {
                    pairs.push(("http_proxy", &itself));
                }
                let store = asking(&pairs);
                let here = Workspace::default();
                assert!(store.read(&here, &ReadOptions::default()).await.unwrap().is_none());
                drop(store.acquire(&here, &info()).await);
                let place = match (is_path_style, is_proxied) {
                    ("true", false) => "/tfstate/",
                    ("true", true) => "http://s3.store.test/tfstate/",
                    _ => "http://tfstate.s3.store.test/",
                };
                let asked = std::mem::take(&mut *asked.lock().unwrap());
                let get = format!("GET {place}{key}?");
                assert!(asked[0].starts_with(&get), "{get}: {asked:?}");
                let put = format!("PUT {place}{key}.tflock?");
                assert!(asked.iter().any(|line| line.starts_with(&put)), "{put}: {asked:?}");
            }
        }
    }
}

#[tokio::test]
async fn state_of_default_is_read_locked_and_written_where_it_is() {
    for key in KEYS {
        let emulator = emulator().await;
        let raw = raw::client(&emulator);
        let put = raw.put_object().bucket(BUCKET).key(key).body(Bytes::from_static(STATE).into());
        drop(put.send().await.expect("the state is stored"));
        let store =
            store(&emulator, &[("key", key), ("dynamodb_table", TABLE), ("dialect", "aws")]);
        let here = Workspace::default();
        assert_eq!(store.location(&here).path, format!("{BUCKET}/{key}"));
        assert_eq!(store.read_bytes(&here).await.unwrap().unwrap().bytes, STATE, "{key}");
        let held = store.acquire(&here, &info()).await.unwrap();
        drop(
            store
                .write(&here, Bytes::from_static(b"{}").into(), &WriteMode::Overwrite.into())
                .await
                .unwrap(),
        );
        drop(store.release(&here, &LockTarget::Id(held.id)).await.unwrap());
        let get = raw.get_object().bucket(BUCKET).key(key).send().await.expect("it is there");
        assert_eq!(get.body.collect().await.unwrap().into_bytes().as_ref(), b"{}", "{key}");
        let listed = raw.list_objects_v2().bucket(BUCKET).send().await.unwrap();
        let listed: Vec<_> = listed.contents().iter().filter_map(|object| object.key()).collect();
        assert_eq!(listed, [key], "nothing else was written");
    }
}

#[tokio::test]
async fn no_workspace_is_made_below_such_a_key_and_one_that_is_there_is_read() {
    for key in KEYS {
        let emulator = emulator().await;
        let store = store(&emulator, &[("key", key), ("dialect", "aws")]);
        let dev = Workspace::new("dev").unwrap();
        for mode in [WriteMode::Create, WriteMode::Overwrite] {
            let error = store
                .write(&dev, Bytes::from_static(STATE).into(), &mode.into())
                .await
                .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConfigInvalid, "{key}: {error}");
            assert!(
                error.to_string().contains("`dev`") && error.to_string().contains("`..`"),
                "{error}"
            );
        }
        // A native client stores the state under the rest of the key.
        let place = store.location(&dev).state.replace(&format!("s3://{BUCKET}/"), "");
        let put = raw::client(&emulator).put_object().bucket(BUCKET).key(&place);
        drop(put.body(Bytes::from_static(STATE).into()).send().await.expect("the state is stored"));
        assert_eq!(store.read_bytes(&dev).await.unwrap().unwrap().bytes, STATE, "{key}");
    }
}

#[tokio::test]
async fn such_a_key_cannot_be_asked_for_by_its_name() {
    let emulator = emulator().await;
    for key in KEYS {
        let error = store(&emulator, &[]).with_state_key(key).unwrap_err();
        assert!(error.to_string().contains("`..`"), "{key}: {error}");
        let below = store(&emulator, &[("key", key)]);
        assert!(below.admit(&Workspace::default()).is_ok());
        let error = below.admit(&Workspace::new("dev").unwrap()).unwrap_err();
        assert!(error.to_string().contains("`..`"), "{key}: {error}");
    }
}
