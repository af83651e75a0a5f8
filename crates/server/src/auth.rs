//! Authentication of clients.

use std::net::IpAddr;

use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use remote_state_core::{Error, Result};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::failure::Failure;

/// How clients authenticate.
#[derive(Clone, Debug)]
pub struct Auth(Method);

#[derive(Clone, Debug)]
enum Method {
    None,
    Token(SecretString),
    Path(SecretString),
}

impl Auth {
    /// Clients need no token. Only a server that listens on a loopback address accepts this.
    pub fn none() -> Self {
        Self(Method::None)
    }

    /// Clients send this token: as the password of HTTP Basic with any user name, which is all that
    /// Terraform can send, or as a bearer token. A token of fewer than 16 random characters can be
    /// guessed; the server does not check that.
    pub fn token(token: impl Into<String>) -> Self {
        Self(Method::Token(SecretString::from(token.into())))
    }

    /// Clients send this secret as a part of the path: `/exec/SECRET/state/NAME`, and likewise
    /// `/lock/` and `/unlock/`. The server ignores the credentials of a request, so a client may
    /// send those that it has for other servers.
    pub fn path(secret: impl Into<String>) -> Self {
        Self(Method::Path(SecretString::from(secret.into())))
    }
}

/// A request that passed authentication.
#[derive(Debug)]
pub(crate) struct Admitted<'a> {
    /// The user name that the client sends. It is a claim: all clients share one token.
    pub(crate) principal: Option<String>,
    /// The path without the secret.
    pub(crate) path: &'a str,
}

/// Checks requests. It keeps a digest of the secret, so that a comparison takes the same time
/// whatever a client sends, and however long that is.
#[derive(Clone)]
pub(crate) enum Gate {
    Open,
    Path([u8; 32]),
    Token([u8; 32]),
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Open => "Open",
            Self::Path(_) => "Path",
            Self::Token(_) => "Token",
        })
    }
}

impl Gate {
    pub(crate) fn new(auth: &Auth, listens_on: IpAddr) -> Result<Self> {
        match &auth.0 {
            Method::None if listens_on.to_canonical().is_loopback() => Ok(Self::Open),
            Method::None => Err(Error::config(format!(
                "a server without a token can only listen on a loopback address, not on \
                 `{listens_on}`"
            ))
            .with_hint("listen on 127.0.0.1, or set a token")),
            Method::Path(token) | Method::Token(token) if token.expose_secret().is_empty() => {
                Err(Error::config("the token is empty"))
            }
            Method::Path(secret) => Ok(Self::Path(digest(secret.expose_secret().as_bytes()))),
            Method::Token(token) => Ok(Self::Token(digest(token.expose_secret().as_bytes()))),
        }
    }

    /// Checks a request by its headers and its path.
    pub(crate) fn check<'a>(
        &self,
        headers: &HeaderMap,
        path: &'a str,
    ) -> Result<Admitted<'a>, Failure> {
        match self {
            Self::Open if comes_from_a_web_page(headers) => Err(Failure::new(
                StatusCode::FORBIDDEN,
                "without a token, web pages are not served",
            )
            .closing()),
            Self::Open => Ok(Admitted { principal: None, path }),
            Self::Path(expected) => {
                let below = path.strip_prefix("/exec/");
                match below.and_then(|below| below.find('/').map(|at| below.split_at(at))) {
                    Some((shown, path)) if bool::from(digest(shown.as_bytes()).ct_eq(expected)) => {
                        Ok(Admitted { principal: None, path })
                    }
                    // Credentials would not help, so the answer does not ask for them.
                    _ => Err(Failure::new(
                        StatusCode::FORBIDDEN,
                        "this is not the address of a state",
                    )
                    .closing()),
                }
            }
            Self::Token(expected) => {
                let (principal, shown) = credentials(headers).ok_or_else(Failure::unauthorized)?;
                if bool::from(digest(&shown).ct_eq(expected)) {
                    Ok(Admitted { principal, path })
                } else {
                    Err(Failure::unauthorized())
                }
            }
        }
    }
}

/// Returns whether a browser sent a request for a web page. Any page in a browser on this machine
/// can send requests to a loopback port; the headers `Origin` and `Host` tell.
fn comes_from_a_web_page(headers: &HeaderMap) -> bool {
    let host_is_foreign = headers.get(HOST).is_some_and(|host| {
        let Ok(host) = host.to_str() else { return true };
        let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((v6, _)) => v6,
            None => host.split(':').next().unwrap_or_default(),
        };
        let is_local_name = name.eq_ignore_ascii_case("localhost")
            || name.to_ascii_lowercase().ends_with(".localhost");
        !is_local_name && !name.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
    });
    // Browsers leave out `Origin` for a plain GET and for a form, and name the page's site here.
    // `none` is a bookmark or a typed address.
    let is_of_a_page =
        headers.get_all("sec-fetch-site").iter().any(|site| site.as_bytes() != b"none");
    headers.contains_key(ORIGIN) || is_of_a_page || host_is_foreign
}

