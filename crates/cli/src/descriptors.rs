//! The limit on files and connections of this process.

/// The minimum reserve for the store and for files.
const LEAST_KEPT_BACK: u64 = 64;

/// A connection may hold memory even if it has sent only the start of a request, so more
/// descriptors help only up to this number.
const MOST_CONNECTIONS: u64 = 4096;

/// The limit on most systems, for systems that do not report one.
const USUAL: u64 = 1024;

/// Raises the limit as far as the system allows, as Go programs do at their start.
///
/// Child processes inherit the limit, so a command that runs another must not call this.
pub(crate) fn raise() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        if limit.current == limit.maximum {
            return;
        }
        limit.current = limit.maximum;
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::debug!(?error, "the limit of open files stays as it is");
        }
    }
}

/// Returns how many connections a server in this process may accept, so that some descriptors
/// remain for the store.
pub(crate) fn connections() -> usize {
    #[cfg(unix)]
    let limit =
        rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(USUAL);
    #[cfg(not(unix))]
    let limit = USUAL;
    usize::try_from(connections_of(limit)).unwrap_or(usize::MAX)
}

fn connections_of(limit: u64) -> u64 {
    let kept_back = (limit / 4).max(LEAST_KEPT_BACK).min(limit / 2);
    (limit - kept_back).min(MOST_CONNECTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_descriptors_are_left_for_the_store() {
        for (limit, connections) in [
            (0, 0),
            (20, 10),
            (128, 64),
            (256, 192),
            (1024, 768),
            (4096, 3072),
            (1 << 20, MOST_CONNECTIONS),
        ] {
            assert_eq!(connections_of(limit), connections, "{limit}");
        }
    }
}
