//! Endpoints in the shared AWS files.

use super::*;

/// A home folder with such files.
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
    [config.endpoint.as_ref(), config.dynamodb_endpoint.as_ref(), sts].map(|url| url.map(Url::as_str))
}

const ALL: &str = "[default]\nregion = eu-west-1\nendpoint_url = http://all/\n";
const SOME: &str = "[profile dev]\nservices = lab\nendpoint_url = http://all/\n\n\
                    [services lab]\ns3 =\n  endpoint_url = http://s3/\ndynamodb =\n  endpoint_url = http://db/\n";

#[test]
fn endpoint_of_a_profile_is_that_of_all_services_and_a_section_names_those_of_some() {
    let config = Home::with(&[("config", ALL)]).config(&[], &[]).unwrap();
    assert_eq!(endpoints(&config), [Some("http://all/"); 3]);
    let home = Home::with(&[("config", SOME)]);
    for (keys, env) in [(&[("profile", "dev")][..], &[][..]), (&[], &[("AWS_PROFILE", "dev")])] {
        let config = home.config(keys, env).unwrap();
        assert_eq!(endpoints(&config), [Some("http://s3/"), Some("http://db/"), Some("http://all/")]);
    }
    assert_eq!(endpoints(&home.config(&[], &[]).unwrap()), [None; 3]);
    let config = Home::with(&[("credentials", ALL)]).config(&[], &[]).unwrap();
    assert_eq!(endpoints(&config), [Some("http://all/"); 3]);
}

#[test]
fn configuration_and_environment_go_before_the_shared_files() {
    let home = Home::with(&[("config", ALL)]);
    let one =
        home.config(&[("endpoint", "http://mine/")], &[("AWS_ENDPOINT_URL_STS", "http://env/")]).unwrap();
    assert_eq!(endpoints(&one), [Some("http://mine/"), Some("http://all/"), Some("http://env/")]);
    let all = home.config(&[], &[("AWS_ENDPOINT_URL", "http://env/")]).unwrap();
    assert_eq!(endpoints(&all), [Some("http://env/"); 3]);
    let ignored = home.config(&[], &[("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")]).unwrap();
    assert_eq!(endpoints(&ignored), [None; 3]);
    let ignored = format!("{ALL}ignore_configured_endpoint_urls = true\n");
    assert_eq!(endpoints(&Home::with(&[("config", &ignored)]).config(&[], &[]).unwrap()), [None; 3]);
}

#[test]
fn file_and_line_that_set_an_endpoint_are_named() {
    let home = Home::with(&[("config", SOME)]);
    let config = home.config(&[("profile", "dev")], &[]).unwrap();
    let place = format!("{}:7", home.0.path().join(".aws").join("config").display());
    assert_eq!(config.origins.endpoint, Some(place.clone()));
    let error = Home::with(&[]).config(
        &[("use_fips_endpoint", "true"), ("profile", "dev")],
        &[("AWS_CONFIG_FILE", home.0.path().join(".aws/config").to_str().unwrap())],
    );
    assert!(format!("{:?}", error.unwrap_err()).contains(&place), "a file that a variable names is read too");
}

#[test]
fn damaged_file_is_named_without_what_stands_in_it_and_not_read_if_nothing_is_looked_for() {
    let home = Home::with(&[("credentials", "[default]\naws_secret_access_key: SECRET\n")]);
    let error = home.config(&[], &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
    assert!(error.message().contains("credentials on line 2"), "{error}");
    assert!(!format!("{error:?}").contains("SECRET"), "{error:?}");
    let all =
        [("endpoints.s3", "http://x"), ("endpoints.dynamodb", "http://x"), ("endpoints.sts", "http://x")];
    drop(home.config(&all, &[]).unwrap());
}
