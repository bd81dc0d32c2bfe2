//! No text panics the url guard, and no address that it hands out is one of the machine or its network.
//!
//! The input is a URL and, on further lines, `Location` headers to follow.
#![no_main]

use std::{io, net::IpAddr, pin::Pin, sync::LazyLock};

use guard::url::{Resolver, UrlGuard, UrlRules};
use libfuzzer_sys::fuzz_target;
use tokio::runtime::Runtime;

/// Every name is public: whatever else comes out was written into the URL.
struct Public;

impl Resolver for Public {
    fn resolve<'a>(&'a self, _host: &'a str) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>> {
        Box::pin(async { Ok(vec![IpAddr::from([93, 184, 215, 14])]) })
    }
}

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime"));

static GUARD: LazyLock<UrlGuard> = LazyLock::new(|| {
    let rules = UrlRules { schemes: vec!["http".into(), "https".into()], ..UrlRules::default() };
    UrlGuard::with_resolver(&rules, Public).expect("the rules make sense")
});

fn is_inside(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified() || ip.is_multicast()
        }
        IpAddr::V6(ip) => ip.segments()[0] & 0xe000 != 0x2000 && !ip.to_string().starts_with("64:ff9b::"),
    }
}

fuzz_target!(|text: &str| {
    let mut lines = text.split('\n');
    let first = lines.next().unwrap_or_default();
    RUNTIME.block_on(async {
        let Ok(mut target) = GUARD.check("url", first).await else { return };
        loop {
            assert!(target.addrs().iter().all(|addr| !is_inside(addr.ip())), "{target:?}");
            assert!(target.url().username().is_empty() && target.url().password().is_none(), "{target:?}");
            assert!(matches!(target.addr().port(), 80 | 443), "{target:?}");
            let Some(location) = lines.next() else { return };
            let Ok(next) = GUARD.redirect(&target, location).await else { return };
            target = next;
        }
    });
});
