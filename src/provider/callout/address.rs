//! Which addresses may be connected to: those of the open internet, and what the settings except. A name
//! that somebody else's zone leads to an address inside would otherwise make this daemon a way in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A block of addresses: all that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    prefix_bits: u8,
}

/// An address that is not connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} is no address of the open internet; if it is meant, write it into `callouts.allow_private`"
)]
pub(super) struct Closed(pub(super) IpAddr);

impl Network {
    /// All addresses that share their first `prefix_bits` bits with `first`: at most 32 of an IPv4 address,
    /// 128 of an IPv6 one.
    pub const fn new(first: IpAddr, prefix_bits: u8) -> Self {
        Self { first, prefix_bits }
    }

    fn contains(self, address: IpAddr) -> bool {
        let alike = match (self.first, address) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                (ours.to_bits() ^ theirs.to_bits()).leading_zeros()
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                (ours.to_bits() ^ theirs.to_bits()).leading_zeros()
            }
            _ => return false,
        };
        alike >= u32::from(self.prefix_bits)
    }
}

const fn v4(first: [u8; 4], prefix_bits: u8) -> Network {
    let [a, b, c, d] = first;
    Network::new(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix_bits)
}

const fn v6(first: [u16; 3], prefix_bits: u8) -> Network {
    let [a, b, c] = first;
    Network::new(
        IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)),
        prefix_bits,
    )
}

/// Where IPv6 has its addresses of the open internet; all beside it is closed.
const GLOBAL_V6: Network = v6([0x2000, 0, 0], 3);
/// IPv4 addresses as a translator (NAT64) shows them to a machine that has IPv6 only.
const TRANSLATED: Network = v6([0x64, 0xff9b, 0], 96);

/// What is not of the open internet, by the IANA registries of special-purpose addresses.
const CLOSED: &[Network] = &[
    v4([0, 0, 0, 0], 8),        // this network
    v4([10, 0, 0, 0], 8),       // private
    v4([100, 64, 0, 0], 10),    // shared by a provider's customers (CGNAT)
    v4([127, 0, 0, 0], 8),      // this machine
    v4([169, 254, 0, 0], 16),   // link-local, and where clouds keep credentials
    v4([172, 16, 0, 0], 12),    // private
    v4([192, 0, 0, 0], 24),     // protocol assignments
    v4([192, 0, 2, 0], 24),     // documentation
    v4([192, 88, 99, 0], 24),   // 6to4 relays
    v4([192, 168, 0, 0], 16),   // private
    v4([198, 18, 0, 0], 15),    // benchmarks
    v4([198, 51, 100, 0], 24),  // documentation
    v4([203, 0, 113, 0], 24),   // documentation
    v4([224, 0, 0, 0], 4),      // multicast
    v4([240, 0, 0, 0], 4),      // reserved, and broadcast
    v6([0x2001, 0, 0], 23),     // protocol assignments, among them Teredo
    v6([0x2001, 0xdb8, 0], 32), // documentation
    v6([0x2002, 0, 0], 16),     // 6to4, which hides an IPv4 address
    v6([0x3fff, 0, 0], 20),     // documentation
];

/// Whether an address may be connected to, with those in `allowed` beside the open internet.
///
/// # Errors
/// It may not.
pub(super) fn check(address: IpAddr, allowed: &[Network]) -> Result<(), Closed> {
    let reached = reached(address);
    let excepted = allowed.iter().any(|network| network.contains(reached));
    if excepted || is_open(reached) {
        return Ok(());
    }
    Err(Closed(reached))
}

fn is_open(address: IpAddr) -> bool {
    let closed = CLOSED.iter().any(|network| network.contains(address));
    !closed && (address.is_ipv4() || GLOBAL_V6.contains(address))
}

/// Who is reached by an address: the IPv4 address, where one is written as an IPv6 address.
fn reached(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if TRANSLATED.contains(address) => {
            let [.., a, b, c, d] = v6.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        canonical => canonical,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_refused(address: impl Into<IpAddr>) -> bool {
        check(address.into(), &[]).is_err()
    }

    fn parsed(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_open_internet_is_open() {
        for open in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2a00:1450:4001:82a::200e",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
        ] {
            assert!(!is_refused(parsed(open)), "{open}");
        }
    }

    #[test]
    fn everything_else_is_closed() {
        for closed in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:0:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::1.1.1.1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(is_refused(parsed(closed)), "{closed}");
        }
    }

    #[test]
    fn exceptions_are_by_whole_bits() {
        let allowed = [
            v4([10, 1, 0, 0], 16),
            v4([127, 0, 0, 1], 32),
            v6([0xfd00, 0, 0], 8),
        ];
        for (address, expected) in [
            ("10.1.255.255", true),
            ("10.2.0.0", false),
            ("::ffff:10.1.0.1", true),
            ("64:ff9b::10.1.0.1", true),
            ("127.0.0.1", true),
            ("127.0.0.2", false),
            ("fdff::1", true),
            ("fc00::1", false),
        ] {
            assert_eq!(
                check(parsed(address), &allowed).is_ok(),
                expected,
                "{address}"
            );
        }
        let whole = [v4([0, 0, 0, 0], 0)];
        assert!(check(parsed("10.2.0.0"), &whole).is_ok());
        assert!(check(parsed("::1"), &whole).is_err());
    }

    proptest! {
        /// What the standard library knows to be special is closed, however it is written.
        #[test]
        fn what_is_known_to_be_special_is_closed(bits: u32, high: u16) {
            let ip = Ipv4Addr::from_bits(bits);
            let special = ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_broadcast()
                || ip.is_documentation()
                || ip.is_multicast()
                || ip.is_unspecified();
            prop_assert!(!special || is_refused(ip));
            let [a, b, c, d] = ip.octets().map(u16::from);
            let (left, right) = (a << 8 | b, c << 8 | d);
            let translated = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, left, right);
            prop_assert_eq!(is_refused(ip.to_ipv6_mapped()), is_refused(ip));
            prop_assert_eq!(is_refused(translated), is_refused(ip));
            let ip = Ipv6Addr::new(high, left, right, 0, 0, 0, 0, 1);
            let special = ip.is_loopback()
                || ip.is_multicast()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
                || ip.is_unspecified();
            prop_assert!(!special || is_refused(ip));
        }

        /// Every address of a closed block is closed, and none beside the blocks.
        #[test]
        fn a_closed_block_is_closed_from_end_to_end(
            block in prop::sample::select(CLOSED),
            bits: u128,
        ) {
            let host = |width: u32| u128::MAX.checked_shr(128 - width + u32::from(block.prefix_bits));
            let address: IpAddr = match block.first {
                IpAddr::V4(first) => {
                    let host = u32::try_from(bits & host(32).unwrap_or(0)).unwrap();
                    Ipv4Addr::from_bits(first.to_bits() | host).into()
                }
                IpAddr::V6(first) => {
                    Ipv6Addr::from_bits(first.to_bits() | (bits & host(128).unwrap_or(0))).into()
                }
            };
            prop_assert!(is_refused(address));
            prop_assert!(check(address, &[block]).is_ok());
        }
    }
}
