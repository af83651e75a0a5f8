//! The configuration of a minimal Ceph cluster.

use std::net::SocketAddr;
use std::path::Path;

use base64::Engine as _;

use crate::servers::folder::random_word;

/// The KMS key in the gateway's test key store.
pub(crate) const KMS_KEY: &str = "testkey-1";

/// Returns `ceph.conf`: one monitor, one store in memory, one gateway, all on the loopback
/// interface, without authentication among themselves. The options are those of
/// <https://docs.ceph.com/en/pacific/rados/configuration/> and
/// <https://docs.ceph.com/en/pacific/radosgw/config-ref/>.
pub(crate) fn render(
    folder: &Path,
    cluster: &str,
    monitor: SocketAddr,
    gateway: SocketAddr,
) -> String {
    let at = |name: &str| folder.join(name).display().to_string();
    let (mon, osd, rgw, log) = (at("mon"), at("osd"), at("rgw"), at("log"));
    let loopback = gateway.ip();
    let kms_key = base64::engine::general_purpose::STANDARD
        .encode([random_word(), random_word()].concat().as_bytes());
    // No admin sockets: their paths must be short, and a checkout may be deep.
    format!(
        "[global]
fsid = {cluster}
mon_initial_members = a
mon_host = [v1:{monitor}/0]
ms_bind_msgr2 = false
public_addr = {loopback}
cluster_addr = {loopback}
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
auth_allow_insecure_global_id_reclaim = true
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_pool_default_pgp_num = 8
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 2000
mon_osd_full_ratio = 0.99
mon_data_avail_warn = 1
mon_data_avail_crit = 1
mon_data = {mon}
osd_data = {osd}
osd_objectstore = memstore
memstore_device_bytes = 4294967296
rgw_data = {rgw}
run_dir = {folder}
admin_socket =
pid_file =
log_file = {log}/$name.log
debug_ms = 0
[mon.a]
mon_addr = {monitor}
[client.rgw]
rgw_frontends = beast endpoint={gateway}
rgw_dns_name = nyc3.digitaloceanspaces.com
rgw_enable_usage_log = false
rgw_enable_gc_threads = false
rgw_enable_lc_threads = false
rgw_run_sync_thread = false
rgw_crypt_require_ssl = false
rgw_crypt_s3_kms_backend = testing
rgw_crypt_s3_kms_encryption_keys = {KMS_KEY}={kms_key}
",
        folder = folder.display(),
    )
}
