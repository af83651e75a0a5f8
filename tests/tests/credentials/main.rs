//! Credentials of the command: their sources, identity and lifetime. Roles and accounts also on
//! moto, an STS from outside this project: it distinguishes the sessions of a role from the account
//! of the role.

mod advice;
mod client;
mod elsewhere;
mod empty;
mod keys;
mod line_breaks;
mod order;
mod process;
mod renewal;
mod repository;
mod roles;
mod trust;
mod whoami;

use std::process::ExitCode;

use remote_state_core::{ErrorKind, ReadOptions, Workspace};
use remote_state_tests::{S3Server, Setup, Suite, block_on};

/// The account of every caller on moto.
const OWN: &str = "123456789012";
const OTHER: &str = "222222222222";
const ROLE: &str = "arn:aws:iam::222222222222:role/ci";

fn main() -> ExitCode {
    let mut suite = Suite::new();
    let moto = Setup::named("s3/moto");
    advice::tests(&mut suite);
    line_breaks::tests(&mut suite);
    order::tests(&mut suite);
    empty::tests(&mut suite);
    process::tests(&mut suite);
    roles::tests(&mut suite);
    whoami::tests(&mut suite);
    renewal::tests(&mut suite);
    repository::tests(&mut suite);
    elsewhere::tests(&mut suite);
    keys::tests(&mut suite);
    trust::tests(&mut suite);
    suite.on_setup(moto, "credentials_are_those_of_the_account_of_the_role", &[], accounts);
    suite.run()
}

fn accounts(server: &S3Server) {
    let place = server.place().with("endpoints.sts", &server.endpoint);
    // Exactly one of the two is allowed: without a role it is the account of the keys.
    for (role, allowed, is_admitted) in [
        (None, OWN, true),
        (None, OTHER, false),
        (Some(ROLE), OTHER, true),
        (Some(ROLE), OWN, false),
    ] {
        let place = match role {
            Some(role) => place
                .clone()
                .with("role_arn", role)
                .with("external_id", "acme")
                .with("session_name", "ci"),
            None => place.clone(),
        };
        for (key, is_admitted) in
            [("allowed_account_ids", is_admitted), ("forbidden_account_ids", !is_admitted)]
        {
            let store = place.store_with_list(key, &[allowed]);
            let read = block_on(store.read(&Workspace::default(), &ReadOptions::default()));
            match read {
                Ok(_) => assert!(is_admitted, "{role:?} {key} {allowed}"),
                Err(error) => {
                    assert!(!is_admitted, "{role:?} {key} {allowed}: {error:?}");
                    assert_eq!(error.kind(), ErrorKind::CredentialInvalid, "{error:?}");
                    assert!(
                        error.message().contains(if role.is_some() { OTHER } else { OWN }),
                        "{error}"
                    );
                }
            }
        }
    }
}
