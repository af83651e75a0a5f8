//! `migrate`: states move to another place, and the old one is closed.

use remote_state_tests::{Cmd, Place, S3Server, Suite, TABLE};
use serde_json::Value;

use crate::support::{Case, LINEAGE, empty_state, state};

pub(crate) fn tests(suite: &mut Suite) {
    suite.on_each_server("migrate_shows_what_it_does_and_does_it", &[], shown);
    suite.on_each_server("migrate_moves_all_workspaces_or_those_that_match", &[], workspaces);
    suite.on_each_server("migrate_refuses_what_it_cannot_do", &[], refused);
    suite.on_each_server("migrate_leaves_what_is_locked_and_moves_the_rest", &[], locked);
    suite.on_each_server("migrate_does_with_the_source_what_it_is_told", &[], modes);
    suite.on_each_server("migrate_without_conditions_and_versions_needs_consent", &[], unfenced);
    suite.on_each_server("migrate_names_the_source_by_options_too", &[], from_options);
    suite.on_emulator("migrate_records_digests_and_checks_them", &[], digests);
}

/// A case with a state in the old place, and a new place.
struct Moving<'a> {
    case: Case<'a>,
    new: Place<'a>,
}

impl<'a> Moving<'a> {
    /// The dialect is one that checks conditions of writes.
    fn new(server: &'a S3Server) -> Self {
        let mut case = Case::new(server);
        case.place = case.place.with("dialect", "minio");
        case.place.put_state("default", state(3));
        Self { case, new: server.place().with("dialect", "minio") }
    }

    /// Returns `migrate` to the new place.
    fn migrate(&self, words: &str) -> Cmd {
        self.case.remote_state("migrate").args(as_side(&self.new, "to")).words(words)
    }

    fn said(&self, text: &str) -> String {
        text.replace("NEWKEY", &self.new.key)
    }

    #[track_caller]
    fn assert_free(&self) {
        for workspace in ["default", "dev", "prod"] {
            for place in [&self.case.place, &self.new] {
                assert!(place.holder(workspace).is_none(), "`{workspace}` is locked");
            }
        }
    }

    #[track_caller]
    fn seal(&self, workspace: &str) -> Value {
        let sealed = self.case.place.state_json(workspace);
        assert!(sealed["remote_state"]["sealed"] == 1, "{sealed}");
        sealed
    }
}

/// Returns the flags that name a place as the source or as the target of a migration.
pub(crate) fn as_side(place: &Place<'_>, side: &str) -> Vec<String> {
    let renamed = |flag: String| match flag.strip_prefix("--backend-config=") {
        Some(value) => format!("--{side}-config={value}"),
        None => flag.replace("--backend=", &format!("--{side}=")),
    };
    place.flags().into_iter().map(renamed).collect()
}

const PLAN: &str = "WORKSPACE  SERIAL  SIZE     FROM[..]TO[..]WHAT\ndefault    3       [..]  \
                     s3://BUCKET/KEY  s3://BUCKET/NEWKEY  copy; seal\n";

fn shown(server: &S3Server) {
    let moving = Moving::new(server);
    let case = &moving.case;
    let table = moving.said(PLAN);
    case.expect(moving.migrate("--dry-run"), 0, &table, "");
    case.expect(
        moving.migrate(""),
        2,
        "",
        &format!(
            "{table}error: this needs your consent, and there is no terminal to ask on\n\nhint: to \
             agree beforehand, pass `--yes`\n"
        ),
    );
    assert_eq!(case.place.state("default").unwrap(), state(3));
    assert!(moving.new.state("default").is_none());
    moving.assert_free();
    let output = case.run(moving.migrate("--yes --reason tidying")).code(0);
    output
        .says(&format!(
            "moved workspace `default` to `s3://{}/{}`",
            moving.new.bucket, moving.new.key
        ))
        .says("  backend \"s3\" {\n")
        .says(&format!("    key = \"{}\"\n", moving.new.key))
        .says("then run `terraform init -reconfigure` there, not `-migrate-state`");
    moving.assert_free();
    assert_eq!(moving.new.state("default").unwrap(), state(3));
    let sealed = moving.seal("default");
    assert_eq!((&sealed["serial"], &sealed["lineage"]), (&4.into(), &LINEAGE.into()));
    let url = format!("s3://{}/{}", moving.new.bucket, moving.new.key);
    assert_eq!(sealed["remote_state"]["to"], url);
    let sentence = sealed["terraform_version"].as_str().unwrap();
    assert!(sentence.ends_with("set the new backend, then terraform init -reconfigure"));
    case.run(case.remote_state("output")).code(5).says(&format!("is sealed: moved to `{url}`"));
    case.run(moving.migrate("--yes")).code(0).says("workspace `default` was moved already");
    let again = case.run(moving.migrate("--yes --json")).code(0).json();
    assert_eq!(
        (&again["result"], &again["items"][0]["result"]),
        (&"moved".into(), &"unchanged".into())
    );
}

