//! The table in words, for documentation.

use remote_state_core::Versions;

use super::{
    Addressing, BodySignature, Checksum, Claims, Creates, Dialect, SigningRegion, UnreadFiles,
    Updates, Versioned,
};

/// Returns the table of dialects as documentation shows it: in each row, each cell with the title
/// of its column. It may change in any release.
pub fn dialects_in_words() -> Vec<[(&'static str, String); 16]> {
    Dialect::ALL.iter().map(Dialect::in_words).collect()
}

impl Dialect {
    /// Returns the row in words, as documentation shows it: each cell with the title of its column,
    /// in Markdown.
    pub(crate) fn in_words(&self) -> [(&'static str, String); 16] {
        let hosts: Vec<_> = self.hosts.iter().map(|end| format!("`*{end}`")).collect();
        [
            ("dialect", format!("`{}`", self.label)),
            ("store", self.title.to_owned()),
            ("told by a host", hosts.join(", ")),
            (
                "checksum sent",
                match self.checksum {
                    Checksum::Md5 => "`Content-MD5`",
                    Checksum::Sha256 => "SHA-256",
                }
                .to_owned(),
            ),
            ("checksum asked for", yes_no(self.asks_for_checksums)),
            (
                "body signed by",
                match self.body_signature {
                    BodySignature::Hash => "its hash",
                    BodySignature::Checksum => "the checksum",
                }
                .to_owned(),
            ),
            (
                "a file that was not read before",
                match self.unread_files {
                    UnreadFiles::ReadFirst => "is read first",
                    UnreadFiles::UnsignedTrailer => "is read while it is sent",
                }
                .to_owned(),
            ),
            (
                "`If-None-Match: *` on PUT",
                match self.creates {
                    Creates::Atomic => "atomic",
                    Creates::Unproven => "proven first",
                }
                .to_owned(),
            ),
            (
                "`If-Match` on PUT",
                match self.updates {
                    Updates::Quoted => "quoted",
                    Updates::Bare => "bare",
                    Updates::Unsent => "not sent",
                }
                .to_owned(),
            ),
            ("both, completing a multipart upload", yes_no(self.completes_conditionally)),
            ("`If-Match` on DELETE", yes_no(self.deletes_conditionally)),
            (
                "a release claims the lock file",
                match self.claims {
                    Claims::Never => "no",
                    Claims::Quoted => "yes, quoted",
                    Claims::Bare => "yes, bare",
                    Claims::Unproven => "once proven",
                }
                .to_owned(),
            ),
            (
                "bucket named in",
                match self.addressing {
                    Addressing::Host => "host",
                    Addressing::Path => "path",
                }
                .to_owned(),
            ),
            (
                "region signed for",
                match self.region {
                    SigningRegion::OfBucket => "the bucket's".to_owned(),
                    SigningRegion::Any => "any".to_owned(),
                    SigningRegion::Always(region) => format!("`{region}`"),
                },
            ),
            (
                "on a versioned bucket",
                match self.versioned {
                    Versioned::Same => "the same",
                    Versioned::ByList => "by the version list",
                }
                .to_owned(),
            ),
            (
                "versions listed",
                match self.versions {
                    Versions::InOrder => "in order",
                    Versions::ByTime => "sorted by time",
                    Versions::None => "none",
                    // The enum may grow; the table shows that a word is missing.
                    _ => "?",
                }
                .to_owned(),
            ),
        ]
    }
}

fn yes_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}
