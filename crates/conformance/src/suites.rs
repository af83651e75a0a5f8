//! The list of all behaviours, for macros that make tests of them and for other test harnesses.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::http::HttpTarget;
use crate::setup::{Outcome, Setup};

/// One promise of a store.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Behaviour {
    /// Its name, such as `lock::race_for_a_free_lock_has_one_winner`.
    pub name: &'static str,
    /// The test. It panics if the promise is broken, and needs a fresh setup.
    pub run: fn(&Setup) -> BoxFuture<'_, Outcome>,
}

/// One promise of a server that speaks Terraform's `http` protocol.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct HttpBehaviour {
    /// Its name, such as `relock_with_same_id_is_200`.
    pub name: &'static str,
    /// The test. It panics if the promise is broken.
    pub run: fn(&HttpTarget) -> BoxFuture<'_, ()>,
}

/// Passes all promises of a store to another macro. Only this macro lists them.
#[doc(hidden)]
#[macro_export]
macro_rules! __store_behaviours {
    ($emit:ident $(, $args:tt)*) => {
        $crate::$emit! {
            ($($args)*)
            lock {
                second_acquire_is_refused_and_names_the_holder
                race_for_a_free_lock_has_one_winner
                acquire_with_the_own_id_succeeds
                record_is_stored_byte_for_byte
                release_with_a_foreign_id_is_refused
                release_of_a_free_lock_says_so
                released_lock_can_be_taken_again
                unreadable_lock_is_held_until_released_as_such
                lock_of_one_state_leaves_others_free
                hand_over_loses_no_update
                waiting_ends_when_the_lock_is_released
                all_held_locks_are_listed
            }
            read_write {
                declared_capabilities_are_there
                read_of_nothing_is_none
                empty_object_is_none
                bytes_round_trip_exactly
                large_state_round_trips
                huge_state_round_trips
                limited_read_yields_the_first_bytes_and_describes_the_whole
                file_is_written_as_it_is
                file_that_is_read_on_the_way_is_stored_whole_or_not_at_all
                write_and_read_agree_about_the_state
                write_waits_for_its_decision
                annotations_come_back_with_the_state_and_go_with_the_next_write
                read_after_write_sees_it
                readers_see_whole_writes
                update_with_a_stale_etag_fails_and_writes_nothing
                update_of_a_deleted_state_fails
                create_on_an_existing_state_fails_and_writes_nothing
                race_of_creates_has_one_winner
                race_of_updates_has_one_winner
                deleted_state_can_be_created_again
                delete_of_nothing_succeeds
                workspaces_do_not_see_each_other
                state_keys_do_not_see_each_other
            }
            workspaces {
                all_are_listed
                locks_are_not_workspaces
                unusual_names_are_kept
                deleted_ones_are_not_listed
                those_of_another_key_are_not_listed
            }
            digests {
                digest_follows_the_state
                forgotten_digest_can_be_recorded_again
            }
            catalog {
                states_of_all_keys_and_workspaces_are_listed
                each_listed_state_can_be_opened
                locks_are_not_listed
            }
            versions {
                newest_comes_first
                older_version_is_readable
                deletion_is_shown_and_takes_nothing_away
                deleted_workspaces_are_listed_until_they_are_stored_again
                those_of_other_states_are_not_listed
                unknown_version_is_an_error
            }
        }
    };
}

