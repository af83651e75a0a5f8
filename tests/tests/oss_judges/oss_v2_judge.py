"""Runs one scenario through alibabacloud-oss-v2, the vendor's second Python SDK: `oss_v2_judge.py v1|v4 SCENARIO`."""

import os
import sys

import alibabacloud_oss_v2 as oss

REGION = os.environ["REGION"]
PLAIN, VERSIONED, SUSPENDED = (os.environ[name] for name in ["PLAIN", "VERSIONED", "SUSPENDED"])
ODD_KEYS = ["env:/terraform.tfstate", "a b+c~é/st*te!(').tfstate", "a//b", "100%/x%2Fy", "键/状态"]


def client(access_key=None, secret_key=None, token=None, **more):
    config = oss.config.load_default()
    config.endpoint = os.environ["ENDPOINT"]
    config.region = REGION
    config.signature_version = sys.argv[1]
    config.use_path_style = True
    config.retry_max_attempts = 1
    config.credentials_provider = oss.credentials.StaticCredentialsProvider(
        access_key or os.environ["ACCESS_KEY"], secret_key or os.environ["SECRET_KEY"], token)
    for name, value in more.items():
        setattr(config, name, value)
    return oss.Client(config)


def refused(call, status, code):
    try:
        call()
    except oss.exceptions.OperationError as error:
        error = error.unwrap()
        assert isinstance(error, oss.exceptions.ServiceError), error
        assert (error.status_code, error.code) == (status, code), error
        assert error.request_id, error
        return error
    raise AssertionError(f"{code} was expected")


def put(c, bucket, key, body, **more):
    return c.put_object(oss.PutObjectRequest(bucket=bucket, key=key, body=body, **more))


def get(c, bucket, key, **more):
    return c.get_object(oss.GetObjectRequest(bucket=bucket, key=key, **more))


def append(c, bucket, key, position, body):
    return c.append_object(oss.AppendObjectRequest(bucket=bucket, key=key, position=position, body=body))


def delete(c, bucket, key, **more):
    return c.delete_object(oss.DeleteObjectRequest(bucket=bucket, key=key, **more))


def objects_are_put_read_listed_and_deleted():
    c = client()
    for key in ODD_KEYS:
        stored = put(c, PLAIN, key, b"{}\n", content_type="application/json")
        assert stored.hash_crc64 == "4208899406445584739", stored
        got = get(c, PLAIN, key)
        assert got.body.content == b"{}\n" and got.content_type == "application/json"
        head = c.head_object(oss.HeadObjectRequest(bucket=PLAIN, key=key))
        meta = c.get_object_meta(oss.GetObjectMetaRequest(bucket=PLAIN, key=key))
        assert head.content_length == meta.content_length == 3
        assert head.etag == meta.etag == '"8A80554C91D9FCA8ACB82F023DE02F11"', head.etag
        assert c.is_object_exist(PLAIN, key)
    listed = c.list_objects_v2(oss.ListObjectsV2Request(bucket=PLAIN, encoding_type="url"))
    assert [found.key for found in listed.contents] == sorted(ODD_KEYS, key=str.encode)
    for key in ODD_KEYS:
        delete(c, PLAIN, key)
        assert not c.is_object_exist(PLAIN, key)
        refused(lambda: get(c, PLAIN, key), 404, "NoSuchKey")


def a_missing_bucket_is_told_apart_from_a_missing_object():
    c = client()
    refused(lambda: get(c, "nobody-has-this", "k"), 404, "NoSuchBucket")
    refused(lambda: c.head_object(oss.HeadObjectRequest(bucket="nobody-has-this", key="k")), 404, "NoSuchBucket")
    refused(lambda: c.head_object(oss.HeadObjectRequest(bucket=PLAIN, key="k")), 404, "NoSuchKey")
    assert not c.is_bucket_exist("nobody-has-this") and c.is_bucket_exist(PLAIN)


