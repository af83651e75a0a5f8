//! Tablestore, with the bytes that Terraform 1.11.4 sends. Suites of the workspace run the vendor's
//! client against it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use remote_state_emulator::{Emulator, EmulatorBuilder, Fault, Misbehaviour, Storage};
use s3s::crypto::{Checksum as _, Md5};
use sha1::Sha1;

/// Describes the table `statelock`.
const DESCRIBE: &str = "0a0973746174656c6f636b";

/// Reads the digest of a state.
const GET: &str = "0a0973746174656c6f636b124175000000010304060000004c6f636b4944052700000003220000007466626b742f64696763686b2f7465727261666f726d2e746673746174652d6d64350aa809b01a064c6f636b49441a064469676573742801";

/// Writes it, whether or not there is one. The last byte is the expectation.
const PUT: &str = "0a0973746174656c6f636b127a75000000010304060000004c6f636b4944052700000003220000007466626b742f64696763686b2f7465727261666f726d2e746673746174652d6d64350aa8020304060000004469676573740525000000032000000064353639376133373739333038623236646265356333323131346634666666330ad109b61a020800";

const DIGEST: &str = "d5697a3779308b26dbe5c32114f4fff3";

fn builder() -> EmulatorBuilder {
    Emulator::builder()
        .with_credentials("test", "testtest")
        .with_tablestore_table("statelock", "LockID")
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// Writes the digest if there is none.
fn put_new() -> Vec<u8> {
    let mut body = bytes(PUT);
    *body.last_mut().unwrap() = 2;
    body
}

/// Sends a request, and returns the status and the body of the answer as text.
async fn send(emulator: &Emulator, operation: &str, body: Vec<u8>) -> (u16, String) {
    try_send(&emulator.endpoint(), operation, body).await.unwrap()
}

async fn try_send(
    endpoint: &str,
    operation: &str,
    body: Vec<u8>,
) -> reqwest::Result<(u16, String)> {
    let date = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string();
    let md5 = BASE64.encode(Md5::checksum(&body));
    let headers = [
        ("x-ots-accesskeyid", "test"),
        ("x-ots-apiversion", "2015-12-31"),
        ("x-ots-contentmd5", &md5),
        ("x-ots-date", &date),
        ("x-ots-instancename", "tf"),
    ];
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let mut mac = Hmac::<Sha1>::new_from_slice(b"testtest").unwrap();
    mac.update(format!("/{operation}\nPOST\n\n{lines}").as_bytes());
    let signature = BASE64.encode(mac.finalize().into_bytes());
    // No TLS is used. But where another crate of the build turns it on, a client cannot be made
    // without a provider for it.
    let _already_there = rustls::crypto::ring::default_provider().install_default();
    let mut request = reqwest::Client::new()
        .post(format!("{endpoint}/{operation}"))
        .header("x-ots-signature", signature)
        .body(body);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let answer = request.send().await?;
    Ok((answer.status().as_u16(), String::from_utf8_lossy(&answer.bytes().await?).into_owned()))
}

#[tokio::test]
async fn a_row_that_must_not_exist_is_put_once() {
    let emulator = builder().start().await.unwrap();
    assert_eq!(send(&emulator, "DescribeTable", bytes(DESCRIBE)).await.0, 200);
    let nothing = send(&emulator, "GetRow", bytes(GET)).await;
    assert!(nothing.0 == 200 && !nothing.1.contains("Digest"), "{nothing:?}");
    assert_eq!(send(&emulator, "PutRow", put_new()).await.0, 200);
    let (status, text) = send(&emulator, "PutRow", put_new()).await;
    assert!(status == 403 && text.contains("OTSConditionCheckFail"), "{status} {text}");
    assert_eq!(send(&emulator, "PutRow", bytes(PUT)).await.0, 200);
    assert!(send(&emulator, "GetRow", bytes(GET)).await.1.contains(DIGEST));
}

#[tokio::test]
async fn of_many_simultaneous_puts_of_a_new_row_one_succeeds() {
    for _ in 0..5 {
        let emulator = builder().start().await.unwrap();
        let attempts = (0..40).map(|_| {
            let endpoint = emulator.endpoint();
            tokio::spawn(async move { try_send(&endpoint, "PutRow", put_new()).await.unwrap().0 })
        });
        let mut winners = 0;
        for attempt in attempts.collect::<Vec<_>>() {
            match attempt.await.unwrap() {
                200 => winners += 1,
                status => assert_eq!(status, 403),
            }
        }
        assert_eq!(winners, 1);
    }
}

#[tokio::test]
async fn rows_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let start =
        || builder().with_storage(Storage::file(folder.path().join("store")).unwrap()).start();
    let emulator = start().await.unwrap();
    send(&emulator, "PutRow", put_new()).await;
    emulator.shutdown().await;
    let emulator = start().await.unwrap();
    assert_eq!(send(&emulator, "PutRow", put_new()).await.0, 403);
    assert!(send(&emulator, "GetRow", bytes(GET)).await.1.contains(DIGEST));
}

