//! Output schemas without the list of what is always there: every client pays for it in every conversation.

use schemars::Schema;

/// Leaves names and types.
pub(crate) fn lean(schema: &mut Schema) {
    schema.remove("required");
}