def listings_have_pages_prefixes_and_folders():
    c = client()
    keys = [f"env:/w{n:02}/state" for n in range(30)] + ["env:/state", "other/state"]
    for key in keys:
        put(c, PLAIN, key, b"x")
    pages = c.list_objects_v2_paginator().iter_page(oss.ListObjectsV2Request(bucket=PLAIN, prefix="env:/", max_keys=7))
    below = [found.key for page in pages for found in page.contents]
    assert below == sorted(key for key in keys if key.startswith("env:/"))
    pages = c.list_objects_paginator().iter_page(oss.ListObjectsRequest(bucket=PLAIN, prefix="env:/", max_keys=7))
    assert [found.key for page in pages for found in page.contents] == below
    request = oss.ListObjectsV2Request(bucket=PLAIN, prefix="env:/", delimiter="/", max_keys=10)
    pages = list(c.list_objects_v2_paginator().iter_page(request))
    folders = [found.prefix for page in pages for found in page.common_prefixes or []]
    assert folders == [f"env:/w{n:02}/" for n in range(30)], folders
    assert [found.key for page in pages for found in page.contents or []] == ["env:/state"]


def a_creation_that_forbids_to_overwrite_wins_once():
    c = client()
    put(c, PLAIN, "lock", b"first", forbid_overwrite=True)
    error = refused(lambda: put(c, PLAIN, "lock", b"second", forbid_overwrite=True), 409, "FileAlreadyExists")
    assert error.ec == "0026-00000002", error
    assert get(c, PLAIN, "lock").body.content == b"first"
    for bucket in [VERSIONED, SUSPENDED]:
        put(c, bucket, "lock", b"first", forbid_overwrite=True)
        put(c, bucket, "lock", b"second", forbid_overwrite=True)


def an_append_at_the_beginning_wins_once_and_others_follow():
    c = client()
    for bucket in [PLAIN, VERSIONED, SUSPENDED]:
        assert append(c, bucket, "log", 0, b"1234").next_position == 4
        refused(lambda: append(c, bucket, "log", 0, b"x"), 409, "PositionNotEqualToLength")
        second = append(c, bucket, "log", 4, b"56789")
        assert (second.next_position, second.hash_crc64) == (9, "11051210869376104954")
        delete(c, bucket, "log")
        put(c, bucket, "log", b"normal")
        refused(lambda: append(c, bucket, "log", 0, b"x"), 409, "ObjectNotAppendable")


def versions_are_kept_listed_read_and_deleted():
    c = client()
    bucket = os.environ["FRESH"]
    c.put_bucket(oss.PutBucketRequest(bucket=bucket))
    versioning = lambda: c.get_bucket_versioning(oss.GetBucketVersioningRequest(bucket=bucket)).version_status
    assert not versioning()
    put(c, bucket, "state", b"zero")
    for status in ["Enabled", "Suspended", "Enabled"]:
        c.put_bucket_versioning(oss.PutBucketVersioningRequest(
            bucket=bucket, versioning_configuration=oss.VersioningConfiguration(status=status)))
        assert versioning() == status
    one = put(c, bucket, "state", b"one").version_id
    marker = delete(c, bucket, "state")
    assert marker.delete_marker and marker.version_id
    request = oss.ListObjectVersionsRequest(bucket=bucket, max_keys=2)
    pages = list(c.list_object_versions_paginator().iter_page(request))
    assert [found.version_id for page in pages for found in page.version or []] == [one, "null"]
    markers = [found for page in pages for found in page.delete_marker or []]
    assert [(found.version_id, found.is_latest) for found in markers] == [(marker.version_id, True)]
    assert get(c, bucket, "state", version_id=one).body.content == b"one"
    assert get(c, bucket, "state", version_id="null").body.content == b"zero"
    refused(lambda: get(c, bucket, "state", version_id="missing"), 404, "NoSuchVersion")
    refused(lambda: get(c, bucket, "state", version_id=marker.version_id), 405, "MethodNotAllowed")
    refused(lambda: c.delete_bucket(oss.DeleteBucketRequest(bucket=bucket)), 409, "BucketNotEmpty")
    for version in [marker.version_id, one, "null"]:
        delete(c, bucket, "state", version_id=version)
    c.delete_bucket(oss.DeleteBucketRequest(bucket=bucket))


