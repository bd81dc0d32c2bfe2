//! What this server offers, and how it starts.

use std::{path::PathBuf, sync::Arc, time::Duration};

use guard::path::Roots;
use kernel::{CallContext, Server, ServerFacts, StartContext, StartError, ToolError, Toolbox};

use crate::{
    ScannerConfig,
    audit::{Audit, Data, Ecosystem, Inventory, Level},
    engine::{
        fingerprint::Fingerprints,
        ruleset::RuleSet,
        scan::{Job, Plan, Scanned, Target},
    },
    error::ScanError,
    report::EngineFacts,
    tools,
};

const NAME: &str = "security-scanner";
const VERSION: &str = "2.0.0";
const RULE_FILE_BYTES_MAX: u64 = 4 << 20;
/// A large tree takes minutes; a scan is cancelled with its call.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30 * 60);

/// The scanner: rules, roots and bounds. Holds no result.
pub struct SecurityScanner {
    pub(crate) roots: Roots,
    pub(crate) rules: Arc<RuleSet>,
    pub(crate) fingerprints: Fingerprints,
    pub(crate) config: ScannerConfig,
    protected: Vec<PathBuf>,
    /// Where vulnerability records lie when the configuration names no place.
    own_advisories: PathBuf,
}

/// What the catalogue mounts.
pub fn entry() -> kernel::ServerEntry {
    kernel::ServerEntry::of::<SecurityScanner>()
}

impl Server for SecurityScanner {
    const FACTS: ServerFacts = ServerFacts {
        name: NAME,
        version: VERSION,
        category: "Security",
        aliases: &[],
        description: "Finds secrets and dangerous code in files and whole trees, says how sure it is and what it \
                      could not see, and never shows a secret.",
        concurrency: 3,
        open_world: false,
    };
    type Config = ScannerConfig;

    fn tools() -> Toolbox<Self> {
        Toolbox::new()
            .with::<tools::FileSecurityScan>()
            .with::<tools::DeepSecurityScan>()
            .with::<tools::NpmAudit>()
            .with::<tools::PythonSafetyCheck>()
            .with::<tools::ScanText>()
            .with::<tools::ListRules>()
            .with::<tools::ExplainFinding>()
            .with::<tools::BaselineUpdate>()
    }

    async fn connect(config: ScannerConfig, start: StartContext) -> Result<Self, StartError> {
        let failed = |reason: String| StartError::new(NAME, reason);
        let open = Roots::open(&start.roots, &start.protected).map_err(|error| failed(error.to_string()))?;
        let roots = open.narrowed(&config.roots).map_err(|error| failed(error.to_string()))?;
        let fingerprints = match &config.fingerprint_key {
            Some(key) if key.expose().len() < 16 => {
                return Err(failed("fingerprint_key has fewer than 16 characters; make a longer one".into()));
            }
            Some(key) => Fingerprints::shared(key.expose().as_bytes()),
            None => Fingerprints::local(&start.state_dir)
                .map_err(|error| failed(format!("its fingerprint key cannot be read or made: {error}")))?,
        };
        let user = config.rules.iter().map(read_rules).collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let rules = RuleSet::load(&user).map_err(|error| failed(error.to_string()))?;
        let both = |path: PathBuf| [path.canonicalize().unwrap_or_else(|_| path.clone()), path];
        let protected = start.protected.into_iter().flat_map(both).collect();
        let own_advisories = start.state_dir.join("advisories");
        Ok(Self { roots, rules: Arc::new(rules), fingerprints, config, protected, own_advisories })
    }
}

fn read_rules(path: &PathBuf) -> Result<(String, String), String> {
    let name = path.display().to_string();
    let size = std::fs::metadata(path)
        .map_err(|error| format!("the rule file {name} cannot be read: {error}"))?
        .len();
    if size > RULE_FILE_BYTES_MAX {
        return Err(format!("the rule file {name} is larger than {RULE_FILE_BYTES_MAX} bytes"));
    }
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("the rule file {name} cannot be read: {error}"))?;
    Ok((name, text))
}

impl SecurityScanner {
    /// A plan with the configured bounds.
    pub(crate) fn plan(&self, choice: tools::Choice) -> Plan {
        let processors = std::thread::available_parallelism().map_or(2, usize::from).min(8);
        Plan {
            wanted: choice.wanted,
            ignored: choice.include_ignored,
            min_severity: choice.min_severity,
            min_confidence: choice.min_confidence,
            file_bytes_max: self.config.file_bytes_max,
            files_max: self.config.files_max,
            findings_max: self.config.findings_max,
            workers: if self.config.workers == 0 { processors } else { self.config.workers },
            protected: self.protected.clone(),
        }
    }

    pub(crate) fn facts(&self) -> EngineFacts {
        EngineFacts {
            name: NAME,
            version: VERSION,
            rules: self.rules.rules.len(),
            rules_digest: self.rules.digest()[..16].to_owned(),
        }
    }

    /// Checks what manifests name against the vulnerability data of this machine.
    pub(crate) async fn audit(
        &self,
        ecosystem: Ecosystem,
        sources: Vec<String>,
        inventory: Inventory,
        level: Level,
        cx: &CallContext,
    ) -> Result<Audit, ToolError> {
        let mut places = self.config.advisories.clone();
        if places.is_empty() && self.own_advisories.exists() {
            places.push(self.own_advisories.clone());
        }
        let cancel = cx.cancel.clone();
        let work = move || {
            let names = inventory.packages.iter().map(|it| it.name.clone()).collect();
            let data = Data::read(&places, ecosystem, &names, &cancel);
            Audit::of(ecosystem, sources, inventory, &data, level)
        };
        let audit = tokio::task::spawn_blocking(work).await.map_err(ScanError::Worker)?;
        if cx.cancel.is_cancelled() { Err(ScanError::Cancelled.into()) } else { Ok(audit) }
    }

    /// Scans on blocking threads and waits until the last of them is done.
    pub(crate) async fn scan(
        &self,
        target: Target,
        plan: Plan,
        cx: &CallContext,
    ) -> Result<Scanned, ToolError> {
        let (rules, fingerprints) = (Arc::clone(&self.rules), self.fingerprints.clone());
        let (cancel, progress) = (cx.cancel.clone(), cx.progress.clone());
        let work = move || {
            let report = |files: u64, bytes: u64| {
                progress.report(files as f64, None, format!("{files} files, {} MB scanned", bytes >> 20));
            };
            let scanned = Job {
                rules: &rules,
                fingerprints: &fingerprints,
                plan: &plan,
                cancel: &cancel,
                report: &report,
            }
            .run(target);
            // A short scan ends before the first report is due; whoever listens still hears that it is done.
            let files = scanned.coverage.files as f64;
            progress.report(files, Some(files), "done");
            scanned
        };
        let scanned = tokio::task::spawn_blocking(work).await.map_err(ScanError::Worker)?;
        if scanned.cancelled { Err(ScanError::Cancelled.into()) } else { Ok(scanned) }
    }
}
