//! The users and the role of a moto that checks signatures and policies.

use serde_json::{Value, json};

use super::{Moto, Service};
use crate::Result;
use crate::servers::folder::random_word;
use crate::servers::{Facts, http};

/// moto's only account: <https://docs.getmoto.org/en/latest/docs/multi_account.html>.
const ACCOUNT: &str = "123456789012";
const ROLE: &str = "state";
/// The external id that the role's trust policy requires.
const EXTERNAL_ID: &str = "acme";

/// Creates a user who may do everything, a user who may only assume roles, and a role that may use
/// the bucket and the table, and that only a caller who knows its external id may assume. Then it
/// turns on authentication, for good.
pub(super) fn admit(moto: &Moto, endpoint: &str) -> Result<Facts> {
    let owner = User::make(moto, "owner", &["*"])?;
    let taker = User::make(moto, "ci", &["sts:*"])?;
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:user/{}", taker.name)},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": EXTERNAL_ID}},
        }],
    });
    iam(
        moto,
        "CreateRole",
        &[("RoleName", ROLE), ("AssumeRolePolicyDocument", &trust.to_string())],
    )?;
    let may = policy(&["s3:*", "dynamodb:*"]).to_string();
    iam(
        moto,
        "PutRolePolicy",
        &[("RoleName", ROLE), ("PolicyName", "all"), ("PolicyDocument", &may)],
    )?;

    // The number of requests that moto still accepts without authentication:
    // <https://docs.getmoto.org/en/latest/docs/iam.html>. If the body is sent as a form, moto does
    // not find the number.
    http::demand(
        moto.address,
        "POST",
        "/moto-api/reset-auth",
        &[("Content-Type", "text/plain")],
        "0",
    )?;

    let mut facts = Facts::s3(endpoint, &owner.access_key, &owner.secret_key);
    facts.set("taker_access_key", taker.access_key);
    facts.set("taker_secret_key", taker.secret_key);
    facts.set("role_arn", format!("arn:aws:iam::{ACCOUNT}:role/{ROLE}"));
    facts.set("external_id", EXTERNAL_ID);
    Ok(facts)
}

struct User {
    name: String,
    access_key: String,
    secret_key: String,
}

impl User {
    /// Creates a user who may do `actions`.
    fn make(moto: &Moto, stem: &str, actions: &[&str]) -> Result<Self> {
        let name = format!("{stem}-{}", random_word());
        iam(moto, "CreateUser", &[("UserName", &name)])?;
        let may = policy(actions).to_string();
        iam(
            moto,
            "PutUserPolicy",
            &[("UserName", &name), ("PolicyName", "all"), ("PolicyDocument", &may)],
        )?;
        let made = iam(moto, "CreateAccessKey", &[("UserName", &name)])?;
        let element = |tag: &str| -> Result<String> {
            let (_, rest) =
                made.split_once(&format!("<{tag}>")).ok_or("moto made no access key")?;
            Ok(rest.split('<').next().unwrap_or_default().to_owned())
        };
        Ok(Self {
            access_key: element("AccessKeyId")?,
            secret_key: element("SecretAccessKey")?,
            name,
        })
    }
}

fn policy(actions: &[&str]) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}],
    })
}

/// Calls IAM: <https://docs.aws.amazon.com/IAM/latest/UserGuide/programming.html>.
fn iam(moto: &Moto, action: &str, parameters: &[(&str, &str)]) -> Result<String> {
    let mut form = format!("Action={action}&Version=2010-05-08");
    for (name, value) in parameters {
        form.push_str(&format!("&{name}={}", encoded(value)));
    }
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    moto.ask(Service::Iam, "POST", "/", &headers, &form)
}

fn encoded(value: &str) -> String {
    value
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_special_in_a_form_is_encoded() {
        assert_eq!(encoded("a-Z_0.~"), "a-Z_0.~");
        assert_eq!(encoded("{\"a\": ü+&}"), "%7B%22a%22%3A%20%C3%BC%2B%26%7D");
    }
}
