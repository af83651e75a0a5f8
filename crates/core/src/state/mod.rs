//! Contents of a state, as far as a program that stores states needs them.

mod address;
mod header;
mod instances;
mod meaning;
mod members;
mod older;
mod outputs;
mod part;
mod readable;
mod resources;
mod sealed;
mod secrets;
mod serial;
mod split;
mod succession;
mod validate;

pub use address::Key as InstanceKey;
pub use header::{HeaderReader, StateFormat, StateHeader};
pub use instances::InstanceReader;
pub use meaning::mean_the_same;
pub use members::text as json_text;
pub use older::as_version_4;
pub use outputs::{Output, OutputReader, Outputs, Progress};
pub use part::{InstanceAddress, ResourceHead, StatePart};
pub use readable::check_readable;
pub use resources::ResourceInstance;
pub use sealed::{Seal, SealKind, SealedState};
pub use secrets::secret_attributes;
pub use serial::{with_lineage, with_serial};
pub use succession::{Refusal, Succession, SuccessionRules};
