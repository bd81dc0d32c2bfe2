//! A question in Cedar's terms, built from typed values. Nothing a caller sent is ever parsed here.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression,
};
use kernel::{Principal, PrincipalKind};
use pipeline::seams::{Action, PolicyQuestion};

use crate::{
    paths::{DEPTH_MAX, Places},
    rule::Facets,
};

/// Things one question may name.
const RESOURCES_MAX: usize = 1000;
/// Bytes of all their ids together.
const RESOURCE_BYTES_MAX: usize = 128 * 1024;

/// Why a question cannot be asked. Reported like a policy that denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unaskable {
    /// It names too many things, too long ones, or too deep a path.
    TooLarge,
    /// A server cannot be executed, only its tools.
    NothingToExecute,
    /// Cedar did not take the values. Our bug; denied all the same.
    Malformed,
}

impl Unaskable {
    /// Stands where a policy id would.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::TooLarge => "core:question-too-large",
            Self::NothingToExecute => "core:nothing-to-execute",
            Self::Malformed => "core:question-malformed",
        }
    }
}

struct Types {
    user: EntityTypeName,
    agent: EntityTypeName,
    service: EntityTypeName,
    role: EntityTypeName,
    action: EntityTypeName,
    category: EntityTypeName,
    server: EntityTypeName,
    tool: EntityTypeName,
}

static TYPES: LazyLock<Types> = LazyLock::new(|| {
    let name = |text: &str| text.parse().expect("a type name of the schema");
    Types {
        user: name("User"),
        agent: name("Agent"),
        service: name("Service"),
        role: name("Role"),
        action: name("Action"),
        category: name("Category"),
        server: name("Server"),
        tool: name("Tool"),
    }
});

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

/// The entity type a principal of this kind has.
pub(crate) fn principal_type(kind: PrincipalKind) -> &'static str {
    match kind {
        PrincipalKind::User => "User",
        PrincipalKind::Agent => "Agent",
        PrincipalKind::Service => "Service",
    }
}

/// Refuses what would cost too much to ask, whatever the policies are.
pub(crate) fn vet(question: &PolicyQuestion<'_>) -> Result<(), Unaskable> {
    if question.tool.is_none() && question.action == Action::Execute {
        return Err(Unaskable::NothingToExecute);
    }
    let bytes: usize = question.resources.iter().map(|it| it.kind.len() + it.id.len()).sum();
    let deep = |id: &str| id.split('/').filter(|part| !part.is_empty()).nth(DEPTH_MAX).is_some();
    if question.resources.len() > RESOURCES_MAX
        || bytes > RESOURCE_BYTES_MAX
        || question.resources.iter().any(|it| it.kind == "file" && deep(&it.id))
    {
        return Err(Unaskable::TooLarge);
    }
    Ok(())
}

/// The request and the two entities it is about. `context` is left empty when no policy looks at it.
pub(crate) fn build(question: &PolicyQuestion<'_>, facets: Facets) -> Result<(Request, Entities), Unaskable> {
    let principal = principal_entity(question.principal)?;
    let resource = resource_entity(question)?;
    let action = uid(&TYPES.action, question.action.as_str());
    let context = if facets.context { context(question)? } else { Context::empty() };
    let request = Request::new(principal.uid(), action, resource.uid(), context, None);
    let entities = Entities::from_entities([principal, resource], None);
    Ok((request.map_err(|_| Unaskable::Malformed)?, entities.map_err(|_| Unaskable::Malformed)?))
}

fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

fn principal_entity(principal: &Principal) -> Result<Entity, Unaskable> {
    let types = &*TYPES;
    let kind = match principal.kind {
        PrincipalKind::User => &types.user,
        PrincipalKind::Agent => &types.agent,
        PrincipalKind::Service => &types.service,
    };
    let attributes = HashMap::from([
        ("name".to_owned(), text(&principal.id)),
        ("kind".to_owned(), text(principal.kind.as_str())),
    ]);
    let roles = principal.roles.iter().map(|role| uid(&types.role, role)).collect();
    Entity::new(uid(kind, &principal.id), attributes, roles).map_err(|_| Unaskable::Malformed)
}

fn resource_entity(question: &PolicyQuestion<'_>) -> Result<Entity, Unaskable> {
    let types = &*TYPES;
    let category = uid(&types.category, question.category);
    let (id, name, effect, parents) = match question.tool {
        Some(tool) => {
            let id = uid(&types.tool, &format!("{}.{tool}", question.server));
            // A tool whose effect nobody stated is taken for the worst.
            let effect = question.effect.map_or("destroy", kernel::Effect::as_str);
            (id, tool, effect, HashSet::from([category, uid(&types.server, question.server)]))
        }
        None => (uid(&types.server, question.server), question.server, "read", HashSet::from([category])),
    };
    let attributes = HashMap::from([
        ("name".to_owned(), text(name)),
        ("server".to_owned(), text(question.server)),
        ("category".to_owned(), text(question.category)),
        ("effect".to_owned(), text(effect)),
    ]);
    Entity::new(id, attributes, parents).map_err(|_| Unaskable::Malformed)
}

fn context(question: &PolicyQuestion<'_>) -> Result<Context, Unaskable> {
    let thing = |kind: &str, id: &str| {
        RestrictedExpression::new_record([("kind".to_owned(), text(kind)), ("id".to_owned(), text(id))])
            .map_err(|_| Unaskable::Malformed)
    };
    let things: Vec<_> =
        question.resources.iter().map(|it| thing(&it.kind, &it.id)).collect::<Result<_, _>>()?;
    let paths = || question.resources.iter().filter(|it| it.kind == "file").map(|it| it.id.as_str());
    let places = Places::of(paths());
    let set = |texts: &mut dyn Iterator<Item = &str>| RestrictedExpression::new_set(texts.map(text));
    let mut pairs = vec![
        ("door".to_owned(), text(question.door)),
        ("resources".to_owned(), RestrictedExpression::new_set(things)),
        ("paths".to_owned(), set(&mut paths())),
        ("any_within".to_owned(), set(&mut places.any.iter().map(String::as_str))),
        ("all_within".to_owned(), set(&mut places.all.iter().map(String::as_str))),
    ];
    if let Some(id) = question.context {
        pairs.push(("context_id".to_owned(), text(id)));
    }
    if let [only] = question.resources {
        pairs.push(("resource_kind".to_owned(), text(&only.kind)));
        pairs.push(("resource_id".to_owned(), text(&only.id)));
    }
    Context::from_pairs(pairs).map_err(|_| Unaskable::Malformed)
}
