//! The XML documents in answers.

use percent_encoding::percent_decode_str;
use quick_xml::events::Event;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A document, identified by its root.
pub(crate) trait Document: DeserializeOwned {
    const ROOT: &'static str;
}

impl Document for Listing {
    const ROOT: &'static str = "ListBucketResult";
}

impl Document for Versions {
    const ROOT: &'static str = "ListVersionsResult";
}

impl Document for VersioningConfiguration {
    const ROOT: &'static str = "VersioningConfiguration";
}

/// A page of a listing of objects.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Listing {
    /// Required: without it nothing says that the page is the last.
    pub(crate) is_truncated: bool,
    pub(crate) next_marker: Option<String>,
    #[serde(default)]
    pub(crate) contents: Vec<Listed>,
}

/// An object in a listing. Keys are URL-encoded, as the request demands: XML cannot hold every
/// character.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Listed {
    pub(crate) key: String,
    pub(crate) last_modified: String,
    #[serde(rename = "ETag")]
    pub(crate) etag: Option<String>,
    pub(crate) size: u64,
}

/// A page of a listing of versions.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Versions {
    pub(crate) is_truncated: bool,
    pub(crate) next_key_marker: Option<String>,
    pub(crate) next_version_id_marker: Option<String>,
    /// In the order of the page, which mixes versions and delete markers.
    #[serde(rename = "$value", default)]
    pub(crate) entries: Vec<Entry>,
}

/// One element of a page of versions.
#[derive(Debug, Deserialize)]
pub(crate) enum Entry {
    Version(ListedVersion),
    DeleteMarker(ListedVersion),
    #[serde(other)]
    Other,
}

/// A version in a listing.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ListedVersion {
    pub(crate) key: String,
    pub(crate) version_id: String,
    pub(crate) is_latest: bool,
    pub(crate) last_modified: String,
    #[serde(rename = "ETag")]
    pub(crate) etag: Option<String>,
    pub(crate) size: u64,
}

/// Whether a bucket keeps versions.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct VersioningConfiguration {
    pub(crate) status: Option<String>,
}

/// Decodes `encoding-type=url`, in which a space is a plus sign or `%20`.
pub(crate) fn decode(text: &str) -> String {
    percent_decode_str(&text.replace('+', "%20")).decode_utf8_lossy().into_owned()
}

/// Reads a document; `None` if it is not of that kind. The parser's message is dropped, since it
/// may quote the text.
pub(crate) fn parse<T: Document>(text: &str) -> Option<T> {
    // The parser checks the names of fields, but not that of the root.
    (root(text)? == T::ROOT).then(|| quick_xml::de::from_str(text).ok()).flatten()
}

fn root(text: &str) -> Option<String> {
    let mut reader = quick_xml::Reader::from_str(text);
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) | Event::Empty(start) => {
                return String::from_utf8(start.local_name().as_ref().to_vec()).ok();
            }
            Event::Eof => return None,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_decoded_whatever_a_space_was_written_as() {
        assert_eq!(decode("env%3A%2Fdev%2Fa%2Bb+c%20d"), "env:/dev/a+b c d");
    }

    #[test]
    fn versions_and_deletions_keep_their_order() {
        let page: Versions = parse(
            "<?xml version=\"1.0\" \
             encoding=\"UTF-8\"?><ListVersionsResult><Name>b</Name><Prefix>k</Prefix><KeyMarker></\
             KeyMarker><VersionIdMarker></VersionIdMarker><MaxKeys>1000</\
             MaxKeys><IsTruncated>true</IsTruncated><NextKeyMarker>k</\
             NextKeyMarker><NextVersionIdMarker>2</NextVersionIdMarker><DeleteMarker><Key>k</\
             Key><VersionId>4</VersionId><IsLatest>true</IsLatest><LastModified>2024-01-02T03:04:\
             05.000Z</LastModified><Owner><ID>1</ID><DisplayName>1</DisplayName></Owner></\
             DeleteMarker><Version><Key>k</Key><VersionId>3</VersionId><IsLatest>false</\
             IsLatest><LastModified>2024-01-02T03:04:04.000Z</LastModified><ETag>\"AB\"</\
             ETag><Type>Normal</Type><Size>12</Size><StorageClass>Standard</StorageClass></\
             Version><DeleteMarker><Key>k</Key><VersionId>2</VersionId><IsLatest>false</\
             IsLatest><LastModified>2024-01-02T03:04:03.000Z</LastModified></DeleteMarker></\
             ListVersionsResult>",
        )
        .unwrap();
        assert!(page.is_truncated);
        assert_eq!(page.next_version_id_marker.as_deref(), Some("2"));
        let seen: Vec<_> = page
            .entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Version(version) => Some((false, version.version_id.as_str(), version.size)),
                Entry::DeleteMarker(version) => {
                    Some((true, version.version_id.as_str(), version.size))
                }
                Entry::Other => None,
            })
            .collect();
        assert_eq!(seen, [(true, "4", 0), (false, "3", 12), (true, "2", 0)]);
    }

    #[test]
    fn a_bucket_that_never_kept_versions_says_nothing() {
        let never: VersioningConfiguration =
            parse("<VersioningConfiguration></VersioningConfiguration>").unwrap();
        assert_eq!(never.status, None);
        let on: VersioningConfiguration =
            parse("<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
                .unwrap();
        assert_eq!(on.status.as_deref(), Some("Enabled"));
        let empty: VersioningConfiguration =
            parse("<?xml version=\"1.0\"?><VersioningConfiguration/>").unwrap();
        assert_eq!(empty.status, None);
        for page in ["{}", "", "<html></html>", "<!-- x --><html><Status>Enabled</Status></html>"] {
            assert!(parse::<VersioningConfiguration>(page).is_none(), "{page}");
        }
    }

    #[test]
    fn what_is_no_listing_is_not_an_empty_one() {
        let listing = |text: &str| parse::<Listing>(text).map(|page| page.contents.len());
        assert_eq!(
            listing("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"),
            Some(0)
        );
        for page in [
            "",
            "<html><body>Sign in</body></html>",
            "<ListBucketResult></ListBucketResult>",
            "<ListAllMyBucketsResult><IsTruncated>false</IsTruncated></ListAllMyBucketsResult>",
        ] {
            assert_eq!(listing(page), None, "{page}");
            assert!(parse::<Versions>(page).is_none(), "{page}");
        }
    }
}
