//! The configuration, and the configuration of the s3 provider that follows from it.

use remote_state_core::config::{
    ConfigValue, Environment, Layer, Origin, ResolvedConfig, Setting, Sourced, resolve,
};
use remote_state_core::{Error, ErrorKind, Result};
use remote_state_s3::{Dialect, DialectName, S3Config, S3Store};
use url::Url;

/// What is handed on of the environment: everything else in it is about Amazon.
const VARIABLES: [&str; 12] = [
    "HOME",
    "AWS_CA_BUNDLE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "all_proxy",
    "https_proxy",
    "http_proxy",
    "no_proxy",
];

/// The keys that mean the same in both providers.
const SHARED: [&str; 9] = [
    "bucket",
    "key",
    "region",
    "workspace_key_prefix",
    "use_lockfile",
    "acl",
    "sse_customer_key",
    "access_key",
    "secret_key",
];

/// Where Spaces answers: `<region>.digitaloceanspaces.com`.
const DOMAIN: &str = "digitaloceanspaces.com";

/// The configuration of a store in Spaces, its values checked.
#[derive(Clone, Debug)]
pub struct SpacesConfig {
    s3: S3Config,
    notes: Vec<String>,
}

impl SpacesConfig {
    /// Checks a resolved configuration.
    ///
    /// # Errors
    /// `ConfigInvalid` with the key and where its value was set; `CredentialInvalid` if an access key and its secret do not come from the same
    /// kind of variables.
    pub fn from_resolved(config: &ResolvedConfig) -> Result<Self> {
        let region = config.required("region")?;
        check_region(config, region)?;
        check_pair(config)?;
        let endpoint = match config.string("endpoint") {
            Some(text) => Endpoint::given(config, region, text)?,
            None => Endpoint {
                url: format!("https://{region}.{DOMAIN}"),
                origin: config.origin("region"),
                is_own: false,
            },
        };
        let derived =
            |name: &str, setting: Setting| (name.to_owned(), Sourced::new(setting, Origin::Default));
        let mut layer: Layer = vec![
            ("endpoints.s3".to_owned(), Sourced::new(Setting::from(endpoint.url), endpoint.origin)),
            derived("dialect", Setting::from(DialectName::Spaces.to_string())),
            // A domain of one's own and a test server have no host for each bucket.
            derived("use_path_style", Setting::Bool(endpoint.is_own)),
            derived("encrypt", Setting::Bool(config.get("sse_customer_key").is_some())),
            // A machine at DigitalOcean has a metadata service at the same address, which knows no credentials.
            derived("skip_metadata_api_check", Setting::Bool(true)),
        ];
        let shared = SHARED.into_iter().chain(["profile"]);
        layer.extend(shared.filter_map(|name| Some((name.to_owned(), setting(config.get(name)?)?))));
        let given = config.environment();
        let env: Environment = VARIABLES.iter().filter_map(|name| Some((*name, given.get(name)?))).collect();
        let s3 = S3Config::from_resolved(&resolve(&remote_state_s3::PROVIDER, &env, &[layer])?)?;
        let mut notes = s3.notes().to_vec();
        if let Some(secret) = config.get("secret_key").filter(|secret| is_written_down(&secret.origin)) {
            notes.push(format!(
                "`secret_key` stands in {}: Terraform copies what is configured there into its data directory and into plan files, for everyone to \
                 read who has those; keep it in the environment (`SPACES_SECRET_ACCESS_KEY`) or in a profile",
                secret.origin
            ));
        }
        Ok(Self { s3, notes })
    }

    /// Returns what a person should be told before anything is done with it.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Returns the configuration of the s3 provider that this is.
    pub fn s3(&self) -> &S3Config {
        &self.s3
    }

    /// Makes the store. Nothing is sent before the first operation.
    pub fn store(&self) -> S3Store {
        S3Store::new(&self.s3)
    }
}

/// An endpoint, where it comes from, and whether it is someone's own.
struct Endpoint {
    url: String,
    origin: Origin,
    is_own: bool,
}