/// Passes all promises of a server to another macro. Only this macro lists them.
#[doc(hidden)]
#[macro_export]
macro_rules! __http_behaviours {
    ($emit:ident $(, $args:tt)*) => {
        $crate::$emit! {
            ($($args)*)
            unknown_state_is_404_and_store_failure_is_not
            bytes_round_trip_exactly
            second_lock_gets_423_with_holder
            relock_with_same_id_is_200
            hundred_parallel_locks_one_winner
            write_with_foreign_id_is_423
            write_without_id_while_locked_is_423
            identical_rewrite_is_200
            lower_serial_is_409
            other_lineage_is_409
            encrypted_opentofu_state_is_accepted
            wrong_content_md5_is_400_and_stores_nothing
            empty_chunked_unlock_is_force_unlock
            opentofu_force_unlock_body_is_accepted
            unlock_with_foreign_id_is_refused
            repeated_unlock_is_200
            query_order_and_foreign_parameters_are_ignored
            put_works_like_post
            post_delete_lock_route_works
            unauthorised_large_body_is_not_read
            oversize_is_413
            path_traversal_names_are_400
            no_route_ever_answers_3xx
            native_tflock_blocks_http_lock_and_back
            gzip_and_identity_reads_agree
            sigterm_finishes_write_in_flight
            write_under_a_broken_lock_must_follow_directly
            malformed_lock_is_400
            foreign_method_is_405
            methods_of_another_server_do_no_harm
            what_is_no_state_is_422
            lost_replies_are_harmless
            delete_respects_the_lock
        }
    };
}

/// Makes a `#[tokio::test]` of every promise of a store.
///
/// The argument names an `async fn() -> Setup` that returns a store with a fresh state key each
/// time. The crate that uses this needs `tokio` with the features `macros` and `rt-multi-thread`.
/// The tests are in modules, so invoke it in a module per setup:
///
/// ```
/// # use std::sync::Arc;
/// mod memory {
///     use remote_state_conformance::{MemoryStore, Setup};
///     use remote_state_core::StateStore;
///
///     async fn setup() -> Setup {
///         let store = MemoryStore::new();
///         let declares = store.capabilities();
///         Setup::new(std::sync::Arc::new(store), declares)
///     }
///
///     remote_state_conformance::suite!(setup);
/// }
/// ```
#[macro_export]
macro_rules! suite {
    ($setup:ident) => {
        $crate::__store_behaviours! { __store_tests, $setup }
    };
}

/// Makes a `#[tokio::test]` of every promise of a server.
///
/// The argument names an `async fn() -> HttpTarget`.
#[macro_export]
macro_rules! http_suite {
    ($setup:ident) => {
        $crate::__http_behaviours! { __http_tests, $setup }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __store_tests {
    (($setup:ident) $($module:ident { $($name:ident)* })*) => {
        $crate::__store_test_modules! { $( [$setup $module $($name)*] )* }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __store_test_modules {
    ($( [$setup:ident $module:ident $($name:ident)*] )*) => {
        $(
            mod $module {
                $crate::__store_test_functions! { $module $( [$setup $name] )* }
            }
        )*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __store_test_functions {
    ($module:ident $( [$setup:ident $name:ident] )*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let setup = super::$setup().await;
                let outcome = $crate::$module::$name(&setup).await;
                outcome.report(concat!(stringify!($module), "::", stringify!($name)));
            }
        )*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __http_tests {
    (($setup:ident) $($name:ident)*) => {
        $crate::__http_test_functions! { $( [$setup $name] )* }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __http_test_functions {
    ($( [$setup:ident $name:ident] )*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let target = $setup().await;
                $crate::http::$name(&target).await;
            }
        )*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __store_list {
    (() $($module:ident { $($name:ident)* })*) => {
        vec![$($(
            Behaviour {
                name: concat!(stringify!($module), "::", stringify!($name)),
                run: |setup| $crate::$module::$name(setup).boxed(),
            },
        )*)*]
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __http_list {
    (() $($name:ident)*) => {
        vec![$(
            HttpBehaviour {
                name: stringify!($name),
                run: |target| $crate::http::$name(target).boxed(),
            },
        )*]
    };
}

/// Returns every promise of a store, for a harness that makes its own tests.
pub fn store_behaviours() -> Vec<Behaviour> {
    crate::__store_behaviours!(__store_list)
}

/// Returns every promise of a server, for a harness that makes its own tests.
pub fn http_behaviours() -> Vec<HttpBehaviour> {
    crate::__http_behaviours!(__http_list)
}
