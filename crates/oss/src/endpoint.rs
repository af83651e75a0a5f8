//! The address of a bucket: its host, the path to its objects, and the region in an endpoint.
//!
//! <https://www.alibabacloud.com/help/en/oss/user-guide/regions-and-endpoints>

use url::{Host, Url};

use crate::sign::{Query, encode, encode_path};

/// How a URL names the bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressStyle {
    /// Not at all: the domain belongs to the bucket.
    Cname,
    /// As the first part of the path. The public service refuses it.
    Path,
    /// As the first label of the host.
    Virtual,
}

/// An endpoint, with or without a base path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    scheme: &'static str,
    /// Host and port.
    authority: String,
    /// Starts with a slash, and does not end with one; may be empty.
    base: String,
    style: AddressStyle,
    region: Option<String>,
    /// It is one of the vendor's own endpoints.
    pub(crate) is_public: bool,
}

impl Endpoint {
    /// Reads an endpoint; HTTPS is the default scheme. A `style` of `None` means that the host
    /// decides: IP addresses have no subdomains.
    ///
    /// # Errors
    /// Says why the text is no endpoint.
    pub(crate) fn parse(text: &str, style: Option<AddressStyle>) -> Result<Self, &'static str> {
        const EXPECTED: &str = "expected a host such as `oss-cn-beijing.aliyuncs.com`, or a URL \
                                such as `http://127.0.0.1:8080`";
        let with_scheme =
            if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let url = Url::parse(&with_scheme).map_err(|_| EXPECTED)?;
        let scheme = match url.scheme() {
            "http" => "http",
            "https" => "https",
            _ => return Err(EXPECTED),
        };
        let host = url.host().ok_or(EXPECTED)?;
        if !url.username().is_empty() || url.password().is_some() {
            // Messages that name the endpoint would show it.
            return Err(
                "it must not hold a user name or a password, which the service has no use for",
            );
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(EXPECTED);
        }
        let is_name = matches!(host, Host::Domain(_));
        let style =
            style.unwrap_or(if is_name { AddressStyle::Virtual } else { AddressStyle::Path });
        if style == AddressStyle::Virtual && !is_name {
            return Err("an IP address has no subdomains: use `address_style = \"path\"`");
        }
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let host = host.to_string();
        Ok(Self {
            scheme,
            authority: format!("{host}{port}"),
            base: url.path().trim_end_matches('/').to_owned(),
            style,
            region: region_of(&host).map(str::to_owned),
            is_public: host.ends_with(".aliyuncs.com"),
        })
    }

    /// Returns the public endpoint of a region.
    pub(crate) fn of_region(
        region: &str,
        style: Option<AddressStyle>,
    ) -> Result<Self, &'static str> {
        Self::parse(&format!("oss-{region}.aliyuncs.com"), style)
    }

    /// Returns the endpoint without the bucket that it also names, if it does. What a host outside
    /// the vendor's domains names is unknown; one that stands for the bucket (`cname`) may name it.
    pub(crate) fn without_bucket(&self, bucket: &str) -> Option<String> {
        if !self.is_public || self.style == AddressStyle::Cname {
            return None;
        }
        let labels: Vec<&str> = self.authority.split('.').collect();
        // `oss-<region>`, `<region>.oss`, and names of older networks such as
        // `vpc100-oss-<region>`.
        let service =
            labels.iter().position(|label| label.starts_with("oss-") || label.contains("-oss-"));
        let older =
            || labels.iter().position(|label| *label == "oss").map(|at| at.saturating_sub(1));
        let named = service.or_else(older).unwrap_or(0);
        let first = self.base.trim_start_matches('/').split('/').next();
        (named > 0 || first == Some(bucket))
            .then(|| format!("{}://{}", self.scheme, labels[named..].join(".")))
    }

    /// Returns the region that the host names, if it does.
    pub(crate) fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// Returns the URL of an object, or of the bucket.
    pub(crate) fn url(&self, bucket: &str, key: Option<&str>, query: &Query) -> String {
        let Self { scheme, authority, base, style, .. } = self;
        let key = encode_path(key.unwrap_or_default());
        let place = match style {
            AddressStyle::Cname => format!("{scheme}://{authority}{base}/{key}"),
            AddressStyle::Path => format!("{scheme}://{authority}{base}/{bucket}/{key}"),
            AddressStyle::Virtual => format!("{scheme}://{bucket}.{authority}{base}/{key}"),
        };
        let query: Vec<_> = query
            .iter()
            .map(|(name, value)| match value {
                None => (*name).to_owned(),
                Some(value) => format!("{name}={}", encode(value)),
            })
            .collect();
        if query.is_empty() { place } else { format!("{place}?{}", query.join("&")) }
    }
}

/// For messages.
impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.base)
    }
}

