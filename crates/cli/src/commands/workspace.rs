//! `workspace`: lists, creates and deletes workspaces; `rename.rs` renames and copies them.

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use remote_state::{
    Error, ErrorKind, Lineage, LockInfo, StateFormat, StateHeader, StateStoreExt as _,
    Workspace as Name, WriteMode,
};
use serde_json::json;

use crate::args::{Workspace, flag, quoted};
use crate::commands::rename;
use crate::exit::Failure;
use crate::session::Session;
use crate::ui::Ui;

pub(crate) async fn run(session: &mut Session, args: Workspace) -> Result<(), Failure> {
    match args {
        Workspace::List { deleted: true } => deleted(session).await,
        Workspace::List { deleted: false } => list(session).await,
        Workspace::New { name } => {
            session.may_write()?;
            new(session, Name::new(name)?).await
        }
        Workspace::Delete { name, force, yes } => {
            session.may_write()?;
            delete(session, Name::new(name)?, force, yes).await
        }
        Workspace::Rename(args) => {
            session.may_write()?;
            rename::rename(session, &args).await
        }
        Workspace::Copy(args) => {
            session.may_write()?;
            rename::copy(session, &args).await
        }
    }
}

async fn list(session: &Session) -> Result<(), Failure> {
    session.may_read();
    let names = session.store.workspace_names().await?;
    if session.ui.is_json {
        let names: Vec<_> = names.iter().map(Name::as_str).collect();
        return session.ui.json(
            &json!({"version": 1, "selected": session.workspace.as_str(), "workspaces": names}),
        );
    }
    for name in names {
        let mark = if name == session.workspace { '*' } else { ' ' };
        session.ui.line(&format!("{mark} {name}"))?;
    }
    Ok(())
}

/// Lists the workspaces that can be brought back.
async fn deleted(session: &Session) -> Result<(), Failure> {
    session.may_read();
    let mut names: Vec<_> = session.store.deleted_workspaces().try_collect().await?;
    names.sort();
    if session.ui.is_json {
        let names: Vec<_> = names.iter().map(Name::as_str).collect();
        return session.ui.json(&json!({"version": 1, "deleted": names}));
    }
    for name in &names {
        session.ui.line(name.as_str())?;
    }
    match names.first() {
        Some(name) => session.ui.note(&format!(
            "bring one back with {}",
            session.ui.command(&format!("undelete{}", flag("-w", name.as_str())))
        )),
        None => session.ui.note("no deleted workspace has a version to restore"),
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
    // Native clients use this operation for the lock when they create a workspace.
    let info = session.lock_info("init")?;
    let bytes = empty_state(&Lineage::random()?);
    session
        .under_lock(&name, &info, async {
            if session.store.read_bytes(&name).await?.is_some() {
                return Err(exists().into());
            }
            Ok(session.store.write(&name, bytes.into(), &WriteMode::Create.into()).await?)
        })
        .await?;
    session
        .ui
        .done(&format!("created workspace `{name}` at `{}`", session.store.location(&name).state));
    session.ui.note(&format!(
        "use it with `{}`, or `TF_WORKSPACE={}`",
        flag("-w", name.as_str()).trim_start(),
        quoted(name.as_str())
    ));
    if session.ui.is_json {
        session.ui.json(&json!({
            "version": 1,
            "workspace": name.as_str(),
            "state": session.store.location(&name).state,
        }))?;
    }
    Ok(())
}

/// Returns the state that a native client stores when it creates a workspace, in its own form:
/// version 4, two spaces, a newline at the end.
fn empty_state(lineage: &Lineage) -> Bytes {
    format!(
        "{{\n  \"version\": 4,\n  \"terraform_version\": \"\",\n  \"serial\": 1,\n  \"lineage\": \
         \"{lineage}\",\n  \"outputs\": {{}},\n  \"resources\": [],\n  \"check_results\": \
         null\n}}\n"
    )
    .into()
}

async fn delete(
    session: &Session,
    name: Name,
    is_forced: bool,
    is_agreed: bool,
) -> Result<(), Failure> {
    if name.is_default() {
        return Err(
            Error::config("the workspace `default` always exists and cannot be deleted").into()
        );
    }
    let state = session.store.location(&name).state;
    session
        .ui
        .confirm(&format!("Deleting workspace `{name}` removes the state `{state}`."), is_agreed)?;
    let info: LockInfo = session.lock_info("workspace-delete")?;
    session
        .under_lock(&name, &info, async {
            let Some(stored) = session.store.read_bytes(&name).await? else {
                // An object of zero bytes is not a state, but the list includes it.
                if session.store.workspace_names().await?.contains(&name) {
                    return Ok(session.store.delete(&name).await?);
                }
                return Err(Error::new(
                    ErrorKind::NotFound,
                    "workspace delete",
                    format!("there is no workspace `{name}`"),
                )
                .with_context("state", &state)
                .with_hint(format!(
                    "see which workspaces have one with {}",
                    session.ui.command("workspace list")
                ))
                .into());
            };
            if !is_forced {
                check_unused(&session.ui, &name, &stored.bytes)
                    .map_err(|error| error.with_context("state", &state))?;
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

/// Checks that a state tracks nothing. A state that cannot be read does not count as empty.
fn check_unused(ui: &Ui, name: &Name, bytes: &[u8]) -> Result<(), Error> {
    let refused = |message| Error::new(ErrorKind::PreconditionFailed, "workspace delete", message);
    let in_doubt = |reason: &str| {
        refused(format!("cannot tell whether workspace `{name}` tracks resources: {reason}"))
            .with_hint(format!(
                "look at it with {}; to delete it all the same, pass `--force`",
                ui.command(&format!("pull{}", flag("-w", name.as_str())))
            ))
    };
    match StateHeader::parse(bytes) {
        Ok(header) if !header.has_resources => Ok(()),
        Ok(header) => Err(match header.format {
            StateFormat::Encrypted => in_doubt("its state is encrypted by OpenTofu"),
            StateFormat::Plain { version: 4 } => refused(format!(
                "workspace `{name}` still tracks resources, which no client would manage any more"
            ))
            .with_hint("destroy them first, or pass `--force`"),
            _ => in_doubt("its state has an old format"),
        }),
        Err(error) => Err(in_doubt(&format!("what is stored is {}", error.message()))),
    }
}
