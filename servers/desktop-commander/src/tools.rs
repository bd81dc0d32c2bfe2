//! What a model can call, in the order a reader should meet it.

mod asked_path;
mod create_directory;
mod delete_path;
mod edit_file;
mod get_path_info;
mod list_changes;
mod list_directory;
mod move_path;
mod read_file;
mod read_multiple_files;
mod search_files;
mod undo_change;
mod write_file;

use kernel::Toolbox;

use crate::DesktopCommander;
use asked_path::AskedPath;

/// Files and folders, and the journal of their changes.
pub(crate) fn files(toolbox: Toolbox<DesktopCommander>) -> Toolbox<DesktopCommander> {
    toolbox
        .with::<read_file::ReadFile>()
        .with::<read_multiple_files::ReadMultipleFiles>()
        .with::<write_file::WriteFile>()
        .with::<edit_file::EditFile>()
        .with::<list_directory::ListDirectory>()
        .with::<search_files::SearchFiles>()
        .with::<get_path_info::GetPathInfo>()
        .with::<create_directory::CreateDirectory>()
        .with::<move_path::MovePath>()
        .with::<delete_path::DeletePath>()
        .with::<list_changes::ListChanges>()
        .with::<undo_change::UndoChange>()
}

/// Commands, sessions, git and sqlite.
pub(crate) fn exec(toolbox: Toolbox<DesktopCommander>) -> Toolbox<DesktopCommander> {
    toolbox
}
