//! Empty variables count as unset, also those that libraries read by themselves. For those that the
//! configuration reads, see `empty_variables_name_neither_a_profile_nor_a_file`.

use std::time::Duration;

use remote_state_tests::Suite;
use remote_state_tests::services::{container, metadata};

use crate::client::{Client, ROLE};

const HOUR: Duration = Duration::from_secs(3600);

const EMPTY: [&str; 13] = [
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_SSO",
    "AWS_ENDPOINT_URL_STS",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
];

pub(crate) fn tests(suite: &mut Suite) {
    suite.test("empty::an_empty_variable_hides_no_source_of_credentials", &[], || {
        let imds = metadata("imds");
        let ecs = container(|| ("ecs".to_owned(), "s".to_owned()), HOUR);
        for name in EMPTY {
            // In the order of the sources: each credential comes from a source after the one that
            // the variable configures.
            Client::new().env(name, "").shared(&["default"]).finds("shared-default");
            if name != "AWS_CONTAINER_CREDENTIALS_FULL_URI" {
                let client = Client::new().env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &ecs.url);
                client.env(name, "").finds("ecs");
            }
            Client::new().metadata(&imds.url).env(name, "").finds("imds");
        }
        let all = EMPTY
            .iter()
            .fold(Client::new().metadata(&imds.url), |client, name| client.env(name, ""));
        all.env("AWS_EC2_METADATA_DISABLED", "").finds("imds");
    });
    suite.test("empty::half_of_a_web_identity_is_none", &[], || {
        let file = || Client::new().home_file("token", "t").shared(&["default"]);
        file()
            .env("AWS_WEB_IDENTITY_TOKEN_FILE", "~/token")
            .env("AWS_ROLE_ARN", "")
            .finds("shared-default");
        file()
            .env("AWS_WEB_IDENTITY_TOKEN_FILE", "")
            .env("AWS_ROLE_ARN", ROLE)
            .finds("shared-default");
    });
    suite.test(
        "empty::an_address_of_the_metadata_service_that_is_empty_is_the_usual_one",
        &[],
        || {
            let imds = metadata("imds");
            let client = Client::new().metadata("").env("AWS_METADATA_URL", &imds.url);
            client.finds("imds");
            // Whether a service answers at the usual address depends on the machine; no message
            // complains about the value.
            let output = Client::new().metadata("").command("whoami").run();
            assert!(!output.stderr().contains("invalid"), "{output}");
        },
    );
    suite.test("empty::words_and_name_of_the_program_stay_as_they_are", &[], || {
        let usual = Client::new().env_keys("a b").command("whoami --json").run().success();
        let client =
            Client::new().env_keys("a b").env("AWS_ROLE_ARN", "").env("AWS_ENDPOINT_URL", "");
        assert_eq!(client.command("whoami --json").run().success().stdout(), usual.stdout());
        let usage = |client: Client| client.command("nonesuch").run().code(2).stderr().to_owned();
        assert_eq!(usage(client), usage(Client::new()));
    });
}
