//! The demo with a real Terraform or OpenTofu.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Result;
use crate::demo::stage::{Line, Stage, copy_files};

/// How long the first apply holds the lock: enough for three refusals on a slow machine.
const SLOW_SECONDS: u32 = 15;

pub(crate) fn play(stage: &mut Stage, client: &str) -> Result<()> {
    stage.step(&format!("A state in a bucket, from an ordinary `{client} apply`"));
    stage.say(
        "The store is an S3 server inside `remote-state`; the client speaks Terraform's `http` \
         protocol to it.\n",
    );
    let init = Line::new(&format!("remote-state exec --dev -- {client} init"));
    let apply = Line::new(&format!("remote-state exec --dev -- {client} apply -auto-approve"));
    stage.run(&init)?.expect_code(0)?;
    stage.run(&apply)?.expect_code(0)?.expect_mention("Apply complete!")?;
    stage.showed(format!("`{client}` keeps its state in an S3 bucket through `remote-state exec`"));

    refuse_a_second_writer(stage, &apply)?;
    read(stage)?;

    stage.step("A changed value");
    let changed = apply.clone().with_variable("TF_VAR_v", 2);
    stage.run(&changed)?.expect_code(0)?.expect_mention("Apply complete!")?;
    stage
        .run(&Line::new("remote-state --dev output value --raw"))?
        .expect_code(0)?
        .expect_answer("2")?;
    stage.showed("a change is read back at once");

    undo(stage, &apply)?;
    native(stage, client)
}

fn undo(stage: &mut Stage, apply: &Line) -> Result<()> {
    stage.step("A bad apply, seen and undone");
    let listed = stage.ask(&Line::new("remote-state --dev history --json"))?;
    let serial = listed.expect_code(0)?.json()?["versions"][0]["serial"].clone();
    let bad = apply.clone().with_variable("TF_VAR_v", "bad");
    stage.run(&bad)?.expect_code(0)?.expect_mention("Apply complete!")?;
    stage.say("The bucket keeps every version, and this tool notes who wrote it:\n");
    stage.run(&Line::new("remote-state --dev history"))?.expect_code(0)?.expect_mention("apply")?;
    stage
        .run(&Line::new(&format!("remote-state --dev diff serial:{serial} @0")))?
        .expect_code(0)?
        .expect_mention("\"2\" → \"bad\"")?
        .expect_no_mention("token-bad")?;
    let restore = format!("remote-state --dev restore serial:{serial} --yes");
    stage.run(&Line::new(&restore))?.expect_code(0)?;
    stage
        .run(&Line::new("remote-state --dev output value --raw"))?
        .expect_code(0)?
        .expect_answer("2")?;
    stage.showed("a bad change is seen without its secrets, and an old version restored");
    Ok(())
}

fn refuse_a_second_writer(stage: &mut Stage, apply: &Line) -> Result<()> {
    stage.step("One writer at a time");
    stage.say(&format!("An apply that takes {SLOW_SECONDS} seconds holds the lock.\n"));
    let slow = stage.start(&apply.clone().with_variable("TF_VAR_sleep", SLOW_SECONDS))?;
    let holder = wait_for_lock(stage)?;
    stage.run(&Line::new("remote-state --dev locks"))?.expect_code(0)?.expect_mention(&holder)?;

    stage.say("A second apply is refused:\n");
    let refused = stage.run(apply)?;
    refused
        .expect_code(1)?
        .expect_mention("Error acquiring the state lock")?
        .expect_mention(&holder)?;
    stage.say("So is every other way to write, and each names the holder:\n");
    stage.run(&Line::new("remote-state --dev lock"))?.expect_code(3)?.expect_mention(&holder)?;
    stage.run(&Line::new("remote-state --dev pull -o copy.tfstate"))?.expect_code(0)?;
    stage
        .run(&Line::new("remote-state --dev push copy.tfstate"))?
        .expect_code(3)?
        .expect_mention(&holder)?;

    slow.finish(0)?;
    stage.showed("a second writer is refused, told who holds the lock, and changes nothing");
    Ok(())
}

fn read(stage: &mut Stage) -> Result<()> {
    stage.step("Reading, with no Terraform and no init");
    let output = stage.run(&Line::new("remote-state --dev output"))?;
    // The table names the sensitive output, but does not show its value.
    output
        .expect_code(0)?
        .expect_mention("value")?
        .expect_mention("token")?
        .expect_no_mention("token-1")?;
    let milliseconds = output.elapsed().as_secs_f64() * 1000.0;
    stage.say(&format!("({milliseconds:.0} ms, the embedded store's start included)\n"));
    stage
        .run(&Line::new("remote-state --dev output value --raw"))?
        .expect_code(0)?
        .expect_answer("1")?;
    stage.run(&Line::new("remote-state --dev output --json"))?.expect_code(0)?.json()?;
    stage
        .run(&Line::new("remote-state --dev workspace list"))?
        .expect_code(0)?
        .expect_mention("default")?;
    let locks = stage.run(&Line::new("remote-state --dev locks"))?;
    locks.expect_code(0)?;
    if !locks.answer().is_empty() {
        return Err(format!("expected no lock to be left, got:\n{}", locks.answer()).into());
    }
    stage
        .showed(format!("outputs, workspaces and locks are read, outputs in {milliseconds:.0} ms"));
    Ok(())
}

