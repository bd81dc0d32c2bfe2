//! The contract every server keeps, as tests.
