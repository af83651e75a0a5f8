//! Setting a server up, and running it.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use remote_state_core::{Error, ErrorKind, Result};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use crate::app::App;
use crate::auth::{Auth, Gate};
use crate::crowd::Crowd;
use crate::events::{Event, Observer};
use crate::memory::Memory;
use crate::names::States;
use crate::observe::Telemetry;
use crate::patience::Patience;
use crate::policy::Policy;
use crate::timeouts::Timeouts;
use crate::turns::Turns;
use crate::{connection, routes};

/// The longest state that is accepted unless set otherwise: 64 MiB.
const MAX_STATE_BYTES: usize = 64 << 20;

/// How much of states may be in memory at once unless set otherwise: 512 MiB.
const MAX_HELD_BYTES: usize = 512 << 20;

/// How many connections there may be unless set otherwise: half of the descriptors that most
/// systems give a process.
const MAX_CONNECTIONS: usize = 512;

/// How often the log says that connections have to wait, at most.
const COMPLAINT_PAUSE: Duration = Duration::from_secs(60);

/// Terraform's `http` backend protocol over a state store.
///
/// The server keeps nothing of its own: every state and every lock is in the store, so any number
/// of servers may stand before one store, and native clients beside them.
#[derive(Debug)]
pub struct Server;

impl Server {
    /// Starts to set up a server that offers these states.
    pub fn builder(states: States) -> ServerBuilder {
        ServerBuilder {
            states,
            auth: None,
            policy: Policy::default(),
            observer: Observer::default(),
            patience: Patience::default(),
            max_state_bytes: MAX_STATE_BYTES,
            max_held_bytes: MAX_HELD_BYTES,
            max_connections: MAX_CONNECTIONS,
            timeouts: Timeouts::default(),
        }
    }
}

/// A server that is being set up.
#[derive(Debug)]
#[must_use = "nothing listens until `bind`"]
pub struct ServerBuilder {
    states: States,
    auth: Option<Auth>,
    policy: Policy,
    observer: Observer,
    patience: Patience,
    max_state_bytes: usize,
    max_held_bytes: usize,
    max_connections: usize,
    timeouts: Timeouts,
}

impl ServerBuilder {
    /// Sets what clients must show. There is no default: a server open to everyone has to be asked
    /// for.
    pub fn with_auth(mut self, auth: Auth) -> Self {
        self.auth = Some(auth);
        self
    }

    /// Sets what clients may do.
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets how long a request for a lock waits for one that someone else holds; not at all unless
    /// set.
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// Sets who is told, at once and on the thread that serves the request, what is done and what
    /// is refused. What it is told of is not logged as a warning besides.
    pub fn with_observer(mut self, tell: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        self.observer = Observer::new(tell);
        self
    }

    /// Sets the longest state that is accepted, in bytes; 64 MiB. A longer one is refused with
    /// `413`.
    pub fn with_max_state_bytes(mut self, max_state_bytes: usize) -> Self {
        self.max_state_bytes = max_state_bytes;
        self
    }

    /// Sets how many bytes of states may be in memory at once, over all requests; 512 MiB, and
    /// never less than the longest state that is accepted. What goes beyond is refused with
    /// `503` and `Retry-After`, which clients repeat. A state of more than 4 MiB is read piece by
    /// piece, and counts as 8 MiB.
    pub fn with_max_held_bytes(mut self, max_held_bytes: usize) -> Self {
        self.max_held_bytes = max_held_bytes;
        self
    }

    /// Sets how many connections there may be at once; 512. Others wait until one ends, and
    /// connections that ask for nothing are ended sooner once half of that is reached.
    ///
    /// Each takes a descriptor of the process, and the store needs some too: stay well below what
    /// the process may have.
    pub fn with_max_connections(mut self, max_connections: usize) -> Self {
        self.max_connections = max_connections;
        self
    }

