//! Bills of materials of small real-shaped projects, through the mounted server.
#![expect(clippy::unwrap_used, reason = "a test that cannot set up its files has failed")]

#[path = "sbom/documents.rs"]
mod documents;
#[path = "sbom/hostile.rs"]
mod hostile;
#[path = "sbom/images.rs"]
mod images;
#[path = "sbom/installed.rs"]
mod installed;
#[path = "sbom/javascript.rs"]
mod javascript;
#[path = "sbom/judgements.rs"]
mod judgements;
#[path = "sbom/others.rs"]
mod others;
#[path = "sbom/python.rs"]
mod python;
#[path = "sbom/site.rs"]
mod site;