impl Endpoint {
    fn given(config: &ResolvedConfig, region: &str, text: &str) -> Result<Self> {
        let name = "endpoint";
        let url = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let parsed = Url::parse(&url).ok().filter(Url::has_host);
        let Some(parsed) = parsed else {
            return Err(config.invalid(name, "expected a URL such as `https://state.example.com`"));
        };
        if Dialect::is_cache(&parsed) {
            return Err(config
                .invalid(name, "it is a CDN's, and a state from a cache is a wrong state")
                .with_hint(format!("leave it out: `region = \"{region}\"` says enough")));
        }
        let host = parsed.host_str().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
        let Some(inner) = host.strip_suffix(DOMAIN).and_then(|inner| inner.strip_suffix('.')) else {
            return Ok(Self { url, origin: config.origin(name), is_own: true });
        };
        if inner != region {
            let reason = match inner.rsplit_once('.') {
                Some(_) => {
                    "it names more than a region; the bucket has a key of its own, `bucket`".to_owned()
                }
                None => format!("it is not that of the region, which is `{region}`"),
            };
            return Err(config
                .invalid(name, &reason)
                .with_context("region set in", config.origin("region"))
                .with_hint(format!(
                    "leave it out: `region = \"{region}\"` leads to `https://{region}.{DOMAIN}`"
                )));
        }
        Ok(Self { url, origin: config.origin(name), is_own: false })
    }
}

/// A region is part of a host name.
fn check_region(config: &ResolvedConfig, region: &str) -> Result<()> {
    let is_label = !region.is_empty()
        && region.len() <= 63
        && region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !region.starts_with('-')
        && !region.ends_with('-');
    if !is_label {
        return Err(config.invalid("region", "expected the name of a region, such as `nyc3` or `fra1`"));
    }
    // Amazon's are made of three parts. People bring this one along from the vendor's block for `backend "s3"`, where it is only signed.
    if region.split('-').count() == 3 && config.string("endpoint").is_none() {
        return Err(config
            .invalid("region", "it is a region of Amazon's")
            .with_hint("write the region of the bucket, such as `nyc3`: it stands in the bucket's URL"));
    }
    Ok(())
}

/// Half of a key pair for Spaces and half of one for Amazon make none.
fn check_pair(config: &ResolvedConfig) -> Result<()> {
    let family = |name: &str| match &config.get(name)?.origin {
        Origin::Environment(variable) => Some(variable.starts_with("SPACES_")),
        _ => None,
    };
    let (Some(id), Some(secret)) = (family("access_key"), family("secret_key")) else { return Ok(()) };
    if id == secret {
        return Ok(());
    }
    let missing = if id { "SPACES_SECRET_ACCESS_KEY" } else { "SPACES_ACCESS_KEY_ID" };
    Err(Error::new(
        ErrorKind::CredentialInvalid,
        "configure",
        "one half of the access key is for Spaces, and the other for Amazon",
    )
    .with_context("set in", config.origin("access_key"))
    .with_context("and in", config.origin("secret_key"))
    .with_hint(format!("set `{missing}` too, or neither of the two `SPACES_…` variables")))
}

fn is_written_down(origin: &Origin) -> bool {
    !matches!(origin, Origin::Environment(_) | Origin::Default | Origin::Program)
}

