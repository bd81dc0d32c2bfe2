//! Reads the scope of a policy: which principals, actions and resources it can be about at all.

use cedar_policy::{ActionConstraint, EntityUid, PrincipalConstraint, ResourceConstraint};
use kernel::Principal;
use pipeline::seams::Action;

use crate::ask::principal_type;

/// Whether the scope lets this principal in.
pub(crate) fn names_principal(constraint: &PrincipalConstraint, principal: &Principal) -> bool {
    let kind = principal_type(principal.kind);
    let within = |uid: &EntityUid| match uid.type_name().basename() {
        "Role" => principal.roles.iter().any(|role| role == uid.id().unescaped()),
        other => other == kind && uid.id().unescaped() == principal.id,
    };
    match constraint {
        PrincipalConstraint::Any => true,
        PrincipalConstraint::In(uid) | PrincipalConstraint::Eq(uid) => within(uid),
        PrincipalConstraint::Is(kinds) => kinds.basename() == kind,
        PrincipalConstraint::IsIn(kinds, uid) => kinds.basename() == kind && within(uid),
    }
}

/// Whether the scope covers this action.
pub(crate) fn names_action(constraint: &ActionConstraint, action: Action) -> bool {
    let is = |uid: &EntityUid| uid.id().unescaped() == action.as_str();
    match constraint {
        ActionConstraint::Any => true,
        ActionConstraint::In(uids) => uids.iter().any(is),
        ActionConstraint::Eq(uid) => is(uid),
    }
}

/// Whether the scope can cover anything of this server: the server itself or one of its tools.
pub(crate) fn names_server(constraint: &ResourceConstraint, server: &str, category: &str) -> bool {
    match constraint {
        ResourceConstraint::Any | ResourceConstraint::Is(_) => true,
        ResourceConstraint::In(uid) | ResourceConstraint::Eq(uid) | ResourceConstraint::IsIn(_, uid) => {
            let id = uid.id().unescaped();
            match uid.type_name().basename() {
                "Category" => id == category,
                "Server" => id == server,
                "Tool" => id.strip_prefix(server).is_some_and(|rest| rest.starts_with('.')),
                _ => true,
            }
        }
    }
}

/// Whether the scope covers this very tool (or, without one, this very server).
pub(crate) fn names_resource(
    constraint: &ResourceConstraint,
    server: &str,
    category: &str,
    tool: Option<&str>,
) -> bool {
    let kind = if tool.is_some() { "Tool" } else { "Server" };
    let within = |uid: &EntityUid| {
        let id = uid.id().unescaped();
        match uid.type_name().basename() {
            "Category" => id == category,
            "Server" => id == server,
            "Tool" => tool.is_some() && id.split_once('.') == Some((server, tool.unwrap_or_default())),
            _ => false,
        }
    };
    match constraint {
        ResourceConstraint::Any => true,
        ResourceConstraint::Is(kinds) => kinds.basename() == kind,
        ResourceConstraint::In(uid) | ResourceConstraint::Eq(uid) => within(uid),
        ResourceConstraint::IsIn(kinds, uid) => kinds.basename() == kind && within(uid),
    }
}
