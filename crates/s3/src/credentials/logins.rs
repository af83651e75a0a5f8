//! What to do about a profile that gives no credentials for now: log in again, or get a session
//! elsewhere.

use std::error::Error as StdError;

use remote_state_core::shell::quoted;

use crate::causes::causes;

/// The steps that the selected profile needs from a person, found in that profile or in those that
/// it names as its source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Logins {
    /// The profile that signs in with SSO.
    pub(crate) sso: Option<String>,
    /// The profile whose role needs a code from a device, and where it says so.
    pub(crate) mfa: Option<(String, String)>,
    /// The profile that uses a session of `aws login`.
    pub(crate) login: Option<String>,
    /// The profile that is named but in none of the files.
    pub(crate) missing: Option<Missing>,
    /// Where the configuration names the profile, which then takes precedence over keys in the
    /// environment.
    pub(crate) configured: Option<String>,
}

/// A profile that none of the shared files has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) name: String,
    /// Where it was named.
    pub(crate) origin: String,
    /// The files that were searched.
    pub(crate) files: String,
}

impl Logins {
    /// Explains a failure and returns advice; `None` if it has another reason.
    pub(crate) fn about(&self, error: &(dyn StdError + 'static)) -> Option<(String, String)> {
        let says = |words: &[&str]| {
            causes(error).any(|error| {
                let sentence = error.to_string();
                words.iter().any(|word| sentence.contains(word))
            })
        };
        if let Some(Missing { name, files, .. }) = &self.missing {
            return Some((
                format!("profile `{name}` is not in {files}"),
                "name a profile that is there: `aws configure list-profiles` prints them"
                    .to_owned(),
            ));
        }
        // These are the words of the SDK, and the codes of the services. If they ever change, the
        // error says less.
        if let Some(name) = &self.sso
            && says(&["SSO token", "sso/cache", "UnauthorizedException"])
        {
            let command = format!("aws sso login --profile {}", quoted(name));
            return Some((
                format!("the SSO login of profile `{name}` is over, or was never made"),
                format!("log in with `{command}`"),
            ));
        }
        if let Some((name, origin)) = &self.mfa
            && says(&["AccessDenied"])
        {
            return Some((
                format!(
                    "the role of profile `{name}` was refused, and `mfa_serial` ({origin}) wants \
                     a code, which this program does not ask for"
                ),
                format!(
                    "{}, or export what `aws sts assume-role --serial-number … --token-code …` \
                     answers",
                    self.exported(name)
                ),
            ));
        }
        let name = self.login.as_ref()?;
        Some((
            format!("profile `{name}` uses a session of `aws login`, which is not read here"),
            self.exported(name),
        ))
    }

    /// Returns the vendor's command that asks for whatever is needed, and sets the variables of a
    /// session.
    fn exported(&self, profile: &str) -> String {
        let command = format!(
            "let the vendor's tool ask: `eval \"$(aws configure export-credentials --profile {} \
             --format env)\"`",
            quoted(profile)
        );
        match &self.configured {
            Some(place) => {
                format!("{command}, and take out `profile` in {place}, which goes before it")
            }
            None => command,
        }
    }
}
