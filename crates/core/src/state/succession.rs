//! Whether one state may follow another.

use std::fmt;

use crate::names::{Lineage, Serial};
use crate::state::header::StateHeader;

/// The rules by which a new state may replace the stored one.
///
/// | stored state | new state | verdict |
/// |---|---|---|
/// | none | any | may be written |
/// | empty (no resources, no outputs), if [`may_replace_empty`](Self::may_replace_empty) | any | may be written |
/// | other lineage, both known | any | refused |
/// | with resources, lineage known | lineage unknown | refused |
/// | same lineage | higher serial | may be written |
/// | same lineage | lower serial | refused |
/// | same lineage | same serial, same bytes | nothing to write |
/// | same lineage | same serial, other bytes | refused |
///
/// These are the rules of `terraform state push`. Unlike Terraform, this library stores the pushed
/// bytes as they are: serial and lineage stay those of the pushed file, also where no state was
/// stored before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SuccessionRules {
    /// Any state may replace a stored state without resources and outputs.
    pub may_replace_empty: bool,
}

/// What to do about a state that breaks no rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Succession {
    /// Write it.
    Follows,
    /// Nothing: the store holds the same bytes already.
    Unchanged,
}

/// Why a state may not replace the stored one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The stored state is newer.
    LowerSerial {
        /// The serial that is stored.
        stored: Serial,
        /// The serial of the new state.
        new: Serial,
    },
    /// The stored state has a lineage and resources, and the new state has no lineage.
    NoLineage {
        /// The lineage that is stored.
        stored: Lineage,
    },
    /// The two have different lineages.
    OtherLineage {
        /// The lineage that is stored.
        stored: Lineage,
        /// The lineage of the new state.
        new: Lineage,
    },
    /// Both have the same serial, and their bytes differ.
    SameSerialOtherBytes {
        /// The serial of both.
        serial: Serial,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LowerSerial { stored, new } => {
                write!(
                    f,
                    "its serial {new} is lower than the stored serial {stored}: it is an older \
                     state"
                )
            }
            Self::NoLineage { stored } => {
                write!(
                    f,
                    "it has no lineage, and the stored state has resources and the lineage \
                     `{stored}`"
                )
            }
            Self::OtherLineage { stored, new } => {
                write!(
                    f,
                    "its lineage `{new}` is not the stored lineage `{stored}`: it is another state"
                )
            }
            Self::SameSerialOtherBytes { serial } => {
                write!(
                    f,
                    "its serial {serial} is the stored serial, but its content differs: someone \
                     else wrote in between"
                )
            }
        }
    }
}

impl SuccessionRules {
    /// The rules for a person or a script that pushes a file.
    pub const PUSH: Self = Self { may_replace_empty: true };
    /// The rules for a client that holds the lock and continues from the state that it has
    /// read.
    pub const CLIENT: Self = Self { may_replace_empty: false };

