//! Removes empty environment variables that libraries would read by themselves.

/// Variables that libraries read by themselves: the credential sources of the AWS SDK, and the
/// certificates of the system. These libraries treat an empty variable as a value; other programs
/// treat it as unset.
#[cfg(unix)]
const READ_BY_LIBRARIES: [&str; 16] = [
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_SSO",
    "AWS_ENDPOINT_URL_SSO_OIDC",
    "AWS_ENDPOINT_URL_STS",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
];

/// Makes sure that none of those variables is empty. If one is, this process replaces itself by the
/// same program without it: changing the environment of a running process is not safe. If that
/// fails, the variables stay.
#[cfg(unix)]
pub(crate) fn without_empty_variables() {
    use std::os::unix::process::CommandExt as _;
    let is_empty = |name: &&str| std::env::var_os(name).is_some_and(|value| value.is_empty());
    let empty: Vec<_> = READ_BY_LIBRARIES.into_iter().filter(is_empty).collect();
    let Some(program) = std::env::current_exe().ok().filter(|_| !empty.is_empty()) else { return };
    let mut words = std::env::args_os();
    let mut command = std::process::Command::new(program);
    if let Some(name) = words.next() {
        command.arg0(name);
    }
    command.args(words);
    for name in empty {
        command.env_remove(name);
    }
    // `exec` returns only with an error.
    drop(command.exec());
}

/// Does nothing: this system has no empty variables.
#[cfg(not(unix))]
pub(crate) fn without_empty_variables() {}
