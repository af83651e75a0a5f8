//! The server that did not reply. The SDK's error does not name it: for a source of credentials the
//! SDK itself chooses the server.

use std::error::Error as StdError;
use std::fmt;

use aws_smithy_runtime_api::client::result::ConnectorError;
use url::Url;

use crate::causes::causes;

/// A failed request, and its server. Its message is that of the error it holds.
#[derive(Debug)]
pub(crate) struct Unanswered {
    /// Scheme, host and port as a URL.
    pub(crate) server: String,
    error: Box<dyn StdError + Send + Sync>,
}

impl Unanswered {
    /// Adds the server to an error, which keeps its kind.
    pub(super) fn wrap(error: ConnectorError, server: String) -> ConnectorError {
        let connection = error.connection_metadata().cloned();
        let rebuild: fn(Box<dyn StdError + Send + Sync>) -> ConnectorError = if error.is_timeout() {
            ConnectorError::timeout
        } else if error.is_user() {
            ConnectorError::user
        } else if error.is_io() {
            ConnectorError::io
        } else {
            // A proxy's error already names the proxy.
            return error;
        };
        let error = rebuild(Box::new(Self { server, error: error.into_source() }));
        match connection {
            Some(connection) => error.with_connection(connection),
            None => error,
        }
    }

    /// Returns the one that an error carries.
    pub(crate) fn in_chain<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Self> {
        causes(error).find_map(|error| error.downcast_ref())
    }
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl StdError for Unanswered {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.error)
    }
}

/// Returns scheme, host and port of a request's URI.
pub(super) fn server(uri: &str) -> String {
    match Url::parse(uri) {
        Ok(url) => url.origin().ascii_serialization(),
        Err(_) => "the server".to_owned(),
    }
}
