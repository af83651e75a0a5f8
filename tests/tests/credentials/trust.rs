//! Roles on a moto that checks signatures, policies and external ids, beside the real Terraform.

use remote_state_tests::terraform::CONFIGURATION;
use remote_state_tests::{Place, Requirement, S3Server, Sandbox, Setup, Suite, TABLE};

const TERRAFORM: [Requirement; 1] = [Requirement::Terraform];

pub(crate) fn tests(suite: &mut Suite) {
    let moto = Setup::named("s3/moto-auth");
    suite.on_setup(moto, "a_role_is_assumed_with_its_external_id", &TERRAFORM, accepted);
    suite.on_setup(moto, "a_role_is_refused_with_another_external_id", &TERRAFORM, refused);
    suite.on_setup(moto, "without_the_role_the_user_may_do_nothing", &TERRAFORM, without);
    suite.on_setup(moto, "the_historic_names_of_a_roles_keys_are_understood", &[], historic);
}

/// The place of a user who may only assume roles.
struct Taker {
    server: S3Server,
    role: &'static str,
    external_id: &'static str,
}

impl Taker {
    fn new(server: &S3Server) -> Self {
        let setup = Setup::named("s3/moto-auth");
        Self {
            server: server.as_user(setup.told("taker_access_key"), setup.told("taker_secret_key")),
            role: setup.told("role_arn"),
            external_id: setup.told("external_id"),
        }
    }

    /// Returns a place with both locks, and with the role if there is an external id.
    fn place(&self, external_id: Option<&str>) -> Place<'_> {
        let place = self
            .server
            .place()
            .with("dynamodb_table", TABLE)
            .with("endpoints.sts", &self.server.endpoint);
        match external_id {
            Some(id) => {
                let role = format!(
                    "{{ role_arn = {:?}, external_id = {id:?}, session_name = \"ci\" }}",
                    self.role
                );
                place.with_hcl("assume_role", &role)
            }
            None => place,
        }
    }
}

fn project(place: &Place<'_>) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("main.tf", CONFIGURATION);
    sandbox.write("backend.tf", place.backend_block());
    sandbox
}

const APPLY: &str = "apply -auto-approve -input=false";

fn accepted(server: &S3Server) {
    let taker = Taker::new(server);
    let place = taker.place(Some(taker.external_id));
    let sandbox = project(&place);
    let terraform = |words: &str| sandbox.terraform().server(&taker.server).words(words);
    let ours = |words: &str| sandbox.remote_state().server(&taker.server).words(words);
    terraform("init -input=false").run().success();
    terraform(APPLY).run().success();
    assert_eq!(ours("output a --raw").run().success().stdout(), "1");
    let id = ours("lock").run().success().stdout().trim().to_owned();
    terraform(APPLY).run().code(1).mentions(&id);
    ours(&format!("unlock {id}")).run().success();
    ours("pull --output copy.tfstate").run().success();
    ours("push --force copy.tfstate").run().success();
    terraform("plan -input=false -detailed-exitcode").run().success();
}

fn refused(server: &S3Server) {
    let taker = Taker::new(server);
    let sandbox = project(&taker.place(Some("somebody-else")));
    sandbox
        .terraform()
        .server(&taker.server)
        .words("init -input=false")
        .run()
        .code(1)
        .mentions("cannot be assumed");
    for words in ["pull", "lock", "locks", "workspace list"] {
        let output = sandbox.remote_state().server(&taker.server).words(words).run().code(1);
        output
            .says(&format!("cannot assume the role `{}`", taker.role))
            .says("answered 403")
            .says("backend.tf:")
            .says("hint: check the trust policy of the role");
    }
}

fn without(server: &S3Server) {
    let taker = Taker::new(server);
    let place = taker.place(None);
    let sandbox = project(&place);
    sandbox
        .terraform()
        .server(&taker.server)
        .words("init -input=false")
        .run()
        .code(1)
        .mentions("StatusCode: 403");
    for words in ["pull", "lock"] {
        let output = sandbox.remote_state().server(&taker.server).words(words).run().code(1);
        output.says("access denied").says("hint: needed are ");
    }
}

fn historic(server: &S3Server) {
    let taker = Taker::new(server);
    let place = taker.place(None);
    // Terraform has rejected these since 1.10, so its block can no longer contain them.
    let named = |external_id: &str| {
        place
            .clone()
            .with("role_arn", taker.role)
            .with("external_id", external_id)
            .with("session_name", "ci")
    };
    let sandbox = Sandbox::new();
    let ours = |place: &Place<'_>, words: &str| {
        sandbox.remote_state().server(&taker.server).args(place.flags()).words(words).run()
    };
    let id = ours(&named(taker.external_id), "lock").success().stdout().trim().to_owned();
    ours(&named("somebody-else"), &format!("unlock {id}")).code(1).says("cannot assume the role");
    ours(&named(taker.external_id), &format!("unlock {id}")).success();
}