fn native(stage: &mut Stage, client: &str) -> Result<()> {
    stage.step("The state in the bucket is native");
    let version = stage.ask(&Line::new(&format!("{client} version")))?;
    let minor = minor_version(&version.answer());
    if minor.is_some_and(|minor| minor < 6) {
        stage.say(&format!(
            "Left out: `backend \"s3\"` finds an endpoint in the environment since {client} 1.6.\n"
        ));
        return Ok(());
    }
    stage.say(
        "The same configuration, but with `backend \"s3\"`, reads the bucket with no help of \
         ours.\n",
    );
    let folder = stage.folder("native");
    std::fs::create_dir(&folder)?;
    copy_files(&stage.quickstart(), &folder)?;
    write_backend(&folder, minor)?;
    stage.say("$ cat ../native/backend.tf");
    for line in std::fs::read_to_string(folder.join("backend.tf"))?.lines() {
        stage.say(line);
    }
    println!();

    let run = |rest: &str| {
        Line::new(&format!("remote-state exec --dev -- {client} -chdir=../native {rest}"))
    };
    stage.run(&run("init"))?.expect_code(0)?;
    // Exit code 2 would be a plan with changes, and without a state the plan would create
    // everything.
    let plan = run("plan -detailed-exitcode").with_variable("TF_VAR_v", 2);
    stage.run(&plan)?.expect_code(0)?.expect_mention("No changes.")?;
    stage.run(&run("output -raw value"))?.expect_code(0)?.expect_answer("2")?;
    stage.showed(format!(
        "native `{client}` with `backend \"s3\"` finds the same state in place and plans no change"
    ));
    Ok(())
}

fn write_backend(folder: &Path, minor: Option<u32>) -> Result<()> {
    // Native lock files came with 1.10; older versions reject the option.
    let lock =
        if minor.is_some_and(|minor| minor < 10) { "" } else { "    use_lockfile   = true\n" };
    let text = format!(
        r#"terraform {{
  backend "s3" {{
    bucket         = "remote-state-dev"
    key            = "terraform.tfstate"
    region         = "us-east-1"
    use_path_style = true
{lock}
    skip_credentials_validation = true
    skip_requesting_account_id  = true
    skip_metadata_api_check     = true
  }}
}}
"#
    );
    std::fs::write(folder.join("backend.tf"), text)?;
    Ok(())
}

/// Polls until a client holds a lock, and returns its id.
fn wait_for_lock(stage: &Stage) -> Result<String> {
    let started = Instant::now();
    loop {
        let locks = stage.ask(&Line::new("remote-state --dev locks --json"))?;
        if locks.succeeded()
            && let Some(id) = lock_id(&locks.json()?)
        {
            return Ok(id);
        }
        if started.elapsed() > Duration::from_secs(30) {
            let said = locks.everything();
            return Err(format!(
                "`remote-state --dev locks --json`: expected the slow apply's lock within 30 s, \
                 the last answer was:\n{said}"
            )
            .into());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Returns the first lock id anywhere in the answer.
fn lock_id(value: &Value) -> Option<String> {
    match value {
        Value::Object(fields) => {
            let own = fields
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case("id") || *name == "lock_id");
            own.and_then(|(_, id)| id.as_str().map(str::to_owned))
                .or_else(|| fields.values().find_map(lock_id))
        }
        Value::Array(items) => items.iter().find_map(lock_id),
        _ => None,
    }
}

/// Reads `10` from `Terraform v1.10.5` or `OpenTofu v1.10.0`; `None` if the major version is not 1.
fn minor_version(text: &str) -> Option<u32> {
    let (_, version) = text.lines().next()?.split_once(" v1.")?;
    version.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minor_version_is_read_from_either_client() {
        assert_eq!(minor_version("Terraform v1.11.4\non linux_amd64"), Some(11));
        assert_eq!(minor_version("OpenTofu v1.6.0-rc1"), Some(6));
        assert_eq!(minor_version("Terraform v2.0.0"), None);
    }

    #[test]
    fn a_lock_id_is_found_in_a_list() {
        let lock = serde_json::json!({"workspace": "default", "info": {"ID": "a-b"}});
        let value = serde_json::json!({"version": 1, "locks": [lock]});
        assert_eq!(lock_id(&value).as_deref(), Some("a-b"));
        assert_eq!(lock_id(&serde_json::json!({"version": 1, "locks": []})), None);
    }
}