fn workspaces(server: &S3Server) {
    let moving = Moving::new(server);
    let case = &moving.case;
    case.place.put_state("dev", state(5));
    case.place.put_state("prod-a", state(6));
    case.place.put_state("prod-b", empty_state(1));
    let answer = case.run(moving.migrate("--yes --json --workspaces prod-*")).code(0).json();
    let names = |answer: &Value| {
        let items = answer["items"].as_array().unwrap();
        items.iter().map(|item| item["workspace"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&answer), ["prod-a", "prod-b"]);
    assert_eq!(answer["items"][0]["source"], "sealed");
    assert_eq!(moving.new.state("prod-a").unwrap(), state(6));
    assert_eq!(moving.new.state("prod-b").unwrap(), empty_state(1));
    assert_eq!(case.place.state("default").unwrap(), state(3));
    case.run(moving.migrate("--yes -w dev")).code(0);
    assert_eq!(moving.new.state("dev").unwrap(), state(5));
    let rest = case.run(moving.migrate("--yes --json --jobs 2")).code(0).json();
    assert_eq!(names(&rest), ["default", "dev", "prod-a", "prod-b"]);
    for workspace in ["default", "dev", "prod-a", "prod-b"] {
        moving.seal(workspace);
    }
    moving.assert_free();
    case.run(moving.migrate("--yes --workspaces none-*")).code(4).says("there is no state to move");
    case.run(moving.migrate("--yes --workspaces prod-* --workspaces prodd"))
        .code(4)
        .says("there is no workspace `prodd` to move");
}

fn refused(server: &S3Server) {
    let moving = Moving::new(server);
    let case = &moving.case;
    case.run(case.remote_state("migrate --yes")).code(2);
    case.run(moving.migrate("--yes --workspaces a -w b")).code(2);
    for one in ["-w dev", "--workspaces dev", "--source keep"] {
        for earlier in ["--resume", "--rollback", "--verify"] {
            case.run(case.remote_state(&format!("migrate {earlier} j.jsonl --yes {one}")))
                .code(2)
                .says("cannot be used with");
        }
    }
    case.run(case.remote_state("migrate --to gcs --yes")).code(2);
    case.run(case.remote_state("migrate --to s3 --to-config nope=1 --yes")).code(2);
    let itself = case.remote_state("migrate --yes").args(as_side(&case.place, "to"));
    case.run(itself).code(5).says("is the source and the target");

    moving.new.put_state("default", state(7).replace(LINEAGE, "another"));
    case.place.put_state("dev", state(5));
    case.run(moving.migrate("--yes"))
        .code(5)
        .says("has a state already")
        .says("serial     7\n")
        .says("nothing was done; 1 other workspaces could be moved");
    assert_eq!(case.place.state("default").unwrap(), state(3));
    assert!(moving.new.state("dev").is_none());

    moving.new.put_state("default", empty_state(1).replace(LINEAGE, "another"));
    case.run(moving.migrate("--dry-run -w default"))
        .code(0)
        .mentions("copy over an empty state; seal");
    case.run(moving.migrate("--yes")).code(0);
    assert_eq!(moving.new.state("default").unwrap(), state(3));

    let elsewhere = server.place().with("dialect", "minio");
    let words = case.remote_state("migrate --yes").args(as_side(&elsewhere, "to"));
    case.run(words).code(5).says("is sealed: moved to");
    let empty = server.place();
    let nothing = case.bare("migrate --yes").args(as_side(&empty, "from"));
    case.run(nothing.args(as_side(&elsewhere, "to"))).code(4).says("there is no state to move");
    moving.assert_free();
}

fn locked(server: &S3Server) {
    let moving = Moving::new(server);
    let case = &moving.case;
    case.place.put_state("dev", state(5));
    let output = case.run(case.remote_state("lock -w dev")).code(0);
    let id = output.stdout().trim().to_owned();
    case.run(moving.migrate("--yes"))
        .code(3)
        .says(&id)
        .says("moved workspace `default`")
        .says("leave the backend of every directory as it is until all is done")
        .says("1 of 2 states were not moved");
    assert_eq!(case.place.state("dev").unwrap(), state(5));
    assert!(moving.new.state("dev").is_none() && moving.new.holder("dev").is_none());
    case.run(case.remote_state(&format!("unlock -w dev {id}"))).code(0);
    case.run(moving.migrate("--yes")).code(0).says("moved workspace `dev`");
    assert_eq!(moving.new.state("dev").unwrap(), state(5));
    moving.assert_free();
}

fn modes(server: &S3Server) {
    let moving = Moving::new(server);
    let case = &moving.case;
    case.run(moving.migrate("--yes --source keep"))
        .code(0)
        .says("the old place stays in use")
        .says("copied workspace `default`");
    assert_eq!(case.place.state("default").unwrap(), state(3));
    case.run(moving.migrate("--yes --source delete"))
        .code(5)
        .says("may track resources")
        .says("pass `--force`");
    assert_eq!(case.place.state("default").unwrap(), state(3));
    case.run(moving.migrate("--yes --source delete --force")).code(0);
    assert!(case.place.state("default").is_none());
    assert_eq!(moving.new.state("default").unwrap(), state(3));
    moving.assert_free();

    let moving = Moving::new(server);
    let case = &moving.case;
    let answer = case.run(moving.migrate("--yes --source freeze --json")).code(0).json();
    let item = &answer["items"][0];
    assert_eq!((&item["result"], &item["source"]), (&"moved".into(), &"frozen".into()));
    let lock = case.place.holder("default").expect("it stays held");
    assert_eq!(item["lock_id"], lock.id.as_str());
    assert!(lock.operation.starts_with("moved to s3://"), "{}", lock.operation);
    assert!(moving.new.holder("default").is_none());
    assert_eq!(case.place.state("default").unwrap(), state(3));
    case.sandbox.write("state.json", state(9));
    case.run(case.remote_state("push state.json"))
        .code(3)
        .says("moved to s3://")
        .says("set the new backend, then terraform init -reconfigure");
    case.run(case.remote_state("output name")).code(0);
}

/// Nothing is known of the dialect of a server at an address, and the bucket keeps no versions.
fn unfenced(server: &S3Server) {
    let case = Case::stored(server);
    let new = server.place();
    let migrate = |words: &str| case.remote_state("migrate").args(as_side(&new, "to")).words(words);
    case.run(migrate("--yes")).code(5).says("pass `--accept-unfenced`");
    assert!(new.state("default").is_none());
    case.run(migrate("--yes --accept-unfenced")).code(0).says("it is lost then");
    assert_eq!(new.state("default").unwrap(), state(3));
    case.place.assert_unlocked();
    new.assert_unlocked();
}

fn from_options(server: &S3Server) {
    let moving = Moving::new(server);
    let case = &moving.case;
    let there = case.bare("migrate --yes").args(as_side(&case.place, "from"));
    case.run(there.args(as_side(&moving.new, "to"))).code(0);
    let back = case.bare("migrate --yes").args(as_side(&moving.new, "from"));
    case.run(back.args(as_side(&case.place, "to")))
        .code(0)
        .mentions("copy back over the seal; seal");
    assert_eq!(case.place.state("default").unwrap(), state(3));
    let url = format!("s3://{}/{}", case.place.bucket, case.place.key);
    assert_eq!(moving.new.state_json("default")["remote_state"]["to"], url);
    let both = case.remote_state("migrate --yes --from s3").args(as_side(&moving.new, "to"));
    case.run(both).code(2);
    moving.assert_free();
}

fn digests(server: &S3Server) {
    let place = || server.place().with("dynamodb_table", TABLE).with("dialect", "minio");
    let mut case = Case::new(server);
    case.place = place();
    let new = place();
    case.sandbox.write("state.json", state(3));
    case.run(case.remote_state("push state.json")).code(0);
    let digest = case.place.digest("default").expect("it is recorded");
    case.place.put_state("default", state(4));
    let migrate = |words: &str| case.remote_state("migrate").args(as_side(&new, "to")).words(words);
    case.run(migrate("--yes")).code(5);
    assert!(new.state("default").is_none());
    case.place.put_state("default", state(3));
    case.run(migrate("--yes")).code(0);
    assert_eq!(new.digest("default").as_ref(), Some(&digest));
    let of_seal = case.place.digest("default").expect("it is recorded");
    assert_ne!(of_seal, digest);
    case.run(case.remote_state("pull")).code(0).says("is sealed: moved to");
}
