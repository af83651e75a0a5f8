//! The access keys that OSS, Tablestore and STS accept, some of them only together with a security
//! token, and only for a while.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use s3s::auth::SecretKey;

use crate::store::{now_ms, opaque_id};

/// The access keys of an emulator. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keyring {
    secrets: Arc<BTreeMap<String, SecretKey>>,
    temporary: Arc<Mutex<BTreeMap<String, Temporary>>>,
}

/// A temporary key without its id.
#[derive(Debug, Clone)]
struct Temporary {
    secret: SecretKey,
    token: String,
    /// None if it lasts as long as the emulator.
    expires_ms: Option<u64>,
}

/// A temporary key, as STS issues it.
#[derive(Debug)]
pub(crate) struct Issued {
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    pub(crate) token: String,
    pub(crate) expires_ms: u64,
}

/// The reason why a key is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rejection {
    Expired,
    /// There is no such key, or it is a temporary one and the request has no token.
    UnknownKey,
    WrongToken,
}

impl Keyring {
    /// `tokens` are those of temporary keys, by access key.
    pub(crate) fn new(
        secrets: Arc<BTreeMap<String, SecretKey>>,
        tokens: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let temporary = tokens.into_iter().filter_map(|(access_key, token)| {
            let secret = secrets.get(&access_key)?.clone();
            Some((access_key, Temporary { secret, token, expires_ms: None }))
        });
        let temporary = Arc::new(Mutex::new(temporary.collect()));
        Self { secrets, temporary }
    }

    /// Returns the secret of a key. `token` is the security token of the request.
    pub(crate) fn secret(
        &self,
        access_key: &str,
        token: Option<&str>,
    ) -> Result<String, Rejection> {
        if let Some(known) = self.lock().get(access_key) {
            return match token {
                None => Err(Rejection::UnknownKey),
                Some(token) if token != known.token => Err(Rejection::WrongToken),
                Some(_) if known.expires_ms.is_some_and(|end| end <= now_ms()) => {
                    Err(Rejection::Expired)
                }
                Some(_) => Ok(known.secret.expose().to_owned()),
            };
        }
        let secret = self.secrets.get(access_key).ok_or(Rejection::UnknownKey)?;
        // A permanent key has no token.
        token.map_or_else(|| Ok(secret.expose().to_owned()), |_| Err(Rejection::WrongToken))
    }

    /// Issues a key that expires after `lifetime`, or when the emulator ends.
    pub(crate) fn issue(&self, lifetime: Duration) -> Issued {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let lifetime_ms = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
        let issued = Issued {
            access_key: format!("STS.{}", opaque_id("access key", number)),
            secret_key: opaque_id("secret key", number),
            token: opaque_id("token", number),
            expires_ms: now_ms().saturating_add(lifetime_ms),
        };
        let kept = Temporary {
            secret: SecretKey::from(issued.secret_key.clone()),
            token: issued.token.clone(),
            expires_ms: Some(issued.expires_ms),
        };
        self.lock().insert(issued.access_key.clone(), kept);
        issued
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Temporary>> {
        self.temporary.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_key_needs_its_token_and_a_permanent_one_has_none() {
        let secrets =
            ["long", "short"].map(|key| (key.to_owned(), SecretKey::from("s".to_owned())));
        let tokens = [("short".to_owned(), "token".to_owned())];
        let keys = Keyring::new(Arc::new(secrets.into_iter().collect()), tokens);
        assert_eq!(keys.secret("long", None).as_deref(), Ok("s"));
        assert_eq!(keys.secret("short", Some("token")).as_deref(), Ok("s"));
        assert_eq!(keys.secret("short", None), Err(Rejection::UnknownKey));
        assert_eq!(keys.secret("short", Some("other")), Err(Rejection::WrongToken));
        assert_eq!(keys.secret("long", Some("token")), Err(Rejection::WrongToken));
        assert_eq!(keys.secret("unknown", None), Err(Rejection::UnknownKey));
    }

    #[test]
    fn an_issued_key_is_valid_for_its_lifetime() {
        let keys = Keyring::default();
        let lasting = keys.issue(Duration::from_secs(60));
        let over = keys.issue(Duration::ZERO);
        assert_eq!(
            keys.secret(&lasting.access_key, Some(&lasting.token)),
            Ok(lasting.secret_key.clone())
        );
        assert_eq!(keys.secret(&over.access_key, Some(&over.token)), Err(Rejection::Expired));
        assert_eq!(keys.secret(&lasting.access_key, Some(&over.token)), Err(Rejection::WrongToken));
    }
}
