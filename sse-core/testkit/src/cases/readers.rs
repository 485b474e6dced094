//! Readers by handle: list them, close them, set their `retry`, change their topics, and make them exclusive.

use std::time::Duration;

use sse_core::{EndReason, Pattern, Start};

use super::{
    refusals::browser,
    topics::said,
    wire::{is_retry, retry_of},
};
use crate::{
    App, Exchange, Outcome, Request, Server, Settings,
    outcome::{ensure, ensure_eq},
};

/// The newest `retry` line.
fn last_retry(reader: &Exchange) -> u64 {
    reader.text().lines().last().and_then(retry_of).unwrap_or(0)
}

/// The list has the readers' principals, topics and lag, under opaque ids.
pub async fn the_readers_of_a_topic_are_listed(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::default()).await?;
    let mut ann = server.stream(Request::get("/events?topic=a.1&as=ann")).await?;
    let wild = server.send(Request::get("/events?topic=a.*").narrow()).await?;
    let _other = server.stream(Request::get("/events?topic=b&as=bob")).await?;
    let large = "x".repeat(256 << 10);
    for n in 1..=50usize {
        server.publish("a.1", &large).await?;
        ann.until("a large event", |ann| ann.body().len() > n * (256 << 10)).await?;
    }
    let readers = server.hub.readers("a.1")?;
    let names: Vec<_> = readers.iter().map(|reader| reader.principal()).collect();
    ensure_eq!(names, [Some("ann"), None]);
    ensure_eq!(readers[0].lag(), 0);
    ensure!((1..50).contains(&readers[1].lag()), "the one that does not read is {} behind", readers[1].lag());
    ensure!(readers[0].since() <= readers[1].since(), "{readers:?}");
    ensure!(readers[1].topics().iter().map(|topic| topic.as_str()).eq(["a.*"]), "{readers:?}");
    let id = readers[1].id();
    ensure_eq!(server.hub.reader(&id).map(|reader| reader.id()), Some(id.clone()));
    ensure_eq!((server.hub.readers("a.2")?.len(), server.hub.readers("c")?.len()), (1, 0));
    drop(wild);
    server.wait_for("the reader to go", |hub| hub.reader(&id).is_none()).await?;
    ensure_eq!(server.hub.readers("a.1")?.len(), 1);
    Ok(())
}

/// The stream ends at once, with a `retry`; when the reader comes back, it resumes.
pub async fn closing_a_reader_ends_it_alone(app: &dyn App) -> Outcome {
    let mut server = Server::start(app, Settings::quiet()).await?;
    let mut closed = server.stream(Request::get("/events?topic=a")).await?;
    let mut stays = server.stream(Request::get("/events?topic=a")).await?;
    let id = server.publish("a", "before").await?.cursor.to_string();
    closed.until_told(1).await?;
    server.hub.readers("a")?[0].close();
    closed.to_end().await?;
    ensure!(closed.text().lines().last().is_some_and(is_retry), "{:?}", closed.text());
    let end = server.ended().await?.end;
    ensure!(matches!(end, EndReason::Disconnected), "the hook was told {end}");
    server.publish("a", "after").await?;
    let told = stays.until_told(2).await?;
    ensure_eq!(said(&told), [("message", "before"), ("message", "after")]);
    let mut again = server.stream(Request::get("/events?topic=a").after(&id)).await?;
    let told = again.until_told(1).await?;
    ensure_eq!(said(&told), [("message", "after")]);
    Ok(())
}

/// The new `retry` is jittered, and repeated by each keep-alive and by the last line; no other reader gets it.
pub async fn a_new_retry_is_told_at_once_and_kept(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::default()).await?;
    let mut reader = server.stream(Request::get("/events?topic=a&as=ann")).await?;
    let mut other = server.stream(Request::get("/events?topic=a&as=bob")).await?;
    let handle = server.hub.readers("a")?.swap_remove(0);
    handle.retry(Duration::from_secs(60));
    reader.until("another retry", |reader| (60_000..=120_000).contains(&last_retry(reader))).await?;
    let told = last_retry(&reader);
    let line = format!("retry: {told}\n");
    reader.until("keep-alives", |reader| reader.text().matches(&line).count() > 2).await?;
    handle.close();
    reader.to_end().await?;
    ensure_eq!(last_retry(&reader), told);
    other.until("keep-alives", |other| other.text().matches("retry: ").count() > 2).await?;
    let retries: Vec<_> = other.text().lines().filter_map(retry_of).collect();
    ensure!(retries.iter().all(|retry| (2_000..=4_000).contains(retry)), "{retries:?}");
    Ok(())
}

