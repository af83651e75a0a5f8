//! Headers of a reply that are not needed: the reply is accepted whatever they hold.
//!
//! Of the same kind are values that are not UTF-8, headers that come twice, headers whose value has
//! another form than the API defines, and headers that the SDK does not know.

mod common;

use common::opened;
use common::wire::read_request;
use remote_state_core::config::Setting;
use remote_state_core::{ReadOptions, Result, StateRead, Workspace};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

const STATE: &str = r#"{"version":4,"serial":1,"lineage":"l"}"#;

/// Reads from a store whose one reply has these headers beside the necessary ones.
async fn read(headers: &'static [u8]) -> Result<Option<StateRead>> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            drop(read_request(&mut client).await);
            let head = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\netag: \"e\"\r\ncontent-length: {}\r\n",
                STATE.len()
            );
            let answer = [head.as_bytes(), headers, b"\r\n", STATE.as_bytes()].concat();
            drop(client.write_all(&answer).await);
        }
    });
    let pairs = [
        ("bucket", "tfstate"),
        ("key", "k"),
        ("region", "us-east-1"),
        ("access_key", "test"),
        ("secret_key", "testtest"),
        ("use_path_style", "true"),
        ("max_retries", "1"),
        ("endpoint", &endpoint),
    ];
    let pairs = pairs.iter().map(|(name, value)| (*name, Setting::from(*value)));
    opened(pairs).read(&Workspace::default(), &ReadOptions::default()).await
}

#[tokio::test]
async fn a_header_that_is_not_needed_does_not_matter() {
    for headers in [
        &b"x-amz-meta-owner: J\xfcrgen\r\n"[..],
        b"content-type: application/json\r\ncontent-type: text/plain\r\n",
        b"cache-control: a\r\ncache-control: b\r\n",
        b"expires: never\r\n",
        b"x-amz-missing-meta: many\r\nx-amz-tagging-count: some\r\nx-amz-mp-parts-count: x\r\n",
        b"last-modified: yesterday\r\n",
        b"x-amz-delete-marker: perhaps\r\n",
        b"x-amz-server-side-encryption-bucket-key-enabled: maybe\r\n",
        b"server: \xff\xfe\r\n",
        b"last-modified: Wed, 21 Oct 2015 07:28:00 GMT\r\n\
          last-modified: Wed, 21 Oct 2015 07:28:00 GMT\r\n",
    ] {
        let shown = String::from_utf8_lossy(headers).into_owned();
        let read = read(headers).await;
        let read = read.unwrap_or_else(|error| panic!("{shown}: {error} {:?}", error.context()));
        let state = read.expect("there is a state").collect().await.unwrap();
        assert_eq!(state.bytes, STATE, "{shown}");
    }
}

#[tokio::test]
async fn a_header_that_counts_is_named_if_it_comes_twice() {
    for headers in [
        &b"etag: \"f\"\r\n"[..],
        b"x-amz-version-id: a\r\nx-amz-version-id: b\r\n",
        b"x-amz-checksum-sha256: a\r\nx-amz-checksum-sha256: b\r\n",
    ] {
        let shown = String::from_utf8_lossy(headers).into_owned();
        let name = shown.split_once(':').unwrap().0;
        let error = read(headers).await.unwrap_err();
        let told = format!("{error} {:?}", error.context());
        assert!(told.contains(&format!("two different headers `{name}`")), "{shown}: {told}");
    }
}
