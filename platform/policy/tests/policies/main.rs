//! Policies in force, end to end: files in a folder, questions in, answers out.

mod attacks;
mod explaining;
mod loading;
mod roles;
mod same_answer;
mod world;
