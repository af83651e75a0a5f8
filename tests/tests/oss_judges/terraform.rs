//! The real Terraform with `backend "oss"`: it works, and sends the known requests.

use remote_state_emulator::{Fault, MetadataMode, Misbehaviour, Request};
use remote_state_tests::terraform::CONFIGURATION;
use remote_state_tests::{Cmd, OssServer, Output, Requirement, Sandbox, Suite};

const NEEDS: &[Requirement] = &[Requirement::Terraform];

const STATE: &str = "env:/terraform.tfstate";

pub(crate) fn add(suite: &mut Suite) {
    suite.test("terraform::it_asks_what_it_is_known_to_ask", NEEDS, transcripts);
    suite.test(
        "terraform::with_tablestore_it_asks_what_it_is_known_to_ask",
        NEEDS,
        transcripts_with_locks,
    );
    suite.test("terraform::a_workspace_that_is_only_read_is_created", NEEDS, read_creates);
    suite.test("terraform::locks_in_tablestore_exclude_and_are_forced", NEEDS, locks);
    suite.test("terraform::a_state_that_is_not_its_digest_is_refused", NEEDS, digest);
    suite.test("terraform::acl_and_encryption_are_sent_and_only_one_has_effect", NEEDS, headers);
    suite.test("terraform::states_are_kept_on_every_kind_of_bucket", NEEDS, buckets);
    suite.test("terraform::the_keys_of_an_instance_open_oss_and_tablestore", NEEDS, instance);
    suite.test("terraform::faults_look_to_it_as_the_services_do", NEEDS, faults);
}

/// A folder with a configuration for a server.
struct Project<'a> {
    sandbox: Sandbox,
    server: &'a OssServer,
}

impl<'a> Project<'a> {
    /// Creates a project whose backend has these further strings; not initialised.
    fn new(server: &'a OssServer, bucket: &str, more: &[(&str, &str)]) -> Self {
        let sandbox = Sandbox::new();
        sandbox.write("main.tf", CONFIGURATION);
        sandbox.write("backend.tf", server.backend_block(bucket, more));
        Self { sandbox, server }
    }

    fn initialised(server: &'a OssServer, bucket: &str, more: &[(&str, &str)]) -> Self {
        let project = Self::new(server, bucket, more);
        project.run("init -input=false").success();
        project
    }

    fn terraform(&self, words: &str) -> Cmd {
        self.sandbox.terraform().oss_server(self.server).words(words)
    }

    fn run(&self, words: &str) -> Output {
        self.terraform(words).run()
    }

    fn apply(&self, value: &str) -> Output {
        self.run(&format!("apply -auto-approve -input=false -var v={value}"))
    }

    /// Runs a command and compares its requests to OSS and to Tablestore.
    #[track_caller]
    fn asks(&self, words: &str, of_oss: &str, of_tablestore: &str) {
        self.server.requests().take();
        self.run(words).success();
        self.assert_asked(words, of_oss, of_tablestore);
    }

    #[track_caller]
    fn assert_asked(&self, words: &str, of_oss: &str, of_tablestore: &str) {
        let asked = self.server.requests().take();
        let letters = |service: fn(&Request) -> Option<String>| {
            asked.iter().filter_map(service).collect::<Vec<_>>().join(" ")
        };
        let transcript = (letters(oss), letters(tablestore));
        assert_eq!(
            transcript,
            (of_oss.to_owned(), of_tablestore.to_owned()),
            "`{words}` asked {asked:#?}"
        );
    }
}

/// Returns a request to OSS as a letter, with the status if that matters. All are about the same
/// workspace or about the whole prefix.
fn oss(request: &Request) -> Option<String> {
    let letter = match request.operation.as_deref()? {
        "ListObjects" => "L",
        "GetObjectMeta" => "H",
        "GetObject" => "G",
        "PutObject" => "P",
        "DeleteObject" => "D",
        "DescribeTable" | "GetRow" | "PutRow" | "UpdateRow" | "DeleteRow" => return None,
        other => other,
    };
    Some(match request.status {
        Some(404) => format!("{letter}(404)"),
        _ => letter.to_owned(),
    })
}

/// Returns a request to Tablestore as a sign for the call and a word for the row.
fn tablestore(request: &Request) -> Option<String> {
    let sign = match request.operation.as_deref()? {
        "DescribeTable" => return Some("DT".to_owned()),
        "GetRow" => '?',
        "PutRow" => '+',
        "DeleteRow" => '-',
        _ => return None,
    };
    let row = if request.key.as_deref()?.ends_with("-md5") { "md5" } else { "lock" };
    Some(format!("{sign}{row}"))
}