fn setting(value: &Sourced<ConfigValue>) -> Option<Sourced<Setting>> {
    let setting = match &value.value {
        ConfigValue::Bool(value) => Setting::Bool(*value),
        ConfigValue::String(text) => Setting::from(text.as_str()),
        _ => return None,
    };
    Some(Sourced::new(setting, value.origin.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PROVIDER;

    const BLOCK: [(&str, &str); 3] = [("region", "nyc3"), ("bucket", "tfstate"), ("key", "net.tfstate")];

    fn resolved(more: &[(&str, &str)], env: &[(&str, &str)]) -> Result<ResolvedConfig> {
        let mut pairs: std::collections::BTreeMap<_, _> = BLOCK.into();
        pairs.extend(more.iter().copied());
        let origin = Origin::file("main.tf", 7);
        let layer = pairs
            .into_iter()
            .map(|(name, value)| (name.to_owned(), Sourced::new(Setting::from(value), origin.clone())))
            .collect();
        resolve(&PROVIDER, &env.iter().copied().collect(), &[layer])
    }

    fn config(more: &[(&str, &str)], env: &[(&str, &str)]) -> Result<SpacesConfig> {
        SpacesConfig::from_resolved(&resolved(more, env)?)
    }

    /// The whole text of an error, hints included.
    fn text(error: &Error) -> String {
        let context: Vec<_> =
            error.context().iter().map(|(label, value)| format!("{label}: {value}")).collect();
        format!("{error}\n{}\n{}", context.join("\n"), error.hints().join("\n"))
    }

    #[track_caller]
    fn refused(more: &[(&str, &str)], words: &str) {
        let text = text(&config(more, &[]).unwrap_err());
        assert!(text.contains(words), "should contain `{words}`: {text}");
        assert!(text.contains("set in: main.tf:7"), "{text}");
    }

    #[test]
    fn three_keys_are_enough() {
        let config = config(&[], &[]).unwrap();
        let s3 = config.s3();
        assert_eq!(s3.endpoint.as_ref().map(Url::as_str), Some("https://nyc3.digitaloceanspaces.com/"));
        assert_eq!((s3.region.as_str(), s3.dialect), ("nyc3", Some(DialectName::Spaces)));
        assert!(s3.use_lockfile && !s3.use_path_style);
        assert_eq!((s3.workspace_key_prefix.as_str(), config.notes()), ("env:", &[][..]));
        assert_eq!(config.store().to_string(), "s3://tfstate/net.tfstate");
    }

    #[test]
    fn regions_that_are_new_are_known_and_what_is_none_is_not() {
        for region in ["ams3", "sgp1", "syd1", "moon1"] {
            assert_eq!(config(&[("region", region)], &[]).unwrap().s3().region, region);
        }
        for region in ["NYC3", "nyc3.example.com", "nyc 3", "https://nyc3", "-x"] {
            refused(
                &[("region", region)],
                "invalid value for `region`: expected the name of a region, such as `nyc3`",
            );
        }
        refused(&[("region", "us-east-1")], "invalid value for `region`: it is a region of Amazon's");
        // With an endpoint it may be whatever is signed.
        config(&[("region", "us-east-1"), ("endpoint", "http://127.0.0.1:9000")], &[]).unwrap();
    }

    #[test]
    fn endpoint_of_ones_own_names_the_bucket_in_the_path() {
        let own = config(&[("endpoint", "state.example.com")], &[]).unwrap();
        assert_eq!(own.s3().endpoint.as_ref().map(Url::as_str), Some("https://state.example.com/"));
        assert!(own.s3().use_path_style);
        let same = config(&[("endpoint", "https://nyc3.digitaloceanspaces.com")], &[]).unwrap();
        assert!(!same.s3().use_path_style);
    }

    #[test]
    fn endpoints_that_cannot_be_meant_are_refused_with_the_reason() {
        for cdn in ["https://nyc3.cdn.digitaloceanspaces.com", "tfstate.nyc3.cdn.digitaloceanspaces.com"] {
            refused(&[("endpoint", cdn)], "it is a CDN's, and a state from a cache is a wrong state");
        }
        let bucket = "https://tfstate.nyc3.digitaloceanspaces.com";
        refused(&[("endpoint", bucket)], "it names more than a region; the bucket has a key of its own");
        let other = "https://fra1.digitaloceanspaces.com";
        refused(&[("endpoint", other)], "it is not that of the region, which is `nyc3`");
        refused(&[("endpoint", "http://")], "expected a URL such as");
    }

    #[test]
    fn keys_that_spaces_cannot_honour_are_refused_with_the_reason() {
        for (name, reason) in [
            ("kms_key_id", "no key management service"),
            ("encrypt", "encrypts what it stores by itself"),
            ("dynamodb_table", "no tables; the lock is a file"),
            ("lock_table", "no tables"),
            ("role_arn", "no roles to assume"),
            ("assume_role", "no roles to assume"),
            ("token", "no temporary credentials"),
            ("allowed_account_ids", "does not tell to which account"),
            ("endpoints", "`endpoint` names another one"),
            ("use_path_style", "follows from the endpoint"),
            ("use_fips_endpoint", "one endpoint for each region"),
            ("dialect", "always spoken to as Spaces"),
            ("skip_credentials_validation", "nothing to skip"),
            ("skip_s3_checksum", "nothing to skip"),
        ] {
            let text = text(&config(&[(name, "x")], &[]).unwrap_err());
            assert!(text.contains(&format!("`{name}` cannot be used with DigitalOcean Spaces")), "{text}");
            assert!(text.contains(reason) && text.contains("main.tf:7"), "{text}");
        }
    }

    #[test]
    fn every_refusal_says_why() {
        for row in PROVIDER.keys.iter().filter(|row| row.refused.is_some()) {
            let error = config(&[(row.name, "x")], &[]).unwrap_err();
            assert!(text(&error).contains(row.refused.unwrap()), "{}", row.name);
        }
    }

    #[test]
    fn blocks_that_spaces_cannot_honour_are_refused_like_attributes() {
        let member = ("role_arn".to_owned(), Sourced::new(Setting::from("arn"), Origin::Program));
        let pairs = [
            ("region", Setting::from("nyc3")),
            ("bucket", Setting::from("b")),
            ("key", Setting::from("k")),
            ("assume_role", Setting::Object(vec![member])),
        ];
        let error = ResolvedConfig::from_pairs(&PROVIDER, pairs).unwrap_err();
        assert!(text(&error).contains("no roles to assume"), "{error}");
    }

    #[test]
    fn variables_of_spaces_go_before_amazons() {
        let amazons = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];
        let spaces = [("SPACES_ACCESS_KEY_ID", "c"), ("SPACES_SECRET_ACCESS_KEY", "d")];
        let both = [amazons, spaces].concat();
        let id = |env: &[(&str, &str)]| {
            let resolved = resolved(&[], env).unwrap();
            SpacesConfig::from_resolved(&resolved).unwrap();
            (
                resolved.string("access_key").map(str::to_owned),
                resolved.string("secret_key").map(str::to_owned),
            )
        };
        assert_eq!(id(&both), (Some("c".to_owned()), Some("d".to_owned())));
        assert_eq!(id(&amazons), (Some("a".to_owned()), Some("b".to_owned())));
    }

    #[test]
    fn halves_of_two_key_pairs_are_refused() {
        let env =
            [("SPACES_ACCESS_KEY_ID", "c"), ("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "hunter2")];
        let error = config(&[], &env).unwrap_err();
        let text = text(&error);
        assert_eq!(error.kind(), ErrorKind::CredentialInvalid);
        assert!(
            text.contains("one half of the access key is for Spaces, and the other for Amazon"),
            "{text}"
        );
        assert!(text.contains("set `SPACES_SECRET_ACCESS_KEY` too"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn secret_that_is_written_down_works_and_warns() {
        let config = config(&[("access_key", "c"), ("secret_key", "hunter2")], &[]).unwrap();
        let [note] = config.notes() else { panic!("one note: {:?}", config.notes()) };
        assert!(note.contains("`secret_key` stands in main.tf:7") && note.contains("plan files"), "{note}");
        assert!(!note.contains("hunter2"), "{note}");
        let env = [("SPACES_ACCESS_KEY_ID", "c"), ("SPACES_SECRET_ACCESS_KEY", "d")];
        assert_eq!(self::config(&[], &env).unwrap().notes(), &[] as &[String]);
    }

    #[test]
    fn what_the_environment_says_of_amazon_does_not_matter_here() {
        let env = [
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ENDPOINT_URL_S3", "https://s3.example.com"),
            ("AWS_USE_FIPS_ENDPOINT", "true"),
            ("AWS_ROLE_ARN", "arn:aws:iam::1:role/x"),
        ];
        let config = config(&[], &env).unwrap();
        assert_eq!(
            config.s3().endpoint.as_ref().and_then(Url::host_str),
            Some("nyc3.digitaloceanspaces.com")
        );
        assert_eq!(config.s3().region, "nyc3");
    }

    #[test]
    fn customer_key_is_used_without_further_switches() {
        let key = "A".repeat(43) + "=";
        let config = config(&[("sse_customer_key", &key)], &[]).unwrap();
        assert!(matches!(config.s3().encryption, remote_state_s3::Encryption::Customer(_)));
        refused(&[("sse_customer_key", "c2hvcnQ=")], "invalid value for `sse_customer_key`");
    }

    #[test]
    fn readme_shows_every_key() {
        let readme = include_str!("../README.md");
        for row in PROVIDER.keys {
            assert!(readme.contains(&format!("`{}`", row.name)), "README.md does not mention `{}`", row.name);
            assert!(readme.contains(row.doc), "README.md does not say what `{}` means", row.name);
            assert!(row.env.iter().all(|name| readme.contains(&format!("`{name}`"))), "{}", row.name);
        }
    }
}
