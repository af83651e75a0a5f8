//! The server keeps the promises of the protocol, over a store in memory, for both ways to map
//! names.

use std::sync::Arc;

use remote_state_conformance::{FaultyStore, HttpTarget, MemoryStore, Names, http_suite};
use remote_state_server::{Auth, Server, States};
use tokio::sync::Notify;

async fn target(names: Names) -> HttpTarget {
    let native = Arc::new(MemoryStore::new());
    let (store, faults) = FaultyStore::wrap(native.clone());
    let states = match names {
        Names::Keys => States::keys(store),
        Names::Workspaces => States::workspaces(store),
    };
    let server = Server::builder(states)
        .with_auth(Auth::token("a token"))
        .bind(([127, 0, 0, 1], 0).into())
        .await
        .expect("a loopback port should be free");
    let address = server.local_addr();
    let stop = Arc::new(Notify::new());
    let stopped = Arc::clone(&stop);
    // Ends with the test's runtime.
    tokio::spawn(server.run_until(async move { stopped.notified().await }));
    HttpTarget::new(format!("http://{address}"))
        .with_token("a token")
        .with_native(native, names)
        .with_faults(faults)
        .with_stop(move || stop.notify_one())
}

mod workspaces {
    use super::*;

    async fn setup() -> HttpTarget {
        target(Names::Workspaces).await
    }

    http_suite!(setup);
}

mod keys {
    use super::*;

    async fn setup() -> HttpTarget {
        target(Names::Keys).await
    }

    http_suite!(setup);
}
