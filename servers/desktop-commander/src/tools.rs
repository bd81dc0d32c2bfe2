//! What a model can call, in the order a reader should meet it.

use kernel::Toolbox;

use crate::DesktopCommander;

/// Files and folders, and the journal of their changes.
pub(crate) fn files(toolbox: Toolbox<DesktopCommander>) -> Toolbox<DesktopCommander> {
    toolbox
}

/// Commands, sessions, git and sqlite.
pub(crate) fn exec(toolbox: Toolbox<DesktopCommander>) -> Toolbox<DesktopCommander> {
    toolbox
}
