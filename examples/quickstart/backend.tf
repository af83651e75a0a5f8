# `remote-state exec` tells Terraform the address, the lock's address and a one-run password through TF_HTTP_*
# variables, so nothing stands here.
terraform {
  backend "http" {}
}
