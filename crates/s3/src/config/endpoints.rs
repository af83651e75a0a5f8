//! Endpoints: their syntax, and those that name more than a service.

use remote_state_core::Result;
use remote_state_core::config::{Key, ResolvedConfig};
use url::Url;

use crate::config::keys;
use crate::dialect::{Dialect, DialectName};

/// Reads the URL of a service.
pub(super) fn endpoint(config: &ResolvedConfig, key: Key<Option<String>>) -> Result<Option<Url>> {
    let Some(text) = config.get(key) else { return Ok(None) };
    let with_scheme =
        if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    match Url::parse(&with_scheme) {
        // Messages would show it wherever they show the endpoint.
        Ok(url) if !url.username().is_empty() || url.password().is_some() => Err(config.invalid(
            key,
            "it must not hold a user name or a password, which no service here has a use for",
        )),
        Ok(url) if Dialect::is_cache(&url) => Err(config
            .invalid(key, "it is a CDN's, and a state from a cache is a wrong state")
            .with_hint("name the store itself, such as `https://nyc3.digitaloceanspaces.com`")),
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(Some(url)),
        _ => Err(config.invalid(key, "expected a URL such as `https://s3.example.com`")),
    }
}

/// Reads the URL of the store, which must not name the bucket: requests would name it a second
/// time.
pub(super) fn of_store(config: &ResolvedConfig, bucket: &str) -> Result<Option<Url>> {
    let key = keys::ENDPOINTS_S3;
    let Some(url) = endpoint(config, key)? else { return Ok(None) };
    let Some(service) = service_without_bucket(&url, bucket) else { return Ok(Some(url)) };
    let reason = "it names more than a region; the bucket has a key of its own, `bucket`";
    Err(config.invalid(key, reason).with_hint(format!("write `{service}`")))
}

/// Returns the URL of a service whose host or path names a bucket too; `None` for unknown hosts,
/// whose names have no known form.
fn service_without_bucket(url: &Url, bucket: &str) -> Option<String> {
    let host = url.host_str()?.trim_end_matches('.').to_ascii_lowercase();
    let domain = Dialect::ALL.iter().flat_map(|row| row.hosts).find(|end| host.ends_with(**end))?;
    let inner = &host[..host.len() - domain.len()];
    let labels: Vec<&str> = inner.split('.').collect();
    let named = match *domain {
        // `<region>`
        ".digitaloceanspaces.com" => labels.len() - 1,
        // `s3.<region>`, `s3-fips.dualstack.<region>`, `s3-<region>`, `s3`. An endpoint in a VPC
        // has a name of its own before that.
        ".amazonaws.com" | ".amazonaws.com.cn" if labels.last() != Some(&"vpce") => {
            let is_service = |label: &&str| *label == "s3" || is_regional(label);
            labels.iter().position(is_service).unwrap_or(0)
        }
        // `<account>`, `<account>.<jurisdiction>`
        ".r2.cloudflarestorage.com" if inner.starts_with(&format!("{bucket}.")) => {
            bucket.split('.').count()
        }
        _ => 0,
    };
    let path = url.path().trim_matches('/');
    if named == 0 && (path.is_empty() || path.split('/').next() != Some(bucket)) {
        return None;
    }
    Some(format!("{}://{}{domain}", url.scheme(), labels[named..].join(".")))
}

/// Whether this is `s3-fips` or an older name of a region, such as `s3-eu-west-1`. Names of other
/// services begin alike.
fn is_regional(label: &str) -> bool {
    label.strip_prefix("s3-").is_some_and(|rest| {
        rest == "fips"
            || (rest.split('-').count() > 2 && rest.ends_with(|c: char| c.is_ascii_digit()))
    })
}

/// Whether the store is Amazon's own, judging by its name or its endpoint.
pub(crate) fn is_amazons(config: &ResolvedConfig) -> Result<bool> {
    let endpoint = endpoint(config, keys::ENDPOINTS_S3)?;
    Ok(Dialect::choose(dialect(config)?, endpoint.as_ref()).name == DialectName::Aws)
}

/// Returns the dialect that is set, if it is not to be chosen by the endpoint.
pub(super) fn dialect(config: &ResolvedConfig) -> Result<Option<DialectName>> {
    match config.get(keys::DIALECT) {
        "auto" => Ok(None),
        name => {
            let invalid = |reason: String| config.invalid(keys::DIALECT, &reason);
            name.parse().map(Some).map_err(invalid)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(endpoint: &str) -> Option<String> {
        service_without_bucket(&Url::parse(endpoint).unwrap(), "acme-tf")
    }

    #[test]
    fn endpoint_that_names_the_bucket_too_is_told_from_one_that_does_not() {
        for (endpoint, service) in [
            ("https://acme-tf.ams3.digitaloceanspaces.com", "https://ams3.digitaloceanspaces.com"),
            ("https://other.AMS3.digitaloceanspaces.com./", "https://ams3.digitaloceanspaces.com"),
            ("https://ams3.digitaloceanspaces.com/acme-tf", "https://ams3.digitaloceanspaces.com"),
            ("https://acme-tf.s3.eu-west-1.amazonaws.com", "https://s3.eu-west-1.amazonaws.com"),
            ("https://acme-tf.s3.amazonaws.com", "https://s3.amazonaws.com"),
            ("https://a.b.s3-eu-west-1.amazonaws.com", "https://s3-eu-west-1.amazonaws.com"),
            (
                "http://acme-tf.s3-fips.us-east-1.amazonaws.com",
                "http://s3-fips.us-east-1.amazonaws.com",
            ),
            ("https://x.s3.cn-north-1.amazonaws.com.cn", "https://s3.cn-north-1.amazonaws.com.cn"),
            ("https://s3.eu-west-1.amazonaws.com/acme-tf/", "https://s3.eu-west-1.amazonaws.com"),
            (
                "https://acme-tf.abc123.r2.cloudflarestorage.com",
                "https://abc123.r2.cloudflarestorage.com",
            ),
            (
                "https://abc123.r2.cloudflarestorage.com/acme-tf",
                "https://abc123.r2.cloudflarestorage.com",
            ),
        ] {
            assert_eq!(without(endpoint).as_deref(), Some(service), "{endpoint}");
        }
        for endpoint in [
            "https://ams3.digitaloceanspaces.com",
            "https://s3.eu-west-1.amazonaws.com",
            "https://s3-eu-west-1.amazonaws.com",
            "https://s3.dualstack.eu-west-1.amazonaws.com/",
            "https://s3-fips.dualstack.us-east-1.amazonaws.com",
            "https://bucket.vpce-1a2b-5e6f.s3.us-east-1.vpce.amazonaws.com",
            "https://ap-123.s3-accesspoint.us-west-2.amazonaws.com",
            "https://abc123.r2.cloudflarestorage.com",
            "https://abc123.eu.r2.cloudflarestorage.com",
            "https://acme-tf.example.com",
            "https://minio.example.com/acme-tf",
            "http://127.0.0.1:9000",
        ] {
            assert_eq!(without(endpoint), None, "{endpoint}");
        }
    }
}
