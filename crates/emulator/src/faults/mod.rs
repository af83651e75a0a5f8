//! Misbehaviour on request.

mod fault;
mod misbehaviour;
mod plan;
mod truncate;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;

pub use self::fault::Fault;
pub(crate) use self::fault::Traits;
pub use self::misbehaviour::Misbehaviour;
pub(crate) use self::plan::{IgnoredConditions, Plan};
pub(crate) use self::truncate::truncate;
use crate::clock::Clock;
use crate::link::Link;
use crate::recorder::Request;

/// A handle on how an emulator misbehaves, which can be changed while it runs. Clones share their
/// state.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    armed: Arc<Mutex<Vec<Fault>>>,
    link: Arc<Link>,
    clock: Clock,
}

impl Faults {
    /// Arms a fault. Faults of different kinds act together on a request; of the same kind, the one
    /// armed first acts until it is used up.
    pub fn inject(&self, fault: Fault) {
        self.lock().push(fault);
    }

    /// Disarms every fault, makes the link fast again and resets the clock.
    pub fn clear(&self) {
        self.lock().clear();
        self.set_latency(Duration::ZERO);
        self.set_bytes_per_second(None);
        self.set_clock_ahead(SignedDuration::ZERO);
    }

    /// How many faults are still armed; a fault without a limit counts until
    /// [`clear`](Self::clear).
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// Delays every request, as the distance to a far region does. Zero, the default, is no delay.
    pub fn set_latency(&self, latency: Duration) {
        self.link.set_latency(latency);
    }

    /// Limits each connection, in each direction. None, the default, is no limit.
    pub fn set_bytes_per_second(&self, limit: Option<u64>) {
        self.link.set_bytes_per_second(limit);
    }

    /// Sets the clock ahead of this machine's, or behind it. Each service refuses requests that
    /// were signed at a time that differs from this clock by more than 15 minutes. Answers have the
    /// time of this clock.
    pub fn set_clock_ahead(&self, ahead: SignedDuration) {
        self.clock.set_ahead(ahead);
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock.clone()
    }

    pub(crate) fn link(&self) -> Arc<Link> {
        Arc::clone(&self.link)
    }

    /// Decides what goes wrong with one request, using up faults that are limited.
    pub(crate) fn plan(&self, request: &Request, traits: Traits) -> Plan {
        let mut plan = Plan { delay: self.link.latency(), ..Plan::default() };
        self.lock().retain_mut(|fault| {
            if !fault.matches(request, traits) {
                return true;
            }
            if let Some(left) = fault.skips.checked_sub(1) {
                fault.skips = left;
                return true;
            }
            if !plan.add(&fault.misbehaviour) {
                return true;
            }
            match &mut fault.times {
                None => true,
                Some(left) => {
                    *left -= 1;
                    *left > 0
                }
            }
        });
        plan
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn plan(faults: &Faults, key: &str) -> Plan {
        let request = Request {
            method: "PUT".to_owned(),
            operation: None,
            path: String::new(),
            bucket: None,
            key: Some(key.to_owned()),
            query: String::new(),
            headers: BTreeMap::new(),
            status: None,
        };
        faults.plan(&request, Traits::default())
    }

    #[test]
    fn a_limited_fault_is_used_up_only_by_requests_it_matches() {
        let faults = Faults::default();
        faults.inject(
            Fault::new(Misbehaviour::internal_error())
                .with_times(2)
                .with_method("PUT")
                .with_key_suffix(".tflock"),
        );
        assert!(plan(&faults, "a").answer_without.is_none());
        assert!(plan(&faults, "a.tflock").answer_without.is_some());
        assert!(plan(&faults, "a.tflock").answer_without.is_some());
        assert!(plan(&faults, "a.tflock").answer_without.is_none());
        assert_eq!(faults.count(), 0);
    }

    #[test]
    fn two_faults_of_one_kind_act_one_after_the_other() {
        let faults = Faults::default();
        faults.inject(Fault::new(Misbehaviour::internal_error()).with_times(1));
        faults.inject(Fault::new(Misbehaviour::slow_down()).with_times(1));
        assert_eq!(plan(&faults, "a").answer_without.map(|(status, _)| status), Some(500));
        assert_eq!(plan(&faults, "a").answer_without.map(|(status, _)| status), Some(503));
    }

    #[test]
    fn a_fault_about_conditions_waits_for_a_request_that_has_some() {
        let faults = Faults::default();
        faults.inject(Fault::new(Misbehaviour::IgnoreConditions).with_times(1));
        assert_eq!(plan(&faults, "a").ignored, IgnoredConditions::None);
        assert_eq!(faults.count(), 1);
    }
}
