//! Hosts to reach without a proxy, by the rules of Go's `net/http`, which native clients follow.
//!
//! <https://pkg.go.dev/golang.org/x/net/http/httpproxy#Config>

use std::net::{IpAddr, Ipv6Addr};

/// The hosts to reach without a proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoProxy(Vec<Exception>);

/// One item of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Exception {
    hosts: Hosts,
    /// The only port that the item applies to, if it names one.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    All,
    /// A network: one of its addresses, and the number of leading bits that all of them share.
    Network(IpAddr, u32),
    Address(IpAddr),
    /// A domain, with the dot before it, and whether the name itself is included.
    Domain {
        suffix: String,
        has_apex: bool,
    },
}

impl NoProxy {
    /// Parses a comma-separated list of hosts (each with its subdomains), addresses, networks such
    /// as `10.0.0.0/8`, and `*` for everything. All except networks may name a port.
    pub fn parse(list: &str) -> Self {
        Self(list.split(',').filter_map(exception).collect())
    }

    /// Returns whether to reach this host directly: the list names it, or it is this machine itself
    /// or a neighbour that hands out credentials to it.
    pub fn covers(&self, host: &str, port: Option<u16>) -> bool {
        let host = host.to_ascii_lowercase();
        let address = address(&host);
        is_near(&host, address)
            || self.0.iter().any(|exception| exception.covers(&host, address, port))
    }
}

/// Requests to this machine and its neighbours never go through a proxy.
fn is_near(host: &str, address: Option<IpAddr>) -> bool {
    match address {
        None => host == "localhost",
        Some(IpAddr::V4(address)) => address.is_loopback() || address.is_link_local(),
        // Instances and containers find their credentials over IPv6 in `fd00:ec2::/32`.
        Some(IpAddr::V6(address)) => {
            address.is_loopback()
                || address.is_unicast_link_local()
                || address.segments()[..2] == [0xfd00, 0x0ec2]
        }
    }
}

impl Exception {
    fn covers(&self, host: &str, address: Option<IpAddr>, port: Option<u16>) -> bool {
        let is_meant = match &self.hosts {
            Hosts::All => true,
            Hosts::Network(network, bits) => {
                address.is_some_and(|address| has_in(*network, *bits, address))
            }
            Hosts::Address(meant) => address == Some(*meant),
            Hosts::Domain { suffix, has_apex } => {
                address.is_none()
                    && (host.ends_with(suffix.as_str()) || (*has_apex && host == &suffix[1..]))
            }
        };
        is_meant && (self.port.is_none() || self.port == port)
    }
}

/// Returns whether a network contains an address.
fn has_in(network: IpAddr, bits: u32, address: IpAddr) -> bool {
    let number = |address: Ipv6Addr| u128::from(address);
    let (network, address, width) = match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            (u128::from(u32::from(network)), u128::from(u32::from(address)), 32)
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => (number(network), number(address), 128),
        _ => return false,
    };
    // A shift by the whole width of the number would overflow: all addresses match.
    (network ^ address).checked_shr(width - bits).unwrap_or(0) == 0
}

fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

fn network(item: &str) -> Option<Hosts> {
    let (network, bits) = item.split_once('/')?;
    let network: IpAddr = network.parse().ok()?;
    let bits = bits.parse().ok()?;
    let width = if network.is_ipv4() { 32 } else { 128 };
    (bits <= width).then_some(Hosts::Network(network, bits))
}

/// Parses one item: `*`, `10.0.0.0/8`, `10.1.2.3`, `example.com` with its subdomains, or
/// `.example.com` for its subdomains alone; with or without a port.
fn exception(item: &str) -> Option<Exception> {
    let item = item.trim().to_ascii_lowercase();
    let of = |hosts| Some(Exception { hosts, port: None });
    if item == "*" {
        return of(Hosts::All);
    }
    if let Some(network) = network(&item) {
        return of(network);
    }
    if let Some(address) = address(&item) {
        return of(Hosts::Address(address));
    }
    let (host, port) = match item.rsplit_once(':') {
        Some((host, port)) => (host, Some(port.parse().ok()?)),
        None => (item.as_str(), None),
    };
    if let Some(address) = address(host) {
        return Some(Exception { hosts: Hosts::Address(address), port });
    }
    let host = host.strip_prefix("*.").map_or_else(|| host.to_owned(), |rest| format!(".{rest}"));
    let hosts = match host.as_str() {
        "" | "." => return None,
        below if below.starts_with('.') => Hosts::Domain { suffix: host, has_apex: false },
        name => Hosts::Domain { suffix: format!(".{name}"), has_apex: true },
    };
    Some(Exception { hosts, port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_covers_its_addresses_and_no_other() {
        let list =
            NoProxy::parse("10.0.0.0/8,192.0.2.128/25,2001:db8::/33,198.51.100.7/32,300.0.0.0/8");
        for host in ["10.255.0.1", "192.0.2.129", "[2001:db8:7fff::1]", "198.51.100.7"] {
            assert!(list.covers(host, Some(443)), "{host}");
        }
        for host in ["11.0.0.1", "192.0.2.127", "[2001:db8:8000::1]", "198.51.100.6", "ten.example"]
        {
            assert!(!list.covers(host, Some(443)), "{host}");
        }
        assert!(NoProxy::parse("0.0.0.0/0").covers("203.0.113.9", None));
        assert!(!NoProxy::parse("0.0.0.0/0").covers("[2001:db8::1]", None));
        assert!(NoProxy::parse("::/0").covers("[2001:db8::1]", None));
    }
}
