"""Runs one scenario through oss2, the vendor's first Python SDK: `oss2_judge.py v1|v4 SCENARIO`."""

import os
import sys
import time

import oss2
from oss2.models import BucketVersioningConfig

ENDPOINT = os.environ["ENDPOINT"]
REGION = os.environ["REGION"]
SIGNATURE = sys.argv[1]
ODD_KEYS = ["env:/terraform.tfstate", "a b+c~é/st*te!(').tfstate", "a//b", "100%/x%2Fy", "键/状态"]


def auth(access_key=None, secret_key=None, token=None):
    access_key = access_key or os.environ["ACCESS_KEY"]
    secret_key = secret_key or os.environ["SECRET_KEY"]
    if token:
        return oss2.StsAuth(access_key, secret_key, token, auth_version=SIGNATURE)
    return {"v1": oss2.Auth, "v4": oss2.AuthV4}[SIGNATURE](access_key, secret_key)


def bucket(kind="PLAIN", auth=auth()):
    return oss2.Bucket(auth, ENDPOINT, os.environ[kind], region=REGION)


def refused(call, status, code):
    try:
        call()
    except oss2.exceptions.OssError as error:
        assert (error.status, error.code) == (status, code), error
        assert error.request_id, error
        return error
    raise AssertionError(f"{code} was expected")


def objects_are_put_read_listed_and_deleted():
    b = bucket()
    for key in ODD_KEYS:
        put = b.put_object(key, "{}\n", headers={"Content-Type": "application/json"})
        assert put.status == 200 and put.crc == 4208899406445584739, put.crc
        got = b.get_object(key)
        assert got.read() == b"{}\n" and got.headers["Content-Type"] == "application/json"
        head, meta = b.head_object(key), b.get_object_meta(key)
        assert head.content_length == meta.content_length == 3
        assert head.etag == put.etag == "8A80554C91D9FCA8ACB82F023DE02F11", head.etag
        assert head.object_type == "Normal" and abs(head.last_modified - time.time()) < 60
        assert b.object_exists(key)
    assert [o.key for o in oss2.ObjectIterator(b)] == sorted(ODD_KEYS, key=str.encode)
    for key in ODD_KEYS:
        assert b.delete_object(key).status == 204
        assert not b.object_exists(key)
        refused(lambda: b.get_object(key), 404, "NoSuchKey")
    assert list(oss2.ObjectIteratorV2(b)) == []


def a_missing_bucket_is_told_apart_from_a_missing_object():
    absent = oss2.Bucket(auth(), ENDPOINT, "nobody-has-this", region=REGION)
    refused(lambda: absent.get_object("k"), 404, "NoSuchBucket")
    refused(lambda: absent.list_objects(), 404, "NoSuchBucket")
    refused(lambda: absent.put_object("k", "x"), 404, "NoSuchBucket")


def listings_have_pages_prefixes_and_folders():
    b = bucket()
    keys = [f"env:/w{n:03}/state" for n in range(120)] + ["env:/state", "other/state"]
    for key in keys:
        b.put_object(key, "x")
    page = b.list_objects()
    assert len(page.object_list) == 100 and page.is_truncated and page.next_marker == sorted(keys)[99]
    below = [o.key for o in oss2.ObjectIterator(b, prefix="env:/", max_keys=50)]
    assert below == sorted(key for key in keys if key.startswith("env:/"))
    assert [o.key for o in oss2.ObjectIteratorV2(b, prefix="env:/", max_keys=7)] == below
    folders = list(oss2.ObjectIterator(b, prefix="env:/", delimiter="/", max_keys=10))
    assert [o.key for o in folders if o.is_prefix()] == [f"env:/w{n:03}/" for n in range(120)]
    assert [o.key for o in folders if not o.is_prefix()] == ["env:/state"]
    after = b.list_objects_v2(start_after="env:/w118/state", fetch_owner=True)
    assert [o.key for o in after.object_list] == ["env:/w119/state", "other/state"]
    assert after.object_list[0].owner.id
    refused(lambda: b.list_objects(max_keys=1001), 400, "InvalidArgument")


