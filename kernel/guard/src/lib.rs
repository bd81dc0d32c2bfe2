//! Guards for paths, URLs, commands and names.
