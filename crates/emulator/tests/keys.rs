//! Temporary keys: from STS, for a token of an identity provider, and of an emulated instance.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use remote_state_emulator::{Emulator, EmulatorBuilder, Fault, MetadataMode, Misbehaviour};
use serde_json::Value;
use sha1::Sha1;

const ROLE: &str = "acs:ram::1234567890123456:role/tf";
const PROVIDER: &str = "acs:ram::1234567890123456:oidc-provider/ci";
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

fn builder() -> EmulatorBuilder {
    Emulator::builder()
        .with_credentials("test", "testtest")
        .with_bucket("plain")
        .with_role(ROLE)
        .with_identity_token(PROVIDER, "proof")
}

fn client() -> reqwest::Client {
    // No TLS is used. But where another crate of the build turns it on, a client cannot be made
    // without a provider for it.
    let _already_there = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

fn now(format: &str) -> String {
    jiff::Timestamp::now().strftime(format).to_string()
}

fn mac(secret: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    BASE64.encode(mac.finalize().into_bytes())
}

/// Calls with a form, and returns the status and the answer. Without a secret the call is not
/// signed.
async fn call(emulator: &Emulator, secret: Option<&str>, own: &[(&str, &str)]) -> (u16, Value) {
    let time = now("%Y-%m-%dT%H:%M:%SZ");
    let mut all = vec![
        ("AccessKeyId", "test"),
        ("Format", "JSON"),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureNonce", "once"),
        ("SignatureVersion", "1.0"),
        ("Timestamp", &*time),
        ("Version", "2015-04-01"),
    ];
    all.retain(|(name, _)| !own.iter().any(|(other, _)| other == name));
    all.extend(own);
    all.sort_unstable();
    let form: Vec<String> =
        all.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    let mut form = form.join("&");
    if let Some(secret) = secret {
        let signature = mac(&format!("{secret}&"), &format!("POST&%2F&{}", encode(&form)));
        form.push_str(&format!("&Signature={}", encode(&signature)));
    }
    let request = client()
        .post(format!("{}/", emulator.endpoint()))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

/// Requests a bucket from OSS with issued keys, and returns the answer.
async fn list(emulator: &Emulator, keys: &Value) -> String {
    let text = |name: &str| keys[name].as_str().unwrap().to_owned();
    let (date, token) = (now("%a, %d %b %Y %H:%M:%S GMT"), text("SecurityToken"));
    let signed = format!("GET\n\n\n{date}\nx-oss-security-token:{token}\n/plain/");
    let signature = mac(&text("AccessKeySecret"), &signed);
    let request = client()
        .get(format!("{}/plain/", emulator.endpoint()))
        .header("date", date)
        .header("x-oss-security-token", token)
        .header("authorization", format!("OSS {}:{signature}", text("AccessKeyId")));
    request.send().await.unwrap().text().await.unwrap()
}

const ASSUME: [(&str, &str); 3] =
    [("Action", "AssumeRole"), ("RoleArn", ROLE), ("RoleSessionName", "session")];

#[tokio::test]
async fn the_keys_of_a_role_open_oss() {
    let emulator = builder().start().await.unwrap();
    let (status, said) = call(&emulator, Some("testtest"), &ASSUME).await;
    assert_eq!(status, 200, "{said}");
    assert_eq!(said["AssumedRoleUser"]["Arn"], format!("{ROLE}/session"));
    assert!(list(&emulator, &said["Credentials"]).await.contains("<ListBucketResult>"));
    let mut other = said["Credentials"].clone();
    other["SecurityToken"] = "other".into();
    assert!(list(&emulator, &other).await.contains("<Code>InvalidSecurityToken</Code>"));
}

#[tokio::test]
async fn keys_last_as_long_as_they_say() {
    let emulator = builder().with_session_lifetime(Duration::ZERO).start().await.unwrap();
    let (_, said) = call(&emulator, Some("testtest"), &ASSUME).await;
    let ends: jiff::Timestamp =
        said["Credentials"]["Expiration"].as_str().unwrap().parse().unwrap();
    assert!(ends <= jiff::Timestamp::now());
    assert!(
        list(&emulator, &said["Credentials"]).await.contains("<Code>SecurityTokenExpired</Code>")
    );
}

#[tokio::test]
async fn a_token_of_an_identity_provider_opens_a_role_without_a_signature() {
    let emulator = builder().start().await.unwrap();
    let ask = |token: &'static str| {
        [
            ("Action", "AssumeRoleWithOIDC"),
            ("OIDCProviderArn", PROVIDER),
            ("OIDCToken", token),
            ("RoleArn", ROLE),
            ("RoleSessionName", "session"),
        ]
    };
    let (status, said) = call(&emulator, None, &ask("proof")).await;
    assert_eq!(status, 200, "{said}");
    assert!(list(&emulator, &said["Credentials"]).await.contains("<ListBucketResult>"));
    let (status, said) = call(&emulator, None, &ask("other")).await;
    assert_eq!((status, &said["Code"]), (400, &"AuthenticationFail.OIDCToken.Invalid".into()));
}

#[tokio::test]
async fn sts_refuses_each_call_for_its_own_reason() {
    let emulator = builder().start().await.unwrap();
    let with = |name: &'static str, value: &'static str| {
        let mut own = ASSUME.to_vec();
        own.retain(|(other, _)| *other != name);
        own.push((name, value));
        own
    };
    for (secret, own, status, code) in [
        (Some("wrong"), ASSUME.to_vec(), 400, "SignatureDoesNotMatch"),
        (None, ASSUME.to_vec(), 400, "MissingSignature"),
        (Some("testtest"), with("AccessKeyId", "unknown"), 404, "InvalidAccessKeyId.NotFound"),
        (Some("testtest"), with("RoleArn", "acs:ram::1:role/other"), 404, "EntityNotExist.Role"),
        (Some("testtest"), with("RoleSessionName", "a b"), 400, "InvalidParameter.RoleSessionName"),
        (Some("testtest"), with("DurationSeconds", "899"), 400, "InvalidParameter.DurationSeconds"),
        (
            Some("testtest"),
            with("Timestamp", "2024-01-02T03:04:05Z"),
            400,
            "InvalidTimeStamp.Expired",
        ),
        (Some("testtest"), with("Action", "Other"), 404, "InvalidAction.NotFound"),
    ] {
        let (found, said) = call(&emulator, secret, &own).await;
        assert_eq!((found, &said["Code"]), (status, &code.into()), "{said}");
    }
    let fault = Fault::new(Misbehaviour::slow_down()).with_operation("AssumeRole").with_times(1);
    emulator.faults().inject(fault);
    assert_eq!(call(&emulator, Some("testtest"), &ASSUME).await.0, 503);
}

#[tokio::test]
async fn the_location_of_every_region_is_here_and_callers_learn_their_identity() {
    let emulator = builder().start().await.unwrap();
    let own = [("Action", "DescribeEndpoints"), ("Version", "2015-06-12"), ("Id", "cn-beijing")];
    let (_, said) = call(&emulator, Some("testtest"), &own).await;
    assert_eq!(said["Endpoints"]["Endpoint"][0]["Endpoint"], emulator.address().to_string());
    let (_, said) = call(&emulator, Some("testtest"), &[("Action", "GetCallerIdentity")]).await;
    assert_eq!(said["Arn"], "acs:ram::1234567890123456:user/test");
}

#[tokio::test]
async fn an_instance_gives_its_roles_keys_out_as_its_mode_says() {
    for (mode, token_status, bare_status) in [
        (MetadataMode::Normal, 200, 200),
        (MetadataMode::Hardened, 200, 403),
        (MetadataMode::Old, 404, 200),
    ] {
        let emulator = builder().with_instance_role("ecs-role", mode).start().await.unwrap();
        let url = |path: &str| format!("{}/latest/{path}", emulator.endpoint());
        let roles = url("meta-data/ram/security-credentials/");
        let ttl = "x-aliyun-ecs-metadata-token-ttl-seconds";
        let token = client().put(url("api/token")).header(ttl, "21600").send().await.unwrap();
        assert_eq!(token.status(), token_status, "{mode:?}");
        let bare = client().get(format!("{roles}ecs-role")).send().await.unwrap();
        assert_eq!(bare.status(), bare_status, "{mode:?}");
        if mode == MetadataMode::Old {
            continue;
        }
        let token = token.text().await.unwrap();
        let get =
            |url: String| client().get(url).header("x-aliyun-ecs-metadata-token", &token).send();
        assert_eq!(get(roles.clone()).await.unwrap().text().await.unwrap(), "ecs-role");
        let keys = get(format!("{roles}ecs-role")).await.unwrap().text().await.unwrap();
        let keys: Value = serde_json::from_str(&keys).unwrap();
        assert_eq!(keys["Code"], "Success");
        assert!(list(&emulator, &keys).await.contains("<ListBucketResult>"));
        assert_eq!(get(format!("{roles}other")).await.unwrap().status(), 404);
    }
    let none = builder().start().await.unwrap();
    let url = format!("{}/latest/meta-data/ram/security-credentials/", none.endpoint());
    assert_eq!(client().get(url).send().await.unwrap().status(), 404);
}
