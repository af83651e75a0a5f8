//! `workspace rename` and `workspace copy`: the state of one workspace becomes that of another.

use indicatif::DecimalBytes;
use remote_state::directory::select_workspace;
use remote_state::{Author, Error, ErrorKind, LockInfo, StateMeta, Workspace as Name};
use remote_state_operations::rename::{
    CopyOptions, REPLACE_LINEAGE, RenameOptions, Renamed, Renaming, check_different,
    copy as copy_state, lock_order, plan_copy, plan_rename, rename as rename_state,
};
use remote_state_operations::transfer::{CopyPlan, MovePlan, Target, is_fenced};
use serde_json::json;

use crate::args::{Copy, Rename, RenameHow, flag, operand};
use crate::exit::Failure;
use crate::session::{KeptLock, Session, interruption};

/// The names of one rename or copy.
struct Names {
    operation: &'static str,
    from: Name,
    to: Name,
}

/// The lock records of both workspaces.
struct Infos {
    from: LockInfo,
    to: LockInfo,
}

impl Names {
    fn new(
        session: &Session,
        operation: &'static str,
        from: &str,
        to: &str,
    ) -> Result<Self, Failure> {
        let (from, to) = (Name::new(from)?, Name::new(to)?);
        check_different(&*session.store, operation, &from, &to)?;
        Ok(Self { operation, from, to })
    }

    fn infos(&self, session: &Session, how: &RenameHow) -> Result<Infos, Failure> {
        let unfinished = format!(
            "unfinished {}: `remote-state workspace {} {} {}` again",
            self.operation,
            self.operation,
            operand(self.from.as_str()),
            operand(self.to.as_str())
        );
        let words = match &*how.reason {
            "" => unfinished,
            reason => format!("{reason}; {unfinished}"),
        };
        let info = |role| -> Result<LockInfo, Failure> {
            let operation = format!("{} {role}", self.operation);
            Ok(session.lock_info(&operation)?.with_info(&*words))
        };
        Ok(Infos { from: info("source")?, to: info("target")? })
    }

    /// Does work under both locks.
    async fn under_locks<T>(
        &self,
        session: &Session,
        infos: &Infos,
        kept: &KeptLock<'_>,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let locks = lock_order(&*session.store, &self.from, &self.to)
            .map(|name| (name, if *name == self.from { &infos.from } else { &infos.to }));
        session.under_both_locks(locks, kept, work).await
    }

    fn author(&self, session: &Session, infos: &Infos, how: &RenameHow) -> Author {
        session.author(&infos.from).with_operation(self.operation).with_reason(&how.reason)
    }
}

pub(crate) async fn rename(session: &Session, args: &Rename) -> Result<(), Failure> {
    let names = Names::new(session, "rename", &args.from, &args.to)?;
    let infos = names.infos(session, &args.how)?;
    let options = RenameOptions::default()
        .with_source_left(args.no_seal)
        .with_unfenced_accepted(args.accept_unfenced);
    let (run, now) = (infos.from.id.as_str(), jiff::Timestamp::now());
    let renaming = Renaming::new(&names.from, &names.to, options, run, now);
    let planned = async {
        let plan = plan_rename(&*session.store, &renaming).await;
        let plan = plan.map_err(|error| explained(session, &names, error))?;
        show_rename(session, &names, &plan);
        Ok::<_, Failure>(plan)
    };
    if args.how.dry_run {
        let plan = planned.await?;
        if !matches!(plan, MovePlan::Copy { .. }) {
            report_rename(session, &names, &plan, &Renamed::Already);
        }
        return answer_rename(session, &names, &plan, None);
    }
    let kept = KeptLock::of(&names.to);
    let work = async {
        let plan = planned.await?;
        agree_to_rename(session, &names, &plan, &args.how).await?;
        let author = names.author(session, &infos, &args.how);
        let done = rename_state(&*session.store, &renaming, plan.clone(), &author).await;
        let done = done.map_err(|stopped| {
            if stopped.keeps_target_locked {
                kept.ask();
            }
            stopped.error
        })?;
        Ok((plan, done))
    };
    let (plan, done) = names.under_locks(session, &infos, &kept, work).await?;
    report_rename(session, &names, &plan, &done);
    let selected = if args.select { select(session, &names.to) } else { Ok(()) };
    answer_rename(session, &names, &plan, Some(&done))?;
    selected
}