def a_creation_that_forbids_to_overwrite_wins_once():
    never, versioned = bucket(), bucket("VERSIONED")
    forbid = {"x-oss-forbid-overwrite": "true"}
    never.put_object("lock", "first", headers=forbid)
    error = refused(lambda: never.put_object("lock", "second", headers=forbid), 409, "FileAlreadyExists")
    assert error.details["EC"] == "0026-00000002", error.details
    assert never.get_object("lock").read() == b"first"
    # Where there are versions the header means nothing.
    versioned.put_object("lock", "first", headers=forbid)
    versioned.put_object("lock", "second", headers=forbid)
    assert versioned.get_object("lock").read() == b"second"


def an_append_at_the_beginning_wins_once_and_others_follow():
    for kind in ["PLAIN", "VERSIONED", "SUSPENDED"]:
        b = bucket(kind)
        first = b.append_object("log", 0, b"1234")
        assert first.next_position == 4
        refused(lambda: b.append_object("log", 0, b"x"), 409, "PositionNotEqualToLength")
        second = b.append_object("log", 4, b"56789", init_crc=first.crc)
        assert second.next_position == 9 and second.crc == 11051210869376104954
        assert b.get_object("log").read() == b"123456789"
        assert b.head_object("log").object_type == "Appendable"
        b.delete_object("log")
        assert b.append_object("log", 0, b"again").next_position == 5
        b.put_object("log", b"normal")
        refused(lambda: b.append_object("log", 0, b"x"), 409, "ObjectNotAppendable")


def versions_are_kept_listed_read_and_deleted():
    b = bucket("FRESH")
    b.create_bucket()
    assert b.get_bucket_versioning().status is None
    b.put_object("state", "zero")
    b.put_bucket_versioning(BucketVersioningConfig("Enabled"))
    assert b.get_bucket_versioning().status == "Enabled"
    one = b.put_object("state", "one").versionid
    two = b.put_object("state", "two").versionid
    assert one and two and one != two
    marker = b.delete_object("state")
    assert marker.delete_marker and marker.versionid
    error = refused(lambda: b.get_object("state"), 404, "NoSuchKey")
    assert error.headers["x-oss-delete-marker"] == "true"
    listed = b.list_object_versions(prefix="sta", max_keys=2)
    assert [(m.key, m.versionid, m.is_latest) for m in listed.delete_marker] == [("state", marker.versionid, True)]
    assert [v.versionid for v in listed.versions] == [two] and listed.is_truncated
    rest = b.list_object_versions(
        prefix="sta", key_marker=listed.next_key_marker, versionid_marker=listed.next_versionid_marker)
    assert [v.versionid for v in rest.versions] == [one, "null"] and not rest.is_truncated
    assert b.get_object("state", params={"versionId": one}).read() == b"one"
    assert b.get_object("state", params={"versionId": "null"}).read() == b"zero"
    refused(lambda: b.get_object("state", params={"versionId": marker.versionid}), 405, "MethodNotAllowed")
    b.delete_object("state", params={"versionId": marker.versionid})
    assert b.get_object("state").read() == b"two"
    b.put_bucket_versioning(BucketVersioningConfig("Suspended"))
    assert b.put_object("state", "again").versionid == "null"
    refused(lambda: b.get_object("state", params={"versionId": "missing"}), 404, "NoSuchVersion")
    refused(b.delete_bucket, 409, "BucketNotEmpty")
    for version in b.list_object_versions().versions:
        b.delete_object("state", params={"versionId": version.versionid})
    b.delete_bucket()
    refused(b.get_bucket_versioning, 404, "NoSuchBucket")


