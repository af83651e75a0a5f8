//! The rule under which a lock file was made, as metadata of the object.

/// The metadata of a lock file whose owner follows the version list.
pub(crate) const RULE: (&str, &str) = ("remote-state-lock", "by-version-list");

#[cfg(test)]
mod tests {
    use remote_state_core::Annotations;

    use super::*;

    #[test]
    fn no_annotation_can_take_the_name() {
        assert_eq!(RULE.0, format!("{}{}", Annotations::PREFIX, Annotations::LOCK_RULE));
    }
}