/// `oss-<region>.aliyuncs.com`, `oss-<region>-internal.aliyuncs.com` and
/// `<region>.oss.aliyuncs.com` name their region. Transfer acceleration names none.
fn region_of(host: &str) -> Option<&str> {
    let name = host.strip_suffix(".aliyuncs.com")?;
    let region = match name.strip_suffix(".oss") {
        Some(region) => region,
        None => name.strip_prefix("oss-")?,
    };
    let region = region.strip_suffix("-internal").unwrap_or(region);
    (!region.starts_with("accelerate") && !region.contains('.')).then_some(region)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(endpoint: &str, style: Option<AddressStyle>) -> String {
        Endpoint::parse(endpoint, style).unwrap().url(
            "tfbkt",
            Some("env:/a b.tfstate"),
            &vec![("acl", None)],
        )
    }

    #[test]
    fn buckets_are_named_as_native_clients_name_them() {
        for (endpoint, expected) in [
            (
                "oss-cn-beijing.aliyuncs.com",
                "https://tfbkt.oss-cn-beijing.aliyuncs.com/env%3A/a%20b.tfstate?acl",
            ),
            ("http://oss.local:8080", "http://tfbkt.oss.local:8080/env%3A/a%20b.tfstate?acl"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/tfbkt/env%3A/a%20b.tfstate?acl"),
            ("http://[::1]:8080/", "http://[::1]:8080/tfbkt/env%3A/a%20b.tfstate?acl"),
            ("http://10.0.0.1/base/", "http://10.0.0.1/base/tfbkt/env%3A/a%20b.tfstate?acl"),
            ("localhost", "https://tfbkt.localhost/env%3A/a%20b.tfstate?acl"),
        ] {
            assert_eq!(url(endpoint, None), expected);
        }
        let cname = url("states.example.com", Some(AddressStyle::Cname));
        assert_eq!(cname, "https://states.example.com/env%3A/a%20b.tfstate?acl");
        let path = url("https://gateway.example.com", Some(AddressStyle::Path));
        assert_eq!(path, "https://gateway.example.com/tfbkt/env%3A/a%20b.tfstate?acl");
    }

    #[test]
    fn endpoint_that_names_the_bucket_too_is_told_from_one_that_does_not() {
        let without =
            |text: &str, style| Endpoint::parse(text, style).unwrap().without_bucket("acme-tf");
        for (endpoint, service) in [
            ("https://acme-tf.oss-cn-beijing.aliyuncs.com", "https://oss-cn-beijing.aliyuncs.com"),
            (
                "other.oss-cn-beijing-internal.aliyuncs.com",
                "https://oss-cn-beijing-internal.aliyuncs.com",
            ),
            ("http://acme-tf.oss-accelerate.aliyuncs.com:80", "http://oss-accelerate.aliyuncs.com"),
            ("acme-tf.cn-hongkong.oss.aliyuncs.com", "https://cn-hongkong.oss.aliyuncs.com"),
            ("https://oss-cn-beijing.aliyuncs.com/acme-tf", "https://oss-cn-beijing.aliyuncs.com"),
            ("oss-cn-beijing.aliyuncs.com/acme-tf/states/", "https://oss-cn-beijing.aliyuncs.com"),
        ] {
            assert_eq!(without(endpoint, None).as_deref(), Some(service), "{endpoint}");
        }
        for endpoint in [
            "oss-cn-beijing.aliyuncs.com",
            "cn-hongkong.oss.aliyuncs.com",
            "vpc100-oss-cn-beijing.aliyuncs.com",
            "oss-accelerate-overseas.aliyuncs.com",
            "acme-tf.example.com",
            "http://127.0.0.1:8080/acme-tf",
        ] {
            assert_eq!(without(endpoint, None), None, "{endpoint}");
        }
        let own = Some(AddressStyle::Cname);
        assert_eq!(without("acme-tf.oss-cn-beijing.aliyuncs.com", own), None);
    }

    #[test]
    fn what_is_no_endpoint_is_refused() {
        for text in [
            "",
            "ftp://x",
            "https://",
            "https://user:pw@host",
            "https://host/?x",
            "https://host#x",
            "a b",
        ] {
            assert!(Endpoint::parse(text, None).is_err(), "{text}");
        }
        assert!(Endpoint::parse("127.0.0.1", Some(AddressStyle::Virtual)).is_err());
    }

    #[test]
    fn regions_are_read_from_the_vendors_hosts() {
        for (endpoint, region) in [
            ("oss-cn-beijing.aliyuncs.com", Some("cn-beijing")),
            ("https://oss-cn-beijing-internal.aliyuncs.com", Some("cn-beijing")),
            ("cn-hongkong.oss.aliyuncs.com", Some("cn-hongkong")),
            ("oss-accelerate.aliyuncs.com", None),
            ("oss-accelerate-overseas.aliyuncs.com", None),
            ("http://127.0.0.1", None),
            ("states.example.com", None),
        ] {
            let endpoint = Endpoint::parse(endpoint, None).unwrap();
            assert_eq!(endpoint.region(), region);
        }
        assert_eq!(
            Endpoint::of_region("cn-beijing", None).unwrap().to_string(),
            "https://oss-cn-beijing.aliyuncs.com"
        );
    }
}
