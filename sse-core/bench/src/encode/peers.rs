use std::{
    convert::Infallible,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use actix_web::body::MessageBody;
use axum::response::IntoResponse as _;
use bytestring::ByteString;
use futures_codec::{BytesMut, Encoder as _};
use futures_util::{Stream, StreamExt as _, stream};
use http_body::Body;
use rocket::{
    local::blocking::Client,
    response::Responder as _,
    tokio::io::{AsyncRead, ReadBuf},
};
use sse_core::{Event, EventStream, Frame};
use warp::Reply as _;

use crate::{Failure, corpus::Corpus, machine::versioned, measure::Case};

/// The row of our encoder.
pub(super) const FRAME: &str = "sse-core Frame";

/// Encodes this number of events and returns the number of bytes.
type Run = Box<dyn Fn(&Corpus, usize) -> usize>;

/// A label, whether it is ours, and what it does.
pub(super) struct Peer(String, bool, Run);

/// The contestants, ours first.
pub(super) fn all() -> Result<Vec<Peer>, Failure> {
    let ours = |label: &str, run: fn(&Corpus, usize) -> usize| Peer(label.to_owned(), true, Box::new(run));
    let theirs =
        |package: &str, run: fn(&Corpus, usize) -> usize| Peer(versioned(package), false, Box::new(run));
    Ok(vec![
        ours(FRAME, frame),
        ours("sse-core body", body),
        theirs("axum", axum_sse),
        theirs("warp", warp_sse),
        theirs("poem", poem_sse),
        Peer(versioned("rocket"), false, rocket_sse()?),
        theirs("actix-web-lab", actix_sse),
        theirs("sse-codec", codec),
        theirs("sse-stream", stream_encode),
        theirs("datastar", datastar_sse),
    ])
}

/// The contestants at one shape.
pub(super) fn cases<'a>(peers: &'a [Peer], shape: &'a Corpus) -> Vec<Case<'a>> {
    peers
        .iter()
        .map(|Peer(label, ours, run)| Case {
            label: label.clone(),
            ours: *ours,
            run: Box::new(move |count| run(shape, count)),
        })
        .collect()
}

fn event(shape: &Corpus) -> Event {
    let mut event = Event::message(shape.data);
    if let Some(event_type) = shape.event_type {
        event = event.event(event_type);
    }
    match shape.id {
        Some(id) => event.id(id),
        None => event,
    }
}

fn frame(shape: &Corpus, count: usize) -> usize {
    (0..count).filter_map(|_| Frame::try_from(event(shape)).ok()).map(|frame| frame.bytes().len()).sum()
}

fn body(shape: &Corpus, count: usize) -> usize {
    let events = endless(shape, event).take(count);
    drained(EventStream::new(events).into_response().into_body().map(|Ok(bytes)| bytes.len()))
}

fn axum_sse(shape: &Corpus, count: usize) -> usize {
    let events = endless(shape, |shape| {
        let mut event = axum::response::sse::Event::default();
        if let Some(id) = shape.id {
            event = event.id(id);
        }
        if let Some(event_type) = shape.event_type {
            event = event.event(event_type);
        }
        Ok::<_, Infallible>(event.data(shape.data))
    });
    body_len(axum::response::Sse::new(events.take(count)).into_response().into_body())
}

fn warp_sse(shape: &Corpus, count: usize) -> usize {
    let events = endless(shape, |shape| {
        let mut event = warp::sse::Event::default();
        if let Some(id) = shape.id {
            event = event.id(id);
        }
        if let Some(event_type) = shape.event_type {
            event = event.event(event_type);
        }
        Ok::<_, Infallible>(event.data(shape.data))
    });
    body_len(warp::sse::reply(events.take(count)).into_response().into_body())
}

fn poem_sse(shape: &Corpus, count: usize) -> usize {
    use poem::{IntoResponse as _, web::sse};

    let events = endless(shape, |shape| {
        let mut event = sse::Event::message(shape.data);
        if let Some(id) = shape.id {
            event = event.id(id);
        }
        match shape.event_type {
            Some(event_type) => event.event_type(event_type),
            None => event,
        }
    });
    let body = sse::SSE::new(events.take(count)).into_response().into_body();
    drained(body.into_bytes_stream().map(|bytes| bytes.map_or(0, |bytes| bytes.len())))
}

fn rocket_sse() -> Result<Run, Failure> {
    use rocket::response::stream::{Event, EventStream};

    let quiet =
        rocket::Config { log_level: rocket::config::LogLevel::Off, ..rocket::Config::debug_default() };
    let client = Client::untracked(rocket::custom(quiet)).map_err(|error| error.to_string())?;
    Ok(Box::new(move |shape, count| {
        let shape = shape.clone();
        let events = stream::repeat_with(move || {
            let mut event = Event::data(shape.data);
            if let Some(id) = shape.id {
                event = event.id(id);
            }
            match shape.event_type {
                Some(event_type) => event.event(event_type),
                None => event,
            }
        });
        let request = client.get("/");
        let response = EventStream::from(events.take(count)).respond_to(request.inner());
        let Ok(mut response) = response else { return 0 };
        let mut context = Context::from_waker(Waker::noop());
        let mut buffer = [0; 4096];
        let mut len = 0;
        loop {
            let mut buffer = ReadBuf::new(&mut buffer);
            let read = Pin::new(&mut *response.body_mut()).poll_read(&mut context, &mut buffer);
            match read {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => len += buffer.filled().len(),
                _ => return len,
            }
        }
    }))
}

fn actix_sse(shape: &Corpus, count: usize) -> usize {
    use actix_web_lab::sse::{Data, Event, Sse};

    let events = endless(shape, |shape| {
        let mut data = Data::new(ByteString::from_static(shape.data));
        if let Some(id) = shape.id {
            data = data.id(ByteString::from_static(id));
        }
        match shape.event_type {
            Some(event_type) => Event::Data(data.event(ByteString::from_static(event_type))),
            None => Event::Data(data),
        }
    });
    let mut body = pin!(Sse::from_infallible_stream(events.take(count)));
    drained(
        stream::poll_fn(move |cx| body.as_mut().poll_next(cx))
            .map(|bytes| bytes.map_or(0, |bytes| bytes.len())),
    )
}

fn codec(shape: &Corpus, count: usize) -> usize {
    let mut codec = sse_codec::SSECodec::default();
    let mut buffer = BytesMut::new();
    let mut len = 0;
    for _ in 0..count {
        buffer.clear();
        let event = sse_codec::Event::message(shape.event_type.unwrap_or("message"), shape.data, shape.id);
        if codec.encode(event, &mut buffer).is_ok() {
            len += buffer.len();
        }
    }
    len
}

fn stream_encode(shape: &Corpus, count: usize) -> usize {
    let encoded = |_| {
        let mut event = sse_stream::Sse::default();
        if let Some(id) = shape.id {
            event = event.id(id);
        }
        if let Some(event_type) = shape.event_type {
            event = event.event(event_type);
        }
        event.data(shape.data).encode().ok()
    };
    (0..count).filter_map(encoded).map(|bytes| bytes.len()).sum()
}

fn datastar_sse(shape: &Corpus, count: usize) -> usize {
    use datastar::prelude::PatchSignals;

    let events = endless(shape, |shape| {
        let mut signals = PatchSignals::new(shape.data);
        if let Some(id) = shape.id {
            signals = signals.id(id);
        }
        Ok::<_, Infallible>(axum::response::sse::Event::from(signals))
    });
    body_len(axum::response::Sse::new(events.take(count)).into_response().into_body())
}

/// The shape's event again and again, made anew each time.
fn endless<E: 'static>(
    shape: &Corpus,
    make: impl Fn(&Corpus) -> E + Send + Sync + 'static,
) -> impl Stream<Item = E> + Send + Sync + 'static {
    let shape = shape.clone();
    stream::repeat_with(move || make(&shape))
}

/// Polls a body that is always ready to its end.
fn body_len(body: impl Body<Data: bytes::Buf>) -> usize {
    use bytes::Buf as _;

    let mut body = pin!(body);
    drained(stream::poll_fn(move |cx| {
        body.as_mut().poll_frame(cx).map(|frame| {
            frame.map(|frame| {
                frame.ok().and_then(|frame| frame.into_data().ok()).map_or(0, |data| data.remaining())
            })
        })
    }))
}

fn drained(lens: impl Stream<Item = usize>) -> usize {
    let mut lens = pin!(lens);
    let mut context = Context::from_waker(Waker::noop());
    let mut all = 0;
    while let Poll::Ready(Some(len)) = lens.as_mut().poll_next(&mut context) {
        all += len;
    }
    all
}
