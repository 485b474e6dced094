//! Checks of the repository itself: layers, promises, documents.

mod dashboard;
mod imports;
mod language;
mod layering;
mod promises;
mod targets;
mod tokens;