/// Returns the user name and the token that a request sends.
fn credentials(headers: &HeaderMap) -> Option<(Option<String>, Vec<u8>)> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, shown) = value.to_str().ok()?.split_once(' ')?;
    let shown = shown.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some((None, shown.as_bytes().to_vec()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = STANDARD.decode(shown).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    let name = String::from_utf8_lossy(&pair[..colon]).into_owned();
    Some((Some(name).filter(|name| !name.is_empty()), pair[colon + 1..].to_vec()))
}

fn digest(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn token_gate() -> Gate {
        Gate::new(&Auth::token("s3:cret"), [0, 0, 0, 0].into()).unwrap()
    }

    #[test]
    fn the_token_is_a_password_of_any_user_or_a_bearer_token() {
        for user in ["ci", "", "ü"] {
            let value = format!("Basic {}", STANDARD.encode(format!("{user}:s3:cret")));
            assert!(
                token_gate().check(&headers(&[("authorization", &value)]), "/").is_ok(),
                "{user}"
            );
        }
        let bearer = token_gate().check(&headers(&[("authorization", "bearer s3:cret")]), "/");
        assert!(bearer.is_ok_and(|admitted| admitted.principal.is_none()));
        let named = format!("Basic {}", STANDARD.encode("ci:s3:cret"));
        assert!(
            token_gate()
                .check(&headers(&[("authorization", &named)]), "/")
                .is_ok_and(|admitted| admitted.principal.as_deref() == Some("ci"))
        );
    }

    #[test]
    fn anything_else_is_refused() {
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        for value in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer s3:cre",
            "Bearer s3:crett",
            "s3:cret",
            "Digest s3:cret",
            "Basic !",
            &basic("s3:cret"),
            &basic("ci:"),
            &basic("s3"),
        ] {
            assert!(
                token_gate().check(&headers(&[("authorization", value)]), "/").is_err(),
                "{value}"
            );
        }
        assert!(token_gate().check(&HeaderMap::new(), "/").is_err());
        let twice =
            headers(&[("authorization", "Bearer s3:cret"), ("authorization", "Bearer s3:cret")]);
        assert!(token_gate().check(&twice, "/").is_err());
    }

    #[test]
    fn without_a_token_only_a_loopback_address_will_do() {
        for ip in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert!(Gate::new(&Auth::none(), ip.parse().unwrap()).is_ok(), "{ip}");
        }
        for ip in ["0.0.0.0", "::", "10.0.0.1", "::ffff:10.0.0.1"] {
            assert!(Gate::new(&Auth::none(), ip.parse().unwrap()).is_err(), "{ip}");
        }
        assert!(Gate::new(&Auth::token(""), [127, 0, 0, 1].into()).is_err());
    }

    #[test]
    fn without_a_token_web_pages_are_refused() {
        let gate = Gate::Open;
        for host in ["localhost:80", "127.0.0.1:4444", "[::1]:80", "[::1]", "state.localhost"] {
            assert!(gate.check(&headers(&[("host", host)]), "/").is_ok(), "{host}");
        }
        for host in ["evil.example:80", "10.0.0.1", "localhost.evil.example", "[2001:db8::1]:80"] {
            assert!(gate.check(&headers(&[("host", host)]), "/").is_err(), "{host}");
        }
        assert!(
            gate.check(&headers(&[("host", "localhost"), ("origin", "http://localhost")]), "/")
                .is_err()
        );
        for (site, is_served) in
            [("cross-site", false), ("same-site", false), ("same-origin", false), ("none", true)]
        {
            let shown = headers(&[("host", "localhost"), ("sec-fetch-site", site)]);
            assert_eq!(gate.check(&shown, "/").is_ok(), is_served, "{site}");
        }
    }

    #[test]
    fn a_secret_in_the_path_is_all_that_is_asked_for() {
        let gate = Gate::new(&Auth::path("s3cret"), [127, 0, 0, 1].into()).unwrap();
        let foreign = headers(&[("authorization", "Basic Y2k6dG9r")]);
        for shown in [&HeaderMap::new(), &foreign] {
            let admitted = gate.check(shown, "/exec/s3cret/state/a/b").unwrap();
            assert_eq!(admitted.path, "/state/a/b");
        }
        let own = headers(&[("authorization", "Bearer s3cret")]);
        for path in [
            "/state/a",
            "/exec/s3cre/state/a",
            "/exec/s3crett/state/a",
            "/exec//state/a",
            "/exec/s3cret",
            "//exec/s3cret/state/a",
            "/exec/s3cret%2fstate/a",
        ] {
            assert!(gate.check(&own, path).is_err(), "{path}");
        }
        assert!(Gate::new(&Auth::path(""), [127, 0, 0, 1].into()).is_err());
    }
}
