//! The access keys that OSS and Tablestore accept, some of them only together with a security token.

use std::collections::BTreeMap;
use std::sync::Arc;

use s3s::auth::SecretKey;

/// The access keys of an emulator. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keyring {
    secrets: Arc<BTreeMap<String, SecretKey>>,
    tokens: Arc<BTreeMap<String, String>>,
}

/// Why a key is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rejection {
    /// Nobody has this key; nor has anyone a temporary key without its token.
    UnknownKey,
    WrongToken,
}

impl Keyring {
    pub(crate) fn new(
        secrets: Arc<BTreeMap<String, SecretKey>>,
        tokens: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        Self { secrets, tokens: Arc::new(tokens.into_iter().collect()) }
    }

    /// Returns the secret of a key that came with this token, or without one.
    pub(crate) fn secret(&self, access_key: &str, token: Option<&str>) -> Result<&str, Rejection> {
        let secret = self.secrets.get(access_key).ok_or(Rejection::UnknownKey)?;
        match (self.tokens.get(access_key), token) {
            (None, None) => Ok(secret.expose()),
            (Some(expected), Some(token)) if expected == token => Ok(secret.expose()),
            (Some(_), None) => Err(Rejection::UnknownKey),
            (_, Some(_)) => Err(Rejection::WrongToken),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_key_needs_its_token_and_a_permanent_one_has_none() {
        let secrets = ["long", "short"].map(|key| (key.to_owned(), SecretKey::from("s".to_owned())));
        let tokens = [("short".to_owned(), "token".to_owned())];
        let keys = Keyring::new(Arc::new(secrets.into_iter().collect()), tokens);
        assert_eq!(keys.secret("long", None), Ok("s"));
        assert_eq!(keys.secret("short", Some("token")), Ok("s"));
        assert_eq!(keys.secret("short", None), Err(Rejection::UnknownKey));
        assert_eq!(keys.secret("short", Some("other")), Err(Rejection::WrongToken));
        assert_eq!(keys.secret("long", Some("token")), Err(Rejection::WrongToken));
        assert_eq!(keys.secret("nobody", None), Err(Rejection::UnknownKey));
    }
}
