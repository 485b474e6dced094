//! Checks of the repository itself: layers, promises, documents.

mod dashboard;
mod layering;
mod promises;
