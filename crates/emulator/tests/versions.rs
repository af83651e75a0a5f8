//! Buckets, versions and listings.

mod common;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    BucketVersioningStatus, Delete, EncodingType, ObjectIdentifier, VersioningConfiguration,
};
use common::{BUCKET, code, start, start_versioned};

async fn put(client: &Client, key: &str, text: &str) -> Option<String> {
    let body = text.as_bytes().to_vec().into();
    client.put_object().bucket(BUCKET).key(key).body(body).send().await.unwrap().version_id
}

async fn set(client: &Client, status: BucketVersioningStatus) {
    let configuration = VersioningConfiguration::builder().status(status).build();
    let request =
        client.put_bucket_versioning().bucket(BUCKET).versioning_configuration(configuration);
    request.send().await.unwrap();
}

#[tokio::test]
async fn buckets_are_created_listed_and_deleted_when_empty() {
    let (_emulator, client) = start().await;
    client.create_bucket().bucket("other").send().await.unwrap();
    assert_eq!(
        code(client.create_bucket().bucket("other").send().await),
        "BucketAlreadyOwnedByYou"
    );
    let names: Vec<_> = client
        .list_buckets()
        .send()
        .await
        .unwrap()
        .buckets()
        .iter()
        .map(|b| b.name().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["other", BUCKET]);
    client.head_bucket().bucket("other").send().await.unwrap();
    client.get_bucket_location().bucket("other").send().await.unwrap();
    put(&client, "k", "1").await;
    assert_eq!(code(client.delete_bucket().bucket(BUCKET).send().await), "BucketNotEmpty");
    client.delete_bucket().bucket("other").send().await.unwrap();
    assert!(client.head_bucket().bucket("other").send().await.is_err());
}

#[tokio::test]
async fn versions_are_kept_hidden_by_a_marker_and_deleted_one_by_one() {
    let (_emulator, client) = start_versioned().await;
    let first = put(&client, "k", "1").await.unwrap();
    let second = put(&client, "k", "2").await.unwrap();
    assert_ne!(first, second);
    let marker = client.delete_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert_eq!(marker.delete_marker(), Some(true));
    assert_eq!(code(client.get_object().bucket(BUCKET).key("k").send().await), "NoSuchKey");
    let old = client.get_object().bucket(BUCKET).key("k").version_id(&first).send().await.unwrap();
    assert_eq!(old.version_id(), Some(first.as_str()));
    assert_eq!(old.body.collect().await.unwrap().to_vec(), b"1");
    let id = marker.version_id().unwrap();
    let of_marker = client.get_object().bucket(BUCKET).key("k").version_id(id).send().await;
    assert_eq!(code(of_marker), "MethodNotAllowed");

    let listed = client.list_object_versions().bucket(BUCKET).send().await.unwrap();
    let shown: Vec<_> = listed
        .versions()
        .iter()
        .map(|v| (v.version_id().unwrap(), v.is_latest().unwrap()))
        .collect();
    assert_eq!(shown, [(second.as_str(), false), (first.as_str(), false)]);
    assert_eq!(listed.delete_markers()[0].is_latest(), Some(true));

    let undone =
        client.delete_object().bucket(BUCKET).key("k").version_id(id).send().await.unwrap();
    assert_eq!(undone.delete_marker(), Some(true));
    let current = client.get_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert_eq!(current.version_id(), Some(second.as_str()));
}

#[tokio::test]
async fn a_key_behind_a_delete_marker_can_be_created_again() {
    let (_emulator, client) = start_versioned().await;
    let create = || client.put_object().bucket(BUCKET).key("k").if_none_match("*").send();
    create().await.unwrap();
    assert_eq!(code(create().await), "PreconditionFailed");
    client.delete_object().bucket(BUCKET).key("k").send().await.unwrap();
    create().await.unwrap();
    assert_eq!(code(create().await), "PreconditionFailed");
}

#[tokio::test]
async fn suspended_versioning_overwrites_the_null_version_and_keeps_the_others() {
    let (_emulator, client) = start().await;
    assert_eq!(client.get_bucket_versioning().bucket(BUCKET).send().await.unwrap().status(), None);
    put(&client, "k", "before").await;
    set(&client, BucketVersioningStatus::Enabled).await;
    let kept = put(&client, "k", "enabled").await.unwrap();
    set(&client, BucketVersioningStatus::Suspended).await;
    let status = client.get_bucket_versioning().bucket(BUCKET).send().await.unwrap().status;
    assert_eq!(status, Some(BucketVersioningStatus::Suspended));
    put(&client, "k", "suspended").await;
    let ids: Vec<_> = client
        .list_object_versions()
        .bucket(BUCKET)
        .send()
        .await
        .unwrap()
        .versions()
        .iter()
        .map(|version| version.version_id().unwrap().to_owned())
        .collect();
    assert_eq!(ids, ["null".to_owned(), kept]);
    client.delete_object().bucket(BUCKET).key("k").send().await.unwrap();
    let listed = client.list_object_versions().bucket(BUCKET).send().await.unwrap();
    assert_eq!(listed.versions().len(), 1);
    assert_eq!(listed.delete_markers()[0].version_id(), Some("null"));
}

