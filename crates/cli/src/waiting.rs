//! Messages while waiting for a lock.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use remote_state::{LockRecord, LockWaiting};
use tokio::sync::watch;

use crate::exit::{age, holder_words};
use crate::ui::Ui;

/// Reports the holder of a lock once, and ends the waiting on request.
#[derive(Debug)]
pub(crate) struct Waiting {
    ui: Ui,
    timeout: Duration,
    gives_up: watch::Sender<bool>,
    told: Mutex<Option<LockRecord>>,
    is_pausing: AtomicBool,
}

impl Waiting {
    pub(crate) fn new(ui: Ui, timeout: Duration) -> Self {
        Self {
            ui,
            timeout,
            gives_up: watch::Sender::new(false),
            told: Mutex::default(),
            is_pausing: AtomicBool::new(false),
        }
    }

    /// Ends the waiting, and returns whether it was under way: then no request is in flight.
    pub(crate) fn give_up(&self) -> bool {
        self.gives_up.send_modify(|gives_up| *gives_up = true);
        self.is_pausing.load(Ordering::SeqCst)
    }

    fn tell(&self, holder: &LockRecord) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.as_ref().is_some_and(|last| last.id() == holder.id()) {
            return;
        }
        let (who, lock) = match holder.info() {
            Some(info) => {
                (format!("{}, taken {}", holder_words(info), age(info)), format!(" `{}`", info.id))
            }
            None => ("someone: it cannot be read".to_owned(), String::new()),
        };
        let limit = self.timeout.as_secs();
        self.ui.note(&format!(
            "waiting for at most {limit} s for the lock{lock} held by {who}; Ctrl-C to give up"
        ));
        *told = Some(holder.clone());
    }
}

#[async_trait]
impl LockWaiting for Waiting {
    async fn pause(&self, holder: &LockRecord, pause: Duration) -> ControlFlow<()> {
        self.tell(holder);
        let mut gives_up = self.gives_up.subscribe();
        self.is_pausing.store(true, Ordering::SeqCst);
        let flow = tokio::select! {
            () = tokio::time::sleep(pause) => ControlFlow::Continue(()),
            _ = gives_up.wait_for(|gives_up| *gives_up) => ControlFlow::Break(()),
        };
        self.is_pausing.store(false, Ordering::SeqCst);
        flow
    }
}
