//! From a stream's bytes to messages.

mod node;
mod peers;

use crate::{
    Failure, callgrind,
    corpus::Corpus,
    measure::{Case, Effort, interleaved},
    options::{Options, Outside, Work},
    report::{Cell, Row, Table},
};

/// The chunks in which the stream comes, and how much of it is decoded each time.
const CHUNKS: [(usize, usize, &str); 4] = [
    (16 << 10, 64 << 10, "16 KiB chunks"),
    (1 << 10, 64 << 10, "1 KiB chunks"),
    (64, 64 << 10, "64 B chunks"),
    (1, 16 << 10, "1 B chunks"),
];

pub(crate) fn run(options: &Options) -> Result<Vec<Table>, Failure> {
    let mut tables = Vec::new();
    for (chunk, len, name) in CHUNKS {
        let mut table = measured(options, chunk, len, name)?;
        if chunk == 16 << 10 {
            for (ours, theirs, wanted) in [
                (peers::OWNED, "sse-stream", 1.5),
                (peers::BORROWED, "sse-stream", 2.5),
                (peers::OWNED, "sseer", 7.0),
                (peers::OWNED, "eventsource-client", 7.0),
                (peers::OWNED, "eventsource-stream", 20.0),
            ] {
                table.aim(ours, theirs, 0, wanted);
            }
            table.aim(peers::OWNED, "sse-stream", 2, 1.0);
            table.aim(peers::OWNED, "sse-stream", 3, 1.5);
        }
        if chunk == 1 {
            (0..table.columns.len()).for_each(|column| table.aim(peers::OWNED, "sse-stream", column, 2.0));
        }
        tables.push(table);
    }
    if !options.quick {
        tables.append(&mut callgrind::tables(Work::Decode)?);
    }
    Ok(tables)
}

fn measured(options: &Options, chunk: usize, len: usize, name: &str) -> Result<Table, Failure> {
    let effort = Effort::of(options.quick, 9);
    // The quadratic ones would take minutes.
    let len = if options.quick { len / 16 } else { len };
    let shapes = Corpus::to_decode();
    let mut rows: Vec<Row> = Vec::new();
    for shape in &shapes {
        let stream = peers::Stream::of(shape, len, chunk);
        let mut cases = peers::cases(&stream)?;
        if options.with.contains(&Outside::EventsourceParser) {
            cases.push(node::case(&stream)?);
        }
        let cells = interleaved(effort, &mut cases);
        for (place, (case, cell)) in cases.iter().zip(cells).enumerate() {
            let each = |figure: f64| figure / stream.events as f64;
            let cell = Cell { median: each(cell.median), low: each(cell.low), high: each(cell.high) };
            match rows.get_mut(place) {
                Some(row) => row.cells.push(Some(cell)),
                None => {
                    rows.push(Row { label: case.label.clone(), ours: case.ours, cells: vec![Some(cell)] })
                }
            }
        }
    }
    Ok(Table {
        title: format!("decode, {name}"),
        unit: "ns an event",
        columns: shapes.iter().map(|shape| shape.name.to_owned()).collect(),
        rows,
        targets: Vec::new(),
        notes: Vec::new(),
    })
}

/// Runs each case once, for callgrind.
pub(crate) fn count() -> Result<(), Failure> {
    for shape in Corpus::to_decode() {
        // One event each time, so that an operation is an event.
        let stream = peers::Stream::of(&shape, 1, 16 << 10);
        let mut cases: Vec<Case<'_>> = peers::cases(&stream)?;
        callgrind::count_each(shape.name, &mut cases);
    }
    Ok(())
}
