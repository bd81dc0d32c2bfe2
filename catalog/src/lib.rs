//! Every native server, one manifest line each.
