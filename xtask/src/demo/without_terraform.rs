//! The demo without Terraform: pushes, locks and reads a state that the example ships.

use crate::Result;
use crate::demo::stage::{Line, Stage};

pub(crate) fn play(stage: &mut Stage, why: &str) -> Result<()> {
    println!("Without Terraform ({why}): the same with a state that the example ships.\n");

    stage.step("A state in a bucket");
    stage.say("The store is an S3 server inside `remote-state`.\n");
    stage.run(&Line::new("remote-state --dev push example.tfstate"))?.expect_code(0)?;
    stage.showed("a state is kept in an S3 bucket");

    stage.step("One writer at a time");
    let next = stage.quickstart().join("next.tfstate");
    write_next(&stage.quickstart().join("example.tfstate"), &next)?;
    let locked = stage.run(&Line::new("remote-state --dev lock"))?;
    let holder = locked.expect_code(0)?.answer();
    stage.run(&Line::new("remote-state --dev locks"))?.expect_code(0)?.expect_mention(&holder)?;
    stage
        .run(&Line::new("remote-state --dev push next.tfstate"))?
        .expect_code(3)?
        .expect_mention(&holder)?;
    stage
        .run(&Line::new("remote-state --dev output value --raw"))?
        .expect_code(0)?
        .expect_answer("1")?;
    stage.run(&Line::new(&format!("remote-state --dev unlock {holder} --yes")))?.expect_code(0)?;
    stage.showed("a second writer is refused, told who holds the lock, and changes nothing");

    stage.step("Reading");
    let output = stage.run(&Line::new("remote-state --dev output"))?;
    // The table names the sensitive output, but does not show its value.
    output
        .expect_code(0)?
        .expect_mention("value")?
        .expect_mention("token")?
        .expect_no_mention("token-1")?;
    let milliseconds = output.elapsed().as_secs_f64() * 1000.0;
    stage.say(&format!("({milliseconds:.0} ms, the embedded store's start included)\n"));
    stage.run(&Line::new("remote-state --dev output --json"))?.expect_code(0)?.json()?;
    stage
        .run(&Line::new("remote-state --dev workspace list"))?
        .expect_code(0)?
        .expect_mention("default")?;
    stage.run(&Line::new("remote-state --dev locks"))?.expect_code(0)?;
    stage
        .showed(format!("outputs, workspaces and locks are read, outputs in {milliseconds:.0} ms"));

    stage.step("A changed value");
    stage.run(&Line::new("remote-state --dev push next.tfstate"))?.expect_code(0)?;
    stage
        .run(&Line::new("remote-state --dev output value --raw"))?
        .expect_code(0)?
        .expect_answer("2")?;
    stage.run(&Line::new("remote-state --dev pull -o pulled.tfstate"))?.expect_code(0)?;
    let pulled = stage.quickstart().join("pulled.tfstate");
    if std::fs::read(&pulled)? != std::fs::read(&next)? {
        return Err("expected `pull` to return the very bytes that were pushed".into());
    }
    stage.showed("a change is read back at once, byte for byte");

    stage.step("A change, seen and undone");
    stage.run(&Line::new("remote-state --dev history"))?.expect_code(0)?;
    stage
        .run(&Line::new("remote-state --dev diff"))?
        .expect_code(0)?
        .expect_mention("\"1\" → \"2\"")?
        .expect_no_mention("token-2")?;
    stage.run(&Line::new("remote-state --dev restore @1 --yes"))?.expect_code(0)?;
    stage
        .run(&Line::new("remote-state --dev output value --raw"))?
        .expect_code(0)?
        .expect_answer("1")?;
    stage.showed("a change is seen without its secrets, and an old version restored");

    stage.say(
        "That native Terraform finds this state in place can be shown only with Terraform on \
         PATH.\n",
    );
    Ok(())
}

/// Writes a state that may follow: the next serial, another value.
fn write_next(example: &std::path::Path, next: &std::path::Path) -> Result<()> {
    let text = std::fs::read_to_string(example)?;
    let changed = text
        .replace(r#""serial": 1,"#, r#""serial": 2,"#)
        .replace(r#""value": "1""#, r#""value": "2""#)
        .replace("token-1", "token-2");
    std::fs::write(next, changed)?;
    Ok(())
}
