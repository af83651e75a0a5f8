#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (remote_state_fuzz_targets::named("state_sealed").run)(bytes));
