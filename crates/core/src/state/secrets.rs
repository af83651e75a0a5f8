//! Attributes that hold a secret whether or not the state marks them.

/// Returns the attributes of a type that its provider hides.
///
/// Terraform before 1.9 and states of format version 3 do not record the marks of providers, and no
/// provider is available here. These are the usual attributes; there may be others.
pub fn secret_attributes(kind: &str) -> &'static [&'static str] {
    match kind {
        "random_password" => &["result", "bcrypt_hash"],
        "random_bytes" => &["base64", "hex"],
        "tls_private_key" => &["private_key_pem", "private_key_openssh", "private_key_pem_pkcs8"],
        "tls_self_signed_cert" | "tls_locally_signed_cert" => {
            &["private_key_pem", "ca_private_key_pem"]
        }
        "tls_cert_request" | "acme_registration" => &["private_key_pem", "account_key_pem"],
        "acme_certificate" => &["private_key_pem", "certificate_p12", "certificate_p12_password"],
        "local_sensitive_file" => &["content", "content_base64"],
        "aws_iam_access_key" => &["secret", "ses_smtp_password_v4"],
        "aws_iam_user_login_profile" => &["password"],
        "aws_secretsmanager_secret_version" => &["secret_string", "secret_binary"],
        "aws_secretsmanager_random_password" => &["random_password"],
        "aws_ssm_parameter" => &["value"],
        "aws_db_instance" | "aws_docdb_cluster" => &["password", "master_password"],
        "aws_rds_cluster" | "aws_redshift_cluster" | "aws_neptune_cluster" => &["master_password"],
        "aws_elasticache_replication_group" => &["auth_token"],
        "aws_key_pair" | "aws_lightsail_key_pair" => &["private_key"],
        "aws_cognito_user_pool_client" => &["client_secret"],
        "aws_eks_cluster_auth" | "aws_ecr_authorization_token" => {
            &["token", "password", "authorization_token"]
        }
        "alicloud_ram_access_key" | "alicloud_access_key" => &["secret"],
        "alicloud_db_account" | "alicloud_rds_account" => &["password", "account_password"],
        "alicloud_instance" => &["password"],
        "digitalocean_database_cluster" => &["password", "uri", "private_uri"],
        "digitalocean_database_user" => &["password", "access_key", "access_cert"],
        "digitalocean_spaces_key" => &["secret_key"],
        "digitalocean_kubernetes_cluster" => &["kube_config"],
        "google_service_account_key" => &["private_key"],
        "google_sql_user" | "postgresql_role" | "mysql_user" => &["password", "plaintext_password"],
        "google_secret_manager_secret_version" => &["secret_data"],
        "azurerm_key_vault_secret" => &["value"],
        "azurerm_storage_account" => &[
            "primary_access_key",
            "secondary_access_key",
            "primary_connection_string",
            "secondary_connection_string",
        ],
        "azurerm_kubernetes_cluster" => {
            &["kube_config", "kube_config_raw", "kube_admin_config", "kube_admin_config_raw"]
        }
        "azuread_application_password" | "azuread_service_principal_password" => &["value"],
        "kubernetes_secret" | "kubernetes_secret_v1" => &["data", "binary_data"],
        "vault_generic_secret" | "vault_kv_secret" | "vault_kv_secret_v2" => &["data", "data_json"],
        "vault_token" => &["client_token"],
        "github_actions_secret" | "github_dependabot_secret" => &["plaintext_value"],
        "cloudflare_api_token" => &["value"],
        "helm_release" => &["set_sensitive", "repository_password"],
        _ => &[],
    }
}
