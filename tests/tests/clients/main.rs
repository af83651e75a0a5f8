//! Many versions of Terraform, and OpenTofu: the states that each stores through `remote-state`,
//! and those that it shares as a native client. [`table::CLIENTS`] defines what each must do; a
//! test compares the page `docs/clients.md` with it.

mod native;
mod project;
mod served;
mod table;
mod upgrade;

use std::process::ExitCode;

use remote_state_tests::{Requirement, Setup, Suite};

use crate::table::CLIENTS;

fn main() -> ExitCode {
    // A client uses a whole processor.
    let mut suite = Suite::new().with_threads(2);
    for client in &CLIENTS {
        let needs = [client.requirement()];
        let name = |what: &str| format!("{}::{what}", client.name());
        suite.test(name("serve"), &needs, move || served::through_serve(client));
        if client.exec {
            suite.test(name("exec"), &needs, move || served::through_exec(client));
        }
        if client.s3 {
            suite.on_setup(Setup::named("s3/minio"), &name("s3"), &needs, move |s3| {
                native::s3(client, s3);
            });
        }
        // Not moto: its server closes connections that the clients still use, which leaves their
        // locks behind.
        if client.dynamodb {
            let test = move |s3: &_| native::dynamodb(client, s3);
            suite.on_setup(Setup::named("s3/dynalite"), &name("dynamodb"), &needs, test);
        }
        if client.oss {
            suite.test(name("oss"), &needs, move || native::oss(client));
        }
    }
    suite.test(
        "serve::a_state_goes_up_from_0_11_to_1",
        &upgrade::PATH.map(Requirement::Client),
        upgrade::goes_up,
    );
    suite.test("docs::the_page_says_what_the_table_says", &[], table::page);
    suite.run()
}
