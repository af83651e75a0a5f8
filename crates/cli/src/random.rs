//! Random words for one run.

use remote_state::{Error, ErrorKind, Result};

/// Returns `bytes` random bytes in hexadecimal.
///
/// # Errors
/// `Local` if the system yields none.
pub(crate) fn hex(bytes: usize) -> Result<String> {
    let mut buffer = vec![0_u8; bytes];
    getrandom::fill(&mut buffer).map_err(|error| {
        Error::new(ErrorKind::Local, "start", "the system yields no random bytes")
            .with_source(error)
    })?;
    Ok(buffer.iter().map(|byte| format!("{byte:02x}")).collect())
}