#[tokio::test]
async fn version_pages_join_without_gap_or_overlap() {
    let (_emulator, client) = start_versioned().await;
    for key in ["a", "b", "c", "other"] {
        for text in ["1", "2", "3"] {
            put(&client, key, text).await;
        }
    }
    client.delete_object().bucket(BUCKET).key("b").send().await.unwrap();
    let (mut key, mut id, mut seen) = (None, None, Vec::new());
    loop {
        let list = client.list_object_versions().bucket(BUCKET).prefix("").max_keys(2);
        let page = list.set_key_marker(key).set_version_id_marker(id).send().await.unwrap();
        assert!(page.versions().len() + page.delete_markers().len() <= 2);
        seen.extend(
            page.versions().iter().map(|v| (v.key().unwrap().to_owned(), v.is_latest().unwrap())),
        );
        seen.extend(
            page.delete_markers()
                .iter()
                .map(|v| (v.key().unwrap().to_owned(), v.is_latest().unwrap())),
        );
        if page.is_truncated() != Some(true) {
            break;
        }
        (key, id) = (page.next_key_marker, page.next_version_id_marker);
    }
    assert_eq!(seen.len(), 13);
    assert_eq!(seen.iter().filter(|(_, latest)| *latest).count(), 4);
    let only = client.list_object_versions().bucket(BUCKET).prefix("o").send().await.unwrap();
    assert_eq!(only.versions().len(), 3);
}

#[tokio::test]
async fn listings_have_at_most_a_thousand_keys_and_go_on_with_a_token() {
    let (emulator, client) = start().await;
    drop(emulator.requests().take());
    for number in 0..1105 {
        put(&client, &format!("k{number:04}"), "").await;
    }
    assert_eq!(emulator.requests().count(), 1105);
    let first = client.list_objects_v2().bucket(BUCKET).max_keys(5000).send().await.unwrap();
    assert_eq!((first.contents().len(), first.is_truncated()), (1000, Some(true)));
    let token = first.next_continuation_token().unwrap();
    let second =
        client.list_objects_v2().bucket(BUCKET).continuation_token(token).send().await.unwrap();
    assert_eq!((second.contents().len(), second.is_truncated()), (105, Some(false)));
    assert_eq!(second.contents()[0].key(), Some("k1000"));
    let after = client.list_objects_v2().bucket(BUCKET).start_after("k1100").send().await.unwrap();
    assert_eq!(after.contents().len(), 4);
    let old = client.list_objects().bucket(BUCKET).marker("k1100").send().await.unwrap();
    assert_eq!(old.contents().len(), 4);
}

#[tokio::test]
async fn a_delimiter_folds_keys_once_each_over_all_pages() {
    let (_emulator, client) = start().await;
    for key in ["env:/a/1", "env:/a/2", "env:/b/1", "env:/c", "env:/d/1", "zz"] {
        put(&client, key, "").await;
    }
    let (mut token, mut seen) = (None, Vec::new());
    loop {
        let list =
            client.list_objects_v2().bucket(BUCKET).prefix("env:/").delimiter("/").max_keys(1);
        let page = list.set_continuation_token(token).send().await.unwrap();
        assert_eq!(page.key_count(), Some(1));
        seen.extend(page.common_prefixes().iter().map(|p| p.prefix().unwrap().to_owned()));
        seen.extend(page.contents().iter().map(|o| o.key().unwrap().to_owned()));
        if page.is_truncated() != Some(true) {
            break;
        }
        token = page.next_continuation_token;
    }
    assert_eq!(seen, ["env:/a/", "env:/b/", "env:/c", "env:/d/"]);
    let old = client
        .list_objects()
        .bucket(BUCKET)
        .prefix("env:/")
        .delimiter("/")
        .max_keys(1)
        .send()
        .await
        .unwrap();
    assert_eq!(old.next_marker(), Some("env:/a/"));
    let next = client
        .list_objects()
        .bucket(BUCKET)
        .prefix("env:/")
        .delimiter("/")
        .marker("env:/a/")
        .send()
        .await;
    assert_eq!(next.unwrap().common_prefixes()[0].prefix(), Some("env:/b/"));
}

#[tokio::test]
async fn names_are_encoded_on_request() {
    let (_emulator, client) = start().await;
    put(&client, "a b/ü+", "").await;
    let listed = client
        .list_objects_v2()
        .bucket(BUCKET)
        .encoding_type(EncodingType::Url)
        .send()
        .await
        .unwrap();
    assert_eq!(listed.contents()[0].key(), Some("a%20b/%C3%BC%2B"));
}

