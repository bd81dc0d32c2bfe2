//! `core-mcp role`.

use clap::{Args, Subcommand};
use serde_json::json;

use super::user::show;
use crate::{app::App, failure::Failure, output::Table, platform::Local};

/// Manage roles and who has them
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  core-mcp role list\n  core-mcp role grant alice operator\n  \
    core-mcp role revoke alice operator\n  core-mcp role create release-team --description \"May deploy\"\n\n\
    A role of your own gets its rights from a policy: permit (principal in Role::\"release-team\", …);")]
pub(crate) struct Role {
    #[command(subcommand)]
    action: RoleAction,
}

#[derive(Debug, Subcommand)]
enum RoleAction {
    /// List the roles
    List,
    /// Define a role; policies say what it may do
    Create {
        /// 1 to 64 of a-z, 0-9, `-`
        name: String,
        /// For people
        #[arg(long, default_value = "", value_name = "TEXT")]
        description: String,
    },
    /// Delete a role that nobody has
    Delete {
        /// Which
        name: String,
    },
    /// Give a role to somebody
    Grant {
        /// Whom
        user: String,
        /// Which
        role: String,
    },
    /// Take a role from somebody
    Revoke {
        /// Whom
        user: String,
        /// Which
        role: String,
    },
}

impl Role {
    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        let local = Local::open(app)?;
        match self.action {
            RoleAction::List => {
                let all = local.identity.list_roles().map_err(kernel::ToolError::from)?;
                app.output.list(&all, || {
                    let mut table = Table::new(&["role", "holders", "kind", "description"]);
                    for it in &all {
                        let kind = if it.built_in { "built in" } else { "own" };
                        table.row([&it.name, &it.holders.to_string(), kind, &it.description]);
                    }
                    table.render("no roles")
                })
            }
            RoleAction::Create { name, description } => {
                let detail = json!({ "role": name });
                let made =
                    local.change("role.created", detail, |it| it.create_role(&name, &description)).await?;
                app.output.one(&made, || format!("made the role {name}; a policy has to say what it may do"))
            }
            RoleAction::Delete { name } => {
                local.change("role.deleted", json!({ "role": name }), |it| it.delete_role(&name)).await?;
                app.output.one(&json!({ "deleted": name }), || format!("deleted the role {name}"))
            }
            RoleAction::Grant { user, role } => {
                let detail = json!({ "principal": user, "role": role });
                let changed = local.change("role.granted", detail, |it| it.grant_role(&user, &role)).await?;
                show(app.output, &changed)
            }
            RoleAction::Revoke { user, role } => {
                let detail = json!({ "principal": user, "role": role });
                let changed = local.change("role.revoked", detail, |it| it.revoke_role(&user, &role)).await?;
                show(app.output, &changed)
            }
        }
    }
}
