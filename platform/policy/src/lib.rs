//! Cedar policies: who may do what, and why.
