//! Endpoints in the shared AWS files.

use super::*;

/// A home folder with shared AWS files.
struct Home(tempfile::TempDir);

impl Home {
    fn with(files: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".aws")).unwrap();
        for (name, text) in files {
            std::fs::write(home.path().join(".aws").join(name), text).unwrap();
        }
        Self(home)
    }

    fn config(&self, keys: &[(&str, &str)], env: &[(&str, &str)]) -> Result<S3Config> {
        let home = self.0.path().to_str().unwrap();
        let env: Vec<_> = [("HOME", home)].into_iter().chain(env.iter().copied()).collect();
        with_environment(keys, &env)
    }
}

fn endpoints(config: &S3Config) -> [Option<&str>; 3] {
    let sts = config.connection.sts_endpoint.as_ref();
    [config.endpoint.as_ref(), config.dynamodb_endpoint.as_ref(), sts]
        .map(|url| url.map(Url::as_str))
}

const ALL: &str = "[default]\nregion = eu-west-1\nendpoint_url = http://all/\n";
const SOME: &str = "[profile dev]\nservices = lab\nendpoint_url = http://all/\n\n\
                    [services lab]\ns3 =\n  endpoint_url = http://s3/\ndynamodb =\n  \
                    endpoint_url = http://db/\n";

#[test]
fn endpoint_of_a_profile_is_that_of_all_services_and_a_section_names_those_of_some() {
    let config = Home::with(&[("config", ALL)]).config(&[], &[]).unwrap();
    assert_eq!(endpoints(&config), [Some("http://all/"); 3]);
    let home = Home::with(&[("config", SOME)]);
    for (keys, env) in [(&[("profile", "dev")][..], &[][..]), (&[], &[("AWS_PROFILE", "dev")])] {
        let config = home.config(keys, env).unwrap();
        assert_eq!(
            endpoints(&config),
            [Some("http://s3/"), Some("http://db/"), Some("http://all/")]
        );
    }
    assert_eq!(endpoints(&home.config(&[], &[]).unwrap()), [None; 3]);
    let config = Home::with(&[("credentials", ALL)]).config(&[], &[]).unwrap();
    assert_eq!(endpoints(&config), [Some("http://all/"); 3]);
}

#[test]
fn configuration_and_environment_go_before_the_shared_files() {
    let home = Home::with(&[("config", ALL)]);
    let one = home
        .config(&[("endpoint", "http://mine/")], &[("AWS_ENDPOINT_URL_STS", "http://env/")])
        .unwrap();
    assert_eq!(endpoints(&one), [Some("http://mine/"), Some("http://all/"), Some("http://env/")]);
    let all = home.config(&[], &[("AWS_ENDPOINT_URL", "http://env/")]).unwrap();
    assert_eq!(endpoints(&all), [Some("http://env/"); 3]);
    let ignored = home.config(&[], &[("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")]).unwrap();
    assert_eq!(endpoints(&ignored), [None; 3]);
    let ignored = format!("{ALL}ignore_configured_endpoint_urls = true\n");
    assert_eq!(
        endpoints(&Home::with(&[("config", &ignored)]).config(&[], &[]).unwrap()),
        [None; 3]
    );
}

#[test]
fn file_and_line_that_set_an_endpoint_are_named() {
    let home = Home::with(&[("config", SOME)]);
    let config = home.config(&[("profile", "dev")], &[]).unwrap();
    let place = format!("{}:7", home.0.path().join(".aws").join("config").display());
    assert_eq!(config.resolved.origin(keys::ENDPOINTS_S3).to_string(), place);
    let error = Home::with(&[]).config(
        &[("use_fips_endpoint", "true"), ("profile", "dev")],
        &[("AWS_CONFIG_FILE", home.0.path().join(".aws/config").to_str().unwrap())],
    );
    assert!(
        format!("{:?}", error.unwrap_err()).contains(&place),
        "a file that a variable names is read too"
    );
}

/// Returns the text that the SDK gets for a profile.
fn handed(config: &S3Config) -> String {
    use secrecy::ExposeSecret as _;
    config.machine.profiles.text.expose_secret().to_owned()
}

#[test]
fn broken_line_is_named_without_what_stands_in_it_and_stops_nothing() {
    let home = Home::with(&[(
        "credentials",
        "[default]\nSECRET\naws_access_key_id: AK\naws_secret_access_key: s\n",
    )]);
    let config = home.config(&[], &[]).unwrap();
    assert!(config.warnings()[0].contains("credentials:2: "), "{:?}", config.warnings());
    assert!(!config.warnings()[0].contains("SECRET"), "{:?}", config.warnings());
    let text = "[profile default]\naws_access_key_id = AK\naws_secret_access_key = s\n";
    assert_eq!(handed(&config), text);
    assert!(!format!("{config:?}").contains("AK"));
}

