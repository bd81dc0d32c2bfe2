//! From names to addresses.

use std::{io, net::IpAddr, time::Duration};

use kernel::BoxFuture;

/// How long one look-up may take.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// Looks up the addresses of a host name. The guard asks once per URL and judges everything it hears.
pub trait Resolver: Send + Sync + 'static {
    /// Every address of `host`, best first.
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// The resolver of the machine.
#[derive(Clone, Copy, Debug)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let mut found: Vec<IpAddr> = Vec::new();
            for address in tokio::net::lookup_host((host, 0)).await? {
                if !found.contains(&address.ip()) {
                    found.push(address.ip());
                }
            }
            Ok(found)
        })
    }
}
