//! Setting a server up, and running it.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use remote_state_core::{Error, ErrorKind, Result};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use crate::app::App;
use crate::auth::{Auth, Gate};
use crate::events::{Event, Observer};
use crate::known::Known;
use crate::memory::Memory;
use crate::names::States;
use crate::observe::Telemetry;
use crate::patience::Patience;
use crate::policy::Policy;
use crate::slots::Slots;
use crate::timeouts::Timeouts;
use crate::turns::Turns;
use crate::{connection, routes};

/// The default of [`ServerBuilder::with_max_state_bytes`].
const MAX_STATE_BYTES: usize = 64 << 20;

/// The default of [`ServerBuilder::with_max_held_bytes`].
const MAX_HELD_BYTES: usize = 512 << 20;

/// The default of [`ServerBuilder::with_max_connections`]: half of the descriptors that most
/// systems give a process.
const MAX_CONNECTIONS: usize = 512;

/// The shortest time between two warnings about connections.
const COMPLAINT_PAUSE: Duration = Duration::from_secs(60);

/// Terraform's `http` backend protocol over a state store.
///
/// The server keeps no state and no lock of its own: all are in the store. So any number of servers
/// may use one store, and native clients may use it at the same time.
#[derive(Debug)]
pub struct Server;

impl Server {
    /// Starts to describe a server that offers these states.
    pub fn builder(states: States) -> ServerBuilder {
        ServerBuilder {
            states,
            auth: None,
            policy: Policy::default(),
            observer: Observer::default(),
            patience: Patience::default(),
            max_state_bytes: MAX_STATE_BYTES,
            max_held_bytes: MAX_HELD_BYTES,
            max_spooled_bytes: 2 << 30,
            max_connections: MAX_CONNECTIONS,
            timeouts: Timeouts::default(),
        }
    }
}

/// Describes a [`Server`].
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
    max_spooled_bytes: usize,
    max_connections: usize,
    timeouts: Timeouts,
}

impl ServerBuilder {
    /// Sets how clients authenticate. There is no default: a server that needs no token must say
    /// so.
    pub fn with_auth(mut self, auth: Auth) -> Self {
        self.auth = Some(auth);
        self
    }

    /// Sets what clients may do.
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets how long the server waits for a lock that another client holds. By default it does not
    /// wait.
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// Sets a function that receives the outcome of each request, at once and on the thread that
    /// serves the request. With an observer the log has no warnings about the same events.
    pub fn with_observer(mut self, notify: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        self.observer = Observer::new(notify);
        self
    }

    /// Sets the longest state that the server accepts, in bytes. Default: 64 MiB. The server
    /// answers a longer one with `413`.
    pub fn with_max_state_bytes(mut self, max_state_bytes: usize) -> Self {
        self.max_state_bytes = max_state_bytes;
        self
    }

    /// Sets how many bytes of states all requests may hold in memory at once. Default: 512 MiB;
    /// never less than the longest state that the server accepts. The server answers a request for
    /// more with `503` and `Retry-After`, and clients repeat it. The server streams a state of more
    /// than 4 MiB, which counts as 8 MiB.
    pub fn with_max_held_bytes(mut self, max_held_bytes: usize) -> Self {
        self.max_held_bytes = max_held_bytes;
        self
    }

    /// Sets how many bytes of states that arrive may be on the disk at once, in files without a name
    /// in the folder for temporary files. Default: 2 GiB; never less than the longest state that
    /// the server accepts. The server answers a request for more with `503` and `Retry-After`, and
    /// one that finds the disk full with `507`. Only states of more than 4 MiB are kept there.
    pub fn with_max_spooled_bytes(mut self, max_spooled_bytes: usize) -> Self {
        self.max_spooled_bytes = max_spooled_bytes;
        self
    }

    /// Sets how many connections may be open at once. Default: 512. Others wait until one ends.
    /// While more than half of them are open, the server closes idle connections sooner.
    ///
    /// Each takes a descriptor of the process, and the store needs some too: stay well below the
    /// limit of the process.
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
    /// `ConfigInvalid` if authentication is not set, if the token is empty, or if there is no token
    /// and the address is not a loopback address; `Local` if the server cannot listen on the
    /// address.
    pub async fn bind(self, address: SocketAddr) -> Result<BoundServer> {
        let auth = self.auth.ok_or_else(|| Error::config("no authentication of clients is set"))?;
        let gate = Gate::new(&auth, address.ip())?;
        let failed = |source: io::Error| {
            let reason = match source.kind() {
                io::ErrorKind::AddrInUse => "another program listens there".to_owned(),
                io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
                io::ErrorKind::PermissionDenied => {
                    format!("this user may not listen on port {}", address.port())
                }
                _ => source.to_string(),
            };
            Error::new(ErrorKind::Local, "serve", format!("cannot listen on `{address}`: {reason}"))
                .with_source(source)
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        if !address.ip().to_canonical().is_loopback() {
            tracing::warn!(
                address = address.to_string(),
                "states and the token are not encrypted on their way: put a proxy that speaks TLS \
                 in front"
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
            disk: Memory::new(self.max_spooled_bytes.max(self.max_state_bytes)),
            timeouts: self.timeouts,
            telemetry: Arc::new(Telemetry::new()),
            turns: Turns::default(),
            known: Known::default(),
            readiness: tokio::sync::Mutex::default(),
            unfinished: finished.downgrade(),
            stop: watch::Sender::new(false),
        };
        let slots = Slots::new(self.max_connections);
        Ok(BoundServer { listener, address, app: Arc::new(app), slots, finished, unfinished })
    }
}

/// A server that listens. It answers once it runs.
#[derive(Debug)]
pub struct BoundServer {
    listener: TcpListener,
    address: SocketAddr,
    app: Arc<App>,
    slots: Arc<Slots>,
    finished: mpsc::Sender<()>,
    unfinished: mpsc::Receiver<()>,
}

impl BoundServer {
    /// Returns the address that the server listens on, with its actual port.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests until `shutdown` is done, then finishes those in flight.
    ///
    /// The server accepts no new connections from then on. It finishes its work in the store even
    /// if the client has hung up.
    ///
    /// # Errors
    /// `Local` if requests were still in flight after [`Timeouts::stop`].
    pub async fn run_until(self, shutdown: impl Future<Output = ()> + Send) -> Result<()> {
        let Self { listener, app, slots, finished, mut unfinished, .. } = self;
        let timeouts = app.timeouts;
        let router = routes::router(Arc::clone(&app));
        let stopped = app.stop.subscribe();
        let mut shutdown = std::pin::pin!(shutdown);
        let mut complaints = Seldom::default();
        loop {
            if slots.is_full() && complaints.is_due() {
                tracing::warn!("all connections that this server may have are open: others wait");
            }
            let slot = tokio::select! {
                () = &mut shutdown => break,
                slot = slots.enter() => slot,
            };
            let accepted = tokio::select! {
                () = &mut shutdown => break,
                accepted = listener.accept() => accepted,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // The process is likely out of descriptors. The connection stays in the
                    // system's queue, and an attempt at once would fail too.
                    if complaints.is_due() {
                        let error = error.to_string();
                        tracing::warn!(error, "cannot accept a connection");
                    }
                    sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            slot.occupy();
            // Sends small answers at once.
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
        // The channel carries no messages: `recv` returns when its last sender is dropped.
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

/// Limits how often a warning is logged.
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