/// Native clients use the first of several sources in one profile, in their order. Of the same kind
/// are sources that the SDK would prefer or refuse.
#[test]
fn profile_keeps_the_source_that_native_clients_would_use() {
    for (config, credentials, expected) in [
        (
            "[profile dev]\ncredential_process = p\n",
            "[dev]\naws_access_key_id = AK\naws_secret_access_key = s\n",
            "[profile dev]\naws_access_key_id = AK\naws_secret_access_key = s\n",
        ),
        (
            "[profile dev]\nrole_arn =\n",
            "[dev]\naws_access_key_id = AK\naws_secret_access_key = s\n",
            "[profile dev]\naws_access_key_id = AK\naws_secret_access_key = s\n",
        ),
        (
            "[profile dev]\nrole_arn = arn\n",
            "[dev]\naws_access_key_id = AK\naws_secret_access_key = s\n",
            "[profile dev]\naws_access_key_id = AK\naws_secret_access_key = s\nrole_arn = \
             arn\nsource_profile = dev\n",
        ),
        (
            "[profile dev]\nsso_start_url = u\ncredential_process = p\n",
            "",
            "[profile dev]\nsso_start_url = u\n",
        ),
        (
            "[profile dev]\ncredential_process = p\n",
            "[dev]\naws_access_key_id = AK\n",
            "[profile dev]\ncredential_source = remote-state-process-0\n",
        ),
        (
            "[profile dev]\nrole_arn = arn\ncredential_process = p\n",
            "",
            "[profile dev]\ncredential_source = remote-state-process-0\nrole_arn = arn\n",
        ),
        (
            "[profile dev]\nsso_session = my own\nsso_start_url = u\n[sso-session my \
             own]\nsso_start_url = u\n",
            "",
            "[profile dev]\nsso_session = my%20own\n[sso-session my%20own]\nsso_start_url = u\n",
        ),
    ] {
        let home = Home::with(&[("config", config), ("credentials", credentials)]);
        let config = home.config(&[], &[("AWS_PROFILE", "dev")]).unwrap();
        assert_eq!(handed(&config), expected);
    }
}

#[test]
fn empty_variables_name_neither_a_profile_nor_a_file() {
    let keys = "[default]\naws_access_key_id = AK\naws_secret_access_key = s\n";
    let home = Home::with(&[("credentials", keys)]);
    for name in ["AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"] {
        let config = home.config(&[], &[(name, "")]).unwrap();
        assert!(handed(&config).contains("AK"), "{name}");
        assert!(
            matches!(config.credentials, CredentialConfig::Chain { profile: None, .. }),
            "{name}"
        );
    }
}

#[test]
fn settings_of_a_profile_stand_in_where_nothing_else_says_them() {
    let home = Home::with(&[(
        "config",
        "[default]\nuse_fips_endpoint = true\nuse_dualstack_endpoint = TRUE\n",
    )]);
    let config = home.config(&[], &[]).unwrap();
    assert!(config.connection.has_fips && config.connection.has_dual_stack);
    let config = home.config(&[("use_fips_endpoint", "false")], &[]).unwrap();
    assert!(!config.connection.has_fips && config.connection.has_dual_stack);
    let home = Home::with(&[("config", "[default]\nca_bundle = /nowhere/ca.pem\n")]);
    let error = format!("{:?}", home.config(&[], &[]).unwrap_err());
    assert!(error.contains("custom_ca_bundle") && error.contains("config:2"), "{error}");
}

#[test]
fn ignored_endpoints_are_those_of_all_services_in_the_environment_too() {
    let home = Home::with(&[]);
    let ignore = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
    let config = home.config(&[], &[ignore, ("AWS_ENDPOINT_URL", "http://all/")]).unwrap();
    assert_eq!(endpoints(&config), [None; 3]);
    let env = [ignore, ("AWS_ENDPOINT_URL", "http://all/"), ("AWS_ENDPOINT_URL_S3", "http://s3/")];
    let config = home.config(&[], &env).unwrap();
    assert_eq!(endpoints(&config), [Some("http://s3/"), None, None]);
    let config = home.config(&[("endpoint", "http://mine/")], &env).unwrap();
    assert_eq!(endpoints(&config)[0], Some("http://mine/"));
}
