//! Searches through stores in memory.

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use remote_state_conformance::MemoryStore;
use remote_state_core::{ErrorKind, Outgoing, WriteMode};

use super::*;
use crate::{AttributePath, Pattern};

const NETWORK: &str = r#"{"version":4,"serial":1,"lineage":"l",
    "outputs":{"vpc":{"value":"vpc-1"},"password":{"value":"hunter2-hunter2","sensitive":true}},
    "resources":[{"module":"module.net","mode":"managed","type":"aws_vpc","name":"main","provider":"provider[\"registry.terraform.io/hashicorp/aws\"]",
     "instances":[{"index_key":"a","attributes":{"id":"vpc-1","arn":"arn:aws:ec2:x:vpc/vpc-1","tags":{"Team":"core"},"copy":"x-hunter2-hunter2"}}]},
    {"mode":"managed","type":"random_password","name":"p","provider":"provider[\"registry.terraform.io/hashicorp/random\"]",
     "instances":[{"attributes":{"id":"none","result":"hunter2-hunter2"}}]}],"check_results":[{"m":"saw hunter2-hunter2"}]}"#;

const OTHER: &str = r#"{"version":4,"serial":1,"lineage":"m","resources":[
    {"mode":"managed","type":"aws_instance","name":"web","provider":"p","instances":[{"attributes":{"id":"i-1","vpc_id":"vpc-1"}},
    {"deposed":"00ff","attributes":{"id":"i-0"}}]}]}"#;

const OLD: &str = r#"{"version":3,"serial":1,"modules":[{"path":["root"],"outputs":{},"resources":{
    "aws_vpc.old":{"type":"aws_vpc","provider":"provider.aws","primary":{"id":"vpc-9","attributes":{"id":"vpc-9"}}}}}]}"#;

const ENCRYPTED: &str =
    r#"{"serial":3,"lineage":"x","encrypted_data":"AAAA","encryption_version":"v0"}"#;

async fn store(states: &[(&str, &str)]) -> Arc<dyn StateStore> {
    let store = MemoryStore::new();
    for (workspace, state) in states {
        let workspace = Workspace::new(*workspace).unwrap();
        let outgoing = Outgoing::from(Bytes::from((*state).to_owned()));
        store.write(&workspace, outgoing, &WriteMode::Overwrite.into()).await.unwrap();
    }
    Arc::new(store)
}

fn text(shown: &Shown) -> String {
    match shown {
        Shown::Absent => "-".to_owned(),
        Shown::Hidden => "hidden".to_owned(),
        Shown::Omitted => "omitted".to_owned(),
        Shown::Value(json) => json.get().to_owned(),
    }
}

/// Returns a line for each match.
async fn found(states: &[(&str, &str)], query: Query) -> Vec<String> {
    let store = store(states).await;
    query.check().unwrap();
    let searched: Vec<_> = find(workspaces(&store), query, 4).try_collect().await.unwrap();
    let mut lines = Vec::new();
    for searched in searched {
        let workspace = searched.place.workspace.unwrap();
        match searched.found {
            Ok(found) => lines.extend(found.into_iter().flatten().map(|found| {
                let mut line = format!("{workspace} {} {}", found.address, text(&found.id));
                for (path, values) in &found.values {
                    let values: Vec<_> = values.iter().map(text).collect();
                    line.push_str(&format!(" {path}={}", values.join("|")));
                }
                if !found.found_at.is_empty() {
                    line.push_str(&format!(" at {}", found.found_at.join("|")));
                }
                line
            })),
            Err(error) => lines.push(format!("{workspace} {}", error.message())),
        }
    }
    lines
}

fn pattern(text: &str) -> Option<Pattern> {
    Some(Pattern::new(text))
}

const ALL: &[(&str, &str)] = &[("default", NETWORK), ("dev", OTHER), ("old", OLD)];

#[tokio::test]
async fn a_pattern_is_found_in_addresses_types_names_and_ids() {
    for (typed, expected) in [
        (
            "VPC",
            vec!["default module.net.aws_vpc.main[\"a\"] \"vpc-1\"", "old aws_vpc.old \"vpc-9\""],
        ),
        ("arn:aws:*", vec!["default module.net.aws_vpc.main[\"a\"] \"vpc-1\""]),
        ("i-0", vec!["dev aws_instance.web \"i-0\""]),
        ("nothing-like-it", vec![]),
    ] {
        let query = Query { patterns: vec![Pattern::new(typed)], ..Query::default() };
        assert_eq!(found(ALL, query).await, expected, "{typed}");
    }
}

