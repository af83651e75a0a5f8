//! Credentials that expire during a long run.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use remote_state_tests::{S3Server, Sandbox, Suite};

use remote_state_tests::services::container;

pub(crate) fn tests(suite: &mut Suite) {
    suite.test("renewal::a_wait_for_a_lock_outlives_the_credentials", &[], || {
        let server =
            S3Server::emulator_with(|builder| builder.with_credentials("second", "of second"));
        outlives(&server);
    });
}

/// The store knows the first two generations of keys and not the third, so the test sees each in
/// use at its time.
fn outlives(server: &S3Server) {
    let first = (server.access_key().to_owned(), server.secret_key().to_owned());
    let generations = [
        first,
        ("second".to_owned(), "of second".to_owned()),
        ("nobody".to_owned(), "x".to_owned()),
    ];
    let handed_out = Arc::new(AtomicUsize::new(0));
    let counted = handed_out.clone();
    let next = move || generations[counted.fetch_add(1, Ordering::SeqCst).min(2)].clone();
    let service = container(next, Duration::from_secs(3));
    let sandbox = Sandbox::new();
    let place = server.place();
    sandbox.remote_state().server(server).args(place.flags()).arg("lock").run().success();
    let output = sandbox
        .remote_state()
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &service.url)
        .args(place.flags())
        .words("lock --lock-timeout 60s --backend-config dialect=aws")
        .run();
    // While the keys were valid, the command saw that the lock was held, and waited for it.
    assert_eq!(handed_out.load(Ordering::SeqCst), 3, "{output}");
    output.code(1).says("does not accept the credentials (InvalidAccessKeyId)");
    assert!(server.requests().take().len() > 4);
    assert!(place.holder("default").is_some(), "the other one's lock is where it was");
}
