//! State that all requests share.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use axum::http::StatusCode;
use tokio::sync::{mpsc, watch};
use tracing::Instrument as _;

use crate::auth::Gate;
use crate::events::Observer;
use crate::failure::Failure;
use crate::known::Known;
use crate::memory::Memory;
use crate::names::States;
use crate::observe::Telemetry;
use crate::patience::Patience;
use crate::policy::Policy;
use crate::timeouts::Timeouts;
use crate::turns::Turns;

/// State that all requests share.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) states: States,
    pub(crate) gate: Gate,
    pub(crate) policy: Policy,
    pub(crate) observer: Observer,
    pub(crate) patience: Patience,
    pub(crate) max_state_bytes: usize,
    pub(crate) memory: Memory,
    /// The room for long states that arrive.
    pub(crate) disk: Memory,
    pub(crate) timeouts: Timeouts,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) turns: Turns,
    pub(crate) known: Known,
    pub(crate) readiness: tokio::sync::Mutex<Option<(Instant, bool)>>,
    /// Tasks that the server must finish before it ends hold a clone of the sender.
    pub(crate) unfinished: mpsc::WeakSender<()>,
    /// Turns true when the server begins to stop.
    pub(crate) stop: watch::Sender<bool>,
}

impl App {
    /// Runs `work` to its end, even if the client hangs up. The server does not end before it.
    pub(crate) async fn finish<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Failure> {
        let unfinished = self.unfinished.upgrade();
        let work = async move {
            let value = work.await;
            drop(unfinished);
            value
        };
        tokio::spawn(work.in_current_span()).await.map_err(|error| {
            let error = error.to_string();
            tracing::error!(error, "a request was not finished");
            Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "the request was not finished")
        })
    }
}
