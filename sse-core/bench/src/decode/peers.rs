use std::{
    convert::Infallible,
    pin::pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use eventsource_client::{Client as _, ClientBuilder, ReconnectOptions, SSE};
use futures_codec::{BytesMut, Decoder as _};
use futures_util::stream;
use launchdarkly_sdk_transport::{HttpTransport, ResponseFuture};
use sse_core::decode::{Decoder, Item};

use crate::{Failure, corpus::Corpus, machine::versioned, measure::Case};

pub(super) const BORROWED: &str = "sse-core borrowed";
pub(super) const OWNED: &str = "sse-core owned";

/// A stream in chunks, and what is to be found in it.
pub(super) struct Stream {
    pub(super) chunks: Vec<Bytes>,
    pub(super) events: usize,
    /// The bytes of all events' data together: by it each peer is checked.
    data: usize,
    /// The same in UTF-16 units, in which JavaScript counts.
    pub(super) units: usize,
}

impl Stream {
    pub(super) fn of(shape: &Corpus, len: usize, chunk: usize) -> Self {
        let (bytes, events) = shape.encoded(len);
        let chunks = (0..bytes.len()).step_by(chunk).map(|at| bytes.slice(at..bytes.len().min(at + chunk)));
        let units = events * shape.data.encode_utf16().count();
        Self { chunks: chunks.collect(), events, data: events * shape.data.len(), units }
    }
}

type Run = fn(&[Bytes]) -> usize;

/// The contestants, ours first; each decodes all chunks, and returns the length of all data.
pub(super) fn cases(stream: &Stream) -> Result<Vec<Case<'_>>, Failure> {
    let peers: [(String, bool, Run); 7] = [
        (BORROWED.to_owned(), true, borrowed),
        (OWNED.to_owned(), true, owned),
        (versioned("sse-stream"), false, sse_stream_owned),
        (versioned("sseer"), false, sseer_stream),
        (versioned("eventsource-client"), false, launchdarkly),
        (versioned("eventsource-stream"), false, eventsource_stream),
        (versioned("sse-codec"), false, codec),
    ];
    let mut cases = Vec::new();
    for (label, ours, run) in peers {
        let found = run(&stream.chunks);
        if found != stream.data {
            return Err(format!("{label} found {found} bytes of data instead of {}", stream.data).into());
        }
        let run = Box::new(move |count| (0..count).map(|_| run(&stream.chunks)).sum());
        cases.push(Case { label, ours, run });
    }
    Ok(cases)
}

fn borrowed(chunks: &[Bytes]) -> usize {
    let mut decoder = Decoder::new();
    let mut len = 0;
    for chunk in chunks {
        let mut input = &**chunk;
        while let Ok(Some(item)) = decoder.decode(&mut input) {
            if let Item::Message(message) = item {
                len += message.data().len();
            }
        }
    }
    len
}

fn owned(chunks: &[Bytes]) -> usize {
    let mut decoder = Decoder::new();
    let mut len = 0;
    for chunk in chunks {
        let mut input = &**chunk;
        len += decoder
            .messages(&mut input)
            .map(|message| message.map_or(0, |message| message.data().len()))
            .sum::<usize>();
    }
    len
}

fn sse_stream_owned(chunks: &[Bytes]) -> usize {
    drained(sse_stream::SseByteStream::new(chunked(chunks)), |event| {
        event.ok().and_then(|event| event.data).map_or(0, |data| data.len())
    })
}

fn sseer_stream(chunks: &[Bytes]) -> usize {
    drained(sseer::event_stream::EventStream::new(chunked(chunks)), |event| {
        event.map_or(0, |event| event.data.len())
    })
}

fn eventsource_stream(chunks: &[Bytes]) -> usize {
    drained(eventsource_stream::EventStream::new(chunked(chunks)), |event| {
        event.map_or(0, |event| event.data.len())
    })
}

/// The parser is private, so this is its client over a transport that has the chunks ready.
fn launchdarkly(chunks: &[Bytes]) -> usize {
    let once = ReconnectOptions::reconnect(false).build();
    let Ok(builder) = ClientBuilder::for_url("http://localhost/") else { return 0 };
    let client = builder.reconnect(once).build_with_transport(Ready(chunks.to_vec()));
    drained(client.stream(), |event| match event {
        Ok(SSE::Event(event)) => event.data.len(),
        _ => 0,
    })
}

/// A transport that answers at once.
#[derive(Clone)]
struct Ready(Vec<Bytes>);

impl HttpTransport for Ready {
    fn request(&self, _: http::Request<Option<Bytes>>) -> ResponseFuture {
        let chunks = self.0.clone();
        Box::pin(async move {
            let body: launchdarkly_sdk_transport::ByteStream =
                Box::pin(stream::iter(chunks.into_iter().map(Ok)));
            Ok(http::Response::new(body))
        })
    }
}

fn codec(chunks: &[Bytes]) -> usize {
    let mut codec = sse_codec::SSECodec::default();
    let mut buffer = BytesMut::new();
    let mut len = 0;
    for chunk in chunks {
        buffer.extend_from_slice(chunk);
        while let Ok(Some(event)) = codec.decode(&mut buffer) {
            if let sse_codec::Event::Message { data, .. } = event {
                len += data.len();
            }
        }
    }
    len
}

fn chunked(chunks: &[Bytes]) -> impl futures_util::Stream<Item = Result<Bytes, Infallible>> {
    stream::iter(chunks.iter().cloned().map(Ok))
}

fn drained<S: futures_util::Stream>(items: S, len: impl Fn(S::Item) -> usize) -> usize {
    let mut items = pin!(items);
    let mut context = Context::from_waker(Waker::noop());
    let mut all = 0;
    while let Poll::Ready(Some(item)) = items.as_mut().poll_next(&mut context) {
        all += len(item);
    }
    all
}
