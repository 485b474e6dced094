//! Catching up: a reader that comes late and takes everything that the window kept, over a socket.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

use sse_core::{Event, Frame};

use crate::{
    Failure,
    corpus::EVENT_TYPE,
    fanout::{process::Process, readers::Readers},
    options::Options,
    report::{Cell, Row, Table},
    servers::{MARK, Server, text},
};

/// The row of our own.
const OURS: &str = "sse-axum, from the hub's window";

/// The row that ours is held against.
const EACH: &str = "a plain socket, one write an event";

/// A cursor that no hub knows, so that the reader gets all there is.
const UNKNOWN: &str = "0000000000000000-1";

pub(crate) fn run(options: &Options) -> Result<Vec<Table>, Failure> {
    let (count, rounds) = if options.quick { (500, 1) } else { (100_000, 7) };
    let mut process = Process::start(Server::SseAxum)?;
    process.ask(count)?;
    process.answered()?;
    let mut own = Process::start(Server::AxumReplay)?;
    own.ask(count)?;
    own.answered()?;
    let (mut ours, mut theirs, mut each, mut blocks) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        ours.push(replayed(&process, count, Some(UNKNOWN))?);
        theirs.push(replayed(&own, count, None)?);
        each.push(written(count, 1)?);
        blocks.push(written(count, 64 << 10)?);
    }
    let row = |label: &str, ours, samples| Row {
        label: label.to_owned(),
        ours,
        cells: vec![Some(Cell::of(samples))],
    };
    let mut table = Table {
        title: format!("replay of {count} events to one reader over a socket"),
        unit: "ns an event",
        columns: vec!["wall".to_owned()],
        rows: vec![
            row(OURS, true, ours),
            row(EACH, false, each),
            row("a plain socket, writes of 64 KiB", false, blocks),
            row("axum's own SSE, a stream of events that are ready", false, theirs),
        ],
        targets: Vec::new(),
        notes: Vec::new(),
    };
    table.aim(OURS, EACH, 0, 5.0);
    Ok(vec![table])
}

/// Nanoseconds an event until one reader has all.
fn replayed(process: &Process, count: usize, last: Option<&str>) -> Result<f64, Failure> {
    let start = Instant::now();
    let mut readers = Readers::request(process.address(), 1, last)?;
    readers.wait_for(count)?;
    Ok(each(start.elapsed(), count))
}

/// The same bytes from memory through a socket without a server, `size` bytes a write, or an event if that is longer.
fn written(count: usize, size: usize) -> Result<f64, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let frame = Frame::try_from(Event::message(text()).event(EVENT_TYPE).id("0123456789abcdef-100000"))?;
    let block = frame.as_ref().repeat((size / frame.as_ref().len()).max(1));
    let start = Instant::now();
    let writer = std::thread::spawn(move || -> std::io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        let mut left = count * frame.as_ref().len();
        while left > 0 {
            let now = block.get(..left.min(block.len())).unwrap_or_default();
            stream.write_all(now)?;
            left -= now.len();
        }
        Ok(())
    });
    let mut stream = TcpStream::connect(address)?;
    let mut buffer = vec![0; 256 << 10];
    let mut events = 0;
    loop {
        let len = stream.read(&mut buffer)?;
        if len == 0 {
            break;
        }
        events += memchr::memchr_iter(MARK, buffer.get(..len).unwrap_or_default()).count();
    }
    writer.join().map_err(|_| "the writer failed")??;
    if events != count {
        return Err(format!("{events} events came instead of {count}").into());
    }
    Ok(each(start.elapsed(), count))
}

fn each(time: Duration, count: usize) -> f64 {
    time.as_secs_f64() * 1e9 / count as f64
}
