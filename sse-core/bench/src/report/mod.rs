//! Tables on the terminal, as JSON and as plots.

mod plot;
mod table;

use std::{fs, io, path::Path};

use serde::Serialize;

pub(crate) use table::{Cell, Row, Table, Target};

use crate::machine::Machine;

/// What a run of one kind of work came to.
#[derive(Serialize)]
pub(crate) struct Outcome<'a> {
    pub(crate) work: &'static str,
    pub(crate) machine: &'a Machine,
    pub(crate) quick: bool,
    pub(crate) tables: &'a [Table],
}

impl Outcome<'_> {
    /// Writes the JSON and the plots into `folder`.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let mut json = serde_json::to_string_pretty(self)?;
        json.push('\n');
        fs::write(folder.join(format!("{}.json", self.work)), json)?;
        fs::write(folder.join(format!("{}.svg", self.work)), plot::svg(self.tables))
    }
}