#[tokio::test]
async fn many_objects_are_deleted_at_once() {
    let (_emulator, client) = start().await;
    put(&client, "a", "").await;
    put(&client, "b", "").await;
    let object = |key: &str| ObjectIdentifier::builder().key(key).build().unwrap();
    let delete = Delete::builder().objects(object("a")).objects(object("none")).build().unwrap();
    let deleted = client.delete_objects().bucket(BUCKET).delete(delete).send().await.unwrap();
    assert_eq!((deleted.deleted().len(), deleted.errors().len()), (2, 0));
    let left = client.list_objects_v2().bucket(BUCKET).send().await.unwrap();
    assert_eq!(left.contents()[0].key(), Some("b"));
}

/// As measured on a real gateway, see `Quirks::Ceph`.
#[tokio::test]
async fn with_cephs_quirks_conditions_are_decided_as_by_a_real_gateway() {
    use common::{builder, client};
    use remote_state_emulator::Quirks;
    let emulator = builder()
        .with_versioned_bucket("versioned")
        .with_quirks(Quirks::Ceph)
        .start()
        .await
        .unwrap();
    let client = client(&emulator);
    let put = |bucket: &str, body: &str| {
        client.put_object().bucket(bucket).key("k").body(body.as_bytes().to_vec().into())
    };

    let first = put(BUCKET, "1").if_none_match("*").send().await.unwrap();
    assert_eq!(first.version_id(), None);
    assert_eq!(code(put(BUCKET, "2").if_none_match("*").send().await), "PreconditionFailed");
    let quoted = first.e_tag().unwrap();
    assert_eq!(code(put(BUCKET, "2").if_match(quoted).send().await), "PreconditionFailed");
    put(BUCKET, "2").if_match(quoted.trim_matches('"')).send().await.unwrap();
    assert_eq!(code(put(BUCKET, "3").if_match("0000").send().await), "PreconditionFailed");
    client.delete_object().bucket(BUCKET).key("k").if_match("\"0000\"").send().await.unwrap();
    assert_eq!(code(put(BUCKET, "3").if_match("0000").send().await), "PreconditionFailed");

    let older = put("versioned", "1").if_none_match("*").send().await.unwrap();
    let newer = put("versioned", "2").if_none_match("*").send().await.unwrap();
    assert!(older.version_id().is_some() && newer.version_id() != older.version_id());
    let bare = newer.e_tag().unwrap().trim_matches('"');
    assert_eq!(code(put("versioned", "3").if_match(bare).send().await), "PreconditionFailed");

    set(&client, BucketVersioningStatus::Suspended).await;
    assert_eq!(put(BUCKET, "1").if_none_match("*").send().await.unwrap().version_id(), None);
    let read = client.get_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert_eq!(read.version_id(), None);
    client.delete_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert_eq!(code(client.get_object().bucket(BUCKET).key("k").send().await), "NoSuchKey");
    assert_eq!(code(put(BUCKET, "2").if_none_match("*").send().await), "PreconditionFailed");
    client.delete_object().bucket(BUCKET).key("k").version_id("null").send().await.unwrap();
    put(BUCKET, "2").if_none_match("*").send().await.unwrap();
}

/// The test reads the order from the document: the vendor's client separates the two kinds.
#[tokio::test]
async fn versions_and_delete_markers_are_listed_in_one_order() {
    let (emulator, client) = start_versioned().await;
    put(&client, "k", "1").await;
    client.delete_object().bucket(BUCKET).key("k").send().await.unwrap();
    put(&client, "k", "2").await;
    put(&client, "k2", "3").await;
    drop(emulator.requests().take());

    let seen = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let request = client.list_object_versions().bucket(BUCKET);
    let answer = request.customize().interceptor(Document(seen.clone())).send().await.unwrap();
    assert_eq!((answer.versions().len(), answer.delete_markers().len()), (3, 1));
    let document = seen.lock().unwrap().clone();
    let kinds: Vec<_> = document
        .split('<')
        .filter_map(|tag| tag.split_once('>'))
        .filter(|(name, _)| ["Version", "DeleteMarker"].contains(name))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(kinds, ["Version", "DeleteMarker", "Version", "Version"]);
}

/// Keeps the document of an answer.
#[derive(Debug)]
struct Document(std::sync::Arc<std::sync::Mutex<String>>);

impl aws_sdk_s3::config::Intercept for Document {
    fn name(&self) -> &'static str {
        "document"
    }

    fn read_after_deserialization(
        &self,
        context: &aws_sdk_s3::config::interceptors::AfterDeserializationInterceptorContextRef<'_>,
        _: &aws_sdk_s3::config::RuntimeComponents,
        _: &mut aws_sdk_s3::config::ConfigBag,
    ) -> Result<(), aws_sdk_s3::error::BoxError> {
        let bytes = context.response().body().bytes().expect("the document was read");
        *self.0.lock().unwrap() = String::from_utf8(bytes.to_vec())?;
        Ok(())
    }
}
