//! A request for OSS.

use std::collections::BTreeMap;

use bytes::Bytes;
use hyper::header::HeaderMap;
use hyper::http::request::Parts;
use hyper::{Method, Uri};

use super::address::{Address, Operation, Query};

/// A request, parsed as far as every operation needs it.
#[derive(Debug)]
pub(crate) struct Call {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) address: Address,
    pub(super) query: Query,
    pub(super) operation: Option<Operation>,
    pub(super) body: Vec<Bytes>,
    /// The most entries on a page of a listing, if a fault limits them.
    pub(super) page_limit: Option<usize>,
    pub(super) forgets_versioning: bool,
}

impl Call {
    pub(super) fn new(head: &Parts, body: Vec<Bytes>) -> Self {
        let address = Address::of(&head.uri, &head.headers);
        let query = Query::parse(head.uri.query().unwrap_or_default());
        let operation = Operation::of(&head.method, &address, &query, &head.headers);
        let (method, uri, headers) = (head.method.clone(), head.uri.clone(), head.headers.clone());
        Self {
            method,
            uri,
            headers,
            address,
            query,
            operation,
            body,
            page_limit: None,
            forgets_versioning: false,
        }
    }

    /// Returns whether the request must fail if the object exists.
    pub(super) fn is_conditional(&self) -> bool {
        self.operation == Some(Operation::AppendObject)
            || self.header("x-oss-forbid-overwrite").is_some_and(|value| value != "false")
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The bucket of an operation that has one.
    pub(super) fn own_bucket(&self) -> String {
        self.address.bucket.clone().unwrap_or_default()
    }

    /// The key of an operation that has one.
    pub(super) fn own_key(&self) -> String {
        self.address.key.clone().unwrap_or_default()
    }

    /// Returns the headers for which `is_signed` is true, by name. Values of the same name are
    /// joined.
    pub(super) fn sorted_headers(
        &self,
        is_signed: impl Fn(&str) -> bool,
    ) -> BTreeMap<String, String> {
        let mut found: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in &self.headers {
            if !is_signed(name.as_str()) {
                continue;
            }
            let value = String::from_utf8_lossy(value.as_bytes());
            found
                .entry(name.as_str().to_owned())
                .and_modify(|values| *values = format!("{values},{}", value.trim()))
                .or_insert_with(|| value.trim().to_owned());
        }
        found
    }
}
