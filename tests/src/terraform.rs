//! Terraform configurations without providers to download.

/// A resource with an input, outputs of several kinds, and a provisioner that prints `begun` and
/// then waits, while the lock is held.
///
/// Variables: `v`, which the resource stores; `sleep` in seconds; `until`, a file whose appearance
/// ends the waiting.
pub const CONFIGURATION: &str = r#"variable "v" {
  default = "1"
}

variable "sleep" {
  default = "0"
}

variable "until" {
  default = "/"
}

resource "terraform_data" "a" {
  input            = var.v
  triggers_replace = var.v

  provisioner "local-exec" {
    command = "echo begun; sleep ${var.sleep}; until test -e '${var.until}'; do sleep 0.05; done"
  }
}

output "a" {
  value = terraform_data.a.output
}

output "big" {
  value = 9007199254740993
}

output "list" {
  value = ["x", "ü"]
}

output "secret" {
  value     = "hush ${terraform_data.a.output}"
  sensitive = true
}
"#;

/// Selects the `http` backend; its address is in the environment.
pub const HTTP_BACKEND: &str = "terraform {\n  backend \"http\" {}\n}\n";
