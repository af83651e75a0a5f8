//! Shared code of the end-to-end suites: the programs under test, a clean room to run them in, and
//! stores to run them against.
//!
//! Each file in `tests/` is a suite: a [`Suite`] of named tests that [`Suite::run`] runs. A program
//! or a server that a machine may lack is a [`Requirement`]; a test that lacks one is reported as
//! ignored, with the reason. `cargo xtask test` passes what is available in environment variables;
//! a suite that is started by hand looks for the programs itself and runs without servers, unless
//! `cargo xtask start` runs some.
//!
//! ```no_run
//! use remote_state_tests::{Requirement, Sandbox, Suite};
//!
//! let mut suite = Suite::new();
//! suite.test("the_version_is_printed", &[], || {
//!     let sandbox = Sandbox::new();
//!     let output = sandbox.remote_state().arg("--version").run().success();
//!     assert!(output.stdout().starts_with("remote-state "));
//! });
//! suite.on_each_server("nothing_is_stored_at_first", &[], |server| {
//!     let sandbox = Sandbox::new();
//!     let place = server.place();
//!     sandbox.write("main.tf", &place.backend_block());
//!     sandbox.remote_state().server(server).arg("pull").run().code(4);
//! });
//! # let _ =
//! suite.run();
//! ```

mod command;
mod objects;
mod oss;
mod place;
mod process;
mod proxy;
mod requirement;
mod sandbox;
mod served;
mod server;
pub mod services;
mod setup;
mod suite;
mod terminal;
pub mod terraform;
mod wire;

pub use command::{Cmd, Output};
pub use oss::OssServer;
pub use place::Place;
pub use process::{Running, Signal};
pub use proxy::Proxy;
pub use requirement::{Requirement, remote_state};
pub use sandbox::Sandbox;
pub use served::Served;
pub use server::{S3Server, TABLE, block_on, runtime, unique};
pub use setup::{Bucket, Encryption, Locks, Setup, Shows};
pub use suite::Suite;
pub use terminal::Terminal;
pub use wire::{Connection, Wire};