def reads_heed_ranges_and_conditions():
    b = bucket()
    etag = b.put_object("k", "0123456789").etag
    assert b.get_object("k", byte_range=(2, 4)).read() == b"234"
    assert b.get_object("k", byte_range=(8, None)).read() == b"89"
    assert b.get_object("k", byte_range=(20, 30)).read() == b"0123456789"
    quoted = f'"{etag}"'
    assert b.get_object("k", headers={"If-Match": quoted}).read() == b"0123456789"
    refused(lambda: b.get_object("k", headers={"If-Match": '"0"'}), 412, "PreconditionFailed")
    try:
        b.get_object("k", headers={"If-None-Match": quoted})
        raise AssertionError("a 304 was expected")
    except oss2.exceptions.NotModified:
        pass


def writes_know_no_conditions():
    b = bucket()
    refused(lambda: b.put_object("k", "x", headers={"If-None-Match": "*"}), 501, "NotImplemented")
    assert not b.object_exists("k")


def acl_and_encryption_are_kept():
    b = bucket()
    headers = {"x-oss-object-acl": "private", "x-oss-server-side-encryption": "AES256", "x-oss-acl": "ignored"}
    assert b.put_object("k", "x", headers=headers).headers["x-oss-server-side-encryption"] == "AES256"
    assert b.get_object_acl("k").acl == "private"
    assert b.head_object("k").headers["x-oss-server-side-encryption"] == "AES256"
    b.put_object_acl("k", oss2.OBJECT_ACL_PUBLIC_READ)
    assert b.get_object_acl("k").acl == "public-read"
    kms = {"x-oss-server-side-encryption": "KMS", "x-oss-server-side-encryption-key-id": "key-1"}
    b.put_object("k", "x", headers=kms)
    assert b.get_object_acl("k").acl == "default"
    assert b.get_object("k").headers["x-oss-server-side-encryption-key-id"] == "key-1"
    odd = {"x-oss-server-side-encryption": "ROT13"}
    refused(lambda: b.put_object("k", "x", headers=odd), 400, "InvalidEncryptionAlgorithmError")


def a_body_that_is_not_its_digest_is_refused():
    b = bucket()
    refused(lambda: b.put_object("k", "x", headers={"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}), 400, "InvalidDigest")
    refused(lambda: b.put_object("k", "x", headers={"Content-MD5": "x"}), 400, "InvalidDigest")
    assert not b.object_exists("k")


def buckets_describe_themselves():
    b = bucket("VERSIONED")
    info = b.get_bucket_info()
    assert (info.name, info.versioning_status, info.acl.grant) == (b.bucket_name, "Enabled", "private")
    assert info.location == b.get_bucket_location().location == f"oss-{REGION}"
    assert info.intranet_endpoint == f"oss-{REGION}-internal.aliyuncs.com"
    assert b.get_bucket_acl().acl == "private"
    service = oss2.Service(auth(), ENDPOINT, region=REGION)
    assert b.bucket_name in [found.name for found in oss2.BucketIterator(service)]


def only_who_signs_with_the_right_keys_is_let_in():
    wrong = bucket(auth=auth(secret_key="wrong"))
    error = refused(lambda: wrong.get_object("k"), 403, "SignatureDoesNotMatch")
    assert error.details["StringToSign"], error.details
    refused(lambda: bucket(auth=auth(access_key="nobody")).get_object("k"), 403, "InvalidAccessKeyId")
    anonymous = oss2.Bucket(oss2.AnonymousAuth(), ENDPOINT, os.environ["PLAIN"])
    refused(lambda: anonymous.put_object("k", "x", headers={"x-oss-object-acl": "private"}), 403, "AccessDenied")
    temporary = (os.environ["STS_ACCESS_KEY"], os.environ["STS_SECRET_KEY"])
    bucket(auth=auth(*temporary, os.environ["STS_TOKEN"])).put_object("k", "x")
    wrong_token = bucket(auth=auth(*temporary, "other"))
    refused(lambda: wrong_token.put_object("k", "x"), 403, "InvalidSecurityToken")
    refused(lambda: bucket(auth=auth(*temporary)).put_object("k", "x"), 403, "InvalidAccessKeyId")


globals()[sys.argv[2]]()
