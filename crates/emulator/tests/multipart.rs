//! Multipart uploads.

mod common;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedMultipartUpload, CompletedPart,
};
use common::{BUCKET, code, start};

const PART: usize = 5 << 20;

async fn upload(client: &Client, id: &str, number: i32, body: Vec<u8>) -> CompletedPart {
    let part = client
        .upload_part()
        .bucket(BUCKET)
        .key("k")
        .upload_id(id)
        .part_number(number)
        .body(body.into());
    let part = part.send().await.unwrap();
    CompletedPart::builder()
        .part_number(number)
        .set_e_tag(part.e_tag)
        .set_checksum_crc32(part.checksum_crc32)
        .set_checksum_crc64_nvme(part.checksum_crc64_nvme)
        .build()
}

fn of(parts: &[CompletedPart]) -> CompletedMultipartUpload {
    CompletedMultipartUpload::builder().set_parts(Some(parts.to_vec())).build()
}

#[tokio::test]
async fn parts_become_one_object() {
    let (_emulator, client) = start().await;
    let create =
        client.create_multipart_upload().bucket(BUCKET).key("k").content_type("application/json");
    let id = create.send().await.unwrap().upload_id.unwrap();
    upload(&client, &id, 2, vec![9; 10]).await;
    let second = upload(&client, &id, 2, vec![2; 1000]).await;
    let first = upload(&client, &id, 1, vec![1; PART]).await;
    let listed = client.list_parts().bucket(BUCKET).key("k").upload_id(&id).send().await.unwrap();
    assert_eq!(
        listed.parts().iter().map(|part| part.size().unwrap()).collect::<Vec<_>>(),
        [PART as i64, 1000]
    );
    let complete = || client.complete_multipart_upload().bucket(BUCKET).key("k").upload_id(&id);
    let out_of_order =
        complete().multipart_upload(of(&[second.clone(), first.clone()])).send().await;
    assert_eq!(code(out_of_order), "InvalidPartOrder");
    let done = complete()
        .multipart_upload(of(&[first.clone(), second]))
        .if_none_match("*")
        .send()
        .await
        .unwrap();
    assert!(done.e_tag().unwrap().ends_with("-2\""));
    assert_eq!(code(complete().multipart_upload(of(&[first])).send().await), "NoSuchUpload");
    let got = client.get_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert_eq!(got.content_type(), Some("application/json"));
    let bytes = got.body.collect().await.unwrap().to_vec();
    assert_eq!((bytes.len(), bytes[PART - 1], bytes[PART]), (PART + 1000, 1, 2));
    let range = format!("bytes={}-{}", PART - 1, PART);
    let got = client.get_object().bucket(BUCKET).key("k").range(range).send().await.unwrap();
    assert_eq!(got.body.collect().await.unwrap().to_vec(), [1, 2]);
    let got = client.get_object().bucket(BUCKET).key("k").part_number(2).send().await.unwrap();
    assert_eq!((got.parts_count(), got.content_length()), (Some(2), Some(1000)));
}

#[tokio::test]
async fn completing_obeys_conditions() {
    let (_emulator, client) = start().await;
    let etag = client.put_object().bucket(BUCKET).key("k").send().await.unwrap().e_tag.unwrap();
    let id = client
        .create_multipart_upload()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .unwrap()
        .upload_id
        .unwrap();
    let part = upload(&client, &id, 1, vec![1]).await;
    let complete = || {
        client
            .complete_multipart_upload()
            .bucket(BUCKET)
            .key("k")
            .upload_id(&id)
            .multipart_upload(of(std::slice::from_ref(&part)))
    };
    assert_eq!(code(complete().if_none_match("*").send().await), "PreconditionFailed");
    assert_eq!(code(complete().if_match("\"00\"").send().await), "PreconditionFailed");
    complete().if_match(etag).send().await.unwrap();
}

#[tokio::test]
async fn a_small_part_before_the_last_is_refused_and_an_aborted_upload_is_gone() {
    let (_emulator, client) = start().await;
    let id = client
        .create_multipart_upload()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .unwrap()
        .upload_id
        .unwrap();
    let parts = [upload(&client, &id, 1, vec![1]).await, upload(&client, &id, 2, vec![2]).await];
    let complete = client.complete_multipart_upload().bucket(BUCKET).key("k").upload_id(&id);
    assert_eq!(code(complete.multipart_upload(of(&parts)).send().await), "EntityTooSmall");
    let uploads = client.list_multipart_uploads().bucket(BUCKET).send().await.unwrap();
    assert_eq!(uploads.uploads()[0].upload_id(), Some(id.as_str()));
    client.abort_multipart_upload().bucket(BUCKET).key("k").upload_id(&id).send().await.unwrap();
    assert_eq!(
        code(client.list_parts().bucket(BUCKET).key("k").upload_id(&id).send().await),
        "NoSuchUpload"
    );
    client.delete_bucket().bucket(BUCKET).send().await.unwrap();
}

#[tokio::test]
async fn checksums_of_the_whole_are_composite_or_of_all_bytes() {
    let (_emulator, client) = start().await;
    for (algorithm, kind) in [
        (ChecksumAlgorithm::Crc32, ChecksumType::Composite),
        (ChecksumAlgorithm::Crc64Nvme, ChecksumType::FullObject),
    ] {
        let create = client
            .create_multipart_upload()
            .bucket(BUCKET)
            .key("k")
            .checksum_algorithm(algorithm.clone());
        let id = create.checksum_type(kind.clone()).send().await.unwrap().upload_id.unwrap();
        let body = |byte: u8, size: usize| vec![byte; size];
        let mut parts = Vec::new();
        for (number, bytes) in [(1, body(1, PART)), (2, body(2, 5))] {
            let part =
                client.upload_part().bucket(BUCKET).key("k").upload_id(&id).part_number(number);
            let part =
                part.checksum_algorithm(algorithm.clone()).body(bytes.into()).send().await.unwrap();
            parts.push(CompletedPart::builder().part_number(number).set_e_tag(part.e_tag).build());
        }
        let complete = client.complete_multipart_upload().bucket(BUCKET).key("k").upload_id(&id);
        let done = complete.multipart_upload(of(&parts)).send().await.unwrap();
        assert_eq!(done.checksum_type(), Some(&kind));
        assert_eq!(
            done.checksum_crc32().is_some_and(|sum| sum.ends_with("-2")),
            kind == ChecksumType::Composite
        );
        // The client checks the sum of all bytes itself.
        let got = client
            .get_object()
            .bucket(BUCKET)
            .key("k")
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await
            .unwrap();
        assert_eq!(got.body.collect().await.unwrap().to_vec().len(), PART + 5);
    }
}
