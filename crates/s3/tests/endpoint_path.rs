//! Endpoints with a path: the path is a prefix of every request, of whatever kind and however the
//! request names the bucket.
//!
//! Of the same kind are the endpoints of DynamoDB and STS, with and without a slash at the end, and
//! every request besides the ordinary ones: listings, versions, parts of an upload, the lock file.

mod common;

use std::sync::Arc;

use common::opened;
use common::wire::recorder;
use futures_util::StreamExt as _;
use remote_state_core::config::Setting;
use remote_state_core::{LockInfo, ReadOptions, StateStore, Workspace, WriteMode};

async fn requests_of_everything(store: &Arc<dyn StateStore>) {
    let here = Workspace::default();
    let info = LockInfo::new("test", "me@here", "1", jiff::Timestamp::UNIX_EPOCH).unwrap();
    drop(store.read(&here, &ReadOptions::default()).await);
    drop(
        store
            .write(&here, bytes::Bytes::from_static(b"{}").into(), &WriteMode::Overwrite.into())
            .await,
    );
    drop(store.delete(&here).await);
    drop(store.acquire(&here, &info).await);
    drop(store.inspect(&here).await);
    drop(store.workspaces().next().await);
    drop(store.versions(&here).next().await);
}

fn store(pairs: &[(&str, &str)]) -> Arc<dyn StateStore> {
    let always = [
        ("bucket", "tfstate"),
        ("key", "a/terraform.tfstate"),
        ("region", "us-east-1"),
        ("access_key", "test"),
        ("secret_key", "testtest"),
        ("use_lockfile", "true"),
        ("max_retries", "1"),
    ];
    opened(always.iter().chain(pairs).map(|(name, value)| (*name, Setting::from(*value))))
}

#[tokio::test]
async fn the_path_of_the_endpoint_comes_before_the_bucket() {
    for path in ["/storage/v1/s3", "/storage/v1/s3/", "/a", "/a%20b/c/"] {
        let (address, asked) = recorder().await;
        let endpoint = format!("http://{address}{path}");
        requests_of_everything(&store(&[("endpoint", &endpoint), ("use_path_style", "true")]))
            .await;
        let asked = std::mem::take(&mut *asked.lock().unwrap());
        assert!(asked.len() >= 7, "{path}: {asked:?}");
        let begin = format!(" {}/tfstate", path.trim_end_matches('/'));
        for line in asked {
            let (_, rest) = line.split_once(&begin).unwrap_or_else(|| panic!("{path}: {line}"));
            assert!(rest.starts_with(['/', '?', ' ']), "{path}: {line}");
        }
    }
}

#[tokio::test]
async fn the_path_of_the_endpoint_comes_before_the_key_where_the_host_names_the_bucket() {
    for path in ["", "/", "/storage/v1/s3", "/storage/v1/s3/"] {
        let (address, asked) = recorder().await;
        let (endpoint, proxy) =
            (format!("http://s3.store.test{path}"), format!("http://{address}"));
        let store =
            store(&[("endpoint", &endpoint), ("use_path_style", "false"), ("http_proxy", &proxy)]);
        requests_of_everything(&store).await;
        let asked = std::mem::take(&mut *asked.lock().unwrap());
        assert!(asked.len() >= 7, "{path}: {asked:?}");
        let begin = format!(" http://tfstate.s3.store.test{}/", path.trim_end_matches('/'));
        for line in asked {
            let (_, rest) = line.split_once(&begin).unwrap_or_else(|| panic!("{path}: {line}"));
            assert!(rest.starts_with(['a', '?', ' ']), "{path}: {line}");
        }
    }
}

#[tokio::test]
async fn the_path_of_a_tables_endpoint_is_kept() {
    for path in ["", "/", "/dynamodb", "/v1/dynamodb/"] {
        let (address, asked) = recorder().await;
        let table = format!("http://{address}{path}");
        let store = store(&[
            ("endpoint", "http://127.0.0.1:1"),
            ("dynamodb_endpoint", &table),
            ("dynamodb_table", "locks"),
            ("use_lockfile", "false"),
        ]);
        drop(store.inspect(&Workspace::default()).await);
        let asked = std::mem::take(&mut *asked.lock().unwrap());
        let line = asked.first().unwrap_or_else(|| panic!("{path}: nothing was asked"));
        let wanted = format!("POST {}/ HTTP/1.1", path.trim_end_matches('/'));
        assert!(line == &wanted, "{path}: {line}");
    }
}
