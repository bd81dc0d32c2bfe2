//! Black-box tests: the built binary and real clients.
