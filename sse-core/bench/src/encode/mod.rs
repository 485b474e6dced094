//! From an application's strings to bytes for the wire.

mod peers;

use crate::{
    Failure, callgrind,
    corpus::Corpus,
    measure::{Case, Effort, interleaved},
    options::{Options, Work},
    report::{Row, Table},
};

pub(crate) fn run(options: &Options) -> Result<Vec<Table>, Failure> {
    // Rocket's body has a timer.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _entered = runtime.enter();
    let effort = Effort::of(options.quick, 21);
    let shapes = Corpus::to_encode();
    let peers = peers::all()?;
    let mut rows: Vec<Row> = Vec::new();
    for shape in &shapes {
        let mut cases = peers::cases(&peers, shape);
        let cells = interleaved(effort, &mut cases);
        for (place, (case, cell)) in cases.iter().zip(cells).enumerate() {
            match rows.get_mut(place) {
                Some(row) => row.cells.push(Some(cell)),
                None => {
                    rows.push(Row { label: case.label.clone(), ours: case.ours, cells: vec![Some(cell)] })
                }
            }
        }
    }
    let mut table = Table {
        title: "encode".to_owned(),
        unit: "ns an event",
        columns: shapes.iter().map(|shape| shape.name.to_owned()).collect(),
        rows,
        targets: Vec::new(),
        notes: vec![
            "sse-core encodes into a Frame; a framework's row is its own SSE type, its body polled to the end"
                .to_owned(),
        ],
    };
    for (theirs, wanted) in [
        ("axum", 10.0),
        ("warp", 10.0),
        ("poem", 10.0),
        ("actix-web-lab", 3.0),
        ("sse-codec", 3.0),
        ("sse-stream", 2.0),
    ] {
        table.aim(peers::FRAME, theirs, 0, wanted);
    }
    for (column, wanted) in [(1, 7.0), (2, 1.7), (3, 2.0)] {
        table.aim(peers::FRAME, "axum", column, wanted);
    }
    let mut tables = vec![table];
    if !options.quick {
        let mut counts = callgrind::tables(Work::Encode)?;
        if let Some(allocations) = counts.get_mut(1) {
            allocations.limit(peers::FRAME, 0, 1.0);
        }
        tables.append(&mut counts);
    }
    Ok(tables)
}

/// Runs each case once, for callgrind.
pub(crate) fn count() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _entered = runtime.enter();
    let peers = peers::all()?;
    for shape in Corpus::to_encode() {
        let mut cases: Vec<Case<'_>> = peers::cases(&peers, &shape);
        callgrind::count_each(shape.name, &mut cases);
    }
    Ok(())
}
