//! Checks of who may come in: certificates, authorization servers, and secrets that the configuration names.

use std::collections::BTreeSet;

use store::DataDir;
use vault::Vault;

use super::Check;
use crate::{
    commands::serve::tls,
    config::{self, Loaded, Settings},
    platform::oauth,
};

/// Runs every check that something is configured for.
pub(super) async fn all(data: &DataDir, loaded: &Loaded) -> Vec<Check> {
    let settings = &loaded.settings;
    let mut checks = Vec::from_iter(certificates(settings));
    let vault = match Vault::open(data) {
        Ok(vault) => vault,
        // The checks of the servers say it.
        Err(_) => return checks,
    };
    checks.extend(secrets(settings, &vault));
    if settings.auth.oauth.issuer.is_empty() {
        return checks;
    }
    match oauth(settings, &vault) {
        Err(failure) => checks.push(Check::failed("issuer", failure.message, "see docs/authentication.md")),
        Ok(oauth) => {
            for it in oauth.report().await {
                checks.push(match it.keys {
                    Ok(count) => {
                        Check::ok("issuer", format!("{} ({}) has usable keys: {count}", it.alias, it.url))
                    }
                    Err(reason) => Check::failed(
                        "issuer",
                        format!("{} ({}): {reason}", it.alias, it.url),
                        format!(
                            "check [auth.oauth.issuer.{}]: url, jwks_url, allow_cidrs, ca_file",
                            it.alias
                        ),
                    ),
                });
            }
        }
    }
    checks
}

fn certificates(settings: &Settings) -> Option<Check> {
    let tls = tls(&settings.server.tls)?;
    Some(match transport::check_tls(&tls) {
        Ok(()) => Check::ok("certificate", format!("{} and its key are usable", tls.cert_file.display())),
        Err(error) => Check::failed("certificate", error.to_string(), "see [server.tls] in core.toml"),
    })
}

/// Every secret that a section names must be there.
fn secrets(settings: &Settings, vault: &Vault) -> Option<Check> {
    let mut names = BTreeSet::new();
    for entry in catalog::native_servers() {
        if let Some(section) = settings.server_config(entry.facts.name) {
            names.extend(config::referenced(&section, &(entry.config_schema)()));
        }
    }
    let introspections = settings.auth.oauth.issuer.values().filter_map(|it| it.introspection.as_ref());
    names.extend(introspections.filter_map(|it| vault::name_in(&it.client_secret)).map(str::to_owned));
    if names.is_empty() {
        return None;
    }
    let missing: Vec<String> =
        names.iter().filter_map(|it| vault.versions(it).err()).map(|it| it.to_string()).collect();
    Some(if missing.is_empty() {
        Check::ok("secrets", format!("all that are named are there: {}", names.len()))
    } else {
        Check::failed(
            "secrets",
            missing.join("; "),
            "keep it with `core-mcp secret set NAME`, or mend the name",
        )
    })
}
