//! The requests, and the resulting items of the table.

use super::*;

#[tokio::test]
async fn items_are_those_of_native_clients_byte_for_byte() {
    let emulator = emulator().await;
    let store = items(&emulator);
    let info = LockInfo { operation: "<a>&\u{e9}".into(), ..info() };
    let held = store.acquire(&here(), &info).await.unwrap();
    write(&store, STATE).await.unwrap();
    let record = format!(
        r#"{{"ID":"{}","Operation":"\u003ca\u003e\u0026é","Info":"","Who":"me@here","Version":"1","Created":"1970-01-01T00:00:00Z","Path":"{ID}"}}"#,
        info.id
    );
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        all_items(&emulator).await,
        [
            vec![pair("Info", &record), pair("LockID", ID)],
            vec![pair("Digest", "2f0cf13efbb17a7d7aec020182dc275b"), pair("LockID", DIGEST_ID)],
        ]
    );
    assert_eq!(store.location(&here()).locks, [format!("dynamodb://{TABLE}/{ID}")]);
    drop(store.release(&here(), &LockTarget::Id(held.id)).await.unwrap());
    store.delete(&here()).await.unwrap();
    assert_eq!(all_items(&emulator).await, Vec::<Vec<_>>::new());
}

#[tokio::test]
async fn requests_are_what_the_protocol_needs_and_no_more() {
    let emulator = emulator().await;
    for (store, lock, unlock) in [
        // The server at a custom endpoint may accept every request, so the item is read back there.
        // At Amazon's endpoint it is not.
        (items(&emulator), &["PutItem", "GetItem"][..], &["GetItem", "DeleteItem", "GetItem"][..]),
        (
            both(&emulator),
            &["PutObject", "PutItem", "GetItem"],
            &["GetObject", "DeleteObject", "GetItem", "DeleteItem", "GetItem"],
        ),
    ] {
        let held = store.acquire(&here(), &info()).await.unwrap();
        assert_eq!(operations(&emulator), lock);
        drop(store.release(&here(), &LockTarget::Id(held.id)).await.unwrap());
        assert_eq!(operations(&emulator), unlock);
    }
    let store = items(&emulator);
    write(&store, STATE).await.unwrap();
    assert_eq!(operations(&emulator), ["PutObject", "PutItem", "GetItem"]);
    assert!(store.read_bytes(&here()).await.unwrap().is_some());
    let mut read = operations(&emulator);
    read.sort();
    assert_eq!(read, ["GetItem", "GetObject"]);
    store.delete(&here()).await.unwrap();
    assert_eq!(operations(&emulator), ["DeleteObject", "DeleteItem", "GetItem"]);
}
