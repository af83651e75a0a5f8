//! Writes of `serve` on stores without conditional updates: on OSS, and on versioned buckets of the
//! Ceph family.
//!
//! Covers every check that `push` makes and a server might skip: of the digest of a state that is
//! too long to verify before passing it on, and of writes between the read and the write.

use std::time::Duration;

use bytes::Bytes;
use remote_state_conformance::HttpTarget;
use remote_state_emulator::{Fault, Gate, Misbehaviour, Quirks};
use remote_state_tests::{Cmd, OssServer, S3Server, Sandbox, Served, Suite, TABLE, block_on};

use tokio::time::timeout;

use crate::{serial_of, state};

/// The time limit for immediate answers of the server.
const PATIENCE: Duration = Duration::from_secs(30);

/// More than is verified before the first byte is passed on.
const LONG_BYTES: usize = 9 << 20;

pub(crate) fn add(suite: &mut Suite) {
    for bucket in [OssServer::PLAIN, OssServer::VERSIONED] {
        suite.test(
            format!("oss::{bucket}::a_long_state_is_verified_before_it_is_replaced"),
            &[],
            move || on_oss(bucket, Digests::Kept, verified),
        );
        suite.test(
            format!("oss::{bucket}::a_write_that_came_in_between_is_kept"),
            &[],
            move || {
                on_oss(bucket, Digests::None, overtaken);
            },
        );
    }
    suite.test("ceph::a_long_state_is_verified_before_it_is_replaced", &[], || {
        on_ceph(Digests::Kept, verified);
    });
    suite.test("ceph::a_write_that_came_in_between_is_kept", &[], || {
        on_ceph(Digests::None, overtaken);
    });
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Digests {
    Kept,
    None,
}

/// A server, and the state that it serves.
struct Case<'a> {
    server: &'a S3Server,
    bucket: &'a str,
    key: &'a str,
    http: HttpTarget,
}

fn on_oss(bucket: &str, digests: Digests, test: impl FnOnce(&Case<'_>)) {
    let (server, sandbox) = (OssServer::emulator(), Sandbox::new());
    let mut pairs = vec![("bucket", bucket), ("region", OssServer::REGION)];
    pairs.push(("endpoint", server.endpoint()));
    if digests == Digests::Kept {
        pairs.extend(server.tablestore());
    }
    let flags = pairs.iter().map(|(key, value)| format!("--backend-config={key}={value}"));
    let ours = sandbox.remote_state().oss_server(&server).arg("--backend=oss").args(flags);
    let served = serve(ours);
    let http = HttpTarget::new(&served.address);
    test(&Case { server: server.as_s3(), bucket, key: "env:/terraform.tfstate", http });
}

fn on_ceph(digests: Digests, test: impl FnOnce(&Case<'_>)) {
    let server = S3Server::emulator_with(|emulator| emulator.with_quirks(Quirks::Ceph));
    let (place, sandbox) =
        (server.place_in("tfstate-versioned").with("dialect", "ceph"), Sandbox::new());
    let place = match digests {
        Digests::Kept => place.with("dynamodb_table", TABLE),
        Digests::None => place,
    };
    let served = serve(sandbox.remote_state().server(&server).args(place.flags()));
    let http = HttpTarget::new(&served.address);
    test(&Case { server: &server, bucket: &place.bucket, key: &place.key, http });
}

fn serve(ours: Cmd) -> Served {
    Served::start(ours.words("serve --listen 127.0.0.1:0 --no-auth"))
}

impl Case<'_> {
    async fn post(&self, state: String) -> u16 {
        self.http.send("POST", "/state/default", Some(Bytes::from(state))).await.status
    }

    async fn put(&self, state: String) {
        self.server.put_object(self.bucket, self.key, Bytes::from(state)).await;
    }

    async fn stored(&self) -> Bytes {
        self.server.get_object(self.bucket, self.key).await.expect("a state is stored")
    }
}

fn long(serial: u64) -> String {
    state(serial) + &" ".repeat(LONG_BYTES)
}

fn verified(case: &Case<'_>) {
    block_on(async {
        assert_eq!(case.post(long(1)).await, 200);
        // Another client writes without recording a digest.
        case.put(long(2)).await;
        assert_eq!(case.post(long(5)).await, 501, "the stored state does not match its digest");
        assert_eq!(serial_of(&case.stored().await), 2);
    });
}

fn overtaken(case: &Case<'_>) {
    block_on(async {
        assert_eq!(case.post(state(1)).await, 200);
        // The server reads the state, and checks it once more before it writes: the test delays
        // that check until the other client has written.
        let (first, second) = (Gate::default(), Gate::default());
        first.open();
        for gate in [&first, &second] {
            let hold = Fault::new(Misbehaviour::Hold(gate.clone()));
            case.server.faults().inject(hold.with_key_suffix("terraform.tfstate").with_times(1));
        }
        let written = case.post(state(2));
        let other = async {
            let looks = async {
                while case.server.faults().count() > 0 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            timeout(PATIENCE, looks).await.expect("the server should look twice");
            case.put(state(7)).await;
            second.open();
        };
        let (status, ()) = tokio::join!(written, other);
        assert_eq!(serial_of(&case.stored().await), 7, "what came in between is kept");
        assert_eq!(status, 409);
    });
}
