//! The bucket and the key of a request.

use hyper::{HeaderMap, Uri};
use percent_encoding::percent_decode_str;
use s3s::S3Result;
use s3s::host::{S3Host, VirtualHost};

/// Finds buckets in subdomains of `localhost`, which resolve to this machine.
#[derive(Debug)]
pub(crate) struct Localhost;

impl S3Host for Localhost {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let name = VirtualHost::new(host);
        Ok(match bucket_of_host(host) {
            Some(bucket) => name.with_bucket(bucket),
            None => name,
        })
    }
}

fn bucket_of_host(host: &str) -> Option<&str> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name.strip_suffix(".localhost").filter(|bucket| !bucket.is_empty())
}

/// Returns the bucket and the key of a request.
pub(crate) fn target(uri: &Uri, headers: &HeaderMap) -> (Option<String>, Option<String>) {
    let path = percent_decode_str(uri.path()).decode_utf8_lossy();
    let path = path.strip_prefix('/').unwrap_or(&path);
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let host =
        headers.get(hyper::header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if let Some(bucket) = bucket_of_host(host) {
        return (some(bucket), some(path));
    }
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    (some(bucket), some(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_comes_from_the_host_if_it_is_below_localhost() {
        let mut headers = HeaderMap::new();
        let uri: Uri = "/env:/a%20b/k".parse().unwrap();
        headers.insert("host", "127.0.0.1:80".parse().unwrap());
        assert_eq!(target(&uri, &headers), (Some("env:".into()), Some("a b/k".into())));
        headers.insert("host", "tfstate.localhost:80".parse().unwrap());
        assert_eq!(target(&uri, &headers), (Some("tfstate".into()), Some("env:/a b/k".into())));
    }
}
