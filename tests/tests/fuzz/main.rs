//! Every parser of foreign input returns, whatever the input: this runs the targets of
//! `fuzz/targets` over their corpora with mutations, on stable Rust.
//!
//! Each target gets five seconds, or a minute with `cargo xtask test --suite fuzz --long`. A
//! failure names its seed and leaves the input in a file; `REMOTE_STATE_TEST_SEED` repeats a seed,
//! and an input in `fuzz/corpus/TARGET` runs before all others. The speed of the machine affects
//! the number of inputs, never their order.

mod drive;
mod mutate;

use std::process::ExitCode;

use remote_state_fuzz_targets::TARGETS;
use remote_state_tests::Suite;

fn main() -> ExitCode {
    drive::catch_panics();
    let mut suite = Suite::new();
    for target in TARGETS {
        suite.test(target.name, &[], move || drive::drive(target));
    }
    suite.test("driver::a_panic_is_found_with_its_input", &[], drive::finds_a_panic);
    suite.test("driver::the_same_seed_tries_the_same_inputs", &[], mutate::is_deterministic);
    suite.run()
}
