//! Who wrote a state, as its annotations say.

use crate::lock_info::LockInfo;
use crate::names::LockId;
use crate::source::ContentHash;
use crate::state::StateHeader;
use crate::store::Annotations;

const WHO: &str = "who";
const OPERATION: &str = "operation";
const LOCK_ID: &str = "lock-id";
const CLIENT: &str = "client";
const REASON: &str = "reason";

/// How many bytes of metadata a value may take. All values together stay below the limit of
/// Amazon S3.
const MOST_BYTES: usize = 160;
const MOST_BYTES_OF_REASON: usize = 480;

/// The writer of a state: a person or a program, and what it did.
///
/// The writer itself says so, and nothing proves it: treat it like the record of a lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Author {
    /// `user@host`, or the user that a server has authenticated; empty if unknown.
    pub who: String,
    /// The operation, such as `OperationTypeApply`; empty if unknown.
    pub operation: String,
    /// The lock under which the state was written.
    pub lock_id: Option<LockId>,
    /// The program that wrote it, such as `remote-state/0.1.0`; empty if unknown.
    pub client: String,
    /// The reason that the person gave; usually empty.
    pub reason: String,
}

impl Author {
    /// Creates an author from what the lock record says.
    pub fn under(lock: &LockInfo) -> Self {
        Self {
            who: lock.who.clone(),
            operation: lock.operation.clone(),
            lock_id: Some(lock.id.clone()),
            ..Self::default()
        }
    }

    /// Sets the person or the program.
    #[must_use]
    pub fn with_who(mut self, who: impl Into<String>) -> Self {
        self.who = who.into();
        self
    }

    /// Sets the operation.
    #[must_use]
    pub fn with_operation(mut self, operation: impl Into<String>) -> Self {
        self.operation = operation.into();
        self
    }

    /// Sets the program.
    #[must_use]
    pub fn with_client(mut self, client: impl Into<String>) -> Self {
        self.client = client.into();
        self
    }

    /// Sets the reason.
    #[must_use]
    pub fn with_reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = reason.into();
        self
    }

    /// Returns the annotations of a state with this header and content. Long values are shortened.
    ///
    /// Annotations precede the bytes on their way: the hash of a content that is sent while it is
    /// read is not known then, and is left out.
    pub fn annotations(
        &self,
        header: &StateHeader,
        content: impl Into<Option<ContentHash>>,
    ) -> Annotations {
        let lock_id = self.lock_id.as_ref().map_or("", LockId::as_str);
        let serial = header.serial.to_string();
        let content = content.into().map(|hash| hash.to_string()).unwrap_or_default();
        let mut annotations = Annotations::default();
        for (name, value, most) in [
            (WHO, &*self.who, MOST_BYTES),
            (OPERATION, &self.operation, MOST_BYTES),
            (LOCK_ID, lock_id, MOST_BYTES),
            (CLIENT, &self.client, MOST_BYTES),
            ("serial", &serial, MOST_BYTES),
            ("lineage", header.lineage.as_str(), MOST_BYTES),
            ("sha256", &content, MOST_BYTES),
            (REASON, &self.reason, MOST_BYTES_OF_REASON),
        ] {
            annotations.set_shortened(name, value, most);
        }
        annotations
    }

    /// Reads the author from the annotations of a state; `None` if they name none.
    pub fn of(annotations: &Annotations) -> Option<Self> {
        let text = |name| annotations.get(name).unwrap_or_default().to_owned();
        let author = Self {
            who: text(WHO),
            operation: text(OPERATION),
            lock_id: annotations.get(LOCK_ID).map(LockId::new),
            client: text(CLIENT),
            reason: text(REASON),
        };
        (author != Self::default()).then_some(author)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> StateHeader {
        StateHeader::parse(br#"{"version":4,"serial":7,"lineage":"l"}"#).unwrap()
    }

    #[test]
    fn the_annotations_name_the_author_and_the_state() {
        let author = Author { lock_id: Some(LockId::new("id")), ..Author::default() }
            .with_who("ci@runner-7")
            .with_operation("OperationTypeApply")
            .with_client("remote-state/0.1.0");
        let annotations = author.annotations(&header(), ContentHash::of(b"x"));
        let found: Vec<_> = annotations.iter().map(|(name, _)| name).collect();
        assert_eq!(
            found,
            ["client", "lineage", "lock-id", "operation", "serial", "sha256", "who"],
            "and no empty one"
        );
        assert_eq!(annotations.get("serial"), Some("7"));
        assert_eq!(author.annotations(&header(), None).get("sha256"), None);
        assert_eq!(Author::of(&annotations), Some(author));
        assert_eq!(Author::of(&Annotations::default()), None);
    }

    /// Records of locks are what others wrote, and may have any length.
    #[test]
    fn values_of_any_length_fit() {
        for long in ["x".repeat(9000), "ü".repeat(9000), "%\n".repeat(9000)] {
            let author = Author { lock_id: Some(LockId::new(&*long)), ..Author::default() }
                .with_who(&*long)
                .with_operation(&*long)
                .with_client(&*long)
                .with_reason(&*long);
            let annotations = author.annotations(&header(), ContentHash::of(b"x"));
            assert_eq!(annotations.iter().count(), 8);
            let found = Author::of(&annotations).unwrap();
            assert!(long.starts_with(&found.who) && !found.who.is_empty(), "{}", found.who);
        }
    }
}
