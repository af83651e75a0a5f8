//! `cargo xtask start`: keeps setups running, for experiments and for single tests.

use std::fmt::Write as _;
use std::process::ExitCode;

use crate::Result;
use crate::servers::Facts;
use crate::setups::{Running, Setup, named};
use crate::workspace::Workspace;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The setups: folders of `.github/services`, such as `s3/ceph`
    #[arg(required = true, value_name = "SETUP")]
    setups: Vec<String>,
}

impl Args {
    pub(crate) fn minio() -> Self {
        Self { setups: vec!["s3/minio".to_owned()] }
    }
}

/// Keeps servers running for the user.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    let all = Setup::all(workspace.root())?;
    let mut chosen = Vec::new();
    for name in &args.setups {
        let known = || all.iter().map(|setup| setup.name.as_str()).collect::<Vec<_>>().join(", ");
        let setup = named(&all, name)
            .ok_or_else(|| format!("there is no setup `{name}`: the setups are {}", known()))?;
        chosen.push(setup);
    }
    let mut running = Running::start(workspace, chosen);
    for name in &args.setups {
        if let Some(absence) = running.why_absent(name) {
            return Err(format!("{name}: {}", absence.reason).into());
        }
        println!(
            "{}",
            running.facts(name).map_or_else(String::new, |facts| description(name, facts))
        );
    }
    let has_server =
        |name: &&String| running.facts(name).is_some_and(|facts| facts.get("endpoint").is_some());
    let example = match args.setups.iter().find(has_server) {
        Some(name) => format!("setups -- {name}"),
        None => "oss_judges".to_owned(),
    };
    println!("For single tests, as in `cargo test -p remote-state-tests --test {example}`:\n");
    println!("export REMOTE_STATE_TEST_SETUPS='{}'", running.json());
    match running.wait() {
        Some(ended) => Err(format!("the server ended by itself: {}", ended?).into()),
        None => Ok(ExitCode::SUCCESS),
    }
}

fn description(name: &str, facts: &Facts) -> String {
    let mut text = match facts.get("endpoint") {
        Some(_) => format!(
            "{name} is running until Ctrl-C, and what is stored there is forgotten then.\n\n"
        ),
        None => format!(
            "{name} runs inside the tests, and nothing had to be started. What they need to \
             know:\n\n"
        ),
    };
    for (name, value) in facts.iter() {
        writeln!(text, "  {name:<18} {value}").expect("a string takes everything");
    }
    if facts.get("endpoint").is_some() {
        text.push_str(&backend_block(facts));
    }
    text
}

fn backend_block(facts: &Facts) -> String {
    let mut endpoints = Vec::new();
    let mut more = String::new();
    for (fact, name) in [("endpoint", "s3"), ("dynamodb_endpoint", "dynamodb")] {
        endpoints.extend(facts.get(fact).map(|url| format!("{name} = \"{url}\"")));
    }
    if let Some(file) = facts.get("ca_file") {
        writeln!(more, "    custom_ca_bundle = \"{file}\"").expect("a string takes everything");
    }
    let bucket = facts.get("bucket").unwrap_or("tfstate");
    if facts.get("bucket").is_none() {
        more.push_str("    # the bucket has to be made first\n");
    }
    let key = |name: &str| facts.get(name).unwrap_or_default().to_owned();
    format!(
        r#"
terraform {{
  backend "s3" {{
    bucket         = "{bucket}"
    key            = "terraform.tfstate"
    region         = "us-east-1"
    access_key     = "{access_key}"
    secret_key     = "{secret_key}"
    endpoints      = {{ {endpoints} }}
    use_path_style = true
    use_lockfile   = true
{more}
    skip_credentials_validation = true
    skip_requesting_account_id  = true
    skip_metadata_api_check     = true
    skip_region_validation      = true
  }}
}}
"#,
        access_key = key("access_key"),
        secret_key = key("secret_key"),
        endpoints = endpoints.join(", "),
    )
}
