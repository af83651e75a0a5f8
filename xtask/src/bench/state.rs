//! States for the benchmarks.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use crate::Result;

/// Serials of equal width, so that replacing one changes no other byte.
const FIRST_SERIAL: u64 = 1_000_000_000;

/// The text before the serial.
const HEAD: &str = "{\n  \"version\": 4,\n  \"terraform_version\": \"1.11.4\",\n  \"serial\": ";

/// Writes a state as Terraform would, with resources for which it needs no plugin, of `size_bytes`
/// bytes or a little more.
pub(crate) fn write(path: &Path, size_bytes: usize) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut written = HEAD.len();
    write!(
        file,
        "{HEAD}{FIRST_SERIAL},\n  \"lineage\": \"c6582b2b-63be-2754-56f8-19cf5e7b707d\",\n  \
         \"outputs\": {{\n    \"o\": {{\n      \"value\": \"x\",\n      \"type\": \"string\"\n    \
         }}\n  }},\n  \"resources\": ["
    )?;
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for number in 0.. {
        let mut data = String::new();
        for _ in 0..24 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            data.push_str(&format!("{:016x}", random ^ (random >> 29)));
        }
        let comma = if number == 0 { "" } else { "," };
        let text = format!(
            "{comma}\n    {{\n      \"mode\": \"managed\",\n      \
             \"type\": \"terraform_data\",\n      \"name\": \"n{number}\",\n      \
             \"provider\": \"provider[\\\"terraform.io/builtin/terraform\\\"]\",\n      \
             \"instances\": [\n        {{\n          \
             \"schema_version\": 1,\n          \"attributes\": {{\n            \
             \"id\": \"i-{random:017x}\",\n            \
             \"tags\": {{\n              \"Name\": \"node-{number}\"\n            }},\n            \
             \"user_data\": \"{data}\"\n          \
             }},\n          \"sensitive_attributes\": []\n        }}\n      ]\n    }}"
        );
        if written + text.len() + 256 > size_bytes {
            break;
        }
        file.write_all(text.as_bytes())?;
        written += text.len();
    }
    file.write_all(b"\n  ],\n  \"check_results\": null\n}\n")?;
    file.flush()?;
    Ok(())
}

/// Gives a state its `number`th serial, and changes nothing else in the file.
pub(crate) fn set_serial(path: &Path, number: u64) -> Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.seek(SeekFrom::Start(HEAD.len() as u64))?;
    write!(file, "{}", FIRST_SERIAL + number)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_is_json_of_the_size_and_serial_that_were_asked_for() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for size in [1000, 100_000] {
            write(file.path(), size).unwrap();
            set_serial(file.path(), 7).unwrap();
            let text = std::fs::read_to_string(file.path()).unwrap();
            let state: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(
                (&state["serial"], &state["outputs"]["o"]["value"]),
                (&1_000_000_007.into(), &"x".into())
            );
            assert!(text.len() < size + 600 && text.len() + 1400 > size, "{}", text.len());
        }
    }
}
