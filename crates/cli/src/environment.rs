//! The environment variables of the command, and the removal of empty ones that libraries would
//! read by themselves.

/// The variables that this command reads besides those of the keys, with their meanings, for the
/// manual and the book.
pub(crate) const VARIABLES: [(&str, &str); 11] = [
    ("REMOTE_STATE_TOKEN", "The token that clients of `serve` must present."),
    (
        "REMOTE_STATE_WORKSPACE",
        "The workspace, unless `--workspace` names one; goes before `TF_WORKSPACE`. `exec` sets it \
         for its command.",
    ),
    ("REMOTE_STATE_ALLOW_DIRECTORY_PROGRAMS", "`1` is the same as `--allow-directory-programs`."),
    ("TF_WORKSPACE", "The workspace, as for Terraform."),
    ("TF_DATA_DIR", "The folder of what `init` recorded, instead of `.terraform`."),
    (
        "TF_CLI_ARGS",
        "Options of `init` that stand in it, such as `-backend-config`, count as Terraform counts \
         them.",
    ),
    ("TF_CLI_ARGS_init", "The same, for `init` alone."),
    ("TF_VAR_NAME", "The value of the variable `NAME`, where a backend block uses it."),
    ("SSL_CERT_FILE", "A file of certificates in PEM to trust instead of the system's."),
    ("SSL_CERT_DIR", "A folder of such files."),
    ("NO_COLOR", "Not empty: no colours, unless `--color` asks for them."),
];

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
