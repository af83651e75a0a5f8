//! The variables that configure a client's `http` backend for a state behind `serve` or `exec`.
//!
//! This sets every variable that the backend reads, even to the client's own default: otherwise a
//! variable exported for another server, often for a whole CI project, would still apply. The
//! documentation of GitLab, Gitea and Lynx recommends exporting methods with which this server
//! would treat a lock as a state, or an unlock as a deletion.

use remote_state::Error;
use url::Url;

/// Names and values.
pub(crate) type Variables = Vec<(&'static str, String)>;

/// Returns the variables for the state at this address, without its credentials.
///
/// Locking and unlocking have addresses of their own, at which every method means the same. So
/// methods in the backend block, which override variables, do no harm.
///
/// # Errors
/// `ConfigInvalid` if the address is not one of a state.
pub(crate) fn variables(address: &str, plain_methods: bool) -> Result<Variables, Error> {
    let invalid = |reason: &str| {
        Error::config(format!("`{address}` is not the address of a state: {reason}"))
            .with_hint("expected something like `https://state.example.com/state/default`")
    };
    let url = Url::parse(address).map_err(|_| invalid("it is no URL"))?;
    let is_http = matches!(url.scheme(), "http" | "https");
    // A proxy may serve the server below a path of its own, which it strips.
    let Some((above, name)) =
        url.path().split_once("/state/").filter(|(_, name)| is_http && !name.is_empty())
    else {
        return Err(invalid("it is not `http(s)://HOST/state/NAME`"));
    };
    let beside = |door: &str| {
        let mut url = url.clone();
        url.set_path(&format!("{above}/{door}/{name}"));
        url.to_string()
    };
    let (lock, unlock) = if plain_methods { ("POST", "DELETE") } else { ("LOCK", "UNLOCK") };
    Ok(vec![
        ("TF_HTTP_ADDRESS", url.to_string()),
        ("TF_HTTP_LOCK_ADDRESS", beside("lock")),
        ("TF_HTTP_UNLOCK_ADDRESS", beside("unlock")),
        ("TF_HTTP_UPDATE_METHOD", "POST".to_owned()),
        ("TF_HTTP_LOCK_METHOD", lock.to_owned()),
        ("TF_HTTP_UNLOCK_METHOD", unlock.to_owned()),
        // Together these bridge half a minute without the server.
        ("TF_HTTP_RETRY_MAX", "6".to_owned()),
        ("TF_HTTP_RETRY_WAIT_MIN", "1".to_owned()),
        ("TF_HTTP_RETRY_WAIT_MAX", "30".to_owned()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(variables: &Variables, wanted: &str) -> String {
        let found = variables.iter().find(|(name, _)| *name == wanted);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    }

    #[test]
    fn locks_have_addresses_of_their_own_beside_the_state_wherever_a_proxy_puts_it() {
        for (address, lock, unlock) in [
            ("http://h/state/default", "http://h/lock/default", "http://h/unlock/default"),
            (
                "https://ci.example/tf/state/prod",
                "https://ci.example/tf/lock/prod",
                "https://ci.example/tf/unlock/prod",
            ),
            (
                "http://h:1/a/b/state/x/state/y",
                "http://h:1/a/b/lock/x/state/y",
                "http://h:1/a/b/unlock/x/state/y",
            ),
        ] {
            let variables = variables(address, false).unwrap();
            assert_eq!(value(&variables, "TF_HTTP_ADDRESS"), address);
            assert_eq!(value(&variables, "TF_HTTP_LOCK_ADDRESS"), lock);
            assert_eq!(value(&variables, "TF_HTTP_UNLOCK_ADDRESS"), unlock);
        }
    }

    #[test]
    fn what_is_no_address_of_a_state_is_refused() {
        for address in [
            "state/prod",
            "ftp://h/state/prod",
            "http://h/",
            "http://h/state/",
            "http://h/states/x",
        ] {
            assert!(variables(address, false).is_err(), "{address}");
        }
    }
}
