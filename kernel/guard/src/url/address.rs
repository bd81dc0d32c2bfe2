//! Which addresses a tool must not be talked into connecting to.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Why an address is not just a public host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Metadata,
    Unspecified,
    Loopback,
    Private,
    Shared,
    LinkLocal,
    Multicast,
    Documentation,
    Benchmarking,
    Reserved,
    Transition,
}

impl Class {
    /// Whether an operator can open it with `allow_cidrs`. Credentials of machines never are for tools, and
    /// nobody serves anything on the rest.
    pub(super) fn is_openable(self) -> bool {
        matches!(self, Self::Loopback | Self::Private | Self::Shared | Self::LinkLocal | Self::Benchmarking)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Metadata => "the address of a cloud metadata service",
            Self::Unspecified => "an unspecified address",
            Self::Loopback => "a loopback address",
            Self::Private => "a private address",
            Self::Shared => "a carrier's shared address",
            Self::LinkLocal => "a link-local address",
            Self::Multicast => "a multicast address",
            Self::Documentation => "an address reserved for documentation",
            Self::Benchmarking => "an address reserved for benchmarks",
            Self::Reserved => "a reserved address",
            Self::Transition => "an address that embeds another one",
        })
    }
}

/// What is special about an address; `None` for a public host.
pub(super) fn classify(ip: IpAddr) -> Option<Class> {
    match ip.to_canonical() {
        IpAddr::V4(ip) => classify_v4(ip),
        IpAddr::V6(ip) => classify_v6(ip),
    }
}

/// From the IANA special-purpose registry, and the services clouds put on addresses of their own.
fn classify_v4(ip: Ipv4Addr) -> Option<Class> {
    Some(match ip.octets() {
        // AWS, GCP, Azure, Oracle and others; tasks; pods; Alibaba; Oracle at start-up; Azure's host agent.
        [169, 254, 169, 254] | [169, 254, 170, 2] | [169, 254, 170, 23] => Class::Metadata,
        [100, 100, 100, 200] | [192, 0, 0, 192] | [168, 63, 129, 16] => Class::Metadata,
        [0, ..] => Class::Unspecified,
        [127, ..] => Class::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Class::Private,
        [100, 64..=127, ..] => Class::Shared,
        [169, 254, ..] => Class::LinkLocal,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Class::Documentation,
        [198, 18..=19, ..] => Class::Benchmarking,
        [192, 88, 99, _] => Class::Transition,
        [192, 0, 0, _] | [192, 31, 196, _] | [192, 52, 193, _] | [192, 175, 48, _] => Class::Reserved,
        [224..=239, ..] => Class::Multicast,
        [240..=255, ..] => Class::Reserved,
        _ => return None,
    })
}

fn classify_v6(ip: Ipv6Addr) -> Option<Class> {
    let parts = ip.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    Some(match parts {
        [0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254 | 0x0023] | [0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254] => {
            Class::Metadata
        }
        [0, 0, 0, 0, 0, 0, 0, 0] => Class::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => Class::Loopback,
        // NAT64: how a network without IPv4 reaches public IPv4 hosts. What it embeds decides.
        [0x0064, 0xff9b, 0, 0, 0, 0, high, low] => {
            return classify_v4(embedded(high, low)).map(|_| Class::Transition);
        }
        // ISATAP puts an IPv4 address of the site into the interface part of any prefix.
        [_, _, _, _, 0 | 0x0200, 0x5efe, high, low] if classify_v4(embedded(high, low)).is_some() => {
            Class::Transition
        }
        [0xfc00..=0xfdff, ..] => Class::Private,
        [0xfe80..=0xfebf, ..] => Class::LinkLocal,
        // Site-local: given up, and still routed in some places.
        [0xfec0..=0xfeff, ..] => Class::Private,
        [0xff00..=0xffff, ..] => Class::Multicast,
        [0x2001, 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => Class::Documentation,
        [0x2001, 0x0002, 0, ..] => Class::Benchmarking,
        // Teredo, ORCHID and the like; 6to4.
        [0x2001, 0..=0x01ff, ..] | [0x2002, ..] => Class::Transition,
        [0x2620, 0x004f, 0x8000, ..] => Class::Reserved,
        [0x2000..=0x3fff, ..] => return None,
        // IPv4-compatible, local NAT64, segment routing, and all that nobody was given yet.
        [0, 0, 0, 0, 0, 0, ..] | [0x0064, 0xff9b, ..] => Class::Transition,
        _ => Class::Reserved,
    })
}
