//! Random ids.

use crate::error::{Error, ErrorKind, Result};
use crate::names::{ClaimId, Lineage, LockId};

/// Random text, made together with the item that it names.
macro_rules! random {
    ($name:ident) => {
        impl $name {
            /// Creates one as Terraform does: 16 random bytes in the form of a UUID, without its
            /// version and variant bits.
            ///
            /// # Errors
            /// `Local` if the system yields no random bytes.
            pub fn random() -> Result<Self> {
                let mut bytes = [0_u8; 16];
                getrandom::fill(&mut bytes).map_err(|source| {
                    Error::new(ErrorKind::Local, "make an id", "the system yields no random bytes")
                        .with_source(source)
                })?;
                let mut text = String::with_capacity(36);
                for (index, byte) in bytes.iter().enumerate() {
                    if matches!(index, 4 | 6 | 8 | 10) {
                        text.push('-');
                    }
                    text.push_str(&format!("{byte:02x}"));
                }
                Ok(Self::new(text))
            }
        }
    };
}

random!(Lineage);
random!(LockId);
random!(ClaimId);