    /// Sets how long to wait for clients.
    pub fn with_timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Starts to listen. Port 0 picks a free one.
    ///
    /// # Errors
    /// `ConfigInvalid` if nothing was said about authentication, the token is empty, or there is
    /// none and the address is not a loopback address; `Local` if the address cannot be had.
    pub async fn bind(self, address: SocketAddr) -> Result<BoundServer> {
        let auth = self.auth.ok_or_else(|| Error::config("a server needs a token"))?;
        let gate = Gate::new(&auth, address.ip())?;
        let failed = |source: std::io::Error| {
            Error::new(ErrorKind::Local, "serve", format!("cannot listen on `{address}`"))
                .with_source(source)
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        if !address.ip().to_canonical().is_loopback() {
            tracing::warn!(
                address = address.to_string(),
                "states and the token travel unencrypted here: put something that speaks TLS in \
                 front"
            );
        }
        let (finished, unfinished) = mpsc::channel(1);
        let app = App {
            states: self.states,
            gate,
            policy: self.policy,
            observer: self.observer,
            patience: self.patience,
            max_state_bytes: self.max_state_bytes,
            memory: Memory::new(self.max_held_bytes.max(self.max_state_bytes)),
            timeouts: self.timeouts,
            telemetry: Arc::new(Telemetry::new()),
            turns: Turns::default(),
            readiness: tokio::sync::Mutex::default(),
            unfinished: finished.downgrade(),
            stop: watch::Sender::new(false),
        };
        let crowd = Crowd::new(self.max_connections);
        Ok(BoundServer { listener, address, app: Arc::new(app), crowd, finished, unfinished })
    }
}

/// A server that listens, and answers once it runs.
#[derive(Debug)]
pub struct BoundServer {
    listener: TcpListener,
    address: SocketAddr,
    app: Arc<App>,
    crowd: Arc<Crowd>,
    finished: mpsc::Sender<()>,
    unfinished: mpsc::Receiver<()>,
}

impl BoundServer {
    /// Returns the address that the server listens on, with the port that was picked.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests until `shutdown` is done, then finishes those in flight.
    ///
    /// Nothing new is accepted from then on. Work in the store is brought to its end even where the
    /// client has gone.
    ///
    /// # Errors
    /// `Local` if requests were still in flight when the time for that was up.
    pub async fn run_until(self, shutdown: impl Future<Output = ()> + Send) -> Result<()> {
        let Self { listener, app, crowd, finished, mut unfinished, .. } = self;
        let timeouts = app.timeouts;
        let router = routes::router(Arc::clone(&app));
        let stopped = app.stop.subscribe();
        let mut shutdown = std::pin::pin!(shutdown);
        let mut complaints = Seldom::default();
        loop {
            if crowd.is_full() && complaints.is_due() {
                tracing::warn!("as many connections as this server may have are open: others wait");
            }
            let slot = tokio::select! {
                () = &mut shutdown => break,
                slot = crowd.enter() => slot,
            };
            let accepted = tokio::select! {
                () = &mut shutdown => break,
                accepted = listener.accept() => accepted,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Likely out of descriptors: the connection waits in the queue, and trying at
                    // once would only spin.
                    if complaints.is_due() {
                        let error = error.to_string();
                        tracing::warn!(error, "cannot accept a connection");
                    }
                    sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            slot.settle();
            // Small answers should not wait for more to send.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(?error, "small answers may be slow on this connection");
            }
            let (router, stopped, in_flight) = (router.clone(), stopped.clone(), finished.clone());
            // The task ends by itself, with its connection.
            tokio::spawn(async move {
                connection::serve(stream, router, timeouts, stopped, &slot).await;
                drop((in_flight, slot));
            });
        }
        drop(listener);
        app.stop.send_replace(true);
        drop(finished);
        // Nothing is ever sent: this ends when the last holder of the channel is gone.
        if timeout(timeouts.stop, unfinished.recv()).await.is_err() {
            return Err(Error::new(
                ErrorKind::Local,
                "serve",
                format!("requests were still in flight after {} s", timeouts.stop.as_secs()),
            ));
        }
        Ok(())
    }
}

/// Says a thing at most once in a while.
#[derive(Debug, Default)]
struct Seldom(Option<Instant>);

impl Seldom {
    fn is_due(&mut self) -> bool {
        let is_due = self.0.is_none_or(|last| last.elapsed() >= COMPLAINT_PAUSE);
        if is_due {
            self.0 = Some(Instant::now());
        }
        is_due
    }
}
