//! What the repository itself must hold: layers, promises, documents.

mod dashboard;
mod layering;
mod promises;
