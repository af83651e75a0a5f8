//! A state that another program stored with a checksum of its choice, read directly, and through a
//! proxy that damages it.
//!
//! Related: the lock file and the versions of a state, which the emulator's tests cover.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};

use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_sdk_s3::types::ChecksumAlgorithm;
use remote_state_tests::{S3Server, Sandbox, Setup, Suite, block_on, unique};

const STATE: &str = r#"{"version":4,"serial":1,"lineage":"intact","outputs":{},"resources":[]}"#;

pub(crate) fn add(suite: &mut Suite) {
    let test = "state_that_was_damaged_on_its_way_is_told_by_its_checksum";
    suite.on_setup(Setup::named("s3/minio"), test, &[], damaged);
}

fn damaged(server: &S3Server) {
    let damaging = damaging(&server.endpoint);
    for (algorithm, name) in [
        (Some(ChecksumAlgorithm::Sha256), Some("SHA-256")),
        (Some(ChecksumAlgorithm::Crc64Nvme), Some("CRC64NVME")),
        (Some(ChecksumAlgorithm::Crc32), Some("CRC32")),
        (None, None),
    ] {
        let key = unique("checksum");
        let calculated = match algorithm {
            Some(_) => RequestChecksumCalculation::WhenSupported,
            None => RequestChecksumCalculation::WhenRequired,
        };
        let settings = aws_sdk_s3::config::Builder::new().request_checksum_calculation(calculated);
        let put = server.client().put_object().bucket(&server.bucket).key(&key);
        let put = put.set_checksum_algorithm(algorithm).body(STATE.as_bytes().to_vec().into());
        drop(
            block_on(put.customize().config_override(settings).send())
                .expect("the state is stored"),
        );

        let sandbox = Sandbox::new();
        let place = server.place().with("key", &key);
        let pull = |endpoint: &str| {
            let endpoints = format!("--backend-config=endpoints={{ s3 = {endpoint:?} }}");
            let pull = sandbox.remote_state().server(server).args(place.flags()).arg(endpoints);
            pull.arg("--backend-config=dialect=minio").words("pull").run()
        };
        assert_eq!(pull(&server.endpoint).success().stdout(), STATE);
        let through = pull(&damaging);
        match name {
            Some(name) => {
                let words = format!(
                    "the {name} of the received bytes differs from the one the store recorded"
                );
                drop(through.code(1).says(&words).says(&key));
            }
            // Without a recorded checksum there is nothing to compare.
            None => assert_eq!(through.success().stdout(), STATE.replace("intact", "intacT")),
        }
    }
}

/// Starts a proxy that passes requests on unchanged, and changes a byte in the answers; returns its
/// URL. It runs as long as the process.
fn damaging(endpoint: &str) -> String {
    let server = endpoint.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").expect("the system grants a port");
    let url = format!("http://{}", listener.local_addr().expect("a listener has an address"));
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = server.clone();
            // The client notices a broken connection.
            std::thread::spawn(move || drop(pass(client, &server)));
        }
    });
    url
}

fn pass(client: TcpStream, server: &str) -> std::io::Result<()> {
    let mut upstream = TcpStream::connect(server)?;
    let (mut answers, mut back) = (upstream.try_clone()?, client.try_clone()?);
    let mut requests = client;
    std::thread::spawn(move || {
        drop(std::io::copy(&mut requests, &mut upstream));
        drop(upstream.shutdown(Shutdown::Both));
    });
    let (mut buffer, word) = (vec![0; 1 << 16], b"intact");
    let mut held: Vec<u8> = Vec::new();
    loop {
        let count = answers.read(&mut buffer)?;
        held.extend_from_slice(&buffer[..count]);
        while let Some(at) = held.windows(word.len()).position(|window| window == word) {
            held[at + word.len() - 1] = b'T';
        }
        // The word may be cut in two: its beginning waits for the rest.
        let cut =
            (1..word.len()).rev().find(|length| held.ends_with(&word[..*length])).unwrap_or(0);
        let ready = if count == 0 { held.len() } else { held.len() - cut };
        back.write_all(&held[..ready])?;
        held.drain(..ready);
        if count == 0 {
            return back.shutdown(Shutdown::Both);
        }
    }
}
