//! One upstream: its replicas, and a request's way to one of them.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64},
    },
    time::{Duration, Instant},
};

use serde_json::value::RawValue;

use crate::{
    Credentials, EraChoice, TransportChoice, UpstreamConfig,
    balance::{self, Load},
    error::UpstreamError,
    hear::Hear,
    http::{Endpoint, HttpLink, SseLink},
    link::{Hello, Link},
    order::Order,
    rpc::RpcError,
    stdio::{LaunchPlan, StdioLink, Surroundings},
};

/// What upstreams are made with, besides their sections.
#[derive(Clone)]
pub struct Setting {
    /// The program whose `main` begins with `sandbox::become_launcher_if_asked`.
    pub launcher: PathBuf,
    /// The private folder of each upstream's program is made in here.
    pub homes: PathBuf,
    /// Where definitions are pinned.
    pub pins: PathBuf,
    /// Never within reach of a program: configuration, policies, data.
    pub protected: Vec<PathBuf>,
    /// Our own environment, for `${env:NAME}`.
    pub lookup: Arc<dyn Fn(&str) -> Option<String> + Send + Sync>,
    /// Makes credentials for the upstream of this name from its `auth` section. The reason of a failure is for the
    /// operator.
    pub credentials: CredentialsFor,
}

/// See [`Setting::credentials`].
pub type CredentialsFor =
    Arc<dyn Fn(&str, &UpstreamConfig) -> Result<Option<Arc<dyn Credentials>>, String> + Send + Sync>;

/// An upstream that can be asked.
pub(crate) struct Upstream {
    /// Its name.
    pub(crate) name: String,
    /// Its section.
    pub(crate) config: UpstreamConfig,
    replicas: Vec<Replica>,
    lot: AtomicU64,
}

struct Replica {
    link: Link,
    load: Load,
}

impl Upstream {
    /// Reads the section; nothing is started yet. The reason of a failure names the key.
    pub(crate) fn new(
        name: &str,
        config: &UpstreamConfig,
        setting: &Setting,
        ambient: &Arc<dyn Hear>,
    ) -> Result<Arc<Self>, String> {
        if let Some(problem) = config.problems().first() {
            return Err(format!("{}: {}; {}", problem.key, problem.rule, problem.fix));
        }
        let links = match &config.url {
            None => vec![stdio(name, config, setting, ambient)?],
            Some(url) => {
                let urls = std::iter::once(url).chain(&config.replicas);
                urls.map(|url| http(name, url, config, setting, ambient)).collect::<Result<_, _>>()?
            }
        };
        let replicas = links.into_iter().map(|link| Replica { link, load: Load::default() }).collect();
        Ok(Arc::new(Self { name: name.to_owned(), config: config.clone(), replicas, lot: AtomicU64::new(0) }))
    }

    /// Longest time one call may take.
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.config.timeout_seconds)
    }

    /// Longest time it may take to start.
    pub(crate) fn start_timeout(&self) -> Duration {
        Duration::from_secs(self.config.start_timeout_seconds)
    }

    /// What the first replica that answers says of the server.
    pub(crate) async fn hello(&self) -> Result<Hello, UpstreamError> {
        let mut last = None;
        for replica in &self.replicas {
            match replica.link.hello().await {
                Ok(hello) => return Ok(hello),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| UpstreamError::unreachable(&self.name, "it has no endpoint")))
    }

    /// Sends one request to the best replica, and to another one only if the first certainly did nothing.
    pub(crate) async fn request(
        &self,
        order: &Order,
    ) -> Result<Result<Box<RawValue>, RpcError>, UpstreamError> {
        if let [only] = self.replicas.as_slice() {
            return only.link.request(order).await;
        }
        let loads: Vec<&Load> = self.replicas.iter().map(|it| &it.load).collect();
        let mut last = None;
        for index in balance::order(&loads, &self.lot) {
            let replica = &self.replicas[index];
            let open = replica.load.begin();
            let answer = replica.link.request(order).await;
            open.ended(!matches!(&answer, Err(error) if !matches!(error, UpstreamError::Cancelled)));
            match answer {
                Err(error) if error.before_send() && Instant::now() < order.deadline => last = Some(error),
                answer => return answer,
            }
        }
        Err(last.unwrap_or_else(|| UpstreamError::unreachable(&self.name, "it has no endpoint")))
    }

    /// Hears the first replica that can be heard until its stream ends.
    pub(crate) async fn listen(
        &self,
        resources: &[String],
        hear: &Arc<dyn Hear>,
    ) -> Result<(), UpstreamError> {
        let mut last = Ok(());
        for replica in &self.replicas {
            last = replica.link.listen(resources, hear).await;
            if !last.as_ref().is_err_and(UpstreamError::before_send) {
                break;
            }
        }
        last
    }

    /// Ends every session, connection and child.
    pub(crate) async fn close(&self) {
        for replica in &self.replicas {
            replica.link.close().await;
        }
    }
}

fn stdio(
    name: &str,
    config: &UpstreamConfig,
    setting: &Setting,
    ambient: &Arc<dyn Hear>,
) -> Result<Link, String> {
    let home = setting.homes.join(name);
    std::fs::create_dir_all(&home).map_err(|error| format!("its private folder: {error}"))?;
    let around = Surroundings {
        launcher: &setting.launcher,
        home: &home,
        protected: &setting.protected,
        lookup: &*setting.lookup,
    };
    let plan = LaunchPlan::new(config, &around)?;
    let patience = Duration::from_secs(config.start_timeout_seconds);
    let link =
        StdioLink::new(name, plan, config.era, config.message_bytes_max, patience, Arc::clone(ambient));
    Ok(Link::Stdio(link))
}

fn http(
    name: &str,
    url: &str,
    config: &UpstreamConfig,
    setting: &Setting,
    ambient: &Arc<dyn Hear>,
) -> Result<Link, String> {
    let credentials = (setting.credentials)(name, config)?;
    let endpoint = || Endpoint::new(name, url, config, &*setting.lookup, credentials.clone());
    let patience = Duration::from_secs(config.start_timeout_seconds);
    let sse = || endpoint().map(|it| SseLink::new(it, patience, Arc::clone(ambient)));
    if config.transport == TransportChoice::Sse {
        return Ok(Link::Sse(sse()?));
    }
    let may_be_older = config.transport == TransportChoice::Auto && config.era != EraChoice::Modern;
    let older = if may_be_older { Some(sse()?) } else { None };
    let http = HttpLink::new(endpoint()?, config.era, patience, config.connections_warm);
    Ok(Link::Http { http, older, is_older: AtomicBool::new(false) })
}
