//! The promises of a server of Terraform's `http` protocol: one function for each, for a server in
//! this process or elsewhere.

mod client;
mod edges;
mod locking;
mod native;
mod raw;
mod reading;
mod target;
mod writing;

pub use client::Answer;
pub use edges::{
    foreign_method_is_405, methods_of_another_server_do_no_harm, no_route_ever_answers_3xx,
    oversize_is_413, path_traversal_names_are_400, query_order_and_foreign_parameters_are_ignored,
    sigterm_finishes_write_in_flight, unauthorised_large_body_is_not_read,
};
pub use locking::{
    empty_chunked_unlock_is_force_unlock, hundred_parallel_locks_one_winner, malformed_lock_is_400,
    opentofu_force_unlock_body_is_accepted, post_delete_lock_route_works,
    relock_with_same_id_is_200, repeated_unlock_is_200, second_lock_gets_423_with_holder,
    unlock_with_foreign_id_is_refused,
};
pub use native::{lost_replies_are_harmless, native_tflock_blocks_http_lock_and_back};
pub use reading::{
    bytes_round_trip_exactly, encrypted_opentofu_state_is_accepted, gzip_and_identity_reads_agree,
    unknown_state_is_404_and_store_failure_is_not,
};
pub use target::{HttpTarget, Names};
pub use writing::{
    delete_respects_the_lock, identical_rewrite_is_200, lower_serial_is_409, other_lineage_is_409,
    put_works_like_post, what_is_no_state_is_422, write_under_a_broken_lock_must_follow_directly,
    write_with_foreign_id_is_423, write_without_id_while_locked_is_423,
    wrong_content_md5_is_400_and_stores_nothing,
};