fn transcripts() {
    let server = OssServer::emulator();
    let project = Project::new(&server, OssServer::PLAIN, &[]);
    project.asks("init -input=false", "L L H(404)", "");
    project.asks("apply -auto-approve -input=false", "L H(404) H(404) P", "");
    let beside = Project::new(&server, OssServer::PLAIN, &[]);
    beside.asks("init -input=false", "L L H G", "");
    project.asks("state pull", "L H G", "");
    project.asks("output", "L H G", "");
    project.asks("plan -input=false", "L H G", "");
    project.asks("apply -auto-approve -input=false", "L H G", "");
    project.asks("apply -auto-approve -input=false -var v=2", "L H G P", "");
    project.asks("workspace list", "L", "");
    project.asks("workspace show", "", "");
    project.asks("workspace new dev", "L L H(404) H(404) P", "");
    assert!(server.object(OssServer::PLAIN, "env:/dev/terraform.tfstate").is_some());
    project.asks("workspace select default", "L", "");
    project.asks("workspace delete dev", "L L H G D", "");
    assert!(server.object(OssServer::PLAIN, "env:/dev/terraform.tfstate").is_none());
    // Without a table there is no lock to force, and Terraform claims that it did.
    project.asks("force-unlock -force whatever", "L", "");
}

fn transcripts_with_locks() {
    let server = OssServer::emulator();
    let project = Project::new(&server, OssServer::PLAIN, &server.tablestore());
    project.asks("init -input=false", "L L H(404)", "DT ?md5");
    project.asks(
        "apply -auto-approve -input=false",
        "L H(404) H(404) P",
        "DT +lock ?md5 ?md5 +md5 ?lock -lock",
    );
    project.asks("state pull", "L H G", "DT ?md5");
    project.asks("plan -input=false", "L H G", "DT +lock ?md5 ?lock -lock");
    project.asks(
        "apply -auto-approve -input=false -var v=2",
        "L H G P",
        "DT +lock ?md5 +md5 ?lock -lock",
    );
    project.asks("workspace list", "L", "");
    project.asks("workspace new dev", "L L H(404) H(404) P", "DT +lock ?md5 ?md5 +md5 ?lock -lock");
    project.asks("workspace select default", "L", "");
    project.asks("workspace delete dev", "L L H G D", "DT +lock ?md5 ?lock -lock DT -md5");
}

fn read_creates() {
    let server = OssServer::emulator();
    let project = Project::initialised(&server, OssServer::PLAIN, &[]);
    let config = [
        ("bucket", OssServer::PLAIN),
        ("region", OssServer::REGION),
        ("endpoint", server.endpoint()),
    ]
    .map(|(name, value)| format!("    {name} = {value:?}\n"))
    .concat();
    let data = format!(
        "data \"terraform_remote_state\" \"ghost\" {{\n  backend   = \"oss\"\n  workspace = \
         \"ghost\"\n  config = {{\n{config}  }}\n}}\n"
    );
    project.sandbox.write("ghost.tf", data);
    project.run("plan -input=false").success();
    assert!(server.object(OssServer::PLAIN, "env:/ghost/terraform.tfstate").is_some());
    let listed = project.run("workspace list").success();
    assert!(listed.stdout().contains("ghost"), "{listed}");
}

fn locks() {
    let server = OssServer::emulator();
    let holder = Project::initialised(&server, OssServer::PLAIN, &server.tablestore());
    let other = Project::initialised(&server, OssServer::PLAIN, &server.tablestore());
    let gate = holder.sandbox.path().join("gate");
    let words =
        format!("apply -auto-approve -input=false -var v=held -var until={}", gate.display());
    let mut holding = holder.terraform(&words).start();
    holding.wait_for_times("begun", 2);

    let refused = other.apply("other").code(1).mentions("OTSConditionCheckFail");
    let said = format!("{}{}", refused.stdout(), refused.stderr());
    let id = said
        .lines()
        .find_map(|line| {
            line.split_once("ID:").map(|(_, id)| id.trim().trim_matches('│').trim().to_owned())
        })
        .unwrap_or_else(|| panic!("the holder should be shown: {refused}"));
    server.requests().take();
    other
        .run("force-unlock -force 00000000-0000-0000-0000-000000000000")
        .code(1)
        .mentions("does not match");
    other.assert_asked("force-unlock", "L", "DT ?lock");
    other.run(&format!("force-unlock -force {id}")).success();
    other.apply("other").success();

    holder.sandbox.write("gate", "");
    // The client lost its lock, and notices when it tries to release it.
    holding.wait().code(1).mentions("Error releasing the state lock");
}

