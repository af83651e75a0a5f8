//! What goes wrong with one request.

use std::time::Duration;

use super::misbehaviour::Misbehaviour;
use crate::gate::Gate;

/// What goes wrong with one request.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) delay: Duration,
    pub(crate) gate: Option<Gate>,
    pub(crate) slept: bool,
    pub(crate) answer_after: Option<(u16, String)>,
    pub(crate) answer_without: Option<(u16, String)>,
    pub(crate) ignored: IgnoredConditions,
    pub(crate) bare_tags_only: bool,
    pub(crate) ignore_ranges: bool,
    pub(crate) lose_reply: bool,
    pub(crate) lose_request: bool,
    pub(crate) forget_versioning: bool,
    pub(crate) misstate_checksum: bool,
    pub(crate) page_limit: Option<usize>,
    pub(crate) refuse_trailers: bool,
    pub(crate) truncate_after: Option<u64>,
}

/// Where the conditions of writes are ignored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum IgnoredConditions {
    #[default]
    None,
    OnVersionedBuckets,
    OfUpdates,
    Everywhere,
}

impl Plan {
    /// Waits as long as was planned.
    pub(crate) async fn wait(&self) {
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        if let Some(gate) = &self.gate {
            gate.pass().await;
        }
    }

    /// Adds a misbehaviour; false if one of its kind is there already.
    pub(super) fn add(&mut self, misbehaviour: &Misbehaviour) -> bool {
        fn set<T>(slot: &mut Option<T>, value: T) -> bool {
            let vacant = slot.is_none();
            slot.get_or_insert(value);
            vacant
        }
        match misbehaviour {
            Misbehaviour::AnswerAfterWork { status, code } => {
                set(&mut self.answer_after, (*status, code.clone()))
            }
            Misbehaviour::AnswerWithoutWork { status, code } => {
                set(&mut self.answer_without, (*status, code.clone()))
            }
            Misbehaviour::Delay(delay) => {
                let vacant = !std::mem::replace(&mut self.slept, true);
                if vacant {
                    self.delay += *delay;
                }
                vacant
            }
            Misbehaviour::Hold(gate) => set(&mut self.gate, gate.clone()),
            Misbehaviour::IgnoreConditions => {
                let vacant = self.ignored != IgnoredConditions::Everywhere;
                self.ignored = IgnoredConditions::Everywhere;
                vacant
            }
            Misbehaviour::IgnoreConditionsOnVersionedBuckets => {
                let vacant = self.ignored == IgnoredConditions::None;
                if vacant {
                    self.ignored = IgnoredConditions::OnVersionedBuckets;
                }
                vacant
            }
            Misbehaviour::IgnoreUpdateConditions => {
                let vacant = self.ignored == IgnoredConditions::None;
                if vacant {
                    self.ignored = IgnoredConditions::OfUpdates;
                }
                vacant
            }
            Misbehaviour::MeetBareTagsOnly => !std::mem::replace(&mut self.bare_tags_only, true),
            Misbehaviour::IgnoreRanges => !std::mem::replace(&mut self.ignore_ranges, true),
            Misbehaviour::LoseReply => !std::mem::replace(&mut self.lose_reply, true),
            Misbehaviour::LoseRequest => !std::mem::replace(&mut self.lose_request, true),
            Misbehaviour::ForgetVersioning => !std::mem::replace(&mut self.forget_versioning, true),
            Misbehaviour::MisstateChecksum => !std::mem::replace(&mut self.misstate_checksum, true),
            Misbehaviour::RefuseTrailers => !std::mem::replace(&mut self.refuse_trailers, true),
            Misbehaviour::ShortPages { entries } => set(&mut self.page_limit, (*entries).max(1)),
            Misbehaviour::TruncateBody { after_bytes } => {
                set(&mut self.truncate_after, *after_bytes)
            }
        }
    }
}
