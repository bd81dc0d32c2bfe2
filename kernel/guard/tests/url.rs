//! Attacks on the url guard.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use guard::url::{
    HOPS_MAX, NAME_INVALID, NAME_UNRESOLVED, Resolver, SSRF_REFUSED, Target, UrlGuard, UrlRules,
};
use ipnet::IpNet;
use kernel::BoxFuture;
use proptest::prelude::*;

const PUBLIC: &str = "93.184.215.14";

/// Names with the addresses they have.
#[derive(Clone, Default)]
struct Names(HashMap<String, Vec<IpAddr>>);

impl Names {
    fn with(mut self, name: &str, addresses: &[&str]) -> Self {
        self.0.insert(name.to_owned(), addresses.iter().map(|it| it.parse().expect("an address")).collect());
        self
    }
}

impl Resolver for Names {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        let found = self.0.get(host).cloned().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound));
        Box::pin(async move { found })
    }
}

fn names() -> Names {
    let metadata = ["169.254.169.254"];
    Names::default()
        .with("example.org", &[PUBLIC, "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
        .with("www.example.org", &[PUBLIC])
        .with("other.example", &["1.1.1.1"])
        .with("xn--mnchen-3ya.example", &[PUBLIC])
        .with("localhost", &["127.0.0.1", "::1"])
        .with("127.0.0.1.nip.example", &["127.0.0.1"])
        .with("mixed.example", &[PUBLIC, "10.0.0.1"])
        .with("private.example", &["10.1.2.3"])
        .with("mapped.example", &["::ffff:10.0.0.1"])
        .with("metadata.google.internal", &metadata)
        .with("metadata", &[PUBLIC])
        .with("sneaky.example", &metadata)
        .with("nowhere.example", &[])
        .with("many.example", &["1.1.1.1"; 65])
        .with("dns64.example", &["64:ff9b::5db8:d70e"])
        .with("dns64-private.example", &["64:ff9b::a00:1"])
}

fn rules() -> UrlRules {
    UrlRules { schemes: vec!["https".into(), "http".into()], ..UrlRules::default() }
}

fn guard_with(rules: UrlRules) -> UrlGuard {
    UrlGuard::with_resolver(&rules, names()).expect("the rules make sense")
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(future)
}

/// The code of the refusal, or the pinned address.
fn check(guard: &UrlGuard, url: &str) -> Result<String, &'static str> {
    match block_on(guard.check("url", url)) {
        Ok(target) => Ok(target.addr().to_string()),
        Err(refusal) => {
            assert_eq!(refusal.field, "url");
            assert!(
                !refusal.rule.contains("10.") && !refusal.rule.contains("169."),
                "it tells the address: {refusal}"
            );
            Err(refusal.code)
        }
    }
}

#[test]
fn hostile_urls_are_refused() {
    let guard = guard_with(rules());
    let long = format!("https://example.org/{}", "a".repeat(2048));
    let long_label = format!("https://{}.example/", "a".repeat(64));
    for (url, code) in [
        // Loopback, in every spelling.
        ("http://127.0.0.1/", SSRF_REFUSED),
        ("http://127.1.2.3/", SSRF_REFUSED),
        ("http://localhost/", SSRF_REFUSED),
        ("http://LOCALHOST/", SSRF_REFUSED),
        ("http://localhost./", SSRF_REFUSED),
        ("http://ⓛocalhost/", SSRF_REFUSED),
        ("http://lo%63alhost/", SSRF_REFUSED),
        ("http://2130706433/", SSRF_REFUSED),
        ("http://0x7f000001/", SSRF_REFUSED),
        ("http://017700000001/", SSRF_REFUSED),
        ("http://0177.0.0.1/", SSRF_REFUSED),
        ("http://0x7f.0.0.1/", SSRF_REFUSED),
        ("http://0x7f.1/", SSRF_REFUSED),
        ("http://127.1/", SSRF_REFUSED),
        ("http://127.0.0.1./", SSRF_REFUSED),
        ("http://127%2e0%2e0%2e1/", SSRF_REFUSED),
        ("http://１２７.0.0.1/", SSRF_REFUSED),
        ("http://127。0。0。1/", SSRF_REFUSED),
        ("http://①27.0.0.1/", SSRF_REFUSED),
        ("http://[::1]/", SSRF_REFUSED),
        ("http://[0:0:0:0:0:0:0:1]/", SSRF_REFUSED),
        ("http://[::ffff:127.0.0.1]/", SSRF_REFUSED),
        ("http://[::ffff:7f00:1]/", SSRF_REFUSED),
        ("http://[::127.0.0.1]/", SSRF_REFUSED),
        ("http://[64:ff9b::127.0.0.1]/", SSRF_REFUSED),
        ("http://[64:ff9b:1::7f00:1]/", SSRF_REFUSED),
        ("http://[2002:7f00:1::]/", SSRF_REFUSED),
        ("http://[2001:0:7f00:1::]/", SSRF_REFUSED),
        ("http://[2606:4700::5efe:127.0.0.1]/", SSRF_REFUSED),
        ("http://127.0.0.1.nip.example/", SSRF_REFUSED),
        // Private, shared, local.
        ("http://10.0.0.1/", SSRF_REFUSED),
        ("http://172.16.0.1/", SSRF_REFUSED),
        ("http://172.31.255.255/", SSRF_REFUSED),
        ("http://192.168.1.1/", SSRF_REFUSED),
        ("http://100.64.0.1/", SSRF_REFUSED),
        ("http://169.254.1.1/", SSRF_REFUSED),
        ("http://[fe80::1]/", SSRF_REFUSED),
        ("http://[fec0::1]/", SSRF_REFUSED),
        ("http://[fc00::1]/", SSRF_REFUSED),
        ("http://[fd12:3456::1]/", SSRF_REFUSED),
        ("http://private.example/", SSRF_REFUSED),
        ("http://mixed.example/", SSRF_REFUSED),
        ("http://mapped.example/", SSRF_REFUSED),
        ("http://dns64-private.example/", SSRF_REFUSED),
        // Metadata services.
        ("http://169.254.169.254/latest/meta-data/", SSRF_REFUSED),
        ("http://[fd00:ec2::254]/", SSRF_REFUSED),
        ("http://[::ffff:169.254.169.254]/", SSRF_REFUSED),
        ("http://100.100.100.200/", SSRF_REFUSED),
        ("http://168.63.129.16/", SSRF_REFUSED),
        ("http://metadata.google.internal/", SSRF_REFUSED),
        ("http://METADATA.google.internal/", SSRF_REFUSED),
        ("http://metadata/", SSRF_REFUSED),
        ("http://sneaky.example/", SSRF_REFUSED),
        // Nobody's.
        ("http://0.0.0.0/", SSRF_REFUSED),
        ("http://0/", SSRF_REFUSED),
        ("http://[::]/", SSRF_REFUSED),
        ("http://255.255.255.255/", SSRF_REFUSED),
        ("http://224.0.0.1/", SSRF_REFUSED),
        ("http://[ff02::1]/", SSRF_REFUSED),
        ("http://192.0.2.1/", SSRF_REFUSED),
        ("http://[2001:db8::1]/", SSRF_REFUSED),
        ("http://198.18.0.1/", SSRF_REFUSED),
        ("http://240.0.0.1/", SSRF_REFUSED),
        // Schemes, ports, credentials.
        ("file:///etc/passwd", NAME_INVALID),
        ("file://localhost/etc/passwd", SSRF_REFUSED),
        ("gopher://example.org/", SSRF_REFUSED),
        ("ftp://example.org/", SSRF_REFUSED),
        ("dict://example.org:11211/", SSRF_REFUSED),
        ("ws://example.org/", SSRF_REFUSED),
        ("javascript:alert(1)", NAME_INVALID),
        ("data:text/html,x", NAME_INVALID),
        ("https://example.org:22/", SSRF_REFUSED),
        ("https://example.org:25/", SSRF_REFUSED),
        ("https://example.org:0/", SSRF_REFUSED),
        ("https://example.org:6379/", SSRF_REFUSED),
        ("https://example.org:99999/", NAME_INVALID),
        ("https://user@example.org/", SSRF_REFUSED),
        ("https://user:pass@example.org/", SSRF_REFUSED),
        ("https://@example.org/", SSRF_REFUSED),
        ("https://example.org:443@127.0.0.1/", SSRF_REFUSED),
        ("https://example.org#@127.0.0.1/", "ok"),
        ("https://127.0.0.1#@example.org/", SSRF_REFUSED),
        ("https://127.0.0.1?@example.org/", SSRF_REFUSED),
        // Texts that parsers read differently.
        ("", NAME_INVALID),
        ("example.org", NAME_INVALID),
        ("//example.org/", NAME_INVALID),
        ("https:example.org", NAME_INVALID),
        ("https:/example.org", NAME_INVALID),
        ("https:///example.org", NAME_INVALID),
        ("https://", NAME_INVALID),
        ("https://example.org\\@127.0.0.1/", NAME_INVALID),
        ("https:\\\\127.0.0.1\\", NAME_INVALID),
        (" https://example.org/", NAME_INVALID),
        ("https://example.org/\n", NAME_INVALID),
        ("https://exam\tple.org/", NAME_INVALID),
        ("https://example.org/\r\nHost: evil", NAME_INVALID),
        ("https://example.org/\0", NAME_INVALID),
        ("https://example\u{200b}.org/", NAME_INVALID),
        ("https://example.org/\u{202e}gpj.exe", NAME_INVALID),
        ("https://exa mple.org/", NAME_INVALID),
        ("https://[::1/", NAME_INVALID),
        ("https://[fe80::1%25eth0]/", NAME_INVALID),
        ("https://exam<ple.org/", NAME_INVALID),
        ("https://1.2.3.4.5/", NAME_INVALID),
        ("https://256.256.256.256/", NAME_INVALID),
        ("https://example..org/", NAME_INVALID),
        ("https://-example.org/", NAME_INVALID),
        ("https://*.example.org/", NAME_INVALID),
        ("https://example.org./", SSRF_REFUSED),
        (&long, NAME_INVALID),
        (&long_label, NAME_INVALID),
        // Names.
        ("https://unknown.example/", NAME_UNRESOLVED),
        ("https://nowhere.example/", NAME_UNRESOLVED),
        ("https://many.example/", SSRF_REFUSED),
        ("https://0x08080808/", SSRF_REFUSED),
    ] {
        let got = check(&guard, url).err().unwrap_or("ok");
        assert_eq!(got, code, "{url:?}");
    }
}

#[test]
fn ordinary_urls_get_a_pinned_address() {
    let guard = guard_with(rules());
    for (url, address) in [
        ("https://example.org", "93.184.215.14:443"),
        ("http://example.org/a?b=c#d", "93.184.215.14:80"),
        ("https://EXAMPLE.org:443/", "93.184.215.14:443"),
        ("https://example.org:80/", "93.184.215.14:80"),
        ("https://münchen.example/", "93.184.215.14:443"),
        ("https://8.8.8.8/", "8.8.8.8:443"),
        ("https://[2606:4700:4700::1111]/", "[2606:4700:4700::1111]:443"),
        ("https://[::ffff:8.8.8.8]/", "8.8.8.8:443"),
        ("https://dns64.example/", "[64:ff9b::5db8:d70e]:443"),
        ("https://example.org/a%00b/%2e%2e/@x:y", "93.184.215.14:443"),
    ] {
        assert_eq!(check(&guard, url), Ok(address.to_owned()), "{url}");
    }
    let target = block_on(guard.check("url", "https://example.org:80/x")).expect("fine");
    assert_eq!((target.host(), target.host_header()), ("example.org".into(), "example.org:80".into()));
    assert_eq!(target.addrs().len(), 2, "every vetted address is there to try");
    assert_eq!(
        block_on(guard.check("url", "https://[2606:4700:4700::1111]/")).expect("fine").host(),
        "2606:4700:4700::1111"
    );
}

#[test]
fn the_default_is_https_to_public_hosts() {
    let guard = guard_with(UrlRules::default());
    assert!(check(&guard, "https://example.org/").is_ok());
    assert_eq!(check(&guard, "http://example.org/"), Err(SSRF_REFUSED));
    assert_eq!(check(&guard, "https://example.org:80/"), Err(SSRF_REFUSED));
}

#[test]
fn an_operator_opens_ranges_but_never_a_metadata_service() {
    let cidrs = |cidrs: &[&str]| {
        let allow_cidrs = cidrs.iter().map(|it| (*it).to_owned()).collect();
        guard_with(UrlRules { allow_cidrs, ..rules() })
    };
    let lan = cidrs(&["10.1.0.0/16"]);
    assert!(check(&lan, "http://private.example/").is_ok());
    assert_eq!(check(&lan, "http://10.2.0.1/"), Err(SSRF_REFUSED));
    assert_eq!(check(&lan, "http://[64:ff9b::10.1.2.3]/"), Err(SSRF_REFUSED), "not through a side door");
    let local = cidrs(&["127.0.0.1", "::1/128"]);
    assert!(check(&local, "http://localhost/").is_ok());
    let all = cidrs(&[
        "169.254.0.0/16",
        "100.64.0.0/10",
        "fc00::/7",
        "0.0.0.0/8",
        "224.0.0.0/8",
        "192.0.0.0/8",
        "168.0.0.0/8",
    ]);
    for url in [
        "http://169.254.169.254/",
        "http://100.100.100.200/",
        "http://[fd00:ec2::254]/",
        "http://168.63.129.16/",
        "http://metadata.google.internal/",
        "http://0.0.0.0/",
        "http://224.0.0.1/",
        "http://192.0.2.1/",
    ] {
        assert_eq!(check(&all, url), Err(SSRF_REFUSED), "{url}");
    }
    assert!(check(&all, "http://169.254.1.1/").is_ok());
}

#[test]
fn a_list_of_hosts_admits_nothing_else() {
    let allow_hosts =
        vec!["other.example".into(), "*.example.org".into(), "München.example".into(), "8.8.8.8".into()];
    let guard = guard_with(UrlRules { allow_hosts, ..rules() });
    for url in [
        "https://other.example/",
        "https://www.example.org/",
        "https://xn--mnchen-3ya.example/",
        "https://8.8.8.8/",
    ] {
        assert!(check(&guard, url).is_ok(), "{url}");
    }
    for url in [
        "https://example.org/",
        "https://notexample.org/",
        "https://example.org.evil.example/",
        "https://8.8.4.4/",
        "https://other.example.evil.example/",
        "https://www.example.org./",
    ] {
        assert_eq!(check(&guard, url), Err(SSRF_REFUSED), "{url}");
    }
}

#[test]
fn rules_that_make_no_sense_make_no_guard() {
    let refused = |rules: UrlRules| UrlGuard::with_resolver(&rules, names()).err().map(|error| error.key);
    assert_eq!(refused(UrlRules { schemes: vec!["file".into()], ..rules() }), Some("schemes"));
    for host in ["https://x", "*", "*.", "a.*.b", "x.", "", "*.8.8.8.8"] {
        assert_eq!(
            refused(UrlRules { allow_hosts: vec![host.into()], ..rules() }),
            Some("allow_hosts"),
            "{host}"
        );
    }
    for range in ["0.0.0.0/0", "::/0", "2000::/3", "10.0.0.0/33", "lan", ""] {
        assert_eq!(
            refused(UrlRules { allow_cidrs: vec![range.into()], ..rules() }),
            Some("allow_cidrs"),
            "{range}"
        );
    }
    assert_eq!(refused(UrlRules { ports: vec![443, 0], ..rules() }), Some("ports"));
    assert_eq!(refused(UrlRules { ports: vec![1; 1001], ..rules() }), Some("ports"));
}

#[test]
fn rules_are_read_strictly_from_configuration() {
    let read = |json: serde_json::Value| serde_json::from_value::<UrlRules>(json).ok();
    assert_eq!(read(serde_json::json!({})), Some(UrlRules::default()));
    assert_eq!(
        read(serde_json::json!({ "allow_host": ["example.org"] })),
        None,
        "a misspelt key opens nothing"
    );
    assert!(read(serde_json::json!({ "ports": [70_000] })).is_none());
}

fn follow(guard: &UrlGuard, from: &str, locations: &[&str]) -> Result<Target, &'static str> {
    block_on(async {
        let mut target = guard.check("url", from).await.map_err(|it| it.code)?;
        for location in locations {
            target = guard.redirect(&target, location).await.map_err(|it| it.code)?;
        }
        Ok(target)
    })
}

