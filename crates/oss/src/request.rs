//! Sends one request: signed, in time, and again if the outcome is open.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use remote_state_core::config::ResolvedConfig;
use remote_state_core::provider::ProxyFailed;
use remote_state_core::{ErrorKind, Result};
use reqwest::{Method, Response};
use tokio::sync::OnceCell;
use tokio::time::{sleep, timeout};

use crate::body::read;
use crate::clock::Clock;
use crate::config::{EndpointChoice, OssConfig};
use crate::credentials::{Provider, Surroundings, choose};
use crate::endpoint::Endpoint;
use crate::endpoint_lookup;
use crate::error::{About, Failure, Outcome, Refusal};
use crate::http::{Http, answer_timeout};
use crate::layout::object_url;
use crate::payload::{Broken, METADATA, Payload};
use crate::sign::{Query, SignatureVersion, Signer, Unsigned};

/// The maximum length of a document that is read whole, in bytes: a page of a listing.
const MOST_TEXT_BYTES: usize = 16 << 20;

/// The maximum length of an error document, in bytes.
const MOST_ERROR_BYTES: usize = 64 << 10;

/// The first and the longest pause before a request is repeated.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Whether to repeat a request whose answer does not decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// As often as is configured, without telling the caller.
    AsConfigured,
    /// Never: the caller checks the store before it sends the request again.
    Never,
}

/// Whether the store may have carried out an attempt before the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Doubt {
    #[default]
    None,
    Some,
}

impl Doubt {
    /// Records an attempt that is repeated.
    pub(crate) fn note(&mut self, failure: &Failure) {
        if failure.outcome == Outcome::Unknown {
            *self = Self::Some;
        }
    }

    /// Combines the outcomes of all attempts, given the last one: if that one had no effect, an
    /// earlier one may have had.
    pub(crate) fn settle(self, last: Failure) -> Failure {
        let did_nothing =
            matches!(last.outcome, Outcome::Conflict | Outcome::Refused | Outcome::Unsent);
        let outcome =
            if self == Self::Some && did_nothing { Outcome::Unknown } else { last.outcome };
        Failure { outcome, ..last }
    }
}

/// How the body of an answer is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reads {
    /// A long body, which the caller reads.
    Stream,
    /// A document, read with the answer: the request is repeated if the document breaks off.
    Text,
}

/// A request to the bucket.
#[derive(Clone, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) operation: &'static str,
    pub(crate) method: Method,
    pub(crate) key: Option<&'a str>,
    pub(crate) query: Query,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) payload: Option<&'a Payload>,
    pub(crate) reads: Reads,
    pub(crate) repeat: Repeat,
}

impl<'a> Call<'a> {
    pub(crate) fn new(operation: &'static str, method: Method, key: Option<&'a str>) -> Self {
        Self {
            operation,
            method,
            key,
            query: Vec::new(),
            headers: Vec::new(),
            payload: None,
            reads: Reads::Text,
            repeat: Repeat::AsConfigured,
        }
    }
}

/// A successful answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) response: Response,
    /// The body, if it is read with the answer.
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// Returns the object's metadata, without the prefix of the headers.
    pub(crate) fn metadata(&self) -> impl Iterator<Item = (&str, &str)> {
        self.response.headers().iter().filter_map(|(name, value)| {
            Some((name.as_str().strip_prefix(METADATA)?, value.to_str().ok()?))
        })
    }
}

/// Sends requests to one bucket.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    pub(crate) http: Http,
    pub(crate) clock: Clock,
    pub(crate) credentials: Provider,
    settings: Arc<Settings>,
}

#[derive(Debug)]
struct Settings {
    bucket: String,
    region: String,
    store: String,
    choice: EndpointChoice,
    /// The bucket's endpoint, once it is known.
    endpoint: OnceCell<Endpoint>,
    version: SignatureVersion,
    max_retries: usize,
    config: Arc<ResolvedConfig>,
    credentials: String,
}

