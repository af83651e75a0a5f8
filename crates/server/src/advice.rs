//! Advice in the words of a server's log. Its reader operates the server, and may have configured
//! it in a program that this crate does not know.

use remote_state_core::advice::{Advice, listed};

/// Words advice for the operator.
pub(crate) fn for_operator(advice: &Advice) -> String {
    match advice {
        Advice::SetKey(key) | Advice::OverrideKey(key) => format!(
            "set {} in the configuration of the server, and restart the server",
            key.as_setting()
        ),
        Advice::NameDialect(name) => format!(
            "set `dialect = \"{name}\"` in the configuration of the server, and restart the server"
        ),
        Advice::CheckKeys(keys) => {
            format!("check {} in the configuration of the server", listed(keys))
        }
        Advice::CheckNetwork(keys) => {
            format!("check the network of the server, and {} in its configuration", listed(keys))
        }
        Advice::CheckConfiguration => "check the configuration of the server".to_owned(),
        Advice::CheckCredentials => "check which credentials the server uses".to_owned(),
        Advice::GiveCredentials(variables) => format!(
            "set {} in the environment of the server, or name a `profile` in its configuration",
            listed(variables)
        ),
        Advice::WaitForLock => {
            "to wait for the lock, give the client a timeout, such as `-lock-timeout=5m`".to_owned()
        }
        Advice::RepairDigest => {
            "store the right state again by a client that repairs the digest".to_owned()
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use remote_state_core::advice::KeyValue;

    use super::*;

    #[test]
    fn the_log_advises_to_change_what_the_server_runs_with() {
        for (advice, words) in [
            (
                Advice::SetKey(KeyValue::literal("region", "eu-west-1")),
                "set `region = \"eu-west-1\"` in the configuration of the server, and restart the \
                 server",
            ),
            (
                Advice::CheckKeys(vec!["bucket", "region"]),
                "check `bucket` and `region` in the configuration of the server",
            ),
            (
                Advice::GiveCredentials(&["A", "B"]),
                "set `A` and `B` in the environment of the server, or name a `profile` in its \
                 configuration",
            ),
            (Advice::text("grant `s3:ListBucket`"), "grant `s3:ListBucket`"),
        ] {
            assert_eq!(for_operator(&advice), words);
        }
    }
}
