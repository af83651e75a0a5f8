//! How the store is to encrypt, and which tags it keeps with the objects.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use remote_state_core::Result;
use remote_state_core::config::{Key, ResolvedConfig};
use secrecy::SecretString;

use crate::config::endpoints::is_amazons;
use crate::config::keys::{self, KEEP_ONE};

/// How the store encrypts what is written.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Encryption {
    /// As the bucket is configured.
    #[default]
    Bucket,
    /// With a key of the key management service.
    Kms(String),
    /// With a key of the store's own.
    Store,
    /// With a key that is sent with each request, 32 bytes in base64. Reading needs it too.
    Customer(SecretString),
}

/// The tags of what is written, in the form of the header `x-amz-tagging`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tags {
    pub(crate) state: Option<String>,
    pub(crate) lock: Option<String>,
}

pub(super) fn encryption(config: &ResolvedConfig) -> Result<Encryption> {
    let (kms, customer) = (keys::KMS_KEY_ID, keys::SSE_CUSTOMER_KEY);
    if config.is_set(kms) && config.is_set(customer) {
        return Err(config.both(kms, customer).with_hint(KEEP_ONE));
    }
    // Terraform ignores the key in this case, and stores the state unencrypted.
    if let Some(ignored) = [kms, customer].into_iter().find(|key| config.is_set(key))
        && !config.get(keys::ENCRYPT)
    {
        return Err(config
            .invalid(ignored, "it has no effect while `encrypt` is not true")
            .with_hint(format!("set `encrypt = true`, or remove `{}`", ignored.name())));
    }
    if let Some(key) = config.get(customer) {
        if !BASE64.decode(key).is_ok_and(|bytes| bytes.len() == 32) {
            return Err(
                config.invalid(customer, "expected 32 bytes in base64, which are 44 characters")
            );
        }
        return Ok(Encryption::Customer(key.into()));
    }
    if let Some(key) = config.get(kms)
        // Other stores have their own forms of key names.
        && (key.starts_with("arn:") || is_amazons(config)?)
    {
        check_kms_key(key).map_err(|reason| config.invalid(kms, reason))?;
    }
    Ok(match config.get(kms) {
        Some(key) => Encryption::Kms(key.to_owned()),
        None if config.get(keys::ENCRYPT) => Encryption::Store,
        None => Encryption::Bucket,
    })
}

/// Fails, with the reason, if a text does not name a key of AWS KMS.
///
/// The check is as loose as that of native clients, so that it accepts what they accept:
/// <https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id>.
fn check_kms_key(text: &str) -> Result<(), &'static str> {
    let alias = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "/_-".contains(c))
    };
    let is_multi_region = |text: &str| {
        text.strip_prefix("mrk-").is_some_and(|id| {
            id.len() >= 32
                && id.bytes().take(32).all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        })
    };
    if text.starts_with("arn:") && text.matches(':').count() >= 5 {
        let resource = text.splitn(6, ':').nth(5).unwrap_or_default();
        let is_key = resource.strip_prefix("key/").is_some_and(|id| {
            (id.len() == 36 && starts_with_uuid(id)) || (id.len() == 36 && is_multi_region(id))
        });
        return if is_key || resource.strip_prefix("alias/").is_some_and(alias) {
            Ok(())
        } else {
            Err("expected the ARN of a key, `arn:aws:kms:REGION:ACCOUNT:key/ID`, or of an alias, \
                 `…:alias/NAME`")
        };
    }
    let holds_multi_region = text.match_indices("mrk-").any(|(at, _)| is_multi_region(&text[at..]));
    let ends_in_alias = text.rsplit_once("alias/").is_some_and(|(_, name)| alias(name));
    if starts_with_uuid(text) || holds_multi_region || ends_in_alias {
        Ok(())
    } else {
        Err("expected the id of a key, `1234abcd-12ab-34cd-a6ef-1234567890ab` or `mrk-…`, its \
             ARN, or `alias/NAME`")
    }
}

/// Whether a text begins with a UUID of the versions 1 to 5, in lower case.
fn starts_with_uuid(text: &str) -> bool {
    let Some(id) = text.as_bytes().get(..36) else { return false };
    id.iter().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        14 => matches!(byte, b'1'..=b'5'),
        19 => matches!(byte, b'8' | b'9' | b'a' | b'b'),
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    })
}

pub(super) fn tags(config: &ResolvedConfig) -> Result<Tags> {
    Ok(Tags { state: tag_set(config, keys::STATE_TAGS)?, lock: tag_set(config, keys::LOCK_TAGS)? })
}

/// Encodes tags like the query of a URL, in the order of their keys.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html>
fn tag_set(
    config: &ResolvedConfig,
    key: Key<Option<BTreeMap<String, String>>>,
) -> Result<Option<String>> {
    let tags = config.get(key).unwrap_or_default();
    if tags.len() > 10 {
        return Err(config
            .invalid(key, &format!("an object has at most 10 tags, these are {}", tags.len())));
    }
    let is_fit = |key: &str, value: &str| {
        (1..=128).contains(&key.chars().count()) && value.chars().count() <= 256
    };
    if let Some((name, _)) = tags.clone().find(|(name, value)| !is_fit(name, value)) {
        return Err(config.invalid(
            key,
            &format!(
                "the key of a tag has 1 to 128 characters, its value at most 256: see {name:?}"
            ),
        ));
    }
    let encoded: String =
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(tags).finish();
    Ok((!encoded.is_empty()).then_some(encoded))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "1234abcd-12ab-34cd-a6ef-1234567890ab";

    #[test]
    fn keys_of_kms_are_known_by_their_form() {
        let multi = format!("mrk-{}", "0123456789abcdef".repeat(2));
        for good in [
            ID,
            &multi,
            "alias/tf/state_1",
            &format!("arn:aws:kms:us-east-1:123456789012:key/{ID}"),
            &format!("arn:aws-cn:kms:cn-north-1:123456789012:key/{multi}"),
            "arn:aws:kms:us-east-1:123456789012:alias/tf",
        ] {
            assert_eq!(check_kms_key(good), Ok(()), "{good}");
        }
        for bad in [
            "my-key",
            "$%wrongkey",
            "alias/",
            "alias/a b",
            "1234ABCD-12AB-34CD-A6EF-1234567890AB",
            "1234abcd-12ab-34cd-1234-1234567890ab",
            "mrk-1234",
            "arn:aws:lambda:foo:bar:key/xyz",
            "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-1234-1234567890ab",
            &format!("arn:aws:kms:us-east-1:123456789012:key/{ID}0"),
            "arn:aws:s3:::bucket",
        ] {
            assert!(check_kms_key(bad).is_err(), "{bad}");
        }
    }
}