/// An attempt that failed.
struct Failed {
    failure: Failure,
    /// The same request may succeed in a moment.
    is_passing: bool,
    /// The service's clock, if ours is wrong.
    service_time: Option<String>,
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self { failure, is_passing: false, service_time: None }
    }
}

impl Sender {
    /// # Errors
    /// Those of choosing credentials.
    pub(crate) fn new(config: &OssConfig) -> Result<Self> {
        let http = Http::new(config.proxies.clone());
        let clock = Clock::default();
        let source = choose(&config.credentials)?;
        let credentials = source.to_string();
        let surroundings = Surroundings { http: http.clone(), clock: clock.clone() };
        let store = match &config.endpoint {
            EndpointChoice::Known(endpoint) => format!("`{endpoint}`"),
            EndpointChoice::Asked { region, .. } => format!("OSS in `{region}`"),
        };
        Ok(Self {
            http,
            clock,
            credentials: Provider::new(source, surroundings),
            settings: Arc::new(Settings {
                bucket: config.bucket.clone(),
                region: config.region.clone().unwrap_or_default(),
                store,
                choice: config.endpoint.clone(),
                endpoint: OnceCell::new(),
                version: config.signature_version,
                max_retries: config.max_retries,
                config: config.resolved.clone(),
                credentials,
            }),
        })
    }

    pub(crate) fn bucket(&self) -> &str {
        &self.settings.bucket
    }

    /// Returns the store's name for messages.
    pub(crate) fn store(&self) -> &str {
        &self.settings.store
    }

    /// Returns the name of the credentials' source for messages.
    pub(crate) fn credentials_source(&self) -> &str {
        &self.settings.credentials
    }