#[tokio::test]
async fn what_is_missing_or_unknown_is_named() {
    let emulator = Emulator::builder().with_credentials("test", "testtest").start().await.unwrap();
    for (operation, body) in
        [("DescribeTable", bytes(DESCRIBE)), ("GetRow", bytes(GET)), ("PutRow", bytes(PUT))]
    {
        let (status, text) = send(&emulator, operation, body).await;
        assert!(
            status == 404 && text.contains("OTSObjectNotExist"),
            "{operation}: {status} {text}"
        );
    }
    let (status, text) = send(&emulator, "BatchGetRow", Vec::new()).await;
    assert!(status == 400 && text.contains("OTSUnsupportOperation"), "{status} {text}");
    let (status, text) = send(&emulator, "PutRow", b"no message".to_vec()).await;
    assert!(status == 400 && text.contains("OTSParameterInvalid"), "{status} {text}");
}

#[tokio::test]
async fn a_table_with_another_key_refuses_rows_of_this_one() {
    let builder = Emulator::builder().with_credentials("test", "testtest");
    let emulator = builder.with_tablestore_table("statelock", "Other").start().await.unwrap();
    let (status, text) = send(&emulator, "PutRow", bytes(PUT)).await;
    assert!(status == 400 && text.contains("OTSInvalidPK"), "{status} {text}");
}

#[tokio::test]
async fn faults_choose_rows_by_operation_and_key() {
    let emulator = builder().start().await.unwrap();
    let on_put = |misbehaviour| {
        Fault::new(misbehaviour).with_operation("PutRow").with_key_suffix("-md5").with_times(1)
    };
    emulator.faults().inject(on_put(Misbehaviour::LoseReply));
    assert!(try_send(&emulator.endpoint(), "PutRow", put_new()).await.is_err());
    assert!(send(&emulator, "GetRow", bytes(GET)).await.1.contains(DIGEST));
    emulator.faults().inject(on_put(Misbehaviour::IgnoreConditions));
    assert_eq!(send(&emulator, "PutRow", put_new()).await.0, 200);
    let busy = Misbehaviour::AnswerWithoutWork { status: 503, code: "OTSServerBusy".to_owned() };
    emulator.faults().inject(on_put(busy));
    let (status, text) = send(&emulator, "PutRow", put_new()).await;
    assert!(status == 503 && text.contains("OTSServerBusy"), "{status} {text}");
    let asked = emulator.requests().take();
    let key = "tfbkt/digchk/terraform.tfstate-md5";
    assert!(asked.iter().all(|request| request.key.as_deref() == Some(key)));
    assert_eq!(asked[0].operation.as_deref(), Some("PutRow"));
    assert_eq!(asked[0].bucket.as_deref(), Some("statelock"));
}