def reads_heed_ranges_and_conditions():
    c = client()
    etag = put(c, PLAIN, "k", b"0123456789").etag
    assert get(c, PLAIN, "k", range_header="bytes=2-4").body.content == b"234"
    outside = {"range_header": "bytes=20-30"}
    assert get(c, PLAIN, "k", **outside).body.content == b"0123456789"
    refused(lambda: get(c, PLAIN, "k", **outside, range_behavior="standard"), 416, "InvalidRange")
    assert get(c, PLAIN, "k", if_match=etag).body.content == b"0123456789"
    refused(lambda: get(c, PLAIN, "k", if_match='"0"'), 412, "PreconditionFailed")
    try:
        get(c, PLAIN, "k", if_none_match=etag)
        raise AssertionError("a 304 was expected")
    except oss.exceptions.OperationError as error:
        assert error.unwrap().status_code == 304, error


def acl_and_encryption_are_kept():
    c = client()
    stored = put(c, PLAIN, "k", b"x", acl="private", server_side_encryption="AES256")
    assert stored.headers["x-oss-server-side-encryption"] == "AES256"
    acl = lambda: c.get_object_acl(oss.GetObjectAclRequest(bucket=PLAIN, key="k")).acl
    assert acl() == "private"
    c.put_object_acl(oss.PutObjectAclRequest(bucket=PLAIN, key="k", acl="public-read"))
    assert acl() == "public-read"
    head = c.head_object(oss.HeadObjectRequest(bucket=PLAIN, key="k"))
    assert head.server_side_encryption == "AES256"


def a_body_that_is_not_its_digest_is_refused():
    c = client()
    refused(lambda: put(c, PLAIN, "k", b"x", content_md5="1B2M2Y8AsgTpgAmY7PhCfg=="), 400, "InvalidDigest")
    assert not c.is_object_exist(PLAIN, "k")


def buckets_describe_themselves():
    c = client()
    info = c.get_bucket_info(oss.GetBucketInfoRequest(bucket=VERSIONED)).bucket_info
    assert (info.name, info.versioning, info.location) == (VERSIONED, "Enabled", f"oss-{REGION}")
    location = c.get_bucket_location(oss.GetBucketLocationRequest(bucket=VERSIONED)).location
    assert location == f"oss-{REGION}"
    assert VERSIONED in [found.name for found in c.list_buckets(oss.ListBucketsRequest()).buckets]


def only_who_signs_with_the_right_keys_is_let_in():
    key = ("k", b"x")
    refused(lambda: put(client(secret_key="wrong"), PLAIN, *key), 403, "SignatureDoesNotMatch")
    refused(lambda: put(client(access_key="nobody"), PLAIN, *key), 403, "InvalidAccessKeyId")
    temporary = (os.environ["STS_ACCESS_KEY"], os.environ["STS_SECRET_KEY"])
    refused(lambda: put(client(*temporary, None), PLAIN, *key), 403, "InvalidAccessKeyId")
    if sys.argv[1] == "v4":
        put(client(*temporary, os.environ["STS_TOKEN"]), PLAIN, *key)
        put(client(additional_headers=["host", "user-agent"]), PLAIN, *key)
        refused(lambda: put(client(*temporary, "other"), PLAIN, *key), 403, "InvalidSecurityToken")
        refused(lambda: put(client(region="cn-elsewhere"), PLAIN, *key), 400, "InvalidArgument")


globals()[sys.argv[2]]()
