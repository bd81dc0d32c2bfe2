//! What is known of software, free of anything that knows about tools.
//!
//! Reading order: `component` (one package), `graph` (what needs what), `formats` (one module per kind of file),
//! `collect` (files to a graph), `scan` (targets, cache), then what is made of it: `write_*`, `read_*`, `diff`,
//! `advisory`, `vex`, `confusion`, `typosquat`, `signals`, `provenance`.

pub(crate) mod advisory;
pub(crate) mod advisory_data;
pub(crate) mod archive;
pub(crate) mod bom;
pub(crate) mod cache;
pub(crate) mod collect;
pub(crate) mod component;
pub(crate) mod confusion;
pub(crate) mod coverage;
pub(crate) mod diff;
pub(crate) mod digest;
pub(crate) mod fields;
pub(crate) mod formats;
pub(crate) mod graph;
pub(crate) mod image;
pub(crate) mod installed;
pub(crate) mod licence;
pub(crate) mod package_cache;
pub(crate) mod popular;
pub(crate) mod provenance;
pub(crate) mod purl;
pub(crate) mod read_cyclonedx;
pub(crate) mod read_spdx;
pub(crate) mod registry_settings;
pub(crate) mod scan;
pub(crate) mod severity;
pub(crate) mod signals;
pub(crate) mod tree;
pub(crate) mod typosquat;
pub(crate) mod validate_bom;
pub(crate) mod version;
pub(crate) mod vex;
pub(crate) mod write_cyclonedx;
pub(crate) mod write_spdx2;
pub(crate) mod write_spdx3;
pub(crate) mod xml;
pub(crate) mod yaml;
