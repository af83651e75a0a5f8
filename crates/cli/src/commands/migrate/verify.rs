//! `--verify`: are the states where they should be, and is the old place closed?

use futures_util::{StreamExt as _, stream};
use remote_state::{Error, Lineage, LockId, Serial, VersionId};
use remote_state_operations::migrate::journal::{Item, Recorded};
use remote_state_operations::migrate::{Finding, Move, Verified, verify};
use serde_json::{Value, json};

use super::migration::Migration;
use crate::exit::{ExitCode, Failure};

impl Migration<'_> {
    /// Looks at each state of a journal.
    pub(super) async fn verify(&self, recorded: &Recorded) -> Result<(), Failure> {
        let ui = &self.session.ui;
        let mut ways = Vec::new();
        for item in &recorded.items {
            ways.push((item, self.way(item)?));
        }
        let looks = ways
            .into_iter()
            .map(|(item, way)| async move { (item, self.verify_one(item, &way).await) });
        let looked: Vec<_> = stream::iter(looks).buffered(self.jobs).collect().await;
        let (mut has_failed, mut has_bad) = (false, false);
        for (_, found) in &looked {
            match found {
                Err(failure) => {
                    failure.report(ui);
                    has_failed = true;
                }
                Ok(found) => has_bad |= !found.as_ref().is_some_and(|found| found.is_good),
            }
        }
        if ui.is_json {
            let items: Vec<_> = looked.iter().map(|(item, found)| as_json(item, found)).collect();
            let result = if has_failed || has_bad { "bad" } else { "good" };
            ui.json(&json!({"version": 1, "result": result, "items": items}))?;
        } else {
            let rows = looked.iter().map(|(item, found)| row(item, found)).collect();
            ui.table(&["workspace", "new place", "old place", "verdict"], rows)?;
        }
        match (has_bad, has_failed) {
            (true, _) => Err(Failure::Answered(ExitCode::Unexpected)),
            (false, true) => Err(Failure::Answered(ExitCode::Failed)),
            (false, false) => Ok(()),
        }
    }

    /// Looks at one state; `None` if nothing was copied.
    async fn verify_one(&self, item: &Item, way: &Move) -> Result<Option<Verified>, Failure> {
        let Some(fact) = item.proven.as_ref().or(item.copies.last()) else { return Ok(None) };
        let lineage = Lineage::new(fact.lineage.clone().unwrap_or_default());
        let serial = Serial(fact.serial.unwrap_or_default());
        let found = verify(way, self.options.source, &fact.sha256, (&lineage, serial)).await;
        Ok(Some(found.map_err(|error: Error| error.with_context("workspace", &item.workspace))?))
    }
}

fn words(finding: &Finding) -> String {
    match finding {
        Finding::Absent => "no state".to_owned(),
        Finding::Copied => "the copied state".to_owned(),
        Finding::State { serial, .. } => format!("serial {serial}"),
        Finding::Sealed => "sealed".to_owned(),
        Finding::SealedElsewhere(to) => format!("sealed: moved to {to}"),
        _ => "no state, but an object".to_owned(),
    }
}

fn verdict(found: &Verified) -> String {
    let mut words = Vec::new();
    if let Some(version) = found.over_seal.first() {
        words.push(format!("version {version} was written over the seal"));
    }
    if !found.is_good && words.is_empty() {
        words.push("not as it should be".to_owned());
    }
    if words.is_empty() { "good".to_owned() } else { words.join("; ") }
}

fn row(item: &Item, found: &Result<Option<Verified>, Failure>) -> Vec<String> {
    let [new, old, verdict] = match found {
        Ok(Some(found)) => [words(&found.target), words(&found.source), verdict(found)],
        Ok(None) => ["not copied", "", "not moved"].map(str::to_owned),
        Err(_) => ["?", "?", "failed"].map(str::to_owned),
    };
    vec![item.workspace.clone(), new, old, verdict]
}

fn as_json(item: &Item, found: &Result<Option<Verified>, Failure>) -> Value {
    let mut json = json!({
        "workspace": item.workspace,
        "from": item.source,
        "to": item.target,
        "good": false,
    });
    if let Ok(Some(found)) = found {
        json["good"] = found.is_good.into();
        json["old_place"] = words(&found.source).into();
        json["new_place"] = words(&found.target).into();
        json["old_lock"] = found.source_lock.as_ref().map(LockId::as_str).into();
        json["new_lock"] = found.target_lock.as_ref().map(LockId::as_str).into();
        let above: Vec<_> = found.over_seal.iter().map(VersionId::as_str).collect();
        json["over_seal"] = above.into();
    }
    json
}