    /// Returns the verdict on `new`.
    ///
    /// `is_same` compares the bytes of both; it is called only if their serials are equal.
    ///
    /// # Errors
    /// The rule that `new` breaks.
    pub fn check(
        self,
        stored: Option<&StateHeader>,
        new: &StateHeader,
        is_same: impl Fn() -> bool,
    ) -> Result<Succession, Refusal> {
        let Some(stored) = stored else { return Ok(Succession::Follows) };
        if self.may_replace_empty && stored.is_empty {
            return Ok(if stored.serial == new.serial && is_same() {
                Succession::Unchanged
            } else {
                Succession::Follows
            });
        }
        let lineages_are_known =
            !stored.lineage.as_str().is_empty() && !new.lineage.as_str().is_empty();
        if lineages_are_known && stored.lineage != new.lineage {
            return Err(Refusal::OtherLineage {
                stored: stored.lineage.clone(),
                new: new.lineage.clone(),
            });
        }
        // A file without a lineage is seldom a successor: it may be an early record, or no state at
        // all.
        if new.lineage.as_str().is_empty()
            && !stored.lineage.as_str().is_empty()
            && stored.has_resources
            && !(stored.serial == new.serial && is_same())
        {
            return Err(Refusal::NoLineage { stored: stored.lineage.clone() });
        }
        match new.serial.cmp(&stored.serial) {
            std::cmp::Ordering::Greater => Ok(Succession::Follows),
            std::cmp::Ordering::Equal if is_same() => Ok(Succession::Unchanged),
            // Before lineages existed there was nothing to compare, and native clients accept such
            // states.
            _ if !lineages_are_known => Ok(Succession::Follows),
            std::cmp::Ordering::Equal => Err(Refusal::SameSerialOtherBytes { serial: new.serial }),
            std::cmp::Ordering::Less => {
                Err(Refusal::LowerSerial { stored: stored.serial, new: new.serial })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(serial: u64, lineage: &str, content: &str) -> StateHeader {
        StateHeader::parse(
            format!(r#"{{"version":4,"serial":{serial},"lineage":"{lineage}","outputs":{content},"resources":[]}}"#).as_bytes(),
        )
        .unwrap()
    }

    const FULL: &str = r#"{"a":{"value":1}}"#;

    fn check(
        rules: SuccessionRules,
        stored: (u64, &str),
        new: (u64, &str),
        same: bool,
    ) -> Result<Succession, Refusal> {
        rules.check(Some(&header(stored.0, stored.1, FULL)), &header(new.0, new.1, FULL), || same)
    }

    #[test]
    fn anything_may_be_written_where_nothing_is() {
        assert_eq!(
            SuccessionRules::CLIENT.check(None, &header(0, "", "{}"), || false),
            Ok(Succession::Follows)
        );
    }

    #[test]
    fn an_empty_state_gives_way_to_a_push_but_not_to_a_client() {
        let stored = header(9, "old", "{}");
        let new = header(1, "new", FULL);
        assert_eq!(
            SuccessionRules::PUSH.check(Some(&stored), &new, || false),
            Ok(Succession::Follows)
        );
        assert!(SuccessionRules::CLIENT.check(Some(&stored), &new, || false).is_err());
    }

    #[test]
    fn a_state_without_a_lineage_replaces_none_that_has_one_and_resources() {
        let stored = |lineage: &str, resources: &str| {
            let text = format!(
                r#"{{"version":4,"serial":3,"lineage":"{lineage}","outputs":{{"a":{{}}}},"resources":[{resources}]}}"#
            );
            StateHeader::parse(text.as_bytes()).unwrap()
        };
        for rules in [SuccessionRules::PUSH, SuccessionRules::CLIENT] {
            for serial in [0, 2, 3, 9] {
                let new = header(serial, "", FULL);
                let refused = rules.check(Some(&stored("l", "{}")), &new, || false);
                assert!(matches!(refused, Err(Refusal::NoLineage { .. })), "{serial}: {refused:?}");
                assert!(rules.check(Some(&stored("", "{}")), &new, || false).is_ok(), "{serial}");
            }
            assert_eq!(
                rules.check(Some(&stored("l", "{}")), &header(3, "", FULL), || true),
                Ok(Succession::Unchanged)
            );
            assert!(rules.check(Some(&stored("l", "")), &header(4, "", FULL), || false).is_ok());
        }
    }

    #[test]
    fn serial_and_lineage_decide_otherwise() {
        for rules in [SuccessionRules::PUSH, SuccessionRules::CLIENT] {
            assert_eq!(check(rules, (1, "l"), (2, "l"), false), Ok(Succession::Follows));
            assert_eq!(check(rules, (2, "l"), (2, "l"), true), Ok(Succession::Unchanged));
            assert!(matches!(
                check(rules, (2, "l"), (2, "l"), false),
                Err(Refusal::SameSerialOtherBytes { .. })
            ));
            assert!(matches!(
                check(rules, (3, "l"), (2, "l"), false),
                Err(Refusal::LowerSerial { .. })
            ));
            assert!(matches!(
                check(rules, (1, "l"), (2, "m"), false),
                Err(Refusal::OtherLineage { .. })
            ));
            assert_eq!(check(rules, (3, ""), (2, "m"), false), Ok(Succession::Follows));
        }
    }
}
