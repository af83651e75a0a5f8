//! Contents of a state, as far as a program that stores states needs them.

mod address;
mod header;
mod meaning;
mod members;
mod outputs;
mod readable;
mod resources;
mod secrets;
mod split;
mod succession;
mod validate;

pub use header::{HeaderReader, StateFormat, StateHeader};
pub use meaning::mean_the_same;
pub use outputs::{Output, OutputReader, Outputs, Progress};
pub use readable::check_readable;
pub use resources::ResourceInstance;
pub use succession::{Refusal, Succession, SuccessionRules};
