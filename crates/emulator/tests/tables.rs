//! DynamoDB tables, through the vendor's own client.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::error::ProvideErrorMetadata as _;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, KeySchemaElement, KeyType, KeysAndAttributes,
    ScalarAttributeType,
};
use remote_state_emulator::{Emulator, EmulatorBuilder, Storage};

fn builder() -> EmulatorBuilder {
    Emulator::builder().with_credentials("test", "testtest").with_table("locks", "LockID")
}

fn client(emulator: &Emulator, access_key: &str, secret_key: &str, region: &'static str) -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(Region::new(region))
        .endpoint_url(emulator.endpoint())
        .credentials_provider(Credentials::new(access_key, secret_key, None, None, "test"))
        .build();
    Client::from_conf(config)
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

async fn create(client: &Client, id: &str, info: &str) -> Result<(), String> {
    let put =
        client.put_item().table_name("locks").item("LockID", text(id)).item("Info", text(info));
    let sent = put.condition_expression("attribute_not_exists(LockID)").send().await;
    sent.map(drop).map_err(|error| error.code().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn of_many_simultaneous_creates_one_succeeds() {
    let emulator = builder().start().await.unwrap();
    let client = client(&emulator, "test", "testtest", "eu-west-1");
    for round in 0..5 {
        let id = format!("lock-{round}");
        let attempts = (0..40).map(|racer| {
            let (client, id) = (client.clone(), id.clone());
            tokio::spawn(async move { create(&client, &id, &racer.to_string()).await })
        });
        let mut winners = 0;
        for attempt in attempts.collect::<Vec<_>>() {
            match attempt.await.unwrap() {
                Ok(()) => winners += 1,
                Err(code) => assert_eq!(code, "ConditionalCheckFailedException"),
            }
        }
        assert_eq!(winners, 1);
    }
}

#[tokio::test]
async fn signatures_are_checked() {
    let emulator = builder().with_region("eu-west-1").start().await.unwrap();
    for (access_key, secret_key, region, expected) in [
        ("test", "testtest", "eu-west-1", Ok(())),
        ("test", "wrong", "eu-west-1", Err("InvalidSignatureException")),
        ("other", "testtest", "eu-west-1", Err("UnrecognizedClientException")),
        ("test", "testtest", "eu-west-2", Err("InvalidSignatureException")),
    ] {
        let client = client(&emulator, access_key, secret_key, region);
        assert_eq!(create(&client, "a b/é", "{}").await, expected.map_err(str::to_owned));
    }
}

#[tokio::test]
async fn items_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let start =
        || builder().with_storage(Storage::file(folder.path().join("store")).unwrap()).start();
    let emulator = start().await.unwrap();
    create(&client(&emulator, "test", "testtest", "x"), "lock", "kept").await.unwrap();
    emulator.shutdown().await;
    let emulator = start().await.unwrap();
    let client = client(&emulator, "test", "testtest", "x");
    assert_eq!(
        create(&client, "lock", "new").await,
        Err("ConditionalCheckFailedException".to_owned())
    );
    let keys = KeysAndAttributes::builder()
        .keys(std::iter::once(("LockID".to_owned(), text("lock"))).collect())
        .projection_expression("Info")
        .build()
        .unwrap();
    let found = client.batch_get_item().request_items("locks", keys).send().await.unwrap();
    assert_eq!(found.responses.unwrap()["locks"][0]["Info"], text("kept"));
}

#[tokio::test]
async fn tables_are_made_and_described_and_missing_ones_are_named() {
    let emulator = builder().start().await.unwrap();
    let client = client(&emulator, "test", "testtest", "x");
    let missing = client.describe_table().table_name("new").send().await.unwrap_err();
    assert_eq!(missing.code(), Some("ResourceNotFoundException"));
    let key = KeySchemaElement::builder()
        .attribute_name("LockID")
        .key_type(KeyType::Hash)
        .build()
        .unwrap();
    let kind = AttributeDefinition::builder()
        .attribute_name("LockID")
        .attribute_type(ScalarAttributeType::S);
    let create = client
        .create_table()
        .table_name("new")
        .key_schema(key)
        .attribute_definitions(kind.build().unwrap());
    drop(create.clone().send().await.unwrap());
    assert_eq!(create.send().await.unwrap_err().code(), Some("ResourceInUseException"));
    let described = client.describe_table().table_name("new").send().await.unwrap();
    assert_eq!(described.table.unwrap().table_name.as_deref(), Some("new"));
    let unkeyed =
        client.put_item().table_name("new").item("Info", text("x")).send().await.unwrap_err();
    assert_eq!(unkeyed.code(), Some("ValidationException"));
}