#[tokio::test]
async fn all_conditions_hold_for_one_instance() {
    let path = |path: &str| AttributePath::parse(path).unwrap();
    let expected = ["default module.net.aws_vpc.main[\"a\"] \"vpc-1\""];
    for query in [
        Query { kind: pattern("aws_vpc"), module: pattern("module.net"), ..Query::default() },
        Query { provider: pattern("hashicorp/aws"), ..Query::default() },
        Query {
            id: pattern("vpc-?"),
            attributes: vec![(path("tags.Team"), Pattern::new("CORE"))],
            ..Query::default()
        },
    ] {
        assert_eq!(found(ALL, query).await, expected);
    }
    let query = Query { kind: pattern("aws_vpc"), id: pattern("i-1"), ..Query::default() };
    assert_eq!(found(ALL, query).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_value_is_found_wherever_it_is_and_never_shown() {
    let query = Query { value: Some("hunter2-hunter2".into()), ..Query::default() };
    let found = found(ALL, query).await;
    assert_eq!(
        found,
        [
            "default module.net.aws_vpc.main[\"a\"] \"vpc-1\" at copy",
            "default random_password.p \"none\" at result",
            "default password - at ",
            "default  - at [0].m",
        ]
    );
    assert!(!found.concat().contains("hunter2"));
}

#[tokio::test]
async fn a_value_that_nothing_marks_is_not_shown_to_who_looks_for_it() {
    let state = r#"{"version":4,"serial":1,"lineage":"l","resources":[{"type":"t","name":"n",
        "instances":[{"attributes":{"id":"leaked-value","url":"x-leaked-value","b":"c"}}]}]}"#;
    let show = ["url", "b"].map(|path| AttributePath::parse(path).unwrap());
    let query =
        Query { value: Some("leaked-value".into()), show: show.to_vec(), ..Query::default() };
    assert_eq!(
        found(&[("default", state)], query).await,
        ["default t.n hidden url=hidden b=\"c\" at id|url"]
    );
}

/// The key of an instance may be the leaked value, and is a part of its address.
#[tokio::test]
async fn a_value_in_a_key_is_found_and_not_shown() {
    let state = r#"{"version":4,"serial":1,"lineage":"l","resources":[{"type":"t","name":"n",
        "instances":[{"index_key":"leaked-value","attributes":{"id":"1"}},
        {"index_key":"other","attributes":{"id":"2"}}]}]}"#;
    let query = Query { value: Some("leaked-value".into()), ..Query::default() };
    assert_eq!(
        found(&[("default", state)], query).await,
        ["default t.n[\"(sensitive)\"] \"1\" at (key)"]
    );
    let query = Query { id: pattern("2"), ..Query::default() };
    assert_eq!(found(&[("default", state)], query).await, ["default t.n[\"other\"] \"2\""]);
}

#[tokio::test]
async fn values_that_are_asked_for_are_shown_masked() {
    let show =
        ["tags", "copy", "result", "none.at.all"].map(|path| AttributePath::parse(path).unwrap());
    let query = Query { kind: pattern("*"), show: show.to_vec(), ..Query::default() };
    assert_eq!(
        found(&[("default", NETWORK)], query).await,
        [
            "default module.net.aws_vpc.main[\"a\"] \"vpc-1\" tags={\"Team\":\"core\"} copy=hidden \
             result= none.at.all=",
            "default random_password.p \"none\" tags= copy= result=hidden none.at.all=",
        ]
    );
}

#[tokio::test]
async fn outputs_are_found_by_their_names() {
    let query = Query { output: pattern("v*"), ..Query::default() };
    assert_eq!(found(ALL, query).await, ["default vpc -"]);
    let query = Query { output: pattern("*"), value: Some("vpc-1".into()), ..Query::default() };
    assert_eq!(found(ALL, query).await, ["default vpc - at "]);
}

#[tokio::test]
async fn a_state_that_cannot_be_read_is_told() {
    let states = [("default", NETWORK), ("bad", "{\"version\":4,"), ("enc", ENCRYPTED)];
    let query = Query { id: pattern("vpc-1"), ..Query::default() };
    assert_eq!(
        found(&states, query).await,
        [
            "default module.net.aws_vpc.main[\"a\"] \"vpc-1\"",
            "bad not a Terraform state: it ends in the middle",
            "enc the state is encrypted by OpenTofu",
        ]
    );
}

#[tokio::test]
async fn of_a_bucket_all_objects_are_searched_that_are_states() {
    let store = store(&[("default", NETWORK), ("dev", OTHER)]).await;
    for (key, bytes) in [("readme", "# not a state"), ("page.json", "{\"version\":1}"), ("x", "{}")]
    {
        let other = store.with_state_key(key).unwrap();
        let outgoing = Outgoing::from(Bytes::from(bytes.to_owned()));
        other.write(&Workspace::default(), outgoing, &WriteMode::Overwrite.into()).await.unwrap();
    }
    let places = objects(&store, "").unwrap();
    let query = Query { kind: pattern("aws_*"), ..Query::default() };
    let searched: Vec<_> = find(places, query, 2).try_collect().await.unwrap();
    let states: Vec<_> =
        searched.iter().filter(|one| one.found.as_ref().unwrap().is_some()).collect();
    assert_eq!((states.len(), searched.len()), (2, 5));
    let matches = states.iter().filter_map(|one| one.found.as_ref().ok()?.as_ref());
    assert_eq!(matches.map(Vec::len).sum::<usize>(), 3);
}

#[test]
fn a_query_without_a_condition_is_refused() {
    for query in [
        Query::default(),
        Query { show: vec![AttributePath::parse("a").unwrap()], ..Query::default() },
        Query { value: Some(" ".into()), ..Query::default() },
    ] {
        assert_eq!(query.check().unwrap_err().kind(), ErrorKind::ConfigInvalid);
    }
}
