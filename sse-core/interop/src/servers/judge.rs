use std::{convert::Infallible, net::SocketAddr, ops::Range, time::Duration};

use futures_util::StreamExt;
use sse_core::{EventSource, client::Backoff, decode::Message};
use tokio::time::{sleep, timeout};

use super::{Chaos, Fault, Ledger};

/// Number of events of a server at `/numbers`: the numbers from 0, each also its event's id, of the type `number`.
pub const COUNT: u64 = 10_000;

/// Number of events that a connection gets before the server ends it.
pub const PER_CONNECTION: u64 = 2_500;

/// Data that are hard to encode, which a server sends at `/odd`, before an event of the type `end`.
pub const ODD: [&str; 6] = ["plain", "two\nlines", "", " leading", "trailing\n", "\u{2026} \u{1f600}"];

/// Used in place of a text: no event at all.
pub const NOTHING: &str = "\0";

/// The numbers that a connection sends to a reader with the id `last`; `None` means 204.
#[must_use]
pub fn numbers(last: Option<&str>) -> Option<Range<u64>> {
    let next = last.map_or(0, |last| last.parse::<u64>().expect("an id of ours") + 1);
    (next < COUNT).then(|| next..(next + PER_CONNECTION).min(COUNT))
}

/// Reads all numbers, once while the server ends its connections, and once over connections that break anywhere;
/// then the odd texts, which must be what a browser reads from the same bytes.
pub async fn judge(server: SocketAddr, odd: [&str; 6]) {
    read_numbers(server).await;
    let network = Chaos::start(server).await.expect("a proxy");
    tokio::select! {
        () = read_numbers(network.addr) => {}
        never = misbehave(&network) => match never {},
    }
    println!("{COUNT} events over {} connections", network.accepted());
    assert!(network.accepted() as u64 > COUNT / PER_CONNECTION + 1, "no connection was cut");
    let texts: Vec<_> = source(server, "odd")
        .map(|message| message.expect("no error is final here"))
        .take_while(|message| std::future::ready(message.event_type() != "end"))
        .map(Message::into_data)
        .collect()
        .await;
    let odd: Vec<_> = odd.into_iter().filter(|text| *text != NOTHING).collect();
    assert_eq!(texts, odd);
}

async fn read_numbers(server: SocketAddr) {
    let mut ledger = Ledger::default();
    let reading = source(server, "numbers").for_each(|message| {
        let message = message.expect("no error is final here");
        assert_eq!((message.event_type(), message.data()), ("number", message.last_event_id()));
        ledger.enter(message.data());
        async {}
    });
    timeout(Duration::from_secs(60), reading).await.expect("it ends with 204");
    ledger.assert_whole(COUNT);
}

/// A client that reconnects soon.
pub fn source(server: SocketAddr, path: &str) -> EventSource {
    let backoff = Backoff::default().min(Duration::from_millis(1)).max(Duration::from_millis(100));
    EventSource::get(format!("http://{server}/{path}")).backoff(backoff).connect().expect("a valid request")
}

/// Cuts connections in both directions.
pub async fn misbehave(network: &Chaos) -> Infallible {
    loop {
        for fault in [Fault::Reset, Fault::Close] {
            network.set(fault);
            sleep(Duration::from_millis(50)).await;
        }
    }
}
