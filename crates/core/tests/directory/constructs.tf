terraform {
  required_version = ">= 1.3" # trailing
  required_providers {
    made_up = { source = "example/made-up", version = "~> 3" }
  }
  backend "alpha" { // c
    bucket = "x" /* c */
    key    = "k"
  }
}
/* block
comment */
variable "a" {
  type = object({ a = optional(string, "x"), b = list(map(any)) })
  default = {
    a = "y",
    b : []
  }
  validation {
    condition     = can(regex("^[a-z]+\\.$", var.a.a)) || !startswith(var.a.a, "q") && var.a.a != null
    error_message = <<-EOM
      bad ${var.a.a} %{ for x in [1, 2] ~}
      ${x},
      %{~ endfor }
      %%{literal} $${literal} "quotes" \n
    EOM
  }
}
locals {
  s1 = var.a.b[*].x
  s2 = var.a.b.*.x[0]
  s3 = { for k, v in var.a : k => v... if k != "a" }
  s4 = [for k, v in { a = 1 } : "${k}-${v}"]
  s5 = provider::made_up::f(1)
  s6 = (
    true
    ? 1
    : 2
  )
  s7 = max([1, 2, 3]...)
  s8 = { (var.a.a) = 1, "${var.a.a}-x" = 2, a.b = 3 }
  s9 = jsonencode({
    "a" : [1, 2,],
    b = <<EOT
text
EOT
  })
  s10 = -1 + 2 * 3 % 4 >= 1 ? "a" : "b"
  s11 = "${"nested ${"deep"}"}"
  s12 = a.0.b
  s13 = "unicode ü \u00e9 \U0001F600"
  s14 = [
    1,
    # comment
    2, // c
  ]
  s15 = "%{if true}x%{else}y%{endif}"
  s16 = <<EOT
  EOT
  s17 = templatefile("x", {
    a = 1
    b = [for x in y : x if x != ""]
  })
  s18 = !(true)
  s19 = { a = 1 , b = 2
  }
  s20 = [ ]
  s21 = "a$b"
  s22 = "50% off $"
  s23 = 1e5
  s24 = "\"quoted\" \\ \t"
  s-25 = 1
  _s26 = 2
  s27 = data.x.y["k"].z[count.index + 1]
  s28 = x["a"]["b"].c.d
  s29 = { "a b" = 1, 5 = 2 }
}
resource "x" y {
  dynamic "b" {
    for_each = toset(["a"])
    iterator = it
    content { v = it.value }
  }
  lifecycle { ignore_changes = [tags["a"], b] }
}
resource "x" "empty" {}
