//! Listings of current objects and of all versions.

use redb::ReadableTable;

use super::{Result, Version, decode, internal};

/// Where a listing resumes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum After {
    /// At the first key.
    Nothing,
    /// After this key, and after all its versions.
    Key(String),
    /// After everything that begins with this common prefix.
    Prefix(String),
    /// After this version of this key.
    Version(String, String),
}

/// The parameters of a listing.
#[derive(Debug)]
pub(crate) struct Query<'a> {
    pub(crate) bucket: &'a str,
    pub(crate) prefix: &'a str,
    /// Not empty, if present.
    pub(crate) delimiter: Option<&'a str>,
    pub(crate) after: After,
    pub(crate) limit: usize,
    pub(crate) all_versions: bool,
}

/// A page of a listing.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) entries: Vec<Entry>,
    pub(crate) common_prefixes: Vec<String>,
    /// Where the next page begins; none on the last page.
    pub(crate) next: Option<After>,
}

/// A version in a listing.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) version: Version,
    pub(crate) is_latest: bool,
}

impl Page {
    fn len(&self) -> usize {
        self.entries.len() + self.common_prefixes.len()
    }
}

/// Reads one page, in the order of the keys' bytes and, within a key, newest first.
pub(crate) fn list(
    versions: &impl ReadableTable<(&'static str, &'static str, u64), &'static [u8]>,
    query: &Query<'_>,
) -> Result<Page> {
    let mut page = Page::default();
    if query.limit == 0 {
        return Ok(page);
    }
    let start = match &query.after {
        After::Nothing => query.prefix,
        After::Key(key) | After::Version(key, _) | After::Prefix(key) => {
            query.prefix.max(key.as_str())
        }
    };
    let mut key_in_progress: Option<String> = None;
    let mut passed_marker = false;
    let mut last = After::Nothing;
    for row in versions.range((query.bucket, start, 0)..).map_err(internal)? {
        let (row_key, row) = row.map_err(internal)?;
        let (bucket, key, _) = row_key.value();
        if bucket != query.bucket || !key.starts_with(query.prefix) {
            // The range starts at the prefix, so no key is less than it.
            break;
        }
        let is_latest = key_in_progress.as_deref() != Some(key);
        if is_latest {
            key_in_progress = Some(key.to_owned());
        } else if !query.all_versions {
            continue;
        }
        if let Some(common) = common_prefix(key, query) {
            let seen = page.common_prefixes.last() == Some(&common)
                || matches!(&query.after, After::Prefix(done) if *done == common);
            if seen
                || (!query.all_versions && decode::<Version>(row.value())?.content.is_none())
                || is_behind(key, &query.after)
            {
                continue;
            }
            if page.len() == query.limit {
                page.next = Some(last);
                break;
            }
            last = After::Prefix(common.clone());
            page.common_prefixes.push(common);
            continue;
        }
        if is_behind(key, &query.after) {
            continue;
        }
        let version: Version = decode(row.value())?;
        if let After::Version(marker_key, marker_id) = &query.after
            && marker_key == key
            && !passed_marker
        {
            passed_marker = version.id == *marker_id;
            continue;
        }
        if !query.all_versions && version.content.is_none() {
            continue;
        }
        if page.len() == query.limit {
            page.next = Some(last);
            break;
        }
        last = if query.all_versions {
            After::Version(key.to_owned(), version.id.clone())
        } else {
            After::Key(key.to_owned())
        };
        page.entries.push(Entry { key: key.to_owned(), version, is_latest });
    }
    Ok(page)
}

fn common_prefix(key: &str, query: &Query<'_>) -> Option<String> {
    let delimiter = query.delimiter?;
    let end = key[query.prefix.len()..].find(delimiter)? + query.prefix.len() + delimiter.len();
    Some(key[..end].to_owned())
}

fn is_behind(key: &str, after: &After) -> bool {
    match after {
        After::Nothing | After::Version(..) => false,
        After::Key(done) => key <= done.as_str(),
        After::Prefix(done) => key.starts_with(done.as_str()) || key <= done.as_str(),
    }
}
