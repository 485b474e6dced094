//! Subscriptions that differ from the requested ones.

use http::{HeaderMap, HeaderValue, Uri, header};
use sse_core::{Cursor, Error, EventStream, EventView, LastEventId, SseRequest, Start, error::InvalidTopic};
use sse_testkit::{Context, Query, Term, is_of};

use super::{Fault, Incoming};

fn request_of(request: &Incoming, fault: Fault) -> HeaderMap {
    let mut headers = request.header_map();
    match fault {
        Fault::IgnoresAccept => drop(headers.remove(header::ACCEPT)),
        Fault::RefusedIs503 => drop(headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"))),
        _ => {}
    }
    headers
}

/// A subscription as requested, except for the broken promise.
pub(crate) async fn events(
    request: &Incoming,
    app: &Context,
    mut query: Query,
    fault: Fault,
) -> Result<EventStream, Error> {
    let header = request.header("last-event-id");
    let method = if fault == Fault::HeadSubscribes { "GET" } else { &request.method };
    let (uri, headers) = (request.target().parse().unwrap_or_default(), request_of(request, fault));
    let sent = SseRequest::new(&method.parse().unwrap(), &uri, &headers);
    let last = match fault {
        Fault::HeaderOnly => LastEventId::new(&Uri::default(), &headers),
        Fault::QueryWins => match LastEventId::new(&uri, &HeaderMap::new()) {
            none if none.is_empty() => LastEventId::new(&Uri::default(), &headers),
            last => last,
        },
        Fault::Inclusive => {
            match sent.last_event_id().as_str().and_then(|text| text.parse::<Cursor>().ok()) {
                Some(cursor) => Cursor::new(cursor.epoch(), cursor.seq() - 1).into(),
                None => sent.last_event_id().clone(),
            }
        }
        _ => sent.last_event_id().clone(),
    };
    let length = header.map_or(0, <[u8]>::len);
    let bad = length > 0 && last.as_str().is_none_or(|text| text.parse::<Cursor>().is_err());
    if fault == Fault::BadIdIs400 && bad || fault == Fault::LongIdIs400 && length > 8 << 10 {
        return Err(InvalidTopic::Missing.into());
    }
    if fault == Fault::IgnoresStart {
        query.start = Start::Live;
    }
    if fault == Fault::NoWildcards {
        query.topics = query.topics.iter().map(|topic| topic.replace(['*', '>'], "x")).collect();
    }
    forget_terms(&mut query, &last, fault);
    let (principal, topics) = (query.principal.clone().unwrap_or_default(), query.topics.clone());
    let mut subscribe = app.subscribe(query);
    match fault {
        Fault::KeepsItsTopics => {
            let reads = move |event: &EventView<'_>| {
                event.topics().iter().any(|topic| topics.iter().any(|query| query == topic.as_str()))
            };
            subscribe = subscribe.filter(reads);
        }
        Fault::TellsAllEnds => {
            subscribe =
                subscribe.filter(move |event| event.event_type() == "sse.end" || is_of(event, &principal));
        }
        _ => {}
    }
    let last = if fault == Fault::StateAtEachConnect { LastEventId::default() } else { last };
    Ok(app.configure(subscribe.request(sent).after(last).await?))
}

/// Ignores some of the terms.
fn forget_terms(query: &mut Query, last: &LastEventId, fault: Fault) {
    let is_live = last.is_empty() && query.start == Start::Live;
    query.terms.retain(|term| match fault {
        Fault::AlwaysFallsBack => *term != Term::Streams,
        Fault::FiltersOnlyLive => is_live || *term != Term::Filter,
        Fault::IgnoresLease => *term != Term::Lease,
        Fault::LetsBoth => !matches!(term, Term::Exclusive(_)),
        Fault::NoLimits => *term != Term::Limits,
        Fault::StateOnlyOnce => last.is_empty() || *term != Term::State,
        Fault::TellsAllEnds => *term != Term::Filter,
        Fault::TellsEveryOne => *term != Term::Conflate,
        _ => true,
    });
    if fault == Fault::Nameless {
        query.principal = None;
    }
}