pub(crate) async fn copy(session: &Session, args: &Copy) -> Result<(), Failure> {
    let names = Names::new(session, "copy", &args.from, &args.to)?;
    let infos = names.infos(session, &args.how)?;
    let planned = async {
        let options = CopyOptions::default().with_lineage_kept(args.keep_lineage);
        let plan = plan_copy(&*session.store, (&names.from, &names.to), options).await;
        let plan = plan.map_err(|error| match error.operation() {
            REPLACE_LINEAGE => error.with_hint("to copy it as it is, pass `--keep-lineage`"),
            _ => explained(session, &names, error),
        })?;
        show_source(session, &plan);
        session.ui.warn(
            "two states will track the same resources: an apply or a destroy in either changes \
             them for both",
        );
        Ok::<_, Failure>(plan)
    };
    if args.how.dry_run {
        let plan = planned.await?;
        return answer_copy(session, &plan, None);
    }
    let work = async {
        let plan = planned.await?;
        let state = session.store.location(&names.to).state;
        agreed(session, format!("This stores a copy at `{state}`."), args.how.yes).await?;
        let author = names.author(session, &infos, &args.how);
        Ok((copy_state(&*session.store, &plan, &author).await?, plan))
    };
    let kept = KeptLock::of(&names.to);
    let (meta, plan) = names.under_locks(session, &infos, &kept, work).await?;
    session.ui.done(&format!("copied workspace `{}` to `{}`", names.from, names.to));
    answer_copy(session, &plan, Some(&meta))
}

/// Adds how to go on after an error of the planning.
fn explained(session: &Session, names: &Names, error: Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => error.with_hint(format!(
            "see which workspaces have one with {}",
            session.ui.command("workspace list")
        )),
        ErrorKind::PreconditionFailed
            if error.operation() == "seal" && error.advice().is_empty() =>
        {
            error.with_hint("to leave it as it is under its old name, pass `--no-seal`")
        }
        ErrorKind::PreconditionFailed if error.advice().is_empty() => error.with_hint(format!(
            "look at it with {}; if it is not needed, delete it with {}",
            session.ui.command(&format!("pull{}", flag("-w", names.to.as_str()))),
            session.ui.command(&format!("workspace delete {}", operand(names.to.as_str())))
        )),
        _ => error,
    }
}

fn show_source(session: &Session, plan: &CopyPlan) {
    session.ui.note(&format!(
        "state    serial {}, {}, of workspace `{}`",
        plan.header.serial,
        DecimalBytes(plan.source.meta.size_bytes),
        plan.from
    ));
}

fn show_rename(session: &Session, names: &Names, plan: &MovePlan) {
    let MovePlan::Copy { copy, sealing, .. } = plan else { return };
    let ui = &session.ui;
    show_source(session, copy);
    let locate = |name| session.store.location(name).state;
    match copy.target {
        Target::Same(_) => ui.note(&format!("copy     is at `{}` already", locate(&names.to))),
        Target::WayBack(_) => {
            ui.note(&format!("copy     over the seal at `{}`", locate(&names.to)));
        }
        _ => ui.note(&format!("copy     to `{}`", locate(&names.to))),
    }
    let Some(sealing) = sealing else {
        ui.warn(&format!(
            "workspace `{}` stays in use: two states will track the same resources, and an apply \
             in either changes them for both",
            names.from
        ));
        return;
    };
    ui.note(&format!("seal     `{}`: {}", locate(&names.from), sealing.seal.sentence));
    if plan.seals_encrypted() {
        ui.warn(
            "the state is encrypted, and its seal is not: clients that accept encrypted states \
             alone are stopped, but print another message",
        );
    }
    if !is_fenced(&*session.store, &copy.source.meta) {
        ui.warn(
            "nothing shows what a client that takes no lock writes while the state is sealed; it \
             is lost then",
        );
    }
}

async fn agree_to_rename(
    session: &Session,
    names: &Names,
    plan: &MovePlan,
    how: &RenameHow,
) -> Result<(), Failure> {
    let MovePlan::Copy { sealing, .. } = plan else { return Ok(()) };
    let (from, to) = (&names.from, &names.to);
    let question = match sealing {
        Some(_) => format!("This makes workspace `{from}` unusable; its state goes to `{to}`."),
        None => format!("This stores the state of workspace `{from}` as `{to}` too."),
    };
    agreed(session, question, how.yes).await?;
    if sealing.is_some() && from.is_default() {
        let question = "`default` is the workspace that every client has selected at first: all \
                        of them will be stopped until they select another one.";
        agreed(session, question.to_owned(), how.yes).await?;
    }
    Ok(())
}

