//! Lost writes of states, or lost answers to them: a reported success is stored, and any other
//! outcome is reported as unknown.

use futures_util::future::join_all;
use remote_state_core::{ErrorKind, Workspace, WriteMode};
use remote_state_emulator::{Fault, Misbehaviour};
use remote_state_tests::{Place, S3Server, Sandbox, Suite, block_on};

use crate::lost_locks::troubles;
use crate::{outgoing, state};

pub(crate) fn add(suite: &mut Suite) {
    for dialect in ["aws", "generic"] {
        let name = format!("emulator::a_write_reports_success_only_if_it_is_stored::{dialect}");
        suite.test(name, &[], move || block_on(matrix(dialect)));
    }
    suite.on_emulator("a_push_whose_answers_are_lost_says_what_is_stored", &[], by_the_binary);
}

/// The kind of the write.
#[derive(Clone, Copy, Debug)]
enum Way {
    Create,
    Overwrite,
    Update,
}

async fn matrix(dialect: &str) {
    let mut cases = Vec::new();
    for trouble in troubles() {
        for way in [Way::Create, Way::Overwrite, Way::Update] {
            for (method, times) in [("PUT", 1), ("PUT", 2), ("PUT", 5), ("GET", 1)] {
                let fault = Fault::new(trouble.clone())
                    .with_method(method)
                    .with_key_suffix("tfstate")
                    .with_times(times);
                let dialect = dialect.to_owned();
                cases.push(tokio::task::spawn_blocking(move || {
                    let server = S3Server::emulator();
                    block_on(write(&server.place(), &dialect, way, &fault));
                }));
            }
        }
    }
    for case in join_all(cases).await {
        case.expect("no case fails");
    }
}

async fn write(place: &Place<'_>, dialect: &str, way: Way, fault: &Fault) {
    let what = format!("{way:?}, {fault:?}");
    let (store, workspace) =
        (place.store(&[("dialect", dialect), ("max_retries", "2")]), Workspace::default());
    let mode = match way {
        Way::Create => WriteMode::Create,
        Way::Overwrite => WriteMode::Overwrite,
        Way::Update => {
            let first = store.write(&workspace, outgoing(1), &WriteMode::Create.into()).await;
            let meta = first.expect("the first state is stored");
            WriteMode::Update(meta.etag.expect("it has an entity tag"))
        }
    };
    place.server.faults().inject(fault.clone());
    let written = store.write(&workspace, outgoing(2), &mode.into()).await;
    place.server.faults().clear();
    let stored = place.server.get_object(&place.bucket, &place.key).await;
    let is_new = stored.as_deref() == Some(state(2).as_bytes());
    let is_old = match way {
        Way::Update => stored.as_deref() == Some(state(1).as_bytes()),
        Way::Create | Way::Overwrite => stored.is_none(),
    };
    assert!(is_new || is_old, "{what}: there is the old state or the new one");
    match written {
        Ok(_) => assert!(is_new, "{what}: what is said to be stored is stored"),
        Err(error) => assert!(
            is_old || matches!(error.kind(), ErrorKind::Unknown),
            "{what}: a state that is stored is not said to be refused: {error:?}"
        ),
    }
    // A second attempt succeeds, with the condition that a caller would then use.
    let again = store.write(&workspace, outgoing(2), &WriteMode::Overwrite.into()).await;
    again.unwrap_or_else(|error| panic!("{what}: the store answers again: {error:?}"));
}

fn by_the_binary(server: &S3Server) {
    let sandbox = Sandbox::new();
    let place = server.place();
    for serial in 1..=3 {
        sandbox.write("a.tfstate", state(serial));
        let fault =
            Fault::new(Misbehaviour::LoseReply).with_method("PUT").with_key_suffix("tfstate");
        server.faults().inject(fault.with_times(1));
        sandbox
            .remote_state()
            .server(server)
            .args(place.flags())
            .words("push a.tfstate")
            .run()
            .success();
        assert_eq!(server.faults().count(), 0, "the answer was lost");
        assert_eq!(place.state("default").as_deref(), Some(state(serial).as_bytes()));
        place.assert_unlocked();
    }
}
