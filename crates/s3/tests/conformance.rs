//! The conformance suite of every provider, over S3 as it should be and as it often is.

mod common;
#[path = "common/lock_files.rs"]
mod lock_files;

#[path = "common/lock_items.rs"]
mod lock_items;

#[path = "common/raw.rs"]
mod raw;

use common::{BUCKET, TABLE, ceph_emulator, emulator, store};
use lock_files::LockFiles;
use lock_items::LockItems;
use remote_state_conformance::{RawLocks, Scale, Setup};
use remote_state_core::{
    AnnotationStorage, Capabilities, Digests, Locking, Versions, WriteConditions,
};

/// Large enough to show a difference between quirks; one other run covers what takes many clients
/// or a large state.
fn small() -> Scale {
    Scale::default().with_racers(12).with_workspaces(30).with_huge_bytes(7 << 20)
}

async fn setup(keys: &[(&str, &str)], conditional_write: bool) -> Setup {
    let emulator =
        if keys.contains(&("dialect", "ceph")) { ceph_emulator().await } else { emulator().await };
    let store = store(&emulator, keys);
    let declares = Capabilities::default()
        .with_locking(Locking::Exclusive)
        .with_conditions(if conditional_write {
            WriteConditions::Atomic
        } else {
            WriteConditions::ReadFirst
        })
        .with_versions(if keys.contains(&("bucket", "versioned")) {
            Versions::InOrder
        } else {
            Versions::None
        })
        .with_digests(if keys.iter().any(|(key, _)| *key == "dynamodb_table") {
            Digests::Md5
        } else {
            Digests::None
        })
        .with_annotations(AnnotationStorage::WithState);
    let locks: std::sync::Arc<dyn RawLocks> = if keys.contains(&("use_lockfile", "false")) {
        std::sync::Arc::new(LockItems::new(&emulator, store.clone()))
    } else {
        std::sync::Arc::new(LockFiles::new(&emulator, store.clone()))
    };
    Setup::new(store, declares).with_raw_locks(locks).with_guard(emulator)
}

/// No quirks, bucket without versions.
mod aws {
    use super::*;

    async fn plain() -> Setup {
        setup(&[("bucket", BUCKET), ("dialect", "aws")], true).await
    }

    remote_state_conformance::suite!(plain);
}

/// No quirks, bucket with versions.
mod aws_versioned {
    use super::*;

    async fn versioned() -> Setup {
        setup(&[("bucket", "versioned"), ("dialect", "aws")], true).await.with_scale(small())
    }

    remote_state_conformance::suite!(versioned);
}

/// Ceph's quirks, bucket without versions.
mod ceph {
    use super::*;

    async fn plain() -> Setup {
        setup(&[("bucket", BUCKET), ("dialect", "ceph")], false).await.with_scale(small())
    }

    remote_state_conformance::suite!(plain);
}

/// Ceph's quirks, bucket with versions, where the version list decides about locks.
mod ceph_versioned {
    use super::*;

    async fn versioned() -> Setup {
        setup(&[("bucket", "versioned"), ("dialect", "ceph")], false).await.with_scale(small())
    }

    remote_state_conformance::suite!(versioned);
}

/// An unknown store.
mod generic {
    use super::*;

    async fn plain() -> Setup {
        setup(&[("bucket", BUCKET)], false).await.with_scale(small())
    }

    remote_state_conformance::suite!(plain);
}

/// A file is sent while it is read, with its checksum behind it.
mod unread {
    use super::*;

    async fn plain() -> Setup {
        setup(&[("bucket", BUCKET), ("dialect", "minio")], true).await.with_scale(small())
    }

    remote_state_conformance::suite!(plain);
}

/// The same, and a digest is computed on the way.
mod unread_with_digests {
    use super::*;

    async fn file_and_item() -> Setup {
        let keys = [("dynamodb_table", TABLE), ("dialect", "aws"), ("unsigned_trailer", "true")];
        setup(&keys, true).await.with_scale(small())
    }

    remote_state_conformance::suite!(file_and_item);
}

/// A configured prefix, and an empty one.
mod prefixes {
    use super::*;

    async fn empty() -> Setup {
        setup(&[("workspace_key_prefix", ""), ("dialect", "aws")], true).await.with_scale(small())
    }

    remote_state_conformance::suite!(empty);
}

/// Locks and digests in a DynamoDB table.
mod table {
    use super::*;

    async fn alone() -> Setup {
        let keys = [("dynamodb_table", TABLE), ("use_lockfile", "false"), ("dialect", "aws")];
        setup(&keys, true).await.with_locks_of_states_only().with_scale(small())
    }

    remote_state_conformance::suite!(alone);
}

/// Lock file and lock item together.
mod both {
    use super::*;

    async fn file_and_item() -> Setup {
        setup(&[("dynamodb_table", TABLE), ("dialect", "aws")], true).await.with_scale(small())
    }

    remote_state_conformance::suite!(file_and_item);
}