#[test]
fn every_hop_of_a_redirect_is_vetted() {
    let guard = guard_with(rules());
    for location in [
        "http://127.0.0.1/",
        "//127.0.0.1/",
        "//2130706433/",
        "https://private.example/",
        "http://example.org/",
        "file:///etc/passwd",
        "https://user@example.org/",
        "//user@example.org/",
        "https:other.example",
        "\\\\127.0.0.1/",
        "https://example.org:22/",
        "/a\nb",
        "https://metadata.google.internal/",
        "https:///127.0.0.1/",
        "//",
    ] {
        assert!(follow(&guard, "https://example.org/", &[location]).is_err(), "{location:?}");
    }
    let relative = follow(&guard, "https://example.org/a/b?c", &["../d?x=//127.0.0.1"]).expect("it stays");
    assert_eq!(relative.url().as_str(), "https://example.org/d?x=//127.0.0.1");
    assert!(relative.keeps_credentials());
    assert!(follow(&guard, "http://example.org/", &["https://example.org/"]).is_ok(), "up is fine");
    assert_eq!(follow(&guard, "https://example.org/", &["http://example.org/"]).err(), Some(SSRF_REFUSED));
}

#[test]
fn redirects_end_and_credentials_stay_home() {
    let guard = guard_with(rules());
    let hops = vec!["/x"; usize::from(HOPS_MAX) + 1];
    assert_eq!(follow(&guard, "https://example.org/", &hops[1..]).expect("five are fine").hops(), HOPS_MAX);
    assert_eq!(follow(&guard, "https://example.org/", &hops).err(), Some(SSRF_REFUSED));
    let keeps = |locations: &[&str]| {
        follow(&guard, "https://example.org/", locations).expect("fine").keeps_credentials()
    };
    assert!(keeps(&["/x", "https://example.org/y"]));
    assert!(!keeps(&["https://other.example/"]));
    assert!(!keeps(&["https://example.org:80/"]), "another port is another origin");
    assert!(!keeps(&["https://other.example/", "https://example.org/"]), "not even after coming back");
}

