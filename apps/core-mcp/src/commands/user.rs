//! `core-mcp user`.

use clap::{Args, Subcommand, ValueEnum};
use identity::PrincipalInfo;
use kernel::PrincipalKind;
use serde_json::json;

use crate::{
    app::App,
    failure::Failure,
    output::{Output, Table},
    platform::{Local, about},
};

/// Manage users, agents and service accounts
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  core-mcp user create alice --role operator\n  \
    core-mcp user create ci-bot --kind service --role viewer\n  core-mcp user disable alice\n  core-mcp user list\n\n\
    What a role may do is in the policies. A change is in force everywhere within 100 ms.")]
pub(crate) struct User {
    #[command(subcommand)]
    action: UserAction,
}

#[derive(Debug, Subcommand)]
enum UserAction {
    /// Make a principal; it needs a token to call anything
    Create {
        /// 1 to 64 of a-z, 0-9, `.`, `_`, `-`, `@`
        name: String,
        /// What sort of caller
        #[arg(long, value_enum, default_value_t = Kind::User)]
        kind: Kind,
        /// A role to grant; repeat for more
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
    },
    /// List everybody
    List,
    /// Show one principal
    Show {
        /// Whom
        name: String,
    },
    /// Stop all tokens of a principal from working
    Disable {
        /// Whom
        name: String,
    },
    /// Let the tokens of a principal work again
    Enable {
        /// Whom
        name: String,
    },
    /// End a principal for good; the name is never given out again
    Delete {
        /// Whom
        name: String,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    User,
    Agent,
    Service,
}

impl User {
    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        let local = Local::open(app)?;
        match self.action {
            UserAction::Create { name, kind, roles } => create(app.output, &local, &name, kind, &roles).await,
            UserAction::List => {
                list(app.output, &local.identity.list_principals().map_err(kernel::ToolError::from)?)
            }
            UserAction::Show { name } => {
                show(app.output, &local.identity.principal(&name).map_err(kernel::ToolError::from)?)
            }
            UserAction::Disable { name } => {
                let changed =
                    local.change("user.disabled", about(&name), |it| it.disable_principal(&name)).await?;
                show(app.output, &changed)
            }
            UserAction::Enable { name } => {
                let changed =
                    local.change("user.enabled", about(&name), |it| it.enable_principal(&name)).await?;
                show(app.output, &changed)
            }
            UserAction::Delete { name } => {
                local.change("user.deleted", about(&name), |it| it.delete_principal(&name)).await?;
                app.output.one(&json!({ "deleted": name }), || format!("deleted {name}"))
            }
        }
    }
}

async fn create(
    output: Output,
    local: &Local,
    name: &str,
    kind: Kind,
    roles: &[String],
) -> Result<(), Failure> {
    // Checked first, so that a typo does not leave a user without the role.
    let known = local.identity.list_roles().map_err(kernel::ToolError::from)?;
    for role in roles {
        if !known.iter().any(|it| it.name == *role) {
            let near = crate::config::nearest(role, known.iter().map(|it| it.name.as_str()));
            let failure = Failure::usage(format!("no role is called `{role}`"));
            return Err(match near {
                Some(near) => failure.hint(format!("did you mean `{near}`?")),
                None => failure.hint("`core-mcp role list` shows them; `core-mcp role create` makes one"),
            });
        }
    }
    let kind = match kind {
        Kind::User => PrincipalKind::User,
        Kind::Agent => PrincipalKind::Agent,
        Kind::Service => PrincipalKind::Service,
    };
    let detail = json!({ "principal": name, "kind": kind, "roles": roles });
    let made = local
        .change("user.created", detail, |it| {
            let made = it.create_principal(name, kind)?;
            roles.iter().try_fold(made, |_, role| it.grant_role(name, role))
        })
        .await?;
    show(output, &made)
}

fn list(output: Output, all: &[PrincipalInfo]) -> Result<(), Failure> {
    output.list(all, || {
        let mut table = Table::new(&["name", "kind", "roles", "state", "since"]);
        for it in all {
            let state = if it.enabled { "enabled" } else { "disabled" };
            table.row([
                &it.id,
                it.kind.as_str(),
                &it.roles.join(", "),
                state,
                &crate::output::date(it.created_at),
            ]);
        }
        table.render("nobody yet: `core-mcp user create NAME --role ROLE`")
    })
}

/// Prints one principal; also what every change answers.
pub(super) fn show(output: Output, it: &PrincipalInfo) -> Result<(), Failure> {
    output.one(it, || {
        let state = if it.enabled { "enabled" } else { "disabled" };
        let roles = if it.roles.is_empty() { "no role".to_owned() } else { it.roles.join(", ") };
        format!("{} ({}, {state}): {roles}", it.id, it.kind.as_str())
    })
}
