# `terraform_data` is part of Terraform and OpenTofu: `init` downloads no provider.

variable "v" {
  description = "What is kept; change it to see a change."
  type        = string
  default     = "1"
}

variable "sleep" {
  description = "How many seconds an apply takes, and so how long it holds the lock."
  type        = number
  default     = 0
}

resource "terraform_data" "value" {
  input            = var.v
  triggers_replace = [var.v, var.sleep]

  provisioner "local-exec" {
    command = "sleep ${var.sleep}"
  }
}

output "value" {
  description = "What was applied last."
  value       = terraform_data.value.output
}

output "token" {
  description = "Stands for a secret: masked wherever a person looks, whole where a script asks."
  value       = "token-${terraform_data.value.output}"
  sensitive   = true
}