fn digest() {
    let server = OssServer::emulator();
    let project = Project::initialised(&server, OssServer::PLAIN, &server.tablestore());
    project.apply("1").success();
    let mut bytes = server.object(OssServer::PLAIN, STATE).expect("it was stored").to_vec();
    project.run("state pull").success();
    bytes.push(b'\n');
    server.put_object(OssServer::PLAIN, STATE, bytes);
    project.run("state pull").code(1).mentions("does not have the expected content");
}

fn headers() {
    let server = OssServer::emulator();
    let more = [("acl", "public-read"), ("encrypt", "true")];
    let project = Project::initialised(&server, OssServer::PLAIN, &more);
    server.requests().take();
    project.apply("1").success();
    let asked = server.requests().take();
    let put = asked.iter().find(|request| request.method == "PUT").expect("the state was stored");
    let header = |name: &str| put.headers.get(name).map(String::as_str);
    assert_eq!(header("x-oss-server-side-encryption"), Some("AES256"));
    // This header is for buckets, and has no effect on an object.
    assert_eq!((header("x-oss-acl"), header("x-oss-object-acl")), (Some("public-read"), None));
    assert_eq!(header("content-type"), Some("application/json"));
    assert_eq!(put.path, format!("/{}/env%3A%2Fterraform.tfstate", OssServer::PLAIN));
}

fn buckets() {
    let server = OssServer::emulator();
    for bucket in [OssServer::PLAIN, OssServer::VERSIONED, OssServer::SUSPENDED] {
        let project = Project::initialised(
            &server,
            bucket,
            &[("prefix", "a b+c~é"), ("key", "deep/er/state")],
        );
        project.apply("1").success();
        project.run("workspace new dev").success();
        project.run("workspace select default").success();
        project.run("plan -input=false -detailed-exitcode").success();
        for key in ["a b+c~é/deep/er/state", "a b+c~é/dev/deep/er/state"] {
            assert!(server.object(bucket, key).is_some(), "{bucket}/{key}");
        }
        project.run("workspace delete dev").success();
    }
}

fn instance() {
    let server = OssServer::emulator_with(|builder| {
        builder.with_instance_role("ecs-role", MetadataMode::Normal)
    });
    let sandbox = Sandbox::new();
    sandbox.write("main.tf", CONFIGURATION);
    let [endpoint, table] = server.tablestore();
    let more = [("ecs_role_name", "ecs-role"), endpoint, table];
    sandbox.write("backend.tf", server.backend_block(OssServer::PLAIN, &more));
    for words in ["init -input=false", "apply -auto-approve -input=false", "state pull"] {
        // The address of the metadata service is fixed, so the test needs a proxy.
        sandbox.terraform().words(words).env("HTTP_PROXY", server.endpoint()).run().success();
    }
    let asked = server.requests().take();
    let with =
        |header: &str| asked.iter().filter(|request| request.headers.contains_key(header)).count();
    let metadata =
        asked.iter().filter(|request| request.operation.as_deref() == Some("GetMetadata")).count();
    let (of_oss, of_tablestore) = (with("x-oss-security-token"), with("x-ots-ststoken"));
    assert!(metadata > 0 && of_oss > 0 && of_tablestore > 0, "{asked:#?}");
    assert_eq!(metadata + of_oss + of_tablestore, asked.len(), "{asked:#?}");
}

fn faults() {
    let server = OssServer::emulator();
    let project = Project::initialised(&server, OssServer::PLAIN, &[]);
    project.apply("1").success();
    let once = |misbehaviour, method: &str| {
        server.faults().inject(Fault::new(misbehaviour).with_method(method).with_times(1));
    };
    once(Misbehaviour::slow_down(), "GET");
    project.run("state pull").code(1).mentions("StatusCode=503, ErrorCode=SlowDown");
    once(Misbehaviour::AnswerWithoutWork { status: 403, code: "AccessDenied".to_owned() }, "HEAD");
    project.run("state pull").code(1).mentions("StatusCode:403");
    once(Misbehaviour::MisstateChecksum, "PUT");
    project.apply("2").code(1).mentions("CRCCheckError");
    project.run("plan -input=false -detailed-exitcode -var v=2").success();
    // The client requests the listing first.
    server.faults().inject(
        Fault::new(Misbehaviour::TruncateBody { after_bytes: 10 })
            .with_key_suffix(".tfstate")
            .with_times(1),
    );
    project.run("state pull").code(1).mentions("unexpected EOF");
}
