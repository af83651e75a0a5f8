//! `migrate`: states move to another key, bucket or provider.

mod answer;
mod back;
mod block;
mod earlier;
mod migration;
mod plan;
mod sides;
mod verify;
mod work;

use std::path::PathBuf;

use remote_state::config::Environment;
use remote_state::{Error, ErrorKind, LockInfo};
use remote_state_operations::migrate::journal::Journal;

pub(crate) use self::migration::UNFINISHED;
use self::migration::{Migration, is_local, options, run_of};
use self::sides::{FROM, Side};
use crate::args::{Global, Migrate};
use crate::exit::Failure;
use crate::session::Session;
use crate::ui::Ui;

pub(crate) async fn run(
    ui: Ui,
    env: Environment,
    global: &Global,
    args: &Migrate,
) -> Result<(), Failure> {
    if let Some(path) = &args.earlier.config {
        return earlier::config(&ui, &env, global, args, path);
    }
    let earlier = &args.earlier;
    let recorded = [&earlier.resume, &earlier.rollback, &earlier.verify].into_iter().flatten();
    let recorded = recorded.map(|path| Journal::read(path)).next().transpose()?;
    let mut session = match (&recorded, &args.from) {
        (Some(recorded), _) if global.dev.is_none() => {
            let found =
                sides::recorded(&ui, &env, global, &recorded.begin.from, &args.from_config, FROM)?;
            Session::of(ui, env.clone(), global, found).await?
        }
        (None, Some(backend)) => {
            let found = sides::named(&ui, &env, global, backend, &args.from_config, FROM)?;
            Session::of(ui, env.clone(), global, found).await?
        }
        (_, None) if !args.from_config.is_empty() => {
            return Err(Error::config("`--from-config` needs `--from`").into());
        }
        _ => Session::open(ui, env.clone(), global).await?,
    };
    let result = match &recorded {
        None => begin(&mut session, &env, global, args).await,
        Some(recorded) => earlier::run(&session, &env, global, args, recorded).await,
    };
    session.close().await;
    result
}

/// Plans a new run, asks, and carries it out.
async fn begin(
    session: &mut Session,
    env: &Environment,
    global: &Global,
    args: &Migrate,
) -> Result<(), Failure> {
    if args.how.dry_run {
        session.may_read();
    } else {
        session.may_write()?;
    }
    let Some(backend) = &args.to else {
        return Err(Error::config("the kind of the new backend is missing").into());
    };
    let target = Side::target(&session.ui, env, global, backend, &args.to_config)?;
    let id = LockInfo::new("", "", "", jiff::Timestamp::now())?.id;
    let path = journal_path(args, id.as_str())?;
    let options = options(args.source, global)
        .with_digest_ignored(args.how.ignore_digest)
        .with_unfenced_accepted(args.how.accept_unfenced || is_local(session))
        .with_force(args.how.force);
    let run = run_of(session, id.as_str(), &path, &args.how.reason);
    let jobs = usize::from(args.jobs);
    let migration = Migration { session, target, options, mode: args.source, jobs, run };
    let only = match &global.workspace {
        Some(name) => std::slice::from_ref(name),
        None => &*args.workspaces,
    };
    let planned = migration.plan(only).await?;
    if args.how.dry_run {
        return migration.answer_plan(&planned);
    }
    migration.show_plan(&planned);
    migration.agree(&planned, args.how.yes).await?;
    let journal = Journal::create(&path, &migration.run.id)?;
    migration.record_begin(&journal, &planned, args)?;
    session.ui.note(&format!("the journal of this run is `{}`", path.display()));
    migration.carry_out(planned, &journal).await
}

/// Returns the whole name of the journal: others find it in lock records.
fn journal_path(args: &Migrate, run: &str) -> Result<PathBuf, Failure> {
    let name = args.how.journal.clone().unwrap_or_else(|| {
        let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let run = run.split('-').next().unwrap_or_default();
        format!("remote-state-migration-{now}-{run}.jsonl").into()
    });
    std::path::absolute(&name).map_err(|error| {
        let message = format!("cannot find `{}`: {error}", name.display());
        Error::new(ErrorKind::Local, "record", message).with_source(error).into()
    })
}
