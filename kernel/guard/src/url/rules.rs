//! What an operator can say about URLs.

use std::net::IpAddr;

use ::url::{Host, Url};
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    address::{Class, classify},
    refused, text,
};
use crate::Refusal;

/// Hosts, ranges and ports one guard may list.
const LIST_MAX: usize = 1000;

/// Names under which clouds hand out machine credentials. Refused whatever they resolve to.
const METADATA_HOSTS: [&str; 6] = [
    "instance-data",
    "instance-data.ec2.internal",
    "metadata",
    "metadata.azure.internal",
    "metadata.goog",
    "metadata.google.internal",
];

/// Operator's configuration of a [`super::UrlGuard`]. The default opens every public host over https.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UrlRules {
    /// `https`, and `http` only if it is listed.
    pub schemes: Vec<String>,
    /// Only these hosts (`example.org`, `*.example.org` for every name below it). Empty: any host.
    pub allow_hosts: Vec<String>,
    /// Private, loopback and link-local ranges that may be reached after all. Metadata services never can.
    pub allow_cidrs: Vec<String>,
    /// Ports that may be connected to. Empty: the usual ports of the schemes.
    pub ports: Vec<u16>,
}

impl Default for UrlRules {
    fn default() -> Self {
        Self {
            schemes: vec!["https".into()],
            allow_hosts: Vec::new(),
            allow_cidrs: Vec::new(),
            ports: Vec::new(),
        }
    }
}

/// A rule that does not make sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: `{value}` {rule}")]
pub struct RulesError {
    /// Key of the configuration.
    pub key: &'static str,
    /// The value at fault.
    pub value: String,
    /// What it must be.
    pub rule: &'static str,
}

/// Rules, checked and ready.
#[derive(Debug)]
pub(super) struct Compiled {
    schemes: Vec<String>,
    hosts: Vec<HostRule>,
    ranges: Vec<IpNet>,
    ports: Vec<u16>,
}

#[derive(Debug)]
enum HostRule {
    Exactly(String),
    /// With the leading dot.
    Below(String),
}

impl Compiled {
    pub(super) fn new(rules: &UrlRules) -> Result<Self, RulesError> {
        for (key, length) in [
            ("allow_hosts", rules.allow_hosts.len()),
            ("allow_cidrs", rules.allow_cidrs.len()),
            ("ports", rules.ports.len()),
        ] {
            if length > LIST_MAX {
                return Err(RulesError {
                    key,
                    value: length.to_string(),
                    rule: "entries are more than the 1000 allowed",
                });
            }
        }
        let schemes = all(&rules.schemes, "schemes", "is none of https, http", |it| {
            matches!(it, "http" | "https").then(|| it.to_owned())
        })?;
        let ports = match rules.ports.as_slice() {
            [] => schemes.iter().map(|it| if it == "http" { 80 } else { 443 }).collect(),
            listed => listed.to_vec(),
        };
        if ports.contains(&0) {
            return Err(RulesError { key: "ports", value: "0".into(), rule: "is no port" });
        }
        Ok(Self {
            hosts: all(
                &rules.allow_hosts,
                "allow_hosts",
                "is neither a host name nor `*.` and a host name",
                host_rule,
            )?,
            ranges: all(
                &rules.allow_cidrs,
                "allow_cidrs",
                "is no range, or wider than any private one",
                range,
            )?,
            schemes,
            ports,
        })
    }

    /// Everything that can be judged before the name is resolved.
    pub(super) fn check_url(&self, field: &str, url: &Url) -> Result<(), Refusal> {
        if !self.schemes.iter().any(|it| it == url.scheme()) {
            let rule = format!("only {} URLs are opened", self.schemes.join(" and "));
            return Err(refused(
                field,
                rule,
                "use another scheme, or ask the operator to list it in schemes",
            ));
        }
        text::check_parsed(field, url)?;
        let port = url.port_or_known_default().unwrap_or_default();
        if !self.ports.contains(&port) {
            let rule = format!("port {port} is not open to this tool");
            return Err(refused(field, rule, "use another port, or ask the operator to list it in ports"));
        }
        let host = url.host_str().unwrap_or_default();
        if METADATA_HOSTS.contains(&host) {
            return Err(refused(field, "the host is a cloud metadata service", "use another host"));
        }
        if !self.hosts.is_empty() && !self.hosts.iter().any(|rule| rule.covers(host)) {
            return Err(refused(
                field,
                "the host is not on the operator's list",
                "ask the operator to add it to allow_hosts",
            ));
        }
        Ok(())
    }

    /// Why an address is out of bounds; `None` when it is not.
    pub(super) fn refuses(&self, ip: IpAddr) -> Option<Class> {
        let class = classify(ip)?;
        let opened =
            class.is_openable() && self.ranges.iter().any(|range| range.contains(&ip.to_canonical()));
        (!opened).then_some(class)
    }
}

impl HostRule {
    fn covers(&self, host: &str) -> bool {
        match self {
            Self::Exactly(name) => host == name,
            Self::Below(suffix) => host.len() > suffix.len() && host.ends_with(suffix.as_str()),
        }
    }
}

fn all<T>(
    values: &[String],
    key: &'static str,
    rule: &'static str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, RulesError> {
    values
        .iter()
        .map(|value| read(value).ok_or_else(|| RulesError { key, value: value.clone(), rule }))
        .collect()
}

/// Read the way hosts of URLs are, so that the two compare.
fn host_rule(text: &str) -> Option<HostRule> {
    let (name, below) = text.strip_prefix("*.").map_or((text, false), |rest| (rest, true));
    let host = Host::parse(name).ok()?;
    let is_plain = !name.contains('*') && !name.ends_with('.');
    match (host, below) {
        (Host::Domain(name), true) if is_plain => Some(HostRule::Below(format!(".{name}"))),
        (host, false) if is_plain => Some(HostRule::Exactly(host.to_string())),
        _ => None,
    }
}

fn range(text: &str) -> Option<IpNet> {
    let range: IpNet = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok()?;
    // Nothing private is wider than 10.0.0.0/8 and fc00::/7; what is wider is a mistake.
    let widest = if range.addr().is_ipv4() { 8 } else { 7 };
    (range.prefix_len() >= widest).then_some(range)
}
