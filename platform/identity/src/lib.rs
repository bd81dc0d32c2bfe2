//! Tokens, users, agents, service accounts and roles.
