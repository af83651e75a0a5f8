//! A line in the log for each request, and counters.

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::fmt::Write as _;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use remote_state_core::StateHeader;
use tracing::Instrument as _;

use crate::action::Action;

/// Facts about a request, for the log: no bodies, no credentials, and no query values other than
/// `ID`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) action: Option<Action>,
    pub(crate) state: Option<String>,
    pub(crate) principal: Option<String>,
    pub(crate) lock_id: Option<String>,
    pub(crate) serial: Option<u64>,
    pub(crate) lineage: Option<String>,
    pub(crate) size_bytes: Option<u64>,
    pub(crate) failure: Option<String>,
}

impl Facts {
    pub(crate) fn set_header(&mut self, header: &StateHeader) {
        self.serial = Some(header.serial.0);
        self.lineage = Some(header.lineage.as_str().to_owned());
    }

    /// Returns whether to log a refusal as a warning: its client may have changed infrastructure
    /// already, and shows no more than a status. A held lock is no reason for a warning.
    fn deserves_a_warning(&self, method: &str, status: StatusCode) -> bool {
        status.is_client_error()
            && match self.action {
                Some(Action::Read | Action::ShowLock) => false,
                Some(Action::Lock) => status != StatusCode::LOCKED,
                Some(Action::Write | Action::Delete | Action::Unlock) => true,
                None => !matches!(method, "GET" | "HEAD"),
            }
    }
}

/// Gives each request an id, and each answer the headers that all have; counts and logs the
/// request.
pub(crate) async fn observe(
    State(telemetry): State<Arc<Telemetry>>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let id = telemetry.request_ids.next();
    let method = label(request.method());
    let span = tracing::info_span!("request", id);
    let mut response = next.run(request).instrument(span).await;
    let status = response.status();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert("x-request-id", id);
    }
    telemetry.metrics.count(method, status);
    // Requests for no state, such as health checks, get no line.
    if let Some(facts) = response.extensions_mut().remove::<Facts>() {
        log(&id, method, status, started, &facts);
    }
    response
}

fn log(id: &str, method: &str, status: StatusCode, started: Instant, facts: &Facts) {
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                request_id = id,
                method,
                state = facts.state.as_deref(),
                principal = facts.principal.as_deref(),
                lock_id = facts.lock_id.as_deref(),
                serial = facts.serial,
                lineage = facts.lineage.as_deref(),
                size_bytes = facts.size_bytes,
                status = status.as_u16(),
                duration_ms,
                failure = facts.failure.as_deref(),
                "request"
            )
        };
    }
    if status.is_server_error() {
        line!(error);
    } else if facts.deserves_a_warning(method, status) {
        line!(warn);
    } else {
        line!(info);
    }
}

/// Returns the label for a method. Clients may send any word, so only known ones become labels.
fn label(method: &Method) -> &'static str {
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "LOCK", "UNLOCK"]
        .into_iter()
        .find(|known| *known == method.as_str())
        .unwrap_or("other")
}

/// The counters of one server.
#[derive(Debug)]
pub(crate) struct Telemetry {
    metrics: Metrics,
    request_ids: RequestIds,
}

impl Telemetry {
    pub(crate) fn new() -> Self {
        Self { metrics: Metrics::default(), request_ids: RequestIds::new() }
    }

    /// Renders the counters in the text format of
    /// <https://prometheus.io/docs/instrumenting/exposition_formats/>.
    pub(crate) fn metrics(&self) -> String {
        self.metrics.render()
    }
}

/// Ids for requests: unique within a process, and unlikely to occur in two.
#[derive(Debug)]
struct RequestIds {
    process: u64,
    count: AtomicU64,
}

impl RequestIds {
    fn new() -> Self {
        Self { process: RandomState::new().build_hasher().finish(), count: AtomicU64::new(1) }
    }

    fn next(&self) -> String {
        format!("{:016x}-{:x}", self.process, self.count.fetch_add(1, Ordering::Relaxed))
    }
}

/// The number of requests by method and status.
#[derive(Debug, Default)]
struct Metrics(Mutex<BTreeMap<(&'static str, u16), u64>>);

impl Metrics {
    fn count(&self, method: &'static str, status: StatusCode) {
        // A panic cannot leave the map half changed.
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((method, status.as_u16())).or_default() += 1;
    }

    fn render(&self) -> String {
        let mut text = String::from(
            "# HELP remote_state_http_requests_total Requests answered, by method and status.\n# \
             TYPE remote_state_http_requests_total counter\n",
        );
        for ((method, status), count) in
            self.0.lock().unwrap_or_else(PoisonError::into_inner).iter()
        {
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "remote_state_http_requests_total{{method=\"{method}\",status=\"{status}\"}} \
                 {count}"
            );
        }
        text
    }
}
