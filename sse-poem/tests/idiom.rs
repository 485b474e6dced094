//! A feature of Poem alone: one error type for all handlers.

use poem::IntoResponse;
use sse_poem::{Event, Hub, Sse};

#[tokio::test]
async fn an_error_becomes_poems_own_with_the_same_answer() {
    let hub = Hub::memory();
    let handler = async || -> poem::Result<Sse> {
        hub.publish("a.*", Event::message("x")).await.map_err(sse_poem::Error::from)?;
        Ok(Sse::new(hub.subscribe("a").await.map_err(sse_poem::Error::from)?))
    };
    let error = handler().await.unwrap_err();
    assert_eq!(error.status(), 400);
    let own = sse_poem::Error::from(hub.publish("a.*", Event::message("x")).await.unwrap_err());
    let expected = own.into_response().into_body().into_string().await.unwrap();
    assert!(expected.starts_with(r#"{"error":"topic: a wildcard"#), "{expected}");
    assert_eq!(error.into_response().into_body().into_string().await.unwrap(), expected);
}
