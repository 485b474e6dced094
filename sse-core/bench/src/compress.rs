//! What compression costs and saves a reader: one compressor for all of them, against one for each.

use std::{
    io::Write as _,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use flate2::{Compression, write::GzEncoder};
use futures_util::Stream as _;
use rustix::time::{ClockId, clock_gettime};
use sse_core::{Body, Event, EventStream, Hub, SseRequest};

use crate::{
    Failure,
    options::Options,
    report::{Cell, Row, Table},
};

const READERS: [usize; 3] = [1, 100, 10_000];

/// The events of each round: as many as it takes for waiting readers to join.
const EVENTS: u64 = 64;

/// The level of the shared compressor, which those of one reader get as well.
const LEVEL: u32 = 3;

const OURS: &str = "sse-core, compressed";
const EACH: &str = "a compressor for each reader, flushed with each event";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Plain,
    Shared,
    /// The same while readers come and go with each event, so that one is always about to join.
    Churning,
    Each,
}

const WAYS: [(Way, &str); 4] = [
    (Way::Plain, "sse-core, not compressed"),
    (Way::Shared, OURS),
    (Way::Churning, "sse-core, compressed, a new reader with each event"),
    (Way::Each, EACH),
];

/// One reader: its body, and its own compressor if it has one.
struct Reader {
    body: Pin<Box<Body>>,
    own: Option<GzEncoder<Vec<u8>>>,
}

/// The figures of one way with this number of readers.
struct Measured {
    nanoseconds: Vec<f64>,
    bytes: f64,
}

pub(crate) fn run(options: &Options) -> Result<Vec<Table>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let rounds = if options.quick { 2 } else { 15 };
    let table = |title: &str, unit, notes: &[&str]| Table {
        title: title.to_owned(),
        unit,
        columns: READERS.iter().map(|readers| format!("{readers} readers")).collect(),
        rows: Vec::new(),
        targets: Vec::new(),
        notes: notes.iter().map(|note| (*note).to_owned()).collect(),
    };
    let mut time = table(
        "compress: a delivery",
        "ns of CPU a delivery",
        &["without sockets: publishing, polling each body until it has nothing more, and compressing"],
    );
    let mut sizes = table(
        "compress: what is sent",
        "bytes an event and reader",
        &["prices: most of it is the same from one event to the next, and the digits are not"],
    );
    for (way, label) in WAYS {
        let mut cells = [const { Vec::new() }; 2];
        for readers in READERS {
            let readers = if options.quick { readers.div_ceil(100) } else { readers };
            // Compressing 64 events for each of 10,000 readers takes many seconds.
            let rounds = if way == Way::Each && readers > 1_000 { 1 } else { rounds };
            let measured = tokio::task::unconstrained(measure(way, readers, rounds));
            let Measured { nanoseconds, bytes } = runtime.block_on(measured)?;
            let figures = [Cell::of(nanoseconds), Cell::exactly(bytes)];
            cells.iter_mut().zip(figures).for_each(|(cells, figure)| cells.push(Some(figure)));
        }
        for (table, cells) in [&mut time, &mut sizes].into_iter().zip(cells) {
            let ours = matches!(way, Way::Shared | Way::Churning);
            table.rows.push(Row { label: label.to_owned(), ours, cells });
        }
    }
    for column in 1..READERS.len() {
        time.aim(OURS, EACH, column, 10.0);
    }
    Ok(vec![time, sizes])
}

async fn measure(way: Way, count: usize, rounds: usize) -> Result<Measured, Failure> {
    let hub = Hub::memory();
    let mut readers = Vec::with_capacity(count);
    for _ in 0..count {
        readers.push(reader(&hub, way).await?);
    }
    let (mut n, mut sent, mut nanoseconds) = (0, 0, Vec::new());
    // The first round is not measured: there those who wait join.
    let mut newcomer = None;
    for round in 0..=rounds {
        let mut bytes = 0;
        let began_at = cpu();
        for _ in 0..EVENTS {
            n += 1;
            hub.publish("prices", price(n)).await?;
            if way == Way::Churning {
                // The one before has its first event.
                if let Some(mut before) = newcomer.replace(reader(&hub, way).await?) {
                    before.poll()?;
                }
            }
            // The hub leaves the waking of many to a task.
            tokio::task::yield_now().await;
            for reader in &mut readers {
                bytes += reader.poll()?;
            }
        }
        if round > 0 {
            nanoseconds.push((cpu() - began_at) as f64 / (EVENTS as usize * count) as f64);
            sent += bytes;
        }
    }
    let deliveries = rounds * EVENTS as usize * count;
    Ok(Measured { nanoseconds, bytes: sent as f64 / deliveries as f64 })
}

async fn reader(hub: &Hub, way: Way) -> Result<Reader, Failure> {
    let mut stream = EventStream::new(hub.subscribe("prices").await?);
    if matches!(way, Way::Shared | Way::Churning) {
        let request = http::Request::get("/").header("accept-encoding", "gzip").body(())?;
        stream = stream.compress_for(&SseRequest::from(&request));
    }
    let own = (way == Way::Each).then(|| GzEncoder::new(Vec::new(), Compression::new(LEVEL)));
    let mut reader = Reader { body: Box::pin(stream.into_response().into_body()), own };
    reader.poll()?;
    Ok(reader)
}

impl Reader {
    /// Takes everything that is there; returns the number of bytes to send.
    fn poll(&mut self) -> Result<usize, Failure> {
        let mut sent = 0;
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(Ok(bytes))) = pin!(self.body.as_mut()).poll_next(&mut context) {
            sent += match &mut self.own {
                None => bytes.len(),
                Some(encoder) => {
                    encoder.write_all(&bytes)?;
                    encoder.flush()?;
                    std::mem::take(encoder.get_mut()).len()
                }
            };
        }
        Ok(sent)
    }
}

/// The CPU time of this thread, in nanoseconds.
fn cpu() -> i64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// A price as a feed of them is: much is the same from one to the next, and the digits are not.
fn price(n: u64) -> Event {
    let mut random = fastrand::Rng::with_seed(n);
    let symbol = ["EURUSD", "GBPUSD", "USDJPY", "AUDUSD", "USDCHF"][random.usize(0..5)];
    let (bid, ask, volume) = (random.u32(0..99_999), random.u32(0..99_999), random.u32(1..9_999));
    let (minute, second, milli) = (n / 60_000 % 60, n / 1_000 % 60, n % 1_000);
    let data = format!(
        "{{\"symbol\":\"{symbol}\",\"bid\":1.{bid:05},\"ask\":1.{ask:05},\"volume\":{volume},\
         \"time\":\"2026-11-26T05:{minute:02}:{second:02}.{milli:03}Z\"}}"
    );
    Event::message(data).event("price")
}
