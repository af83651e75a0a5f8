//! Recognizes files that users mistake for a state by their first bytes.

use crate::advice::Commands;

/// What a file is instead of a state, and the remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Foreign {
    /// The end of a sentence that begins with "it is".
    pub(crate) what: &'static str,
    pub(crate) remedy: Remedy,
}

/// The remedy for a file that is no state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Follow this sentence.
    Do(&'static str),
    /// Push another file.
    PushTheState,
    /// Write the file again, as UTF-8.
    WriteUtf8,
}

impl Remedy {
    pub(crate) fn hint(self, commands: &Commands) -> String {
        let pull = commands.named("pull -o FILE");
        match self {
            Self::Do(sentence) => sentence.to_owned(),
            Self::PushTheState => format!("push the state itself: the file that {pull} writes"),
            Self::WriteUtf8 => format!(
                "save it as UTF-8 without a byte order mark, in an editor or with `iconv`; where \
                 `>` of PowerShell wrote it, use {pull} instead"
            ),
        }
    }
}

/// The beginnings of such files.
const BEGINNINGS: [(&[u8], Foreign); 16] = [
    (b"\xef\xbb\xbf", Foreign { what: "a text with a byte order mark", remedy: Remedy::WriteUtf8 }),
    (b"\xff\xfe", Foreign { what: "a text in UTF-16", remedy: Remedy::WriteUtf8 }),
    (b"\xfe\xff", Foreign { what: "a text in UTF-16", remedy: Remedy::WriteUtf8 }),
    (b"{\0", Foreign { what: "a text in UTF-16", remedy: Remedy::WriteUtf8 }),
    (b"\0{", Foreign { what: "a text in UTF-16", remedy: Remedy::WriteUtf8 }),
    (
        b"\x1f\x8b",
        Foreign { what: "compressed with gzip", remedy: Remedy::Do("pass it through `gunzip`") },
    ),
    (
        b"\x28\xb5\x2f\xfd",
        Foreign { what: "compressed with zstd", remedy: Remedy::Do("pass it through `unzstd`") },
    ),
    (
        b"BZh",
        Foreign { what: "compressed with bzip2", remedy: Remedy::Do("pass it through `bunzip2`") },
    ),
    (
        b"\xfd7zXZ",
        Foreign { what: "compressed with xz", remedy: Remedy::Do("pass it through `unxz`") },
    ),
    (
        b"PK\x03\x04",
        Foreign { what: "a zip archive, as a saved plan is", remedy: Remedy::PushTheState },
    ),
    (
        b"version https://git-lfs",
        Foreign {
            what: "a pointer of Git LFS",
            remedy: Remedy::Do("fetch the file with `git lfs pull`"),
        },
    ),
    (
        b"$ANSIBLE_VAULT",
        Foreign {
            what: "encrypted by Ansible Vault",
            remedy: Remedy::Do("decrypt it with `ansible-vault view`"),
        },
    ),
    (
        b"age-encryption.org",
        Foreign { what: "encrypted by age", remedy: Remedy::Do("decrypt it with `age -d`") },
    ),
    (
        b"-----BEGIN PGP",
        Foreign {
            what: "encrypted or signed by PGP",
            remedy: Remedy::Do("decrypt it with `gpg -d`"),
        },
    ),
    (
        b"tfstate",
        Foreign {
            what: "in the binary format of Terraform 0.6 and older",
            remedy: Remedy::Do("let a Terraform of that time write it again, as JSON"),
        },
    ),
    (
        b"<<<<<<<",
        Foreign {
            what: "a text with conflict markers",
            remedy: Remedy::Do("resolve the conflict first"),
        },
    ),
];

/// Recognizes a file by its first bytes, after any white space.
pub(crate) fn recognised(beginning: &[u8]) -> Option<Foreign> {
    let beginning = beginning.trim_ascii_start();
    if let Some((_, foreign)) = BEGINNINGS.iter().find(|(start, _)| beginning.starts_with(start)) {
        return Some(*foreign);
    }
    let inner = beginning.strip_prefix(b"{")?.trim_ascii_start();
    inner.starts_with(b"\"format_version\"").then_some(Foreign {
        what: "what `terraform show -json` prints, for programs to read",
        remedy: Remedy::PushTheState,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_first_bytes() {
        for (beginning, what) in [
            (&b"\xff\xfe{\0\"\0"[..], "UTF-16"),
            (b"\xef\xbb\xbf{\"version\":4}", "byte order mark"),
            (b"\x1f\x8b\x08", "gzip"),
            (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
            (b"\n$ANSIBLE_VAULT;1.1;AES256\n", "Ansible"),
            (b"PK\x03\x04\x14", "saved plan"),
            (b"{\n  \"format_version\": \"1.0\"", "show -json"),
            (b"tfstate\x01", "binary"),
        ] {
            let found = recognised(beginning).unwrap();
            assert!(found.what.contains(what), "{what}: {found:?}");
            if what.contains("UTF-16") || what.contains("byte order mark") {
                assert_eq!(found.remedy, Remedy::WriteUtf8, "{found:?}");
            }
        }
        for beginning in
            [&b"{\"version\":4}"[..], b"", b"{", b"hunter2", b"{\"serial\":1,\"format_version\":1}"]
        {
            assert_eq!(recognised(beginning), None);
        }
    }
}
