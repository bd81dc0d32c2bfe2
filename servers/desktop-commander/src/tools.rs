//! What a model can call, in the order a reader should meet it.

mod asked_path;
pub(crate) mod brief;
mod command_result;
mod create_directory;
mod delete_path;
mod edit_file;
mod execute_command;
mod explain_command;
mod get_path_info;
mod get_policy;
mod git_change;
mod git_query;
pub(crate) mod lean;
mod list_changes;
mod list_directory;
mod list_processes;
mod make_command;
mod move_path;
mod read_file;
mod read_multiple_files;
mod read_process;
mod search_files;
mod sqlite_execute;
mod sqlite_query;
mod stop_process;
mod undo_change;
mod write_file;
mod write_process_stdin;

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
        .with::<execute_command::ExecuteCommand>()
        .with::<make_command::MakeCommand>()
        .with::<read_process::ReadProcess>()
        .with::<write_process_stdin::WriteProcessStdin>()
        .with::<stop_process::StopProcess>()
        .with::<list_processes::ListProcesses>()
        .with::<explain_command::ExplainCommand>()
        .with::<get_policy::GetPolicy>()
        .with::<git_query::GitQuery>()
        .with::<git_change::GitChange>()
        .with::<sqlite_query::SqliteQuery>()
        .with::<sqlite_execute::SqliteExecute>()
}
