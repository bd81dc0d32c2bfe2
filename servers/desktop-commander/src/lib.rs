//! Files, commands, git and sqlite on this machine, confined to the operator's roots.