/// Asks for consent. An interruption at the question is a refusal: the locks are released.
pub(super) async fn agreed(
    session: &Session,
    question: String,
    is_agreed: bool,
) -> Result<(), Failure> {
    let ui = session.ui.clone();
    let asked = tokio::task::spawn_blocking(move || ui.confirm(&question, is_agreed));
    tokio::select! {
        asked = asked => match asked {
            Ok(answer) => answer,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        },
        _ = interruption() => {
            Err(Error::new(ErrorKind::Local, "ask", "interrupted; nothing was changed").into())
        }
    }
}

fn report_rename(session: &Session, names: &Names, plan: &MovePlan, done: &Renamed) {
    let (ui, from, to) = (&session.ui, &names.from, &names.to);
    if *done == Renamed::Already {
        ui.done(&format!("workspace `{from}` was renamed to `{to}` already; nothing to do"));
        return;
    }
    if matches!(plan, MovePlan::Copy { sealing: None, .. }) {
        ui.done(&format!("stored the state of workspace `{from}` as `{to}` too"));
        return;
    }
    ui.done(&format!("renamed workspace `{from}` to `{to}`"));
    ui.note(&format!(
        "everyone who uses it goes on with `terraform workspace select {}`",
        operand(to.as_str())
    ));
    if !from.is_default() {
        ui.note(&format!(
            "lists show `{from}` until it is deleted with {}; without its seal, clients that have \
             it selected plan to create everything",
            ui.command(&format!("workspace delete {}", operand(from.as_str())))
        ));
    }
}

/// Selects the workspace for the clients of this directory.
fn select(session: &Session, name: &Name) -> Result<(), Failure> {
    let path = select_workspace(&session.directory, &session.env, name)
        .map_err(|error| error.with_context("note", "the rename itself was done"))?;
    session.ui.note(&format!("selected workspace `{name}` in `{}`", path.display()));
    if session.env.get("TF_WORKSPACE").is_some_and(|selected| selected != name.as_str()) {
        session.ui.warn("`TF_WORKSPACE` is set, and selects another workspace for all clients");
    }
    Ok(())
}

fn answer_rename(
    session: &Session,
    names: &Names,
    plan: &MovePlan,
    done: Option<&Renamed>,
) -> Result<(), Failure> {
    if !session.ui.is_json {
        return Ok(());
    }
    let (copy, is_sealed) = match plan {
        MovePlan::Copy { copy, sealing, .. } => (Some(copy), sealing.is_some()),
        _ => (None, true),
    };
    let (result, meta) = match done {
        None => ("planned", None),
        Some(Renamed::Written(meta)) => ("renamed", Some(meta)),
        Some(_) => ("unchanged", None),
    };
    session.ui.json(&json!({
        "version": 1,
        "result": result,
        "from": {
            "workspace": names.from.as_str(),
            "state": session.store.location(&names.from).state,
            "sealed": is_sealed,
        },
        "to": {
            "workspace": names.to.as_str(),
            "state": session.store.location(&names.to).state,
            "id": meta.and_then(|meta| meta.version.as_ref()).map(|id| id.as_str()),
        },
        "serial": copy.map(|copy| copy.header.serial),
        "lineage": copy.map(|copy| copy.lineage.as_str()),
    }))
}

fn answer_copy(
    session: &Session,
    plan: &CopyPlan,
    written: Option<&StateMeta>,
) -> Result<(), Failure> {
    if !session.ui.is_json {
        return Ok(());
    }
    // The lineage of a copy that was only planned is none that any state will have.
    let lineage = if written.is_some() || plan.lineage == plan.header.lineage {
        Some(plan.lineage.as_str())
    } else {
        None
    };
    session.ui.json(&json!({
        "version": 1,
        "result": if written.is_some() { "copied" } else { "planned" },
        "from": {
            "workspace": plan.from.as_str(),
            "state": session.store.location(&plan.from).state,
            "lineage": plan.header.lineage.as_str(),
        },
        "to": {
            "workspace": plan.to.as_str(),
            "state": session.store.location(&plan.to).state,
            "id": written.and_then(|meta| meta.version.as_ref()).map(|id| id.as_str()),
            "lineage": lineage,
        },
        "serial": plan.header.serial,
    }))
}
