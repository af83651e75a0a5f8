//! Requests and signatures of real clients.

use prost::Message as _;

use crate::credentials::Credentials;
use crate::sign::hex;
use crate::tablestore::message::{
    Condition, DescribeTableRequest, GetRowRequest, IfMissing, RowExistence, WriteRowRequest,
};
use crate::tablestore::plain_buffer::{RowKind, Value, encode};
use crate::tablestore::sign::headers_at;

const TABLE: &str = "statelock";
const LOCK: &str = "tfbkt/digchk/terraform.tfstate";
const DIGEST: &str = "tfbkt/digchk/terraform.tfstate-md5";

fn describe() -> Vec<u8> {
    DescribeTableRequest { table_name: TABLE.to_owned() }.encode_to_vec()
}

fn get(id: &str, column: &str) -> Vec<u8> {
    GetRowRequest {
        table_name: TABLE.to_owned(),
        primary_key: encode(("LockID", id), &[], RowKind::Plain),
        columns_to_get: vec!["LockID".to_owned(), column.to_owned()],
        max_versions: Some(1),
    }
    .encode_to_vec()
}

fn write(id: &str, attributes: &[(&str, &str)], kind: RowKind, condition: Condition) -> Vec<u8> {
    let row = encode(("LockID", id), attributes, kind);
    WriteRowRequest { table_name: TABLE.to_owned(), row, condition }.encode_to_vec()
}

#[test]
fn requests_are_those_of_native_clients_byte_for_byte() {
    assert_eq!(hex(&describe()), "0a0973746174656c6f636b");
    assert_eq!(
        hex(&get(DIGEST, "Digest")),
        "0a0973746174656c6f636b124175000000010304060000004c6f636b4944052700000003220000007466626b742f64696763686b2f7465727261666f726d2e746673746174652d6d64350aa809b01a064c6f636b49441a064469676573742801"
    );
    assert_eq!(
        hex(&get(LOCK, "Info")),
        "0a0973746174656c6f636b123d75000000010304060000004c6f636b49440523000000031e0000007466626b742f64696763686b2f7465727261666f726d2e746673746174650a8c094a1a064c6f636b49441a04496e666f2801"
    );
    let digest = [("Digest", "d5697a3779308b26dbe5c32114f4fff3")];
    assert_eq!(
        hex(&write(DIGEST, &digest, RowKind::Plain, Condition::row(RowExistence::Ignore))),
        "0a0973746174656c6f636b127a75000000010304060000004c6f636b4944052700000003220000007466626b742f64696763686b2f7465727261666f726d2e746673746174652d6d64350aa8020304060000004469676573740525000000032000000064353639376133373739333038623236646265356333323131346634666666330ad109b61a020800"
    );
    assert_eq!(
        hex(&write(LOCK, &[], RowKind::Deleted, Condition::row(RowExistence::Ignore))),
        "0a0973746174656c6f636b123e75000000010304060000004c6f636b49440523000000031e0000007466626b742f64696763686b2f7465727261666f726d2e746673746174650a8c08094d1a020800"
    );
}

#[test]
fn a_lock_row_is_that_of_native_clients() {
    let info = "{\"ID\":\"2f78df87-e206-3761-f152-65f1de8dbd10\",\"Operation\":\"\
                OperationTypeApply\",\"Info\":\"\",\"Who\":\"root@vm\",\"Version\":\"1.11.4\",\"\
                Created\":\"2026-11-21T00:24:32.194931025Z\",\"Path\":\"tfbkt/digchk/terraform.\
                tfstate\"}";
    assert_eq!(info.len(), 206);
    let row = encode(("LockID", LOCK), &[("Info", info)], RowKind::Plain);
    assert_eq!(row.len(), 290);
    assert!(row.ends_with(&[0x0a, 0x74, 0x09, 0x07]), "the cell's checksum and the row's");
    let body = write(
        LOCK,
        &[("Info", info)],
        RowKind::Plain,
        Condition::row(RowExistence::ExpectNotExist),
    );
    assert!(hex(&body).starts_with("0a0973746174656c6f636b12a20275000000"));
    assert!(hex(&body).ends_with("1a020802"));
}

#[test]
fn a_condition_on_a_column_is_that_of_the_vendors_client() {
    let plain = Condition::row(RowExistence::ExpectExist);
    let delete = |condition| hex(&write("tfbkt/k", &[], RowKind::Deleted, condition));
    let start = "0a0973746174656c6f636b122775000000010304060000004c6f636b4944050c00000003070000007466626b742f6b0a600809f2";
    assert_eq!(delete(plain.clone()), format!("{start}1a020801"));
    assert_eq!(
        delete(plain.with_column("Info", &Value::string("abc"), IfMissing::Holds)),
        format!("{start}1a1e0801121a0801121608011204496e666f1a08030300000061626320002801")
    );
}

#[test]
fn requests_are_signed_as_real_clients_sign_them() {
    let token = Some("STSTOKEN+/=".to_owned());
    let (describe, deleted) =
        (describe(), write(LOCK, &[], RowKind::Deleted, Condition::row(RowExistence::Ignore)));
    let (native, vendor) = ("2026-11-21T00:24:32.112112Z", "2024-01-02T03:04:05.000Z");
    for (operation, instance, body, date, token, signature) in [
        (
            "DescribeTable",
            "127",
            &describe,
            "2026-11-21T00:01:12.112112Z",
            None,
            "CVPeNmd3A3C5hqaZNvEkbfZQM10=",
        ),
        ("GetRow", "127", &get(LOCK, "Info"), native, None, "J28bIXtr+Bb3ASbBmyMrO5OGVuA="),
        ("DeleteRow", "127", &deleted, native, None, "zqOc0GUjO+K479+eLF1rZrTPX80="),
        ("DescribeTable", "tf-lock", &describe, vendor, None, "64K/QVBLmeLdyug8+QDV9KR7ZXY="),
        ("DescribeTable", "tf-lock", &describe, vendor, token, "Js7m4hFt6db6e9t/Io+Iz6gBn/c="),
    ] {
        let credentials = Credentials::new("AKIDEXAMPLE", "SECRETEXAMPLE", token);
        let headers = headers_at(operation, instance, body, &credentials, date.to_owned());
        assert_eq!(
            headers.last().unwrap(),
            &("x-ots-signature", signature.to_owned()),
            "{operation} {instance}"
        );
    }
}

#[test]
fn times_have_milliseconds() {
    let credentials = Credentials::new("a", "b", None);
    let now = "2024-01-02T03:04:05.0067Z".parse().unwrap();
    let headers = super::sign::headers("GetRow", "i", b"", &credentials, now);
    assert!(
        headers.contains(&("x-ots-date", "2024-01-02T03:04:05.006Z".to_owned())),
        "{headers:?}"
    );
}