    pub(crate) fn about<'a>(&'a self, operation: &'static str, object: &'a str) -> About<'a> {
        let Settings { bucket, store, credentials, config, .. } = &*self.settings;
        About { operation, object, bucket, store, credentials, config }
    }

    /// Returns whether the bucket is known to be in the vendor's own service. With a location
    /// service, that is known only after its answer.
    pub(crate) fn is_public(&self) -> bool {
        match &self.settings.choice {
            EndpointChoice::Known(endpoint) => endpoint.is_public,
            EndpointChoice::Asked { .. } => {
                self.settings.endpoint.get().is_some_and(|endpoint| endpoint.is_public)
            }
        }
    }

    /// Returns the bucket's endpoint.
    pub(crate) async fn endpoint(&self, operation: &'static str) -> Result<&Endpoint> {
        let find = async || match &self.settings.choice {
            EndpointChoice::Known(endpoint) => Ok(endpoint.clone()),
            EndpointChoice::Asked { service, region, style } => {
                endpoint_lookup::endpoint(self, operation, service, region, *style).await
            }
        };
        self.settings.endpoint.get_or_try_init(find).await
    }

    /// Sends a request until there is a decisive answer, or no attempt is left.
    pub(crate) async fn send(&self, call: &Call<'_>) -> Result<Answer, Failure> {
        let retries = match call.repeat {
            Repeat::AsConfigured => self.settings.max_retries,
            Repeat::Never => 0,
        };
        let mut pauses = pauses(retries);
        let mut has_followed_clock = false;
        let mut doubt = Doubt::default();
        loop {
            let Failed { failure, is_passing, service_time } = match self.attempt(call).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            // The service refused before it did anything: with the right time it is another
            // request.
            if let Some(time) = service_time
                && !has_followed_clock
                && self.clock.follow(&time)
            {
                has_followed_clock = true;
                continue;
            }
            let pause = if is_passing { pauses.next() } else { None };
            let Some(pause) = pause else { return Err(doubt.settle(failure)) };
            tracing::debug!(error = failure.error.to_string(), ?pause, "the request is repeated");
            doubt.note(&failure);
            sleep(pause).await;
        }
    }

    async fn attempt(&self, call: &Call<'_>) -> Result<Answer, Failed> {
        let object = object_url(self.bucket(), call.key.unwrap_or_default());
        let about = self.about(call.operation, &object);
        let nothing_sent = |error| Failed::from(Failure { outcome: Outcome::Refused, error });
        let endpoint = self.endpoint(call.operation).await.map_err(nothing_sent)?;
        let credentials = self.credentials.credentials().await.map_err(nothing_sent)?;
        let mut headers: Vec<(&str, String)> = call.headers.clone();
        if let Some(payload) = call.payload {
            let metadata = payload.metadata().iter();
            headers.extend(metadata.map(|(name, value)| (&**name, value.clone())));
            headers.push(("content-type", "application/json".to_owned()));
            headers.push(("content-md5", BASE64.encode(payload.md5)));
        }
        let signer = Signer {
            version: self.settings.version,
            region: &self.settings.region,
            credentials: &credentials,
            now: self.clock.now(),
        };
        headers.extend(signer.sign(Unsigned {
            method: call.method.as_str(),
            bucket: self.bucket(),
            key: call.key,
            query: &call.query,
            headers: &headers,
        }));
        let url = endpoint.url(self.bucket(), call.key, &call.query);
        let by_proxy = |failed: ProxyFailed| {
            let outcome = if failed.is_unsent { Outcome::Unsent } else { Outcome::Unknown };
            Failure { outcome, error: failed.explain(about.error(failed.kind, &failed.fault)) }
        };
        let client = self.http.client(&url).map_err(by_proxy)?;
        let mut request = client.request(call.method.clone(), &url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let size_bytes = call.payload.map_or(0, Payload::size_bytes);
        let mut broken = Broken::default();
        if let Some(payload) = call.payload {
            let (body, tells) = payload.body();
            request = request.header("content-length", size_bytes).body(body);
            broken = tells;
        }
        let passing = |failure| Failed { failure, is_passing: true, service_time: None };
        let failed_by_proxy = |failed: ProxyFailed| {
            let is_passing = failed.is_passing();
            Failed { is_passing, ..by_proxy(failed).into() }
        };
        let mut response = match timeout(answer_timeout(size_bytes), request.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) if error.is_builder() => {
                return Err(Failure {
                    outcome: Outcome::Refused,
                    error: about.error(ErrorKind::Unexpected, "the request could not be made"),
                }
                .into());
            }
            Ok(Err(error)) => {
                // The body was incomplete, so the service did nothing with it.
                let failed = || match self.http.proxy_failed(&url, &error) {
                    Some(failed) => failed_by_proxy(failed),
                    None => passing(about.unreachable(&error)),
                };
                return Err(broken.take().map_or_else(failed, nothing_sent));
            }
            Err(_) => return Err(passing(about.timed_out())),
        };
        let status = response.status();
        if status.is_success() {
            let text = match call.reads {
                Reads::Stream => Vec::new(),
                Reads::Text => read(&mut response, MOST_TEXT_BYTES).await.map_err(|reason| {
                    passing(Failure {
                        outcome: Outcome::Unknown,
                        error: about
                            .error(ErrorKind::Unavailable, "the answer broke off")
                            .with_context("because", reason),
                    })
                })?,
            };
            return Ok(Answer { response, text: String::from_utf8_lossy(&text).into_owned() });
        }
        // The status is known even if the body is incomplete.
        let body = read(&mut response, MOST_ERROR_BYTES).await.unwrap_or_default();
        let header = |name: &str| response.headers().get(name)?.to_str().ok();
        let is_services = header("x-oss-request-id").is_some();
        if let Some(failed) = self.http.proxy_answered(&url, status.as_u16(), is_services) {
            return Err(failed_by_proxy(failed));
        }
        let refusal = Refusal::read(status.as_u16(), header, &body);
        Err(Failed {
            failure: refusal.failure(about),
            is_passing: refusal.is_passing(),
            service_time: (refusal.code == "RequestTimeTooSkewed")
                .then(|| header("date").map(str::to_owned))
                .flatten(),
        })
    }
}

/// Returns the pauses before a request is repeated: they double, with jitter so that clients do not
/// retry in step.
pub(crate) fn pauses(retries: usize) -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(FIRST_PAUSE)
        .with_max_delay(LONGEST_PAUSE)
        .with_max_times(retries)
        .with_jitter()
        .build()
}
