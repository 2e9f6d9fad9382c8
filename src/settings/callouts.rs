//! `[callouts]`: which servers policies may have asked, and how a host and a block of addresses are written.

use std::net::IpAddr;

use url::Host;

/// `[callouts]`: asking other people's servers on behalf of policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalloutsSettings {
    /// The hosts that may be called, as URLs name them; `*.` before one means all below it.
    pub hosts: Vec<String>,
    /// Addresses that may be connected to although they are not of the open internet.
    pub allow_private: Vec<AddressBlock>,
    /// Questions at the same time, at the most.
    pub concurrency: u32,
    /// Of those, to one host.
    pub concurrency_per_host: u32,
}

/// All addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressBlock {
    /// The first of them.
    pub first: IpAddr,
    /// How many bits they share.
    pub prefix_bits: u8,
}

/// Reads `crm.example.org`, `*.corp.example`, `10.1.0.7` or `[fd00::1]`, and writes it as URLs do; the error
/// says what is wrong with it.
pub(super) fn host(text: &str) -> Result<String, &'static str> {
    if text == "*" {
        return Err("there is no word for all hosts: name them");
    }
    let (star, name) = match text.strip_prefix("*.") {
        Some(name) => ("*.", name),
        None => ("", text),
    };
    match Host::parse(name) {
        Ok(Host::Domain(name)) if !name.contains('*') => Ok(format!("{star}{name}")),
        Ok(ip @ (Host::Ipv4(_) | Host::Ipv6(_))) if star.is_empty() => Ok(ip.to_string()),
        Ok(Host::Ipv4(_) | Host::Ipv6(_)) => Err("nothing is below an address"),
        Ok(Host::Domain(_)) => Err("a * may stand only at the beginning, before a point"),
        Err(_) if text.contains(['/', ':']) => {
            Err("only the host belongs here: no https://, no port and no path")
        }
        Err(_) => Err("this is no host"),
    }
}

/// Reads `10.1.0.0/16`, or one address; the error says what is wrong with it.
pub(super) fn address_block(text: &str) -> Result<AddressBlock, String> {
    let (first, bits) = match text.split_once('/') {
        Some((first, bits)) => (first, Some(bits)),
        None => (text, None),
    };
    let first: IpAddr = first.parse().map_err(|_| "this is no IP address")?;
    if first.to_canonical() != first {
        return Err(format!("write it as IPv4: {}", first.to_canonical()));
    }
    let width = if first.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Ok(width), str::parse);
    let prefix_bits = bits.ok().filter(|bits| *bits <= width);
    let prefix_bits = prefix_bits.ok_or_else(|| format!("after the / stands 0 to {width}"))?;
    let begins = begin(first, prefix_bits);
    if begins != first {
        return Err(format!("this block begins at {begins}"));
    }
    Ok(AddressBlock { first, prefix_bits })
}

/// The address with all but its first bits cleared.
fn begin(address: IpAddr, prefix_bits: u8) -> IpAddr {
    let kept = u32::from(prefix_bits);
    match address {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32 - kept).unwrap_or(0);
            IpAddr::V4((ip.to_bits() & mask).into())
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128 - kept).unwrap_or(0);
            IpAddr::V6((ip.to_bits() & mask).into())
        }
    }
}
