# Which bucket the service serves. `remote-state config keys s3` lists what may stand here; `oss` and
# `spaces` have keys of their own. Credentials belong into the file `environment` beside this one:
#
#   AWS_ACCESS_KEY_ID=…
#   AWS_SECRET_ACCESS_KEY=…
#
# and the token that clients present into the file `token`; both with mode 0600.
backend "s3" {
  bucket       = "acme-tfstate"
  key          = "network/terraform.tfstate"
  region       = "eu-central-1"
  use_lockfile = true
}
