//! The fuzz targets: each parser of foreign input, as a function of bytes that must return.
//!
//! A target panics if the parser does, or if the parser breaks a promise that holds for every
//! input: the pieces in which bytes arrive do not change their meaning, what passes as JSON is
//! JSON, a value that is written and read again is the same, and a server still serves after
//! invalid input.
//!
//! Only this crate defines the targets. `tests/tests/fuzz` runs them on stable Rust, and
//! `fuzz/fuzz_targets` passes them to `cargo fuzz`.

mod directory;
mod oss;
mod server;
mod state;

/// A parser under test.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: the folder of its corpus, and the program of `cargo fuzz`.
    pub name: &'static str,
    /// Runs the parser on bytes.
    pub run: fn(&[u8]),
}

/// All targets, sorted by name.
pub const TARGETS: &[Target] = &[
    Target { name: "aws_config_file", run: directory::aws_config_file },
    Target { name: "aws_credentials_file", run: directory::aws_credentials_file },
    Target { name: "backend_config_argument", run: directory::backend_config_argument },
    Target { name: "backend_config_file", run: directory::backend_config_file },
    Target { name: "directory_hcl", run: directory::hcl },
    Target { name: "directory_json", run: directory::json },
    Target { name: "directory_own_file", run: directory::own_file },
    Target { name: "directory_record", run: directory::record },
    Target { name: "http_raw", run: server::raw },
    Target { name: "http_request", run: server::request },
    Target { name: "lock_record", run: state::lock_record },
    Target { name: "oss_error", run: oss::error },
    Target { name: "oss_listing", run: oss::listing },
    Target { name: "state_diff", run: state::diff },
    Target { name: "state_equality", run: state::equality },
    Target { name: "state_header", run: state::header },
    Target { name: "state_instances", run: state::instances },
    Target { name: "state_outputs", run: state::outputs },
    Target { name: "state_readable", run: state::readable },
    Target { name: "state_resources", run: state::resources },
    Target { name: "state_sealed", run: state::sealed },
    Target { name: "state_validate", run: state::validate },
    Target { name: "tablestore_answer", run: oss::tablestore_answer },
    Target { name: "tablestore_row", run: oss::tablestore_row },
];

/// Returns the target with a name.
///
/// # Panics
/// If there is none.
pub fn named(name: &str) -> Target {
    *TARGETS
        .iter()
        .find(|target| target.name == name)
        .unwrap_or_else(|| panic!("no target `{name}`"))
}
