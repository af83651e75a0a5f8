//! Bodies that readers of this process need.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Segment;

/// How many readers of this process need each body.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pins {
    counts: Arc<Mutex<HashMap<u64, usize>>>,
}

impl Pins {
    pub(crate) fn holds(&self, blob: u64) -> bool {
        self.lock().contains_key(&blob)
    }

    pub(crate) fn pin(&self, segments: &[Segment]) -> Pinned {
        let mut counts = self.lock();
        for segment in segments {
            *counts.entry(segment.blob).or_default() += 1;
        }
        Pinned { pins: self.clone(), blobs: segments.iter().map(|segment| segment.blob).collect() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps bodies from being deleted until it is dropped.
#[derive(Debug)]
pub(crate) struct Pinned {
    pins: Pins,
    blobs: Vec<u64>,
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let mut counts = self.pins.lock();
        for blob in &self.blobs {
            if let Some(count) = counts.get_mut(blob) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(blob);
                }
            }
        }
    }
}
