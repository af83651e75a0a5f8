//! Terraform configurations that need no provider to be downloaded.

/// A resource with an input, outputs of several kinds, and a provisioner that takes as long as it is told: while it sleeps, the lock is held.
///
/// Variables: `v`, which the resource keeps, and `sleep` in seconds.
pub const CONFIGURATION: &str = r#"variable "v" {
  default = "1"
}

variable "sleep" {
  default = "0"
}

resource "terraform_data" "a" {
  input            = var.v
  triggers_replace = var.v

  provisioner "local-exec" {
    command = "echo begun; sleep ${var.sleep}"
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

/// What chooses the `http` backend; where it leads is in the environment.
pub const HTTP_BACKEND: &str = "terraform {\n  backend \"http\" {}\n}\n";
