//! The RPC style of the vendor's services, and its signature:
//! <https://www.alibabacloud.com/help/en/sdk/product-overview/rpc-mechanism>.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha1::Sha1;

use super::refusal::Refusal;
use crate::keyring::{Keyring, Rejection};

/// Characters that are not encoded.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// How far a client's clock may be off.
const SKEW_SECONDS: u64 = 15 * 60;

/// The parameters of a call, from the query and from a form.
#[derive(Debug, Default)]
pub(super) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    pub(super) fn parse(texts: [&str; 2]) -> Self {
        let decode = |text: &str| {
            percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
        };
        let pairs =
            texts.into_iter().flat_map(|text| text.split('&')).filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decode(name), decode(value))
                })
                .collect(),
        )
    }

    /// Returns a parameter's value, or an empty text if it is missing: the services treat both
    /// alike.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    pub(super) fn required(&self, name: &str) -> Result<&str, Refusal> {
        match self.get(name) {
            "" => Err(Refusal::new(
                400,
                format!("Missing{name}"),
                format!("{name} is mandatory for this action."),
            )),
            value => Ok(value),
        }
    }

    /// Refuses a call unless it was signed, at about this time, with a key of `keys`.
    pub(super) fn check(
        &self,
        method: &str,
        keys: &Keyring,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let access_key = self.required("AccessKeyId")?;
        let signature = self.required("Signature")?;
        self.required("SignatureNonce")?;
        let token = Some(self.get("SecurityToken")).filter(|token| !token.is_empty());
        let secret = keys.secret(access_key, token).map_err(|rejection| match rejection {
            Rejection::Expired => {
                Refusal::new(400, "InvalidSecurityToken.Expired", "The security token has expired.")
            }
            Rejection::UnknownKey if access_key.starts_with("STS.") => Refusal::new(
                400,
                "MissingSecurityToken",
                "SecurityToken is mandatory for this action.",
            ),
            Rejection::UnknownKey => Refusal::new(
                404,
                "InvalidAccessKeyId.NotFound",
                "Specified access key is not found.",
            ),
            Rejection::WrongToken => Refusal::new(
                400,
                "InvalidSecurityToken.Malformed",
                "Specified SecurityToken is malformed.",
            ),
        })?;
        let text = self.string_to_sign(method);
        if sign(&secret, &text) != signature {
            let message = format!(
                "Specified signature is not matched with our calculation. server string to sign \
                 is:{text}"
            );
            return Err(Refusal::new(400, "SignatureDoesNotMatch", message));
        }
        let time: Timestamp = self.required("Timestamp")?.parse().map_err(|_| {
            Refusal::new(
                400,
                "InvalidTimeStamp.Format",
                "Specified time stamp is not well formatted.",
            )
        })?;
        if time.duration_since(now).unsigned_abs().as_secs() > SKEW_SECONDS {
            return Err(Refusal::new(
                400,
                "InvalidTimeStamp.Expired",
                "Specified time stamp or date value is expired.",
            ));
        }
        Ok(())
    }

    fn string_to_sign(&self, method: &str) -> String {
        let encode = |text: &str| utf8_percent_encode(text, PLAIN).to_string();
        let mut pairs: Vec<_> = self.0.iter().filter(|(name, _)| *name != "Signature").collect();
        pairs.sort();
        let pairs: Vec<String> = pairs
            .into_iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        format!("{method}&%2F&{}", encode(&pairs.join("&")))
    }
}

fn sign(secret: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(format!("{secret}&").as_bytes())
        .expect("a key of any length will do");
    mac.update(text.as_bytes());
    BASE64.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use s3s::auth::SecretKey;

    use super::*;

    const COMMON: &str = "AccessKeyId=AKIDEXAMPLE&Format=JSON&SignatureMethod=HMAC-SHA1&\
                          SignatureType=&SignatureVersion=1.0&RegionId=cn-beijing";

    fn keys(token: Option<&str>) -> Keyring {
        let secret = SecretKey::from("SECRETEXAMPLE".to_owned());
        let tokens = token.map(|token| ("AKIDEXAMPLE".to_owned(), token.to_owned()));
        Keyring::new(Arc::new([("AKIDEXAMPLE".to_owned(), secret)].into()), tokens)
    }

    fn refusal(query: &str, form: &str, keys: &Keyring, now: &str) -> Option<String> {
        let checked = Parameters::parse([query, form]).check("POST", keys, now.parse().unwrap());
        checked.err().map(|refusal| refusal.code)
    }

    #[test]
    fn what_terraform_signs_is_accepted() {
        let location = "Action=DescribeEndpoints&Id=cn-beijing&ServiceCode=oss&SecurityToken=&\
                        SignatureNonce=7149aa1a257822f28243eb8bffa8cdc0&Timestamp=2026-11-20T23%\
                        3A58%3A50Z&Version=2015-06-12&Signature=hsxTFdg3voZUsmjxQ%2BaZzLwdV08%3D";
        assert_eq!(refusal(COMMON, location, &keys(None), "2026-11-20T23:58:50Z"), None);
        let role = "Action=AssumeRole&DurationSeconds=1800&Policy=%7B%22Version%22%3A%221%22%7D&\
                    RoleArn=acs:ram::123456:role/tf&RoleSessionName=sess&SecurityToken=BASETOK&\
                    SignatureNonce=c5b51d181a2b2177875a9d85e4e35897&Timestamp=2026-11-20T23:59:\
                    07Z&Version=2015-04-01&Signature=mgWBoT3TUadJ5uajsIPrUNIZ6r4=";
        let ring = keys(Some("BASETOK"));
        assert_eq!(refusal(COMMON, role, &ring, "2026-11-20T23:59:07Z"), None);
        assert_eq!(
            refusal(COMMON, role, &ring, "2026-11-21T00:59:07Z").as_deref(),
            Some("InvalidTimeStamp.Expired")
        );
        let changed = role.replace("1800", "3600");
        assert_eq!(
            refusal(COMMON, &changed, &ring, "2026-11-20T23:59:07Z").as_deref(),
            Some("SignatureDoesNotMatch")
        );
        assert_eq!(
            refusal(COMMON, role, &keys(Some("other")), "2026-11-20T23:59:07Z").as_deref(),
            Some("InvalidSecurityToken.Malformed")
        );
        assert_eq!(
            refusal(COMMON, role, &Keyring::default(), "2026-11-20T23:59:07Z").as_deref(),
            Some("InvalidAccessKeyId.NotFound")
        );
    }
}
