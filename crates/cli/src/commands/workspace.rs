//! `workspace`: list, make, delete.

use bytes::Bytes;
use remote_state::{
    Error, ErrorKind, LockInfo, StateHeader, StateStoreExt as _, Workspace as Name, WriteMode,
};
use serde_json::json;

use crate::args::{Workspace, quoted};
use crate::exit::Failure;
use crate::session::Session;

pub(crate) async fn run(session: &mut Session, args: Workspace) -> Result<(), Failure> {
    match args {
        Workspace::List => list(session).await,
        Workspace::New { name } => {
            session.may_write()?;
            new(session, Name::new(name)?).await
        }
        Workspace::Delete { name, force, yes } => {
            session.may_write()?;
            delete(session, Name::new(name)?, force, yes).await
        }
    }
}

async fn list(session: &Session) -> Result<(), Failure> {
    session.may_read();
    let names = session.store.workspace_names().await?;
    if session.ui.is_json {
        let names: Vec<_> = names.iter().map(Name::as_str).collect();
        return session
            .ui
            .json(&json!({"version": 1, "selected": session.workspace.as_str(), "workspaces": names}));
    }
    for name in names {
        let mark = if name == session.workspace { '*' } else { ' ' };
        session.ui.line(&format!("{mark} {name}"))?;
    }
    Ok(())
}

async fn new(session: &Session, name: Name) -> Result<(), Failure> {
    let exists = || {
        Error::new(
            ErrorKind::PreconditionFailed,
            "workspace new",
            format!("workspace `{name}` exists already"),
        )
        .with_context("state", session.store.location(&name).state)
    };
    if name.is_default() {
        return Err(exists().into());
    }
    // Native clients take the lock with this word when they make a workspace.
    let info = session.lock_info("init")?;
    let lineage = session.lock_info("lineage")?.id;
    let bytes = empty_state(lineage.as_str());
    session
        .under_lock(&name, &info, async {
            if session.store.read_bytes(&name).await?.is_some() {
                return Err(exists().into());
            }
            Ok(session.store.write(&name, bytes.into(), &WriteMode::Create).await?)
        })
        .await?;
    session.ui.done(&format!("made workspace `{name}` at `{}`", session.store.location(&name).state));
    let word = quoted(name.as_str());
    let gap = if word.starts_with('-') { '=' } else { ' ' };
    session.ui.note(&format!("use it with `-w{gap}{word}`, or `TF_WORKSPACE={word}`"));
    if session.ui.is_json {
        session.ui.json(
            &json!({"version": 1, "workspace": name.as_str(), "state": session.store.location(&name).state}),
        )?;
    }
    Ok(())
}

/// What a native client stores when it makes a workspace, in its own form: version 4, two spaces, a newline at the end.
fn empty_state(lineage: &str) -> Bytes {
    format!(
        "{{\n  \"version\": 4,\n  \"terraform_version\": \"\",\n  \"serial\": 1,\n  \"lineage\": \"{lineage}\",\n  \"outputs\": {{}},\n  \"resources\": [],\n  \"check_results\": null\n}}\n"
    )
    .into()
}

async fn delete(session: &Session, name: Name, is_forced: bool, is_agreed: bool) -> Result<(), Failure> {
    if name.is_default() {
        return Err(Error::config("the workspace `default` always exists and cannot be deleted").into());
    }
    let state = session.store.location(&name).state;
    session.ui.confirm(&format!("Deleting workspace `{name}` removes the state `{state}`."), is_agreed)?;
    let info: LockInfo = session.lock_info("workspace-delete")?;
    session
        .under_lock(&name, &info, async {
            let Some(stored) = session.store.read_bytes(&name).await? else {
                return Err(Error::new(
                    ErrorKind::NotFound,
                    "workspace delete",
                    format!("there is no workspace `{name}`"),
                )
                .with_context("state", &state)
                .with_hint("see which there are with `remote-state workspace list`")
                .into());
            };
            if !is_forced && StateHeader::parse(&stored.bytes).is_ok_and(|header| header.has_resources) {
                return Err(Error::new(
                    ErrorKind::PreconditionFailed,
                    "workspace delete",
                    format!("workspace `{name}` still tracks resources, which nothing would manage any more"),
                )
                .with_context("state", &state)
                .with_hint("destroy them first, or pass `--force`")
                .into());
            }
            Ok(session.store.delete(&name).await?)
        })
        .await?;
    session.ui.done(&format!("deleted workspace `{name}`"));
    if session.ui.is_json {
        session.ui.json(&json!({"version": 1, "workspace": name.as_str(), "deleted": true}))?;
    }
    Ok(())
}
