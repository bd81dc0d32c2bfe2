//! `core-mcp token`.

use std::time::Duration;

use clap::{Args, Subcommand};
use identity::{Lifetime, NewToken, TokenInfo, TokenOptions, TokenState};
use kernel::ToolError;
use serde_json::json;

use crate::{
    app::App,
    failure::Failure,
    output::{Output, Table, date},
    platform::{Local, about},
};

/// Make, list, rotate and revoke access tokens
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  core-mcp token create alice --label laptop\n  \
    export CORE_MCP_TOKEN=$(core-mcp token create ci-bot --days 30 --output json | jq -r .token)\n  \
    core-mcp token rotate TOKEN_ID --overlap 3600\n  core-mcp token revoke TOKEN_ID\n  \
    core-mcp token rekey\n\n\
    A token is shown once and not stored. Revoking works everywhere within 100 ms.")]
pub(crate) struct Token {
    #[command(subcommand)]
    action: TokenAction,
}

#[derive(Debug, Subcommand)]
enum TokenAction {
    /// Make a token and show it once
    Create {
        /// For whom
        user: String,
        /// For people, to tell tokens apart
        #[arg(long, default_value = "", value_name = "TEXT")]
        label: String,
        /// Days it works, at most 365 [default: 90]
        #[arg(long, value_name = "N")]
        days: Option<u32>,
        /// Allow up to ten years of --days
        #[arg(long, requires = "days")]
        long_lived: bool,
    },
    /// List tokens, never the secrets
    List {
        /// Only theirs
        user: Option<String>,
    },
    /// End a token
    Revoke {
        /// Its public id
        id: String,
    },
    /// Replace the key tokens are kept under; tokens that are used meanwhile work on
    Rekey {
        /// Seconds unused tokens work on, at most 400 days
        #[arg(long, default_value_t = 7_776_000, value_name = "SECONDS")]
        overlap: u64,
    },
    /// Make a successor; the old token works a little longer
    Rotate {
        /// Its public id
        id: String,
        /// Seconds both work, at most seven days
        #[arg(long, default_value_t = 3600, value_name = "SECONDS")]
        overlap: u64,
    },
}

impl Token {
    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        let local = Local::open(app)?;
        match self.action {
            TokenAction::Create { user, label, days, long_lived } => {
                let lifetime = match days {
                    None => Lifetime::Standard,
                    Some(days) if long_lived => Lifetime::LongDays(days),
                    Some(days) => Lifetime::Days(days),
                };
                let options = TokenOptions { label, lifetime };
                let made = local
                    .change("token.created", about(&user), |it| it.create_token(&user, &options))
                    .await?;
                show_once(app.output, &made)
            }
            TokenAction::List { user } => {
                let all = local.identity.list_tokens(user.as_deref()).map_err(ToolError::from)?;
                list(app.output, &all)
            }
            TokenAction::Revoke { id } => {
                let ended = local
                    .change("token.revoked", json!({ "token_id": id }), |it| it.revoke_token(&id))
                    .await?;
                app.output.one(&ended, || format!("revoked {id} of {}", ended.principal))
            }
            TokenAction::Rekey { overlap } => {
                let detail = json!({ "overlap_seconds": overlap });
                let overlap = Duration::from_secs(overlap);
                local.change("token.rekeyed", detail.clone(), |it| it.replace_key(overlap)).await?;
                app.output.one(&detail, || "tokens are kept under a new key".to_owned())
            }
            TokenAction::Rotate { id, overlap } => {
                let detail = json!({ "token_id": id, "overlap_seconds": overlap });
                let overlap = Duration::from_secs(overlap);
                let made = local.change("token.rotated", detail, |it| it.rotate_token(&id, overlap)).await?;
                show_once(app.output, &made)
            }
        }
    }
}

fn show_once(output: Output, made: &NewToken) -> Result<(), Failure> {
    let NewToken { secret, info } = made;
    let all = json!({
        "token": secret.expose(),
        "id": info.id,
        "principal": info.principal,
        "label": info.label,
        "expires_at": info.expires_at,
    });
    output.note(&format!(
        "token {} for {}, until {}; it is shown this once",
        info.id,
        info.principal,
        date(info.expires_at)
    ));
    // Alone on stdout, so that `$(core-mcp token create …)` is the token.
    output.one(&all, || secret.expose().clone())
}

fn list(output: Output, all: &[TokenInfo]) -> Result<(), Failure> {
    output.list(all, || {
        let mut table = Table::new(&["id", "user", "label", "state", "expires", "last used"]);
        for it in all {
            let state = match (it.state, &it.replaced_by) {
                (TokenState::Active, None) => "active",
                (TokenState::Active, Some(_)) => "replaced",
                (TokenState::Expired, _) => "expired",
                (TokenState::Revoked, _) => "revoked",
            };
            let used = it.last_used_at.map_or_else(|| "never".to_owned(), date);
            table.row([&it.id, &it.principal, &it.label, state, &date(it.expires_at), &used]);
        }
        table.render("no tokens yet: `core-mcp token create USER`")
    })
}
