//! Finds secrets and dangerous patterns in files and trees.
