//! The url guard: an address from outside becomes a [`Target`], vetted and pinned, or a refusal.
//!
//! A name is resolved once, every address it has is judged, and the client connects to a judged address
//! instead of resolving again: an answer that changes between check and use changes nothing. Redirects go
//! through [`UrlGuard::redirect`], hop by hop, so clients must not follow them on their own.
//!
//! Reading order: `rules` (what an operator can say), `text` (what a URL may look like), `address` (which
//! addresses are nobody's business), `resolve`, `target`.

mod address;
mod resolve;
mod rules;
mod target;
mod text;

use std::{net::SocketAddr, sync::Arc};

use ::url::{Host, Url};

pub use resolve::{Resolver, SystemResolver};
pub use rules::{RulesError, UrlRules};
pub use target::Target;

use crate::Refusal;

/// The URL leads, or could be made to lead, where it must not.
pub const SSRF_REFUSED: &str = "SSRF_REFUSED";
/// The text is not a URL this guard reads.
pub const NAME_INVALID: &str = "NAME_INVALID";
/// The host has no address now; the same URL may work later.
pub const NAME_UNRESOLVED: &str = "NAME_UNRESOLVED";

/// Redirects followed from one URL.
pub const HOPS_MAX: u8 = 5;
/// Addresses one name may have.
const ADDRESSES_MAX: usize = 64;

/// Decides which URLs a tool may open. Made from the operator's configuration, never from a call.
#[derive(Clone)]
pub struct UrlGuard {
    rules: Arc<rules::Compiled>,
    resolver: Arc<dyn Resolver>,
}

impl UrlGuard {
    /// A guard that asks the system's resolver.
    ///
    /// # Errors
    /// When a rule does not make sense; the guard is not made then, and the server must not start.
    pub fn new(rules: &UrlRules) -> Result<Self, RulesError> {
        Self::with_resolver(rules, SystemResolver)
    }

    /// The same with a resolver of the caller's choice.
    pub fn with_resolver(rules: &UrlRules, resolver: impl Resolver) -> Result<Self, RulesError> {
        Ok(Self { rules: Arc::new(rules::Compiled::new(rules)?), resolver: Arc::new(resolver) })
    }

    /// Vets the URL in argument `field` and pins its addresses. Waits for one name look-up, a few seconds at most.
    pub async fn check(&self, field: &str, url: &str) -> Result<Target, Refusal> {
        text::check_raw(field, url)?;
        text::check_absolute(field, url)?;
        let url = Url::parse(url).map_err(|error| text::unreadable(field, &error))?;
        self.vet(field, url).await
    }

    /// Vets where a response sends the client: `location` as the header says it, absolute or relative.
    ///
    /// Refuses the sixth hop, a step from https down to http, and everything [`UrlGuard::check`] refuses. The
    /// new target says whether credentials of the first request may still be sent.
    pub async fn redirect(&self, from: &Target, location: &str) -> Result<Target, Refusal> {
        let field = &from.field;
        if from.hops >= HOPS_MAX {
            let rule = format!("the server redirected more than {HOPS_MAX} times");
            return Err(refused(field, rule, "use the URL it finally leads to"));
        }
        text::check_raw(field, location)?;
        text::check_relative(field, location)?;
        let url = from.url.join(location).map_err(|error| text::unreadable(field, &error))?;
        if from.url.scheme() == "https" && url.scheme() != "https" {
            return Err(refused(
                field,
                "the server redirects from https to http",
                "use a URL that stays on https",
            ));
        }
        let same_origin = url.origin() == from.url.origin();
        let target = self.vet(field, url).await?;
        Ok(Target { hops: from.hops + 1, keeps_credentials: from.keeps_credentials && same_origin, ..target })
    }

    async fn vet(&self, field: &str, url: Url) -> Result<Target, Refusal> {
        self.rules.check_url(field, &url)?;
        let port = url.port_or_known_default().unwrap_or_default();
        let found = match url.host() {
            Some(Host::Ipv4(ip)) => vec![ip.into()],
            Some(Host::Ipv6(ip)) => vec![ip.into()],
            Some(Host::Domain(name)) => self.resolve(field, name).await?,
            None => return Err(text::no_host(field)),
        };
        let mut addrs = Vec::with_capacity(found.len());
        for ip in found {
            let ip = ip.to_canonical();
            if let Some(class) = self.rules.refuses(ip) {
                // The address itself is not told: it would map the network for whoever asks.
                let rule = format!("the host has {class}");
                return Err(refused(
                    field,
                    rule,
                    "use a public host, or ask the operator to list its range in allow_cidrs",
                ));
            }
            addrs.push(SocketAddr::new(ip, port));
        }
        Ok(Target { url, addrs, field: field.to_owned(), hops: 0, keeps_credentials: true })
    }

    async fn resolve(&self, field: &str, name: &str) -> Result<Vec<std::net::IpAddr>, Refusal> {
        let unresolved =
            |rule: &str| Refusal::new(NAME_UNRESOLVED, field, rule, "check the spelling of the host");
        let looked = tokio::time::timeout(resolve::TIMEOUT, self.resolver.resolve(name)).await;
        match looked {
            Err(_) => Err(unresolved("the host's name could not be looked up in time")),
            Ok(Err(_)) => Err(unresolved("the host's name could not be looked up")),
            Ok(Ok(found)) if found.is_empty() => Err(unresolved("the host has no address")),
            Ok(Ok(found)) if found.len() > ADDRESSES_MAX => Err(refused(
                field,
                format!("the host has more than {ADDRESSES_MAX} addresses"),
                "use another host",
            )),
            Ok(Ok(found)) => Ok(found),
        }
    }
}

fn refused(field: &str, rule: impl Into<String>, fix: &str) -> Refusal {
    Refusal::new(SSRF_REFUSED, field, rule, fix)
}
