//! A client of OSS that signs with version 1.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use remote_state_emulator::{Emulator, EmulatorBuilder};
use sha1::Sha1;

pub(crate) const PLAIN: &str = "plain";
pub(crate) const VERSIONED: &str = "versioned";
pub(crate) const SUSPENDED: &str = "suspended";

pub(crate) fn builder() -> EmulatorBuilder {
    Emulator::builder()
        .with_credentials("test", "testtest")
        .with_bucket(PLAIN)
        .with_versioned_bucket(VERSIONED)
        .with_suspended_bucket(SUSPENDED)
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// Returns the text between the first `<name>` and its end.
    pub(crate) fn element(&self, name: &str) -> &str {
        self.elements(name).first().copied().unwrap_or_default()
    }

    pub(crate) fn elements(&self, name: &str) -> Vec<&str> {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        self.text.split(&open).skip(1).filter_map(|rest| Some(rest.split_once(&close)?.0)).collect()
    }

    /// The status and the error code.
    pub(crate) fn refusal(&self) -> (u16, &str) {
        (self.status, self.element("Code"))
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Oss {
    endpoint: String,
    http: reqwest::Client,
}

impl Oss {
    pub(crate) fn new(emulator: &Emulator) -> Self {
        // No TLS is used. But where another crate of the build turns it on, a client cannot be made
        // without a provider for it.
        let _already_there = rustls::crypto::ring::default_provider().install_default();
        Self { endpoint: emulator.endpoint(), http: reqwest::Client::new() }
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.send("GET", target, &[], "").await
    }

    pub(crate) async fn put(&self, target: &str, body: &str) -> Answer {
        self.send("PUT", target, &[], body).await
    }

    pub(crate) async fn put_new(&self, target: &str, body: &str) -> Answer {
        self.send("PUT", target, &[("x-oss-forbid-overwrite", "true")], body).await
    }

    pub(crate) async fn append(&self, target: &str, position: usize, body: &str) -> Answer {
        self.send("POST", &format!("{target}?append&position={position}"), &[], body).await
    }

    pub(crate) async fn delete(&self, target: &str) -> Answer {
        self.send("DELETE", target, &[], "").await
    }

    /// Sends a request. `target` is a bucket, with or without a key and parameters, that needs no
    /// encoding.
    pub(crate) async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        self.try_send(method, target, headers, body).await.unwrap()
    }

    /// Sends a request with the bucket in the name of the host and not in the path.
    pub(crate) async fn send_to_host(&self, host: &str, method: &str, target: &str) -> Answer {
        self.try_send(method, target, &[("host", host)], "").await.unwrap()
    }

    pub(crate) async fn try_send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> reqwest::Result<Answer> {
        let date = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = if path.contains('/') { format!("/{path}") } else { format!("/{path}/") };
        let named = |name: &str| {
            headers.iter().find(|(found, _)| *found == name).map_or("", |(_, value)| *value)
        };
        let mut oss: Vec<_> =
            headers.iter().filter(|(name, _)| name.starts_with("x-oss-")).collect();
        oss.sort();
        let oss: String =
            oss.into_iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let unsigned = ["prefix", "marker", "max-keys", "delimiter", "encoding-type", "list-type"];
        let later = ["key-marker", "version-id-marker", "fetch-owner", "start-after"];
        let mut signed: Vec<&str> = query
            .split('&')
            .filter(|pair| {
                let name = pair.split('=').next().unwrap_or_default();
                !name.is_empty() && !unsigned.contains(&name) && !later.contains(&name)
            })
            .collect();
        signed.sort_unstable();
        let resource =
            if signed.is_empty() { path.clone() } else { format!("{path}?{}", signed.join("&")) };
        let text = format!(
            "{method}\n{}\n{}\n{date}\n{oss}{resource}",
            named("content-md5"),
            named("content-type")
        );
        let mut mac = Hmac::<Sha1>::new_from_slice(b"testtest").unwrap();
        mac.update(text.as_bytes());
        let signature = BASE64.encode(mac.finalize().into_bytes());
        // With the bucket in the host, the path has only the key. The signed text is the same.
        let sent_path = match path.trim_start_matches('/').split_once('/') {
            Some((_, key)) if !named("host").is_empty() => format!("/{key}"),
            _ => path,
        };
        let query = if query.is_empty() { String::new() } else { format!("?{query}") };
        let mut request = self
            .http
            .request(method.parse().unwrap(), format!("{}{sent_path}{query}", self.endpoint))
            .header("date", date)
            .header("authorization", format!("OSS test:{signature}"))
            .body(body.to_owned());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let headers = answer.headers().iter().map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        let headers = headers.collect();
        Ok(Answer { status, headers, text: answer.text().await? })
    }
}
