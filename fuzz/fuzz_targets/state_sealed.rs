#![no_main]

use remote_state_fuzz_targets::named;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (named("state_sealed").run)(bytes));
