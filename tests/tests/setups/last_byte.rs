//! Twenty clients send a create without its last byte, and then all last bytes at the same moment:
//! the hardest race for a server, because it has checked everything before and decides only now.

use std::time::Duration;

use remote_state_tests::{Locks, S3Server, Suite, Wire, block_on, unique};

const CONTENDERS: usize = 20;
const ROUNDS: usize = 200;

/// The time for a server to read what it has. A slower server makes the race easier for itself, and
/// nothing fails.
const SETTLE: Duration = Duration::from_millis(30);

pub(crate) fn add(suite: &mut Suite) {
    suite.on_setups(
        |shows| shows.locks == Locks::ConditionalCreate,
        "of_twenty_creates_that_end_at_the_same_moment_one_wins",
        &[],
        objects,
    );
    suite.on_setups(
        |shows| shows.table,
        "of_twenty_items_that_end_at_the_same_moment_one_wins",
        &[],
        items,
    );
}

fn objects(server: &S3Server) {
    for round in 0..ROUNDS {
        let key = format!("{}/{round}.tflock", unique("race"));
        let body = |contender| format!("{contender:02}{}", ".".repeat(198)).into_bytes();
        let requests = block_on(async {
            let mut requests = Vec::new();
            for contender in 0..CONTENDERS {
                requests.push(server.signed_create(&key, &body(contender)).await);
            }
            requests
        });
        let winner = winner(server, &server.endpoint, &requests, &[409, 412]);
        let stored =
            block_on(server.get_object(&server.bucket, &key)).expect("the winner stored it");
        assert!(stored == body(winner), "round {round}: what is stored is the winner's");
    }
}

fn items(server: &S3Server) {
    let endpoint = server.dynamodb_endpoint.as_deref().expect("the setup has a table");
    for round in 0..ROUNDS {
        let id = format!("{}/{round}", unique("race"));
        let info = |contender: usize| format!("{contender:02}");
        let requests = block_on(async {
            let mut requests = Vec::new();
            for contender in 0..CONTENDERS {
                requests.push(server.signed_item(&id, &info(contender)).await);
            }
            requests
        });
        let winner = winner(server, endpoint, &requests, &[400]);
        let stored = block_on(server.item(&id, "Info"));
        assert_eq!(stored, Some(info(winner)), "round {round}: what is stored is the winner's");
    }
}

/// Runs one round, and returns the winner.
#[track_caller]
fn winner(server: &S3Server, endpoint: &str, requests: &[Wire], refusals: &[u16]) -> usize {
    let mut connections = Vec::new();
    for request in requests {
        let mut connection = server.connect(endpoint);
        connection.send(request.halves().0);
        connections.push(connection);
    }
    std::thread::sleep(SETTLE);
    for (connection, request) in connections.iter_mut().zip(requests) {
        connection.send(request.halves().1);
    }
    let statuses: Vec<u16> =
        connections.into_iter().map(|connection| connection.status()).collect();
    let winners: Vec<usize> = statuses
        .iter()
        .enumerate()
        .filter_map(|(contender, status)| (*status == 200).then_some(contender))
        .collect();
    let refused = statuses.iter().filter(|status| refusals.contains(status)).count();
    assert_eq!((winners.len(), refused), (1, requests.len() - 1), "{statuses:?}");
    winners[0]
}