/// A change applies from the reader's position on; on request, earlier events of an added topic come first, without
/// ids.
pub async fn rule_6_topics_change_without_reconnecting(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::quiet()).await?;
    let mut reader = server.stream(Request::get("/events?topic=a")).await?;
    server.publish("b", "earlier").await?;
    server.publish("a", "first").await?;
    reader.until_told(1).await?;
    let handle = server.hub.readers("a")?.swap_remove(0);
    handle.set_topics(("b", Pattern::new("c.*")?))?;
    server.publish("a", "not asked for any more").await?;
    server.publish("b", "second").await?;
    let third = server.publish("c.1", "third").await?.cursor.to_string();
    let told = reader.until_told(3).await?;
    ensure_eq!(said(&told), ["first", "second", "third"].map(|data| ("message", data)));
    ensure_eq!((server.hub.readers("a")?.len(), server.hub.readers("c.2")?.len()), (0, 1));
    handle.add_topics("a", Start::Latest(1))?;
    reader.until_text("data: not asked for any more\n\n").await?;
    let fourth = server.publish("a", "fourth").await?.cursor.to_string();
    let told = reader.until_told(5).await?;
    ensure_eq!((said(&told)[3].1, &told[3].id), ("not asked for any more", &third));
    ensure_eq!((said(&told)[4].1, &told[4].id), ("fourth", &fourth));
    ensure!(handle.set_topics("a..b").is_err(), "a wrong topic changes nothing");
    server.publish("c.9", "fifth").await?;
    let told = reader.until_told(6).await?;
    ensure_eq!(said(&told)[5], ("message", "fifth"));
    // Its cursor is also valid for the topics it asks for next.
    let mut again = server.stream(Request::get("/events?topic=a&topic=c.*").after(&third)).await?;
    let told = again.until_told(2).await?;
    ensure_eq!(said(&told), [("message", "fourth"), ("message", "fifth")]);
    Ok(())
}

/// The first one gets a long `retry`, or the two would end each other in turns.
pub async fn a_second_exclusive_reader_ends_the_first(app: &dyn App) -> Outcome {
    let mut server = Server::start(app, Settings::quiet()).await?;
    let place = |principal: &str| Request::get(format!("/events?topic=a&as={principal}&on=replace"));
    let mut first = server.stream(place("ann")).await?;
    let mut other = server.stream(place("bob")).await?;
    let mut second = server.stream(place("ann")).await?;
    first.to_end().await?;
    let away = last_retry(&first);
    ensure!((1_800_000..=3_600_000).contains(&away), "told to stay away for {away} ms");
    let end = server.ended().await?.end;
    ensure!(matches!(end, EndReason::Replaced), "the hook was told {end}");
    server.publish("a", "after").await?;
    for reader in [&mut second, &mut other] {
        reader.until_text("data: after\n").await?;
    }
    ensure!(first.told().is_empty(), "{:?}", first.text());
    Ok(())
}

/// The second reader is refused like one over a limit, until the first has left.
pub async fn a_second_exclusive_reader_is_refused_if_so_chosen(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings::default()).await?;
    let place = "/events?topic=a&as=ann&on=refuse";
    let mut first = server.stream(browser(place)).await?;
    let mut second = server.send(browser(place)).await?;
    second.to_end().await?;
    ensure_eq!(second.status(), 200);
    let text = second.text_after_first_checkpoint();
    ensure!(!text.is_empty() && text.lines().all(is_retry), "{text:?}");
    ensure_eq!(server.send(Request::get(place).header("Accept", "*/*")).await?.status(), 503);
    server.publish("a", "undisturbed").await?;
    first.until_text("data: undisturbed\n").await?;
    drop(first);
    server.wait_for("the first reader to go", |hub| hub.stats().readers.is_empty()).await?;
    let mut third = server.stream(browser(place)).await?;
    server.publish("a", "welcome").await?;
    third.until_text("data: welcome\n").await
}