/// Public the first time it is asked, private ever after.
struct Flipping(Arc<AtomicUsize>);

impl Resolver for Flipping {
    fn resolve<'a>(&'a self, _host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        let is_first = self.0.fetch_add(1, Ordering::Relaxed) == 0;
        let address = if is_first { PUBLIC } else { "127.0.0.1" };
        Box::pin(async move { Ok(vec![address.parse().expect("an address")]) })
    }
}

#[test]
fn a_rebinding_name_is_asked_once_and_its_first_answer_is_pinned() {
    let asked = Arc::new(AtomicUsize::new(0));
    let guard =
        UrlGuard::with_resolver(&rules(), Flipping(Arc::clone(&asked))).expect("the rules make sense");
    let target = block_on(guard.check("url", "https://rebind.example/")).expect("public the first time");
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert_eq!(target.addr().ip().to_string(), PUBLIC);
    assert_eq!(target.addrs().len(), 1);
    let again = block_on(guard.redirect(&target, "/next")).map_err(|it| it.code);
    assert_eq!(again.err(), Some(SSRF_REFUSED), "a hop asks anew, and is judged anew");
}

/// Never answers.
struct Silent;

impl Resolver for Silent {
    fn resolve<'a>(&'a self, _host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_resolver_does_not_hold_the_call() {
    let guard = UrlGuard::with_resolver(&rules(), Silent).expect("the rules make sense");
    let refusal = guard.check("url", "https://example.org/").await.expect_err("it gave up");
    assert_eq!(refusal.code, NAME_UNRESOLVED);
}

/// The ranges as the registry writes them: an oracle that shares nothing with the guard.
fn is_out_of_bounds(ip: IpAddr) -> bool {
    const V4: &[&str] = &[
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "168.63.129.16/32",
    ];
    const V6: &[&str] = &[
        "::/96",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
        "64:ff9b:1::/48",
        "100::/8",
        "2620:4f:8000::/48",
        "5f00::/16",
    ];
    let within = |ranges: &[&str], ip: IpAddr| {
        ranges.iter().any(|it| it.parse::<IpNet>().expect("a range").contains(&ip))
    };
    match ip {
        IpAddr::V4(_) => within(V4, ip),
        IpAddr::V6(six) => {
            let [.., a, b, c, d] = six.octets();
            let inner = IpAddr::V4(Ipv4Addr::new(a, b, c, d));
            let embeds = within(&["::ffff:0:0/96", "64:ff9b::/96"], ip);
            if embeds { within(V4, inner) } else { within(V6, ip) || six.octets()[0] >> 5 != 1 }
        }
    }
}

fn addresses() -> impl Strategy<Value = IpAddr> {
    // Random addresses are almost all public, so the edges of the ranges are sought out.
    let near = |base: u32| {
        (any::<i8>(), Just(base)).prop_map(|(off, base)| base.wrapping_add_signed(i32::from(off)))
    };
    let bases = prop::sample::select(vec![
        0_u32,
        0x0a00_0000,
        0x0b00_0000,
        0x6440_0000,
        0x6480_0000,
        0x7f00_0000,
        0x8000_0000,
        0xa9fe_0000,
        0xa9fe_a9fe,
        0xac10_0000,
        0xac20_0000,
        0xc000_0000,
        0xc000_0200,
        0xc058_6300,
        0xc0a8_0000,
        0xc612_0000,
        0xc633_6400,
        0xcb00_7100,
        0xe000_0000,
        0xf000_0000,
        0xa83f_8110,
    ]);
    let four = prop_oneof![any::<u32>(), bases.prop_flat_map(near)].prop_map(Ipv4Addr::from);
    let prefixes = prop::sample::select(vec![
        0_u128,
        0xffff << 32,
        0x0064_ff9b << 96,
        0x0064_ff9b_0001 << 80,
        0x2002 << 112,
        0x2001 << 112,
        0x2001_0db8 << 96,
        0x2600 << 112,
        0xfc00 << 112,
        0xfe80 << 112,
        0xff00 << 112,
        0x3fff << 112,
        0x0100 << 112,
    ]);
    let six = prop_oneof![
        any::<u128>(),
        (prefixes.clone(), any::<u32>()).prop_map(|(prefix, low)| prefix | u128::from(low)),
        (prefixes, four.clone()).prop_map(|(prefix, low)| prefix | u128::from(u32::from(low))),
    ];
    prop_oneof![four.prop_map(IpAddr::V4), six.prop_map(|it| IpAddr::V6(Ipv6Addr::from(it)))]
}

/// Answers with what the test says.
struct Fixed(Vec<IpAddr>);

impl Resolver for Fixed {
    fn resolve<'a>(&'a self, _host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async { Ok(self.0.clone()) })
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_target_is_ever_out_of_bounds(found in prop::collection::vec(addresses(), 1..4)) {
        let guard = UrlGuard::with_resolver(&rules(), Fixed(found.clone())).expect("the rules make sense");
        let checked = block_on(guard.check("url", "https://example.org/"));
        let bad = found.iter().any(|ip| is_out_of_bounds(*ip));
        if bad {
            prop_assert!(checked.is_err(), "{found:?}");
        }
        if let Ok(target) = checked {
            prop_assert!(target.addrs().iter().all(|it| !is_out_of_bounds(it.ip())));
        }
    }

    #[test]
    fn a_literal_address_is_judged_like_a_resolved_one(ip in addresses()) {
        let host = match ip { IpAddr::V4(ip) => ip.to_string(), IpAddr::V6(ip) => format!("[{ip}]") };
        let guard = guard_with(rules());
        let literal = block_on(guard.check("url", &format!("https://{host}/"))).is_ok();
        let fixed = UrlGuard::with_resolver(&rules(), Fixed(vec![ip])).expect("the rules make sense");
        prop_assert_eq!(literal, block_on(fixed.check("url", "https://example.org/")).is_ok());
    }

    #[test]
    fn no_text_panics_or_escapes(text in "(https?:)?[/\\\\@:.\\[\\]a-z0-9%#?\u{200b}é -]{0,40}") {
        let guard = guard_with(rules());
        if let Ok(target) = block_on(guard.check("url", &text)) {
            prop_assert!(target.addrs().iter().all(|it| !is_out_of_bounds(it.ip())));
            prop_assert!(target.url().username().is_empty());
        }
    }
}
